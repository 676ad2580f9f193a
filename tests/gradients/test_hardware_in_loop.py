"""HardwareInLoop in anybody's loop, and what it refuses in one clear line each."""

import inspect
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fakes.loops import INTERVAL_S, SPREAD, batch, make
from spinhw.device import ObservationPlan, SimulatedDevice, SimulatedSettings, open_device
from spinhw.errors import ConfigError
from spinhw.gradients import Choices, HardwareInLoop
from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps


def test_any_optimiser_trains_a_single_network_on_a_chip():
    network, device = make(SPREAD, members=1, ensemble=False)
    labels = torch.arange(6).remainder(4)
    losses = []
    with device:
        loop = HardwareInLoop(network, device)
        optimiser = torch.optim.SGD(loop.parameters(), lr=0.5)
        for _ in range(30):
            loss = torch.nn.functional.cross_entropy(loop(batch(None)), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            network.limit_weights_()
            losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert loop.inferences == 30 * 6


def test_parameters_are_those_of_the_network():
    network, device = make()
    assert {id(one) for one in HardwareInLoop(network, device).parameters()} == {
        id(one) for one in network.parameters()
    }


def test_surrogate_runs_on_what_the_chip_applied():
    """Four bits: what is programmed is far from what was asked for, and the gradient is of what was programmed."""
    network, device = make({"synapses": {"bits": 4, "limit": 4.0}})
    rounded = SpintronicNetwork(network.settings, network.steps, [3, 5]).double()
    with device:
        loop = HardwareInLoop(network, device, "output")
        loss = loop(batch()).square().sum()
        found = torch.autograd.grad(loss, network.w_int[0])[0]
        named = dict(rounded.named_parameters())
        for name, value in loop.trace.applied.items():
            named[name].data.copy_(value)
        exact = HardwareInLoop(rounded, device, "output")
        expected = torch.autograd.grad(exact(batch()).square().sum(), rounded.w_int[0])[0]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def test_only_the_read_out_is_observed_where_nothing_else_is_needed():
    network, device = make(channels=2)
    with device:
        loop = HardwareInLoop(network, device, "output")
        loop(batch())
        assert loop.trace.power is None
        assert loop.trace.shots == (0, 1)
        layered = HardwareInLoop(network, device, "layerwise", averages=3)
        layered(batch())
        assert layered.trace.shots == (1, 1 + 6 * 3)
    assert (loop.inferences, layered.inferences) == (12, 12 * 18)


@pytest.mark.parametrize(
    ("mode", "without", "message"),
    [
        (
            "layerwise",
            {"power", "filtered"},
            "'layerwise' needs observations that chip-0 to chip-1 does not give; seen: outputs",
        ),
        ("observer", {"power", "filtered"}, "'observer' needs observations"),
        ("output", {"outputs", "filtered"}, "'output' needs observations .* allowed: outputs, or filtered"),
    ],
)
def test_mode_without_its_observations_is_refused(mode, without, message):
    network, seeing = make()
    about = replace(seeing.describe(), observables=seeing.describe().observables - without)
    device = SimulatedDevice(seeing.truth, about, seeing.conversion)
    with pytest.raises(ConfigError, match=message):
        HardwareInLoop(network, device, mode)


def test_mode_without_a_device_is_refused():
    network, _ = make()
    with pytest.raises(ConfigError, match="'output' needs a device to measure; seen: no device"):
        HardwareInLoop(network, None)


def test_unknown_mode_is_refused_with_a_hint():
    network, device = make()
    with pytest.raises(ConfigError, match="no such gradient; seen: outputs; .*did you mean 'output'"):
        HardwareInLoop(network, device, "outputs")


def test_surrogate_of_other_neurons_is_refused():
    network, device = make()
    other, _ = make(layers=(5, 4))
    with pytest.raises(ConfigError, match="another number of neurons than the network; seen: 9; allowed: 12"):
        HardwareInLoop(network, device, "output", other.neurons())


def test_surrogate_in_other_units_is_refused():
    network, device = make()
    nominal = network.neurons()
    in_ghz = replace(nominal, gamma=nominal.gamma * 1e-9)
    with pytest.raises(ConfigError, match="rates of another order than the network: in another unit"):
        HardwareInLoop(network, device, "output", in_ghz)


def test_surrogate_with_other_time_steps_is_refused():
    network, device = make()
    slow = SpintronicNetwork(network.settings, Steps(2 * INTERVAL_S), [3, 5]).double()
    with pytest.raises(ConfigError, match="holds inputs for other times than the surrogate steps; seen: 1e-09 s"):
        HardwareInLoop(slow, device)


def test_another_number_of_chips_is_refused():
    network, _ = make()
    device = open_device(SimulatedSettings(kind="simulated"), network.settings, INTERVAL_S, 3)
    with pytest.raises(ConfigError, match="another number of chips than there are networks; seen: 3 chips, 2 networks"):
        HardwareInLoop(network, device)


def test_plans_that_do_not_fit_are_refused():
    network, device = make(channels=2)
    with pytest.raises(ConfigError, match="3 neurons in one repeat; the device observes 2"):
        HardwareInLoop(network, device, "layerwise", observe=ObservationPlan(((0, 1, 2),)))
    with pytest.raises(ConfigError, match="a plan that observes none"):
        HardwareInLoop(network, device, "layerwise", observe=ObservationPlan.nothing())


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        ((), {"averages": 0}, "averages: this is no such number; seen: 0; allowed: a whole number, 1 or above"),
        ((), {"averages": "2"}, "averages: this is no such number; seen: '2'"),
        ((), {"mode": "outputs"}, "mode: there is no such gradient; seen: outputs; .* next: did you mean 'output'"),
        ((), {"mode": 3}, "mode: there is no such gradient; seen: 3; allowed: surrogate"),
        ((None,), {}, "mode: 'output' needs a device to measure; seen: no device; next: .* write mode='surrogate'"),
        (("ideal",), {}, "device: this is no device; seen: 'ideal'; allowed: a device that is open"),
    ],
)
def test_what_is_put_into_a_loop_is_refused_in_the_words_of_the_call(arguments, more, said):
    network, device = make()
    with pytest.raises(ConfigError, match=said) as caught:
        HardwareInLoop(network, *(arguments or (device,)), **more)
    assert "training." not in str(caught.value)


