"""A network among torch's own ways: inference mode, parametrisation, pruning, functional calls, changes in place."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from spinhw import HardwareInLoop, NetworkSettings, SpintronicNetwork, open_device
from spinhw.errors import ConfigError
from spinhw.gradients import NetworkRefit
from spinhw.network import RecurrentNetwork, RecurrentSettings
from spinhw.rollout import Engine, Neurons, Sparsity

DESIGN = NetworkSettings(layers=(4, 4), outputs=2)
NAMES = ("w_ext.0", "w_ext.1", "w_int.0", "w_int.1", "bias.0", "bias.1", "w_out", "b_out")
SEEDS = (3, [3, 5])
ENGINES: tuple[Engine, ...] = ("reference", "cpu")


def inputs(network: SpintronicNetwork) -> Tensor:
    leading = (2,) if network.ensemble else ()
    drawn = torch.randn(*leading, 3, 5, 1, generator=torch.Generator().manual_seed(1))
    return drawn.to(next(network.parameters()).dtype)


def made(seed: Any = 3, dtype: torch.dtype = torch.float32) -> SpintronicNetwork:
    return SpintronicNetwork(DESIGN, seed=seed).to(dtype)


def answers(network: SpintronicNetwork, engine: Engine = "auto") -> Tensor:
    return network.as_called(network.read_out(network.run(inputs(network), engine=engine).filtered))


def holder(network: SpintronicNetwork, name: str) -> tuple[nn.Module, str]:
    where, _, own = name.rpartition(".")
    return network.get_submodule(where), own


def trained(network: SpintronicNetwork, engine: Engine = "auto") -> list[Tensor]:
    optimiser = torch.optim.Adam(network.parameters(), 0.1)
    for _ in range(2):
        optimiser.zero_grad()
        answers(network, engine).square().sum().backward()
        optimiser.step()
    return [value.detach() for value in network.parameters()]


def double(network: SpintronicNetwork) -> SpintronicNetwork:
    return network.double()


BEGINNINGS: dict[str, tuple[Callable[[Any], SpintronicNetwork], Callable[[SpintronicNetwork], SpintronicNetwork]]] = {
    "a forward": (made, lambda network: network),
    "a copy": (made, copy.deepcopy),
    "a conversion": (made, double),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("beginning", [*BEGINNINGS, "construction", "other neurons"])
def test_inference_mode_leaves_nothing_behind(beginning: str, seed: Any, engine: Engine) -> None:
    make, change = BEGINNINGS.get(beginning, BEGINNINGS["a forward"])
    plain = change(make(seed))
    with torch.no_grad():
        expected = answers(plain, engine)
    if beginning == "construction":
        with torch.inference_mode():
            network = make(seed)
    else:
        network = make(seed)
    with torch.inference_mode():
        network = change(network)
        if beginning == "other neurons":
            network.use_neurons(DESIGN.neurons(torch.float64))
        found = answers(network, engine)
    assert torch.equal(found, expected)
    assert all(torch.equal(*both) for both in zip(trained(network, engine), trained(plain, engine), strict=True))


def test_inference_mode_leaves_nothing_behind_in_a_network_in_software() -> None:
    u = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(1))
    settings = RecurrentSettings(inputs=2, units=5, outputs=2, excitatory=0.5, density=0.8)
    with torch.inference_mode():
        network = copy.deepcopy(RecurrentNetwork(settings))
        found = network(u)
    assert torch.equal(found, RecurrentNetwork(settings)(u))
    network(u).sum().backward()
    assert all(value.grad is not None for value in network.parameters())


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("mode", ["output", "layerwise", "surrogate", "observer", "spsa", "oracle"])
def test_inference_mode_leaves_nothing_behind_in_the_loop(mode: str, refit: bool) -> None:
    found = []
    for context in (torch.no_grad, torch.inference_mode):
        network = made()
        with context():
            device = open_device("imperfect-chip", network)
        with device:
            loop = HardwareInLoop(network, device, mode, refit=NetworkRefit.nominal(DESIGN) if refit else None)
            with context():
                first = loop(inputs(network))
            second = loop(inputs(network))
            second.square().sum().backward()
        found.append([first, second.detach(), *(value.grad for value in network.parameters())])
    assert all(torch.equal(*both) for both in zip(*found, strict=True))


class Doubled(nn.Module):
    def forward(self, value: Tensor) -> Tensor:
        return 2 * value


class Halved(Doubled):
    def right_inverse(self, value: Tensor) -> Tensor:
        return value / 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_parametrised_value_acts_and_its_gradient_reaches_the_original(
    name: str, seed: Any, dtype: torch.dtype, engine: Engine
) -> None:
    network, plain = made(seed, dtype), made(seed, dtype)
    with torch.no_grad():
        plain.get_parameter(name).mul_(2)
    where, own = holder(network, name)
    parametrize.register_parametrization(where, own, Doubled())
    assert torch.equal(network.member_values()[name], plain.member_values()[name])
    assert torch.equal(answers(network, engine), answers(plain, engine))
    answers(network, engine).square().sum().backward()
    answers(plain, engine).square().sum().backward()
    assert torch.equal(where.parametrizations[own].original.grad, 2 * plain.get_parameter(name).grad)


@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_pruned_value_acts_after_each_step_of_the_optimiser(name: str, seed: Any) -> None:
    network, plain = made(seed), made(seed)
    kept = torch.arange(plain.get_parameter(name).numel()).view(plain.get_parameter(name).shape) % 3 < 2
    where, own = holder(network, name)
    prune.custom_from_mask(where, own, kept)
    with torch.no_grad():
        plain.get_parameter(name).mul_(kept)
    assert torch.equal(answers(network), answers(plain))
    before = where.get_parameter(f"{own}_orig").detach().clone()
    trained(network)
    after = where.get_parameter(f"{own}_orig").detach()
    assert not torch.equal(after, before)
    with torch.no_grad():
        for other, value in network.values().items():
            plain.get_parameter(other).copy_(value)
    assert torch.equal(plain.get_parameter(name), after * kept * plain.masks().get(name, torch.tensor(True)))
    assert torch.equal(answers(network), answers(plain))


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_device_gets_the_parametrised_value_whose_gradient_reaches_the_original(name: str) -> None:
    network, plain = made(), made()
    with torch.no_grad():
        plain.get_parameter(name).mul_(2)
    where, own = holder(network, name)
    parametrize.register_parametrization(where, own, Doubled())
    traces = []
    for one in (network, plain):
        with open_device("ideal", one) as device:
            loop = HardwareInLoop(one, device)
            loop(inputs(one)).square().sum().backward()
            traces.append(loop.trace.applied)
    assert all(torch.equal(value, traces[1][other]) for other, value in traces[0].items())
    original = where.parametrizations[own].original
    assert torch.equal(original.grad, 2 * plain.get_parameter(name).grad)


@pytest.mark.parametrize("mode", ["spsa", "finite_difference"])
def test_model_free_gradients_reach_the_original_too(mode: str) -> None:
    network = made()
    parametrize.register_parametrization(network, "w_out", Doubled())
    with open_device("ideal", network) as device:
        HardwareInLoop(network, device, mode)(inputs(network)).square().sum().backward()
    assert network.parametrizations.w_out.original.grad.abs().max() > 0


def test_functional_calls_put_other_weights_in_place_and_take_their_gradient() -> None:
    network = made()
    values = {name: (2 * value).detach().requires_grad_() for name, value in network.named_parameters()}
    found = torch.func.functional_call(network, values, (inputs(network),))
    gradients = torch.autograd.grad(found.square().sum(), list(values.values()))
    with torch.no_grad():
        for value in network.parameters():
            value.mul_(2)
    network(inputs(network)).square().sum().backward()
    assert torch.equal(found, network(inputs(network)))
    assert all(torch.equal(one, value.grad) for one, value in zip(gradients, network.parameters(), strict=True))


def test_the_limit_of_the_weights_holds_for_what_acts() -> None:
    for turn in (Halved(), None):
        network = SpintronicNetwork(DESIGN.model_copy(update={"weight_limit": 0.1}), seed=3)
        if turn is None:
            prune.l1_unstructured(network.w_int, "1", amount=0.5)
        else:
            parametrize.register_parametrization(network.w_int, "1", turn)
        network.limit_weights_()
        assert max(value.abs().max() for value in network.values().values()) <= 0.1 * (1 + 1e-6)
    parametrize.register_parametrization(network, "w_out", Doubled())
    with pytest.raises(ConfigError, match=r"w_out: its parametrisation .* cannot be turned round; seen: 0\.\d+"):
        network.limit_weights_()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("part", ["gamma", "sigma", "q", "cutoff_hz", "gain", "bias_drive", "bounds"])
def test_neurons_that_are_changed_in_place_act_as_if_they_had_always_been_so(
    part: str, seed: Any, engine: Engine
) -> None:
    network, fresh = made(seed), made(seed)
    with torch.no_grad():
        before = answers(network, engine)
        for one in (network, fresh):
            value = one.neurons().bounds.highest if part == "bounds" else getattr(one.neurons(), part)
            value.data.mul_(1.3).add_(0.1 if part == "q" else 0.0)
        assert torch.equal(answers(network, engine), answers(fresh, engine))
        assert not torch.equal(answers(network, engine), before)
        assert torch.allclose(answers(network.double(), engine).float(), answers(fresh, engine), atol=1e-5)


def test_measured_neurons_that_are_changed_in_place_act() -> None:
    network, fresh = made(), made()
    given = DESIGN.neurons(torch.float64)
    network.use_neurons(given)
    network(inputs(network))
    given.gamma.data.mul_(1.3)
    fresh.use_neurons(given)
    assert torch.equal(answers(network), answers(fresh))


def test_a_look_without_gradients_does_not_take_them_from_neurons_that_learn() -> None:
    network, given = made(), DESIGN.neurons(torch.float64)
    given.gamma.requires_grad_()
    network.use_neurons(given)
    with torch.no_grad():
        network(inputs(network))
    network(inputs(network)).sum().backward()
    assert given.gamma.grad.abs().max() > 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("name", NAMES[:4])
def test_masks_that_grow_by_data_are_seen(name: str, seed: Any, engine: Engine) -> None:
    network, fresh = made(seed), made(seed)
    before = answers(network, engine)
    for one in (network, fresh):
        one.mask(name).data.fill_(True)
        one.get_parameter(name).data.fill_(0.5)
    assert torch.equal(answers(network, engine), answers(fresh, engine))
    assert not torch.equal(answers(network, engine), before)


def test_a_pattern_that_is_changed_by_data_is_seen() -> None:
    network = made()
    weights, found = network.weights(), []
    for _ in range(2):
        with torch.no_grad():
            found.append(network.run(inputs(network), engine="cpu").filtered)
        sparsity: Sparsity = weights.sparsity
        sparsity.recurrent.data.fill_(False)
    assert not torch.equal(*found)


def test_weights_may_be_shared() -> None:
    network = made()
    with torch.no_grad():
        network.w_int[0].mul_(network.mask("w_int.1"))
    network.w_int[1] = network.w_int[0]
    network(inputs(network)).square().sum().backward()
    assert network.w_int[0].grad is network.w_int[1].grad
    assert "w_int.1" not in dict(network.named_parameters())
    assert torch.equal(network.values()["w_int.1"], network.w_int[0] * network.mask("w_int.1"))


def test_a_weight_of_another_shape_is_refused_by_name() -> None:
    network = made()
    network.w_int[1] = nn.Parameter(torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"w_int\.1 has shape \(3, 4\); it must be \(4, 4\) in this network"):
        network(inputs(network))


def test_neurons_are_the_same_object_while_nothing_changes() -> None:
    network = made()
    first: Neurons = network.neurons()
    assert network.neurons() is first
    assert made().double().neurons().gamma.dtype == torch.float64
