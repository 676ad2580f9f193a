"""Benches of other shapes over VISA: several sources in step, an answer after each step, networks of other sizes."""

import numpy as np
import pytest
import torch

from fakes.shaped import Shaped, shaped_bench
from spinhw.config import build
from spinhw.device import ObservationPlan, Quality, open_device
from spinhw.device.contract import check_device
from spinhw.device.highpassed import high_passed
from spinhw.device.reading import Samples
from spinhw.device.rehearsal import rehearse_device
from spinhw.errors import ConfigError
from spinhw.gradients import HardwareInLoop
from spinhw.instruments import StationSettings
from spinhw.network import Answer, NetworkSettings, SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.streams import torch_stream
from spinhw.tasks import Batch, Classes, loss

INTERVAL_S = 1e-9
EACH_STEP = Answer(None, pooled=False)
WHOLE = NetworkSettings(inputs=3, layers=(4, 3), outputs=2, weight_scale=3.0)
PART = NetworkSettings(inputs=2, layers=(3, 2), outputs=1, weight_scale=3.0)
WITH_LAYERS = Shaped(said={"layers": [4, 3]})


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


def shown(inputs, batch=3, times=10):
    return torch.rand(batch, times, inputs, generator=torch_stream("test shapes")) * 4 - 2


def simulated(network, values, inputs):
    """Give power, y and outputs after each sample, integrated finely."""
    with torch.no_grad():
        run = network.run(inputs, Steps(INTERVAL_S, 32))
        last = run.filtered[0, ..., -network.settings.layers[-1] :]
        return run.power[0], run.filtered[0], last @ values["w_out"].T


def off_by(measured, wanted):
    """Give the rms difference in units of the standard deviation: about 0.05 by noise alone."""
    return float((measured - wanted).square().mean().sqrt() / wanted.std())


def test_three_inputs_from_two_sources_arrive_in_step_and_every_step_is_answered(tmp_path):
    network, inputs = SpintronicNetwork(WHOLE, Steps(INTERVAL_S), seed=0), shown(3)
    with shaped_bench(Shaped(), tmp_path) as (made, settings):
        with open_device(settings, WHOLE, INTERVAL_S, answer=EACH_STEP) as device:
            device.program(network.values())
            trace = device.run(inputs)
            about = device.describe()
    power, _, outputs = simulated(network, network.values(), inputs)
    assert trace.outputs.values.shape == (3, 10, 2)
    np.testing.assert_allclose(trace.power.values, power, atol=0.03)
    assert off_by(trace.outputs.values, outputs) < 0.2
    assert about.wires["input"] == ("one.1", "one.2", "two.1")
    assert about.idle == {}
    assert not any(made.instruments[name].get("on", 1) for name in ("one", "two", "smu", "board"))


def test_a_network_of_fewer_neurons_runs_on_a_part_of_the_chip_and_the_rest_stays_as_it_is_known(tmp_path):
    network, inputs = SpintronicNetwork(PART, Steps(INTERVAL_S), seed=0), shown(2)
    values = network.values()
    with shaped_bench(WITH_LAYERS, tmp_path) as (made, settings):
        board, matrix = made.instruments["board"], made.instruments["matrix"]
        board.staged_v[:] = board.applied_v[:] = 1.5  # Left by somebody before.
        with open_device(settings, PART, INTERVAL_S, answer=EACH_STEP) as device:
            applied = device.program(values)
            assert np.count_nonzero(board.applied_v) == sum(int((value != 0).sum()) for value in applied.values())
            trace = device.run(inputs)
            on = {
                (name, channel): bool(made.instruments[name].get("on", channel))
                for name in ("one", "two")
                for channel in (1, 2)
            }
            said = [one.text() for one in device.station.traffic.recent()]
            about = device.describe()
    power, _, outputs = simulated(network, values, inputs)
    np.testing.assert_allclose(trace.power.values, power, atol=0.03)
    assert off_by(trace.outputs.values, outputs) < 0.2
    assert on == {("one", 1): True, ("one", 2): True, ("two", 1): False, ("two", 2): True}
    assert not any(":OUTPut1 1" in line for line in said if line.startswith("two >"))
    assert matrix.closed == set()
    assert not any(route in line for line in said for route in ("1404", "1307"))  # Neurons 3 and 6.
    assert about.idle == {
        "input": ("two.1",),
        "neuron": ("scope.4 via matrix.1404", "scope.3 via matrix.1307"),
        "output": ("tek.2",),
    }
    assert about.remarks()[0].startswith("not used: 1 of 3 inputs, 2 of 7 neurons, 1 of 2 outputs; sources")