def test_masks_that_change_in_the_loop_are_refused():
    network, device = make()
    with device:
        loop = HardwareInLoop(network, device, "layerwise")
        network.mask("w_int.0").data.logical_not_()
        with pytest.raises(ConfigError, match="masks of the network have changed .*; seen: w_int.0; next: put"):
            loop(torch.zeros(2, 3, 5, 1, dtype=torch.float64))


def test_swapped_arguments_of_a_loop_are_told():
    network, device = make()
    with pytest.raises(ConfigError, match="network: this is no network; .* next: swap the first two arguments"):
        HardwareInLoop(device, network)


def test_a_loop_is_read_by_the_names_by_which_it_was_made():
    network, device = make()
    more = {"surrogate": network.neurons(), "averages": 2, "choices": Choices(directions=3), "engine": "reference"}
    loop = HardwareInLoop(network, device, "layerwise", **more, observe=ObservationPlan(((0, 1),)))
    assert all(getattr(loop, name) is value for name, value in more.items())
    names = set(inspect.signature(HardwareInLoop).parameters)
    assert all(hasattr(loop, name) for name in names)
    one = SpintronicNetwork(network.settings, network.steps, 4)
    assert (one.settings, one.steps, one.seed, one.answer) == (network.settings, network.steps, 4, network.answer)
    assert network.seed == [3, 5]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_inputs_of_a_loop_are_refused_as_they_were_passed(wrong):
    network, device = make()
    with device:
        loop = HardwareInLoop(network, device)
        u = torch.zeros(2, 3, 5, 1, dtype=torch.float64)
        with pytest.raises(ValueError, match="inputs is a numpy.ndarray of shape"):
            loop(u.numpy())
        with pytest.raises(ValueError, match=r"inputs has shape \(3, 5, 1\); it must be \(2, any, any, 1\)"):
            loop(u[0])
        u[1, 2, 3, 0] = wrong
        with pytest.raises(ValueError, match=rf"inputs holds {wrong} at \(1, 2, 3, 0\)"):
            loop(u)


def test_guide_shows_a_loop_that_runs():
    text = (Path(__file__).parents[2] / "docs" / "loop.md").read_text(encoding="utf-8")
    code = next(one for one in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "in batches" in one)
    names: dict = {"batches": [(torch.rand(4, 64, 1), torch.arange(4))] * 2}
    exec(compile(code, "docs/loop.md", "exec"), names)
    assert names["loop"].inferences == 2 * 4
    assert names["loop"].trace.outputs.values.shape == (1, 4, 1, 10)
