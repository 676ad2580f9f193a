"""Every gradient mode against closed truths: the network itself, the true chip, finite differences."""

import warnings
from dataclasses import replace

import pytest
import torch

from fakes.loops import INTERVAL_S, NOISE, SPREAD, batch, cosine, gradients, make, true_neurons
from spinhw.device import ObservationPlan
from spinhw.errors import SpinhwWarning
from spinhw.gradients import Choices, HardwareInLoop
from spinhw.gradients import observer as observing
from spinhw.gradients.base import straight_through
from spinhw.gradients.model_free import random_direction
from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps

MODELLED = ["output", "layerwise", "observer"]
ALL = [*MODELLED, "spsa", "finite_difference", "oracle"]


@pytest.mark.parametrize("mode", ALL)
@pytest.mark.parametrize("readout", ["hardware", "software"])
def test_logits_are_what_the_device_measured(mode, readout):
    network, device = make(SPREAD | NOISE, layers=(3, 2), readout=readout)
    inputs = batch()
    with device:
        loop = HardwareInLoop(network, device, mode)
        logits = loop.answers(inputs)
        values = {name: value.detach() for name, value in network.member_values().items()}
        trace = loop.trace
        if readout == "hardware":
            expected = network.settings.out_gain * trace.outputs.values + network.b_out[:, None, None]
        else:
            expected = network.read_out(trace.filtered.values)
        truth = device.oracle(values, inputs)
    torch.testing.assert_close(logits, expected, rtol=1e-6, atol=1e-6)
    ideal = network(inputs)
    assert (network.as_called(logits) - ideal).abs().max() > 10 * (truth.rollout.filtered.shape[0] * 1e-3)


@pytest.mark.parametrize("readout", ["hardware", "software"])
@pytest.mark.parametrize("mode", ["output", "layerwise", "observer"])
def test_true_surrogate_gives_the_true_gradient(mode, readout):
    network, device = make(SPREAD, readout=readout)
    fine = SpintronicNetwork(network.settings, Steps(INTERVAL_S, 16), [3, 5]).double()
    inputs = batch()
    with device:
        oracle = HardwareInLoop(fine, device, "oracle")
        expected = gradients(fine, oracle(inputs))
        loop = HardwareInLoop(fine, device, mode, true_neurons(device), choices=Choices(observer_gain=0.0))
        found = gradients(fine, loop(inputs))
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=2e-2, atol=2e-2 * float(gradient.abs().max()))


def test_an_oracle_of_fewer_steps_points_the_same_way():
    network, device = make(SPREAD)
    inputs = batch()
    with device:
        true, cheaper = (
            gradients(
                network, HardwareInLoop(network, device, "oracle", choices=Choices(oracle_steps_per_ns=steps))(inputs)
            )
            for steps in (None, 4)
        )
    assert cosine(true, cheaper) > 0.9999
    assert any(not torch.equal(true[name], cheaper[name]) for name in true)


def test_output_with_the_nominal_surrogate_is_further_off_than_with_the_true_one():
    network, device = make(SPREAD)
    inputs = batch()
    with device:
        expected = gradients(network, HardwareInLoop(network, device, "oracle")(inputs))
        nominal = gradients(network, HardwareInLoop(network, device, "output")(inputs))
        true = gradients(network, HardwareInLoop(network, device, "output", true_neurons(device))(inputs))
    assert cosine(nominal, expected) < cosine(true, expected)
    assert cosine(true, expected) > 0.99


@pytest.mark.parametrize("readout", ["hardware", "software"])
def test_finite_differences_give_the_true_gradient(readout):
    network, device = make(SPREAD, layers=(3, 2), readout=readout)
    inputs = batch()
    with device:
        expected = gradients(network, HardwareInLoop(network, device, "oracle")(inputs))
        loop = HardwareInLoop(network, device, "finite_difference", choices=Choices(perturbation=1e-3))
        found = gradients(network, loop(inputs))
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-3 * float(gradient.abs().max()))


def test_spsa_converges_to_the_true_gradient_with_many_directions():
    network, device = make(SPREAD, layers=(3, 2))
    inputs = batch()
    cosines = []
    with device:
        expected = gradients(network, HardwareInLoop(network, device, "oracle")(inputs))
        for count in (2, 20, 300):
            choices = Choices(perturbation=1e-3, directions=count)
            cosines.append(
                cosine(gradients(network, HardwareInLoop(network, device, "spsa", choices=choices)(inputs)), expected)
            )
    assert cosines[0] < cosines[1] < cosines[2]
    assert cosines[2] > 0.9


def test_spsa_draws_other_directions_in_each_pass_and_the_same_again_after_a_restart():
    network, device = make(SPREAD, layers=(3, 2))
    inputs = batch()
    with device:
        loop = HardwareInLoop(network, device, "spsa")
        first, second = gradients(network, loop(inputs)), gradients(network, loop(inputs))
        again = HardwareInLoop(network, device, "spsa")
        again.restore({"turn": 1, "inferences": 0})
        repeated = gradients(network, again(inputs))
    assert cosine(first, second) < 0.99
    assert cosine(second, repeated) > 0.9999


def test_perturbations_stay_within_the_limit_of_the_weights():
    network, device = make({"synapses": {"limit": 1.0}}, layers=(3, 2), weight_limit=1.0, weight_scale=20.0)
    network.limit_weights_()
    with device:
        logits = HardwareInLoop(network, device, "spsa", choices=Choices(perturbation=0.1))(batch())
    assert logits.isfinite().all()