def test_a_part_of_a_bench_keeps_the_contract(tmp_path):
    with shaped_bench(WITH_LAYERS, tmp_path) as (_, settings):
        verdicts = check_device(lambda: open_device(settings, PART, INTERVAL_S))
    assert [f"{one.name}: {one.detail}" for one in verdicts if not one.passed] == []


@pytest.mark.parametrize(
    ("said", "changes", "message"),
    [
        ({}, {"inputs": 12}, r"wiring\.inputs: .* more inputs .*seen: 12 inputs .*at most 3, .*one\.1, one\.2, two\.1"),
        ({}, {"layers": (4, 4)}, r"wiring\.neurons: .*more neurons.*seen: 8 in layers \[4, 4\]; allowed: 7"),
        ({}, {"layers": (4, 2)}, r"wiring\.neurons: .*nothing says which synapses.*next: .*layers: \[7\]"),
        ({"layers": [4, 3]}, {"layers": (3, 4)}, r"wiring\.layers: .*\[3, 4\]; allowed: .*: \[4, 3\]"),
        ({"layers": [4, 3]}, {"layers": (7,)}, r"wiring\.layers: .*allowed: as many layers .*: \[4, 3\]"),
        ({}, {"outputs": 3}, r"wiring\.outputs: .*seen: 3 outputs.*at most 2, wired as tek\.1, tek\.2"),
        ({"outputs": []}, {}, r"wiring\.outputs: .*allowed: none, for none is wired; next: .*readout: software"),
    ],
)  # fmt: skip
def test_what_a_bench_has_too_few_of_is_one_line_with_what_it_has(said, changes, message):
    settings = build(StationSettings, Shaped(said=said).file(), "bench.yaml")
    with pytest.raises(ConfigError, match=message) as refused:
        open_device(settings, WHOLE.model_copy(update=changes), INTERVAL_S)
    assert "\n" not in str(refused.value)


def test_layers_of_another_chip_than_its_neurons_are_refused():
    with pytest.raises(ConfigError, match=r"wiring: layers and neurons .*seen: 8 neurons in layers, 7 wired"):
        build(StationSettings, Shaped(said={"layers": [4, 4]}).file(), "bench.yaml")


def test_a_rehearsal_knows_the_whole_board():
    settings = build(StationSettings, WITH_LAYERS.file(), "bench.yaml")
    assert any("board > :SYNapse:DATA 0,#" in line for line in rehearse_device(settings, PART, INTERVAL_S))


def test_forty_eight_oscillators_hold_three_inputs_and_answer_after_each_step(tmp_path):
    large = NetworkSettings(
        inputs=3, layers=(48,), outputs=3, density_input=1.0, cutoff_hz=1e3, out_gain=3.0, weight_scale=2.0
    )
    network, inputs = SpintronicNetwork(large, Steps(INTERVAL_S), seed=1), shown(3, batch=2, times=90)
    shape = Shaped(layers=(48,), outputs=3, network={"cutoff": "1 kHz"})
    with shaped_bench(shape, tmp_path) as (_, settings):
        with open_device(settings, large, INTERVAL_S, answer=EACH_STEP) as device:
            device.program(network.values())
            trace = device.run(inputs, ObservationPlan(((0, 47),)))
    power, _, outputs = simulated(network, network.values(), inputs)
    assert trace.outputs.values.shape == (2, 90, 3)
    np.testing.assert_allclose(trace.power.values[..., [0, 47]], power[..., [0, 47]], atol=0.03)
    assert off_by(trace.outputs.values, outputs) < 0.2


