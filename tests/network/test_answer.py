"""Which samples of a sequence answer, and how they are pooled: by simulation and of every simulated device."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinhw.config import build
from spinhw.device import load_device, open_device
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.streams import torch_stream

INTERVAL_S = 1e-9
LENGTHS = torch.tensor([[6, 4, 9], [9, 2, 5]])


@given(
    st.integers(1, 5), st.booleans(), st.integers(1, 3), st.integers(1, 4), st.integers(5, 9), st.integers(0, 2**31 - 1)
)
def test_an_answer_at_its_own_end_is_that_of_the_sequence_cut_off_there(last, pooled, members, batch, time, seed):
    draw, answer = torch.Generator().manual_seed(seed), Answer(last, pooled)
    values = torch.rand(members, batch, time, 2, generator=draw)
    lengths = torch.randint(last, time + 1, (members, batch), generator=draw)
    found = answer.take(values, lengths)
    assert found.shape == (members, batch, 1 if pooled else last, 2)
    for member in range(members):
        for one in range(batch):
            alone = answer.take(values[member, one, : lengths[member, one]])
            torch.testing.assert_close(found[member, one], alone, rtol=0, atol=1e-7)
    whole = answer.take(values, torch.full((members, batch), time))
    torch.testing.assert_close(whole, answer.take(values), rtol=0, atol=1e-7)


def test_every_sample_may_answer():
    values = torch.rand(2, 3, 7, 4)
    assert torch.equal(Answer(None, pooled=False).take(values), values)


@pytest.mark.parametrize(
    ("answer", "times"), [(Answer(), [5.0]), (Answer(3), [5.0]), (Answer(3, False), [3.0, 4.0, 5.0])]
)
def test_an_answer_has_the_time_of_the_last_sample_that_it_is_made_of(answer, times):
    assert answer.times(torch.arange(1.0, 6.0)).tolist() == times


@pytest.mark.parametrize(("last", "pooled"), [(0, True), (-1, False), (None, True)])
def test_an_answer_of_no_samples_is_refused(last, pooled):
    with pytest.raises(ValueError, match="answer"):
        Answer(last, pooled)


def test_a_sequence_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match="a sequence has 2 samples, but the last 3 are to answer"):
        Answer(3).take(torch.rand(2, 3, 9, 4), LENGTHS)


def network_of(readout: str, answer: Answer) -> SpintronicNetwork:
    settings = NetworkSettings(layers=(5, 4), outputs=3, readout=readout, readout_samples=2)
    return SpintronicNetwork(settings, Steps(INTERVAL_S), [0, 1], answer)


ANSWERS = [Answer(2), Answer(1), Answer(2, False), Answer(None, False)]


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
@pytest.mark.parametrize("readout", ["hardware", "software"])
def test_a_network_answers_for_each_sequence_as_if_it_ended_there(answer, readout):
    network, inputs = network_of(readout, answer), torch.rand(2, 3, 9, 1, generator=torch_stream("inputs"))
    found = network(inputs, LENGTHS)
    for member in range(2):
        for one in range(3):
            length = int(LENGTHS[member, one])
            alone = network(inputs[:, one : one + 1, :length])[member, 0]
            seen = found[member, one] if answer.last is not None else found[member, one, :length]
            torch.testing.assert_close(seen, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("answer", ANSWERS, ids=str)
def test_a_hardware_readout_answers_as_the_network_does(answer):
    network, inputs = network_of("hardware", answer), torch.rand(2, 3, 9, 1, generator=torch_stream("inputs"))
    device = open_device(load_device("ideal"), network.settings, INTERVAL_S, 2, answer=answer)
    with device, torch.no_grad():
        applied = device.program(network.values())
        trace = device.run(inputs, lengths=LENGTHS)
    answers = network.settings.out_gain * trace.outputs.values + applied["b_out"][:, None, None]
    torch.testing.assert_close(network.as_called(answers), network(inputs, LENGTHS), rtol=1e-4, atol=1e-4)
    assert device.describe().answer == answer
    assert len(trace.outputs.time_s) == trace.outputs.values.shape[2]


@pytest.mark.parametrize("lengths", [torch.tensor([1, 2, 10]), torch.tensor([0, 2, 3]), torch.tensor([1.0, 2.0, 3.0])])
def test_lengths_that_no_sequence_has_are_refused(lengths):
    network, inputs = network_of("hardware", Answer()), torch.rand(2, 3, 9, 1)
    with open_device(load_device("ideal"), network.settings, INTERVAL_S, 2) as device:
        device.program(network.values())
        with pytest.raises(ValueError, match="lengths must be whole numbers from 1 to 9"):
            device.run(inputs, lengths=lengths)


def test_settings_say_how_many_samples_answer():
    assert build(NetworkSettings, {"readout_samples": 8}, "test").answer == Answer(8)