def test_directions_leave_absent_synapses_alone():
    network, _ = make()
    drawn = random_direction(network.member_values(), network.masks(), 0)
    for name, mask in network.masks().items():
        assert (drawn[name][~mask] == 0).all()
        assert (drawn[name][mask].abs() == 1).all()


@pytest.mark.parametrize(("order", "kind"), [(1, "spintronic"), (1, "ctrnn"), (2, "spintronic")])
def test_layerwise_without_residual_is_the_whole_network(order, kind):
    """First order: the same arithmetic. Second order: the predictor differs, by the square of the step."""
    saturation = {"kind": "none"} if kind == "ctrnn" else {"kind": "sigmoid"}
    apart = []
    for substeps in (2, 8):
        network, device = make(kind=kind, saturation=saturation)
        network.steps = Steps(INTERVAL_S, substeps, order)
        with device:
            whole = gradients(network, HardwareInLoop(network, device, "output")(batch()))
            blind = HardwareInLoop(network, device, "layerwise")
            blind.observe = ObservationPlan.nothing()  # Which its maker would refuse.
            layers = gradients(network, blind(batch()))
        scale = max(float(tensor.abs().max()) for tensor in whole.values())
        apart.append(max(float((whole[name] - layers[name]).abs().max()) for name in whole) / scale)
    if order == 1:
        assert max(apart) < 1e-9
    else:
        assert apart[0] < 1e-2
        assert apart[1] < apart[0] / 8


def test_layers_are_driven_by_what_was_measured():
    """With a wrong first layer in the model, what follows it still learns as if everything were known."""
    network, device = make(SPREAD)
    network.steps = Steps(INTERVAL_S, 16)
    true, nominal, inputs = true_neurons(device), network.neurons(), batch()
    wrong = {name: getattr(true, name).clone() for name in ("gamma", "sigma", "q")}
    for name, values in wrong.items():
        values[:, :5] = getattr(nominal, name)[:, :5]
    neurons = replace(true, **wrong)
    later = [f"{kind}.{layer}" for kind in ("w_ext", "w_int", "bias") for layer in (1, 2)]
    with device:
        expected = gradients(network, HardwareInLoop(network, device, "oracle")(inputs))
        off = {}
        for mode in ("output", "layerwise"):
            found = gradients(network, HardwareInLoop(network, device, mode, neurons)(inputs))
            off[mode] = 1 - cosine({name: found[name] for name in later}, expected)
    assert off["layerwise"] < 1e-3
    assert off["layerwise"] < off["output"] / 3


def test_layerwise_from_power_is_near_layerwise_from_y(mocker):
    network, device = make(SPREAD)
    inputs = batch()
    with device:
        loop = HardwareInLoop(network, device, "layerwise")
        by_y = gradients(network, loop(inputs))
        run = device.run
        mocker.patch.object(device, "run", lambda *arguments: replace(run(*arguments), filtered=None))
        by_power = gradients(network, loop(inputs))
    assert cosine(by_y, by_power) > 0.999


@pytest.mark.parametrize("mode", ["layerwise", "observer"])
def test_bad_samples_count_as_unobserved(mode):
    """A neuron outside of the plan, and samples that clipped, leave numbers finite and gradients sensible."""
    narrow = {"power_readout": {"adc": {"lowest": 0.3, "highest": 0.6, "bits": 12}}}
    network, device = make(SPREAD | narrow)
    inputs = batch()
    with device:
        plan = ObservationPlan.split([0, 2, 6, 9])
        partly = HardwareInLoop(network, device, mode, true_neurons(device), observe=plan)
        found = gradients(network, partly(inputs))
        expected = gradients(network, HardwareInLoop(network, device, "oracle")(inputs))
    assert (partly.trace.power.quality == 1).any()
    assert all(tensor.isfinite().all() for tensor in found.values())
    assert cosine(found, expected) > 0.8


def test_bad_outputs_have_the_model_s_value():
    network, device = make({"output_readout": {"adc": {"lowest": -1e-9, "highest": 1e-9, "bits": 4}}})
    inputs = batch()
    with device:
        logits = HardwareInLoop(network, device, "output")(inputs)
        modelled = HardwareInLoop(network, None, "surrogate")(inputs)
    torch.testing.assert_close(logits, modelled)


def test_surrogate_mode_is_the_network_itself():
    network, _ = make()
    inputs = batch()
    loop = HardwareInLoop(network, None, "surrogate")
    torch.testing.assert_close(loop(inputs), network(inputs))


def test_exploding_observer_is_told_once(mocker):
    network, device = make(SPREAD)
    mocker.patch.object(observing, "EXPLODED", 1e-6)
    mocker.patch.object(observing, "said", set())
    with device:
        with pytest.warns(SpinhwWarning, match="gradient of an observer has grown .* said once"):
            gradients(network, HardwareInLoop(network, device, "observer")(batch()))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gradients(network, HardwareInLoop(network, device, "observer")(batch()))


def test_applied_values_act_and_requested_ones_get_the_gradient():
    requested = torch.tensor([0.1, 0.0, -0.3], requires_grad=True)
    applied = torch.tensor([0.125, 0.01, -0.25])
    everywhere, without = straight_through(requested, applied), torch.tensor([True, False, True])
    torch.testing.assert_close(everywhere.detach(), applied)
    through = straight_through(requested, applied, without)
    torch.testing.assert_close(through.detach(), torch.tensor([0.125, 0.0, -0.25]))
    assert torch.autograd.grad(through.sum(), requested)[0].tolist() == [1.0, 1.0, 1.0]