SOFTWARE = NetworkSettings(inputs=3, layers=(4, 3), outputs=2, weight_scale=3.0, readout="software")


@pytest.mark.parametrize(("led_out", "cutoff_hz"), [("power", 44e6), ("power", 1e3), ("filtered", 44e6)])
def test_a_read_out_in_software_has_y_whatever_is_led_out(led_out, cutoff_hz, tmp_path):
    design = SOFTWARE.model_copy(update={"cutoff_hz": cutoff_hz})
    network, inputs = SpintronicNetwork(design, Steps(INTERVAL_S), seed=0), shown(3)
    shape = Shaped(outputs=0, led_out=led_out, network={"cutoff": f"{cutoff_hz} Hz"})
    with shaped_bench(shape, tmp_path) as (_, settings):
        with open_device(settings, design, INTERVAL_S, answer=EACH_STEP) as device:
            device.program(network.values())
            trace, about = device.run(inputs, averages=4), device.describe()
    power, y, _ = simulated(network, network.values(), inputs)
    assert off_by(trace.filtered.values, y) < 0.2
    assert bool(trace.filtered.good.all())
    assert about.computed == ({"filtered"} if led_out == "power" else set())
    assert (trace.power is not None) == (led_out == "power")


def test_y_is_told_only_where_its_power_was_measured():
    cutoff_hz, times = 44e6, 60
    power = 0.5 + 0.1 * torch.randn(1, 2, times + 1, 3, generator=torch_stream("test highpass"), dtype=torch.float64)
    quality = torch.zeros(power.shape, dtype=torch.uint8)
    quality[0, 0, 10, 0] = Quality.CLIPPED
    quality[0, 1, 0, 1] = Quality.MISSING
    power[0, 1, 0, 1] = torch.nan

    def passed(cutoff_hz, quality):
        start = Samples(power[:, :, 0], torch.zeros(1), quality[:, :, 0])
        ends = Samples(power[:, :, 1:], torch.arange(times) * INTERVAL_S, quality[:, :, 1:])
        return high_passed(start, ends, cutoff_hz, INTERVAL_S)

    found, whole = passed(cutoff_hz, quality), passed(cutoff_hz, torch.zeros_like(quality))
    bad = found.quality != Quality.GOOD
    assert not bad[0, 0, :, 1:].any() and not bad[0, 1, :, [0, 2]].any()
    assert torch.equal(found.values[..., 2], whole.values[..., 2])
    clipped = bad[0, 0, :, 0].nonzero().flatten()
    assert int(clipped[0]) == 9 and 12 <= len(clipped) <= 25  # exp(-2 pi 44 MHz t) of 0.4 is 0.01 after 14 ns.
    assert set(found.quality[0, 0, clipped, 0].tolist()) == {Quality.CLIPPED}
    afterwards = slice(int(clipped[-1]) + 1, None)
    torch.testing.assert_close(found.values[0, 0, afterwards, 0], whole.values[0, 0, afterwards, 0], atol=5e-3, rtol=0)
    assert set(found.quality[0, 1, :10, 1].tolist()) == {Quality.MISSING}
    slow = passed(1e3, quality)
    assert int((slow.quality[0, 0, :, 0] != Quality.GOOD).sum()) == 1  # It has forgotten nothing, and mixed in nothing.
    assert bool((slow.quality[0, 1, :, 1] == Quality.MISSING).all())  # Of a start that nobody knows all is wrong.


