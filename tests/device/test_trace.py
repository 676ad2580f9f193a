"""Traces, signals and observation plans."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spinhw.conversion import Conversion, Scaling
from spinhw.device import ObservationPlan, Quality, Reading, Samples, Signal, Trace
from spinhw.device.assemble import assemble
from spinhw.errors import DeviceError


def signal_of(values: torch.Tensor, quality: torch.Tensor) -> Signal:
    return Signal(values, quality.to(torch.uint8), torch.arange(values.shape[-2]) * 1e-9)


def samples_of(values: torch.Tensor, quality: torch.Tensor | None = None, noise: float | None = None) -> Samples:
    return Samples(values, torch.tensor([1e-9, 2e-9]), quality, noise)


@given(st.integers(0, 100), st.none() | st.integers(1, 20))
def test_split_observes_each_neuron_once_in_as_few_repeats_as_possible(neurons, channels):
    plan = ObservationPlan.split(neurons, channels)
    assert sorted(plan.neurons) == list(range(neurons))
    assert len(plan.repeats) == (max(1, math.ceil(neurons / channels)) if channels else 1)
    sizes = [len(repeat) for repeat in plan.repeats]
    assert max(sizes) - min(sizes) <= 1
    plan.check(neurons, channels)


def test_split_takes_a_list_of_neurons():
    assert ObservationPlan.split([5, 3, 9], 2).neurons == (5, 3, 9)


@pytest.mark.parametrize(
    ("repeats", "message"),
    [((), "at least one repeat"), (((1, 1),), "once"), (((1,), (1,)), "once"), (((-1,),), "from 0")],
)
def test_bad_plans_are_refused(repeats, message):
    with pytest.raises(ValueError, match=message):
        ObservationPlan(repeats)


def test_plan_is_checked_against_the_device():
    with pytest.raises(ValueError, match=r"neurons \[8\].*0 to 7"):
        ObservationPlan(((8,),)).check(8, None)
    with pytest.raises(ValueError, match="3 neurons in one repeat.*2 at a time"):
        ObservationPlan(((0, 1, 2),)).check(8, 2)


def test_only_good_samples_are_used():
    values = torch.tensor([[1.0, math.nan], [3.0, 4.0]])
    quality = torch.tensor([[Quality.GOOD, Quality.MISSING], [Quality.CLIPPED, Quality.GOOD]])
    model = torch.full((2, 2), 7.0, requires_grad=True)
    mixed = signal_of(values, quality).or_else(model)
    assert mixed.tolist() == [[1.0, 7.0], [7.0, 4.0]]
    mixed.sum().backward()
    assert model.grad.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_signal_refuses_a_quality_of_another_shape():
    with pytest.raises(ValueError, match="must be the same"):
        Signal(torch.zeros(2, 3), torch.zeros(3, 2, dtype=torch.uint8), torch.zeros(2))


def test_share_counts_qualities():
    signal = signal_of(torch.zeros(2, 2), torch.tensor([[0, 0], [0, 1]]))
    assert signal.share(Quality.GOOD) == 0.75
    assert signal.share(Quality.CLIPPED) == 0.25


def test_repeats_are_put_together_in_the_order_of_the_neurons():
    plan, conversion = ObservationPlan(((2, 0), (1,))), Conversion(power=Scaling(0.5, "V"))
    first = samples_of(torch.tensor([[[[2.0, 0.0]] * 2]]), noise=0.01)  # (member, batch, time, observed)
    second = samples_of(torch.tensor([[[[1.0]] * 2]]))
    trace = assemble([Reading((0, 1), power=first), Reading((1, 2), power=second)], plan, 4, conversion, ("a",), 1)
    assert trace.power.values[0, 0, 0, :3].tolist() == [0.0, 2.0, 4.0]
    assert trace.power.values[..., 3].isnan().all()
    assert trace.power.quality[0, 0, 0].tolist() == [0, 0, 0, Quality.UNOBSERVED]
    assert trace.power.noise == pytest.approx(0.02)
    assert trace.shots == (0, 2)


def test_samples_that_are_not_numbers_become_missing():
    values = torch.tensor([[[[1.0, math.nan]] * 2]])
    trace = assemble([Reading((0, 1), power=samples_of(values))], ObservationPlan.split(2), 2, Conversion(), ("a",), 1)
    assert trace.power.quality[0, 0, 0].tolist() == [Quality.GOOD, Quality.MISSING]


def test_outputs_are_averaged_over_the_good_repeats():
    readings = []
    for shot, (value, quality) in enumerate([(1.0, 0), (3.0, 0), (100.0, Quality.CLIPPED)]):
        outputs = Samples(torch.full((1, 1, 2), value), torch.zeros(1), torch.full((1, 1, 2), quality).byte(), 0.3)
        readings.append(Reading((shot, shot + 1), outputs=outputs))
    trace = assemble(readings, ObservationPlan(((0,), (1,), (2,))), 3, Conversion(), ("a",), 1)
    assert trace.outputs.values.tolist() == [[[2.0, 2.0]]]
    assert bool(trace.outputs.good.all())


def test_missing_repeats_and_wrong_shapes_are_device_errors():
    plan = ObservationPlan(((0,), (1,)))
    with pytest.raises(DeviceError, match="repeats are missing"):
        assemble([Reading((0, 1))], plan, 2, Conversion(), ("a",), 1)
    wrong = Reading((0, 1), power=samples_of(torch.zeros(1, 1, 2, 2)))
    with pytest.raises(DeviceError, match="another shape"):
        assemble([wrong, wrong], plan, 2, Conversion(), ("a",), 1)


def test_a_trace_lists_its_signals_and_drops_one_member():
    signal = signal_of(torch.zeros(1, 2, 3), torch.zeros(1, 2, 3))
    trace = Trace(("a",), 1, (0, 1), power=signal, applied={"bias.0": torch.zeros(1, 4)})
    assert list(trace.signals()) == ["power"]
    bare = trace.without_member()
    assert bare.power.values.shape == (2, 3)
    assert bare.applied["bias.0"].shape == (4,)
