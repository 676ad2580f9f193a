"""Rates of other people in a rollout: order two, their rest, gradients, and which engine takes them."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from pytest_mock import MockerFixture
from torch import Tensor
from torch.autograd import forward_ad

from fakes.foreign.foreign_lab.damping import QuadraticDamping
from spinhw.errors import ConfigError, SpinhwWarning
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.physics import LOGISTIC, POWER_FLOOR, Rate
from spinhw.rollout import Neurons, Steps, Weights, rollout, rollout_driven, soundness

F64 = torch.float64
RATE = QuadraticDamping(0.5)
STEPS = Steps(1e-9)


@dataclass(frozen=True)
class Typed(Rate):
    """The logistic rate, as somebody would type it."""

    name = "typed"

    def __call__(self, power: Tensor, drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor) -> Tensor:
        return sigma * drive * (1 - power) * power - gamma * (1 + q * power) * power


@dataclass(frozen=True)
class Growing(Rate):
    """A rate without a rest."""

    name = "growing"

    def __call__(self, power: Tensor, drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor) -> Tensor:
        return gamma * (1 + power**2)


def neurons(rate: Rate, count: int = 3, **changes: Any) -> Neurons:
    drive = {"drive_over_gamma": (0.0, 4.0), "dtype": F64} | changes
    made = Neurons.nominal(count, tau_s=5e-9, q=0.2, cutoff_hz=44e6, gain=0.5, rate=rate, **drive)
    return replace(made, gamma=made.gamma * torch.linspace(0.8, 1.2, count, dtype=made.gamma.dtype))


def drive(dtype: torch.dtype = F64) -> Tensor:
    """Drives from 0 to 4 gamma, (member, batch, time, neuron)."""
    return 8e8 * torch.rand(1, 2, 6, 3, generator=torch.Generator().manual_seed(1), dtype=dtype)


def network() -> tuple[Weights, Tensor]:
    generator = torch.Generator().manual_seed(2)
    weights, other, bias, inputs = (
        torch.randn(1, *shape, generator=generator, dtype=F64) for shape in ((3, 1), (3, 3), (3,), (2, 4, 1))
    )
    return Weights((weights,), (other,), (bias,)), inputs


def ratios(errors: list[float]) -> list[float]:
    return [before / after for before, after in itertools.pairwise(errors)]


def test_the_logistic_rate_as_somebody_types_it_converges_to_the_exact_step_with_order_two() -> None:
    exact = rollout_driven(drive(), neurons(LOGISTIC), STEPS, engine="reference").power
    grids = [Steps(1e-9, substeps) for substeps in (4, 8, 16)]
    errors = [float((rollout_driven(drive(), neurons(Typed()), one).power - exact).abs().max()) for one in grids]
    assert ratios(errors) == pytest.approx([4, 4], rel=0.2) and errors[-1] < 1e-4


@pytest.mark.parametrize("order", [1, 2])
def test_networks_converge_with_the_order_of_their_drive(order: int) -> None:
    weights, inputs = network()

    def run(substeps: int) -> Tensor:
        return rollout(weights, neurons(RATE), inputs, Steps(1e-9, substeps, order)).filtered

    found = [run(substeps) for substeps in (8, 16, 32, 64)]
    apart = [float((finer - coarser).abs().max()) for coarser, finer in itertools.pairwise(found)]
    assert ratios(apart) == pytest.approx([2**order] * 2, rel=0.2)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_neurons_rest_where_their_rate_is_zero(dtype: torch.dtype) -> None:
    made = neurons(RATE, dtype=dtype)
    held = made.bias_drive.expand(1, 2, 6, 3)
    found = rollout_driven(held, made, STEPS)
    rest, eps = found.power0[0, 0], torch.finfo(dtype).eps
    rate = RATE(rest, made.bias_drive, made.gamma, made.sigma, made.q) / made.gamma
    assert float(rate.abs().max()) < 20 * eps and float(rest.min()) > 0.3
    assert torch.allclose(found.power[0, 0, -1], rest, rtol=0, atol=20 * eps)
    below = replace(made, bias_drive=made.gamma * 0.5)
    assert bool((rollout_driven(held, below, STEPS).power0 == POWER_FLOOR).all())


def test_neurons_without_a_rest_are_refused_in_words() -> None:
    made = neurons(Growing())
    with pytest.raises(
        ConfigError, match=r"rate 'growing' was not found .*; seen: neuron 0 .*; allowed: .*; next: .*half"
    ):
        rollout_driven(drive(), made, STEPS)
    assert rollout_driven(drive(), made, STEPS, initial="half").power.isfinite().all()


def test_gradients_pass_through_the_rollout_and_its_rest() -> None:
    weights, inputs = network()
    made = neurons(RATE)

    def run(gamma: Tensor, sigma: Tensor, q: Tensor, bias: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        here = replace(made, gamma=gamma * 2e8, sigma=sigma, q=q, bias_drive=bias * 4e8)
        result = rollout(replace(weights, w_int=(own,)), here, inputs, STEPS)
        return result.power0, result.filtered

    one = torch.ones(1, 3, dtype=F64)
    given = [value.clone().requires_grad_() for value in (one, one * 0.9, one * 0.2, one * 1.1, weights.w_int[0])]
    assert torch.autograd.gradcheck(run, given)


@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")
def test_transforms_of_torch_follow_any_rate() -> None:
    made, held = neurons(RATE), drive()

    def total(gamma: Tensor) -> Tensor:
        return rollout_driven(held, replace(made, gamma=gamma), STEPS).power.sum()

    gradient = torch.func.grad(total)(made.gamma)
    assert torch.equal(torch.func.vmap(total)(torch.stack([made.gamma] * 2)), total(made.gamma).expand(2))
    with forward_ad.dual_level():
        ahead = forward_ad.unpack_dual(total(forward_ad.make_dual(made.gamma, made.gamma))).tangent
    assert float(ahead) == pytest.approx(float((gradient * made.gamma).sum()))


def test_the_automatic_engine_is_the_reference_and_a_compiled_one_is_refused() -> None:
    weights, inputs = network()
    made = neurons(RATE)
    found, wanted = (rollout(weights, made, inputs, STEPS, engine=engine) for engine in ("auto", "reference"))
    assert torch.equal(found.filtered, wanted.filtered)
    refused = r"engine '[cg]pu' does not have the rate.*; seen: quadratic_damping; allowed: logistic; next: .*'auto'"
    for engine in ("cpu", "gpu"):
        with pytest.raises(ConfigError, match=refused):
            rollout(weights, made, inputs, STEPS, engine=engine)
        with pytest.raises(ConfigError, match=refused):
            rollout_driven(drive(), made, STEPS, engine=engine)


def test_software_neurons_have_no_rate_to_replace() -> None:
    weights, inputs = network()
    with pytest.raises(ValueError, match=r"neurons\.rate is 'quadratic_damping' and cell 'ctrnn'.*leave it out"):
        rollout(weights, neurons(RATE), inputs, STEPS, cell="ctrnn")


def test_steps_too_long_for_another_rate_are_doubted(mocker: MockerFixture) -> None:
    mocker.patch.object(soundness, "said", set())
    weights, inputs = network()
    with pytest.warns(SpinhwWarning, match=r"\|dx/dt\| / x at small x times the step can reach"):
        rollout(weights, neurons(RATE), inputs, Steps(5e-9, 1))


def test_a_rate_stays_with_its_neurons() -> None:
    made = neurons(RATE)
    assert made.to(torch.float32).of_member(0).rate == QuadraticDamping(0.5) != QuadraticDamping(0.4)
    assert neurons(LOGISTIC).rate == SpintronicNetwork(NetworkSettings(layers=(2,))).neurons().rate == LOGISTIC