def test_a_sequence_that_begins_at_rest_is_told_where_the_rests_open_the_gate(tmp_path, caplog):
    design = NetworkSettings(inputs=1, layers=(2,), outputs=1)
    values, inputs = SpintronicNetwork(design, seed=0).values(), shown(1)
    inputs[1, 0] = 0.0
    for gate in ({}, {"gate": None}):
        with shaped_bench(Shaped(1, (2,), 1, said=gate), tmp_path) as (_, settings):
            with open_device(settings, design, INTERVAL_S) as device:
                device.program(values)
                device.run(inputs, ObservationPlan.nothing())
                device.run(inputs, ObservationPlan.nothing())
        told = [one.getMessage() for one in caplog.records if "every input at its rest" in one.getMessage()]
        assert len(told) == (1 if gate else 0)
    assert "shaped" not in told[0] and "bench: 1 of 3 sequences" in told[0] and "wiring.gate" in told[0]


def test_each_sequence_answers_at_its_own_end(tmp_path):
    design = WHOLE.model_copy(update={"readout_samples": 2})
    network, inputs, lengths = SpintronicNetwork(design, Steps(INTERVAL_S), seed=0), shown(3), torch.tensor([4, 10, 7])
    other = inputs.clone()
    other[0, 4:], other[2, 7:] = 1.7, -1.2  # What comes after an end counts nowhere.
    with shaped_bench(Shaped(), tmp_path) as (_, settings):
        with open_device(settings, design, INTERVAL_S) as device:
            device.program(network.values())
            traces = [device.run(one, ObservationPlan.nothing(), 4, lengths) for one in (inputs, other)]
    _, _, outputs = simulated(network, network.values(), inputs)
    wanted = torch.stack([outputs[row, end - 2 : end].mean(0) for row, end in enumerate(lengths.tolist())])
    for trace in traces:
        assert trace.outputs.values.shape == (3, 1, 2)
        assert off_by(trace.outputs.values[:, 0], wanted) < 0.2


def test_the_gradient_of_a_class_for_each_step_is_that_of_the_network(tmp_path):
    network = SpintronicNetwork(
        WHOLE.model_copy(update={"out_gain": 20.0}), Steps(INTERVAL_S), seed=0, answer=EACH_STEP
    )
    labels = torch.randint(0, 2, (1, 6, 10), generator=torch_stream("test labels"))
    batch = Batch(shown(3, batch=6)[None], Classes(labels))
    with shaped_bench(Shaped(), tmp_path) as (_, settings):
        with open_device(settings, network, answer=EACH_STEP) as device:
            answers = HardwareInLoop(network, device, averages=4).answers(batch.inputs)
    assert answers.shape == (1, 6, 10, 2)
    parameters = dict(network.named_parameters())
    found = torch.autograd.grad(loss(answers, batch).sum(), list(parameters.values()))
    alone = network(batch.inputs[0])[None]
    wanted = torch.autograd.grad(loss(alone, batch).sum(), list(parameters.values()))
    assert (
        float(torch.cosine_similarity(*(torch.cat([g.flatten() for g in one]) for one in (found, wanted)), dim=0))
        > 0.98
    )


def test_one_oscillator_stands_for_a_network_of_three_inputs_that_answers_after_each_step():
    design = NetworkSettings(inputs=3, layers=(2,), outputs=2, weight_scale=3.0)
    network, inputs = SpintronicNetwork(design, Steps(INTERVAL_S), seed=0), shown(3, batch=2, times=6)
    profile = {"kind": "multiplexed", "bank": {"kind": "simulated"}, "oscillators": 1}
    with open_device(profile, design, INTERVAL_S, answer=EACH_STEP) as device:
        device.program(network.values())
        trace = device.run(inputs)
    _, _, outputs = simulated(network, network.values(), inputs)
    assert trace.outputs.values.shape == (2, 6, 2)
    assert off_by(trace.outputs.values, outputs) < 0.05
