"""Oscillators of any rate that gives its derivatives are refitted; the others are refused."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from fakes.foreign.foreign_lab.damping import QuadraticDamping
from fakes.measured import BIAS, measured, nominal, truth
from spinhw.errors import ConfigError
from spinhw.physics import LOGISTIC, Rate
from spinhw.rollout import Neurons, Steps, rollout_driven
from spinhw.surrogate import CoupledRefit, OnlineRefit, Oscillators, Played, modelled

RATE = QuadraticDamping(0.5)
COUNT = 6


@dataclass(frozen=True)
class Bare(Rate):
    """A rate without derivatives."""

    name = "bare"

    def __call__(self, power: Tensor, drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor) -> Tensor:
        return RATE(power, drive, gamma, sigma, q)


def of(rate: Rate, one: Oscillators) -> Oscillators:
    return replace(one, rate=rate)


def played_finely(true: Oscillators) -> Played:
    """What the reference engine makes of the drives, in steps far shorter than those of a fit."""
    blank = measured(true, 0.0, batch=12, time=32)
    one = torch.zeros_like(true.gamma)[None]
    gamma, sigma, q = (value[None] for value in (true.gamma, true.sigma, true.q))
    here = Neurons(gamma, sigma, q, one, one + 1, one + BIAS, rate=true.rate)
    found = rollout_driven(blank.drive[None], here, Steps(blank.interval_s, 40))
    first = found.power0[0][:, None].expand(-1, 1, -1)
    return replace(blank, power=torch.cat([first, found.power[0]], dim=1))


def moving(played: Played) -> Tensor:
    """Which oscillators are above their threshold for some of the drives: of the others nothing can be told."""
    found = played.power.std((0, 1)) > 0.02
    assert int(found.sum()) >= COUNT // 2
    return found


@pytest.mark.parametrize("rate", [LOGISTIC, RATE])
def test_derivatives_that_a_rate_gives_are_its_own(rate: Rate) -> None:
    at = [torch.rand(5, generator=torch.Generator().manual_seed(k), dtype=torch.float64) for k in range(5)]
    for one in at:
        one.requires_grad_()
    by_power, _, *by_parameters = torch.autograd.grad(rate(*at).sum(), at)
    given = rate.derivatives(*at)
    assert given is not None
    for found, wanted in zip(given, (by_power, *by_parameters), strict=True):
        assert torch.allclose(found, wanted)


def test_the_tangents_of_a_fit_are_those_of_its_model() -> None:
    true = of(RATE, truth(COUNT, lag=0.3e-9))
    played = replace(measured(true, 0.0, batch=6, time=16), substeps=8)
    _, tangents = modelled(played, true, tangents=True)
    assert tangents is not None
    for row, apart in ((0, 1e-5), (1, 1e-5), (2, 1e-5), (5, 1e-15)):
        step = torch.zeros(7, COUNT, dtype=torch.float64)
        step[row] = apart
        ahead, behind = (modelled(played, true.moved(sign * step))[0] for sign in (1, -1))
        found = (ahead - behind) / (2 * apart)
        assert torch.allclose(found, tangents[row], rtol=1e-3, atol=1e-3 * float(found.abs().max()))


def test_a_refit_finds_the_parameters_of_another_rate() -> None:
    true = of(RATE, truth(COUNT, readout=False))
    refit = OnlineRefit(of(RATE, nominal(COUNT)), noise=0.01)
    played = played_finely(true)
    refit.update([played])
    found, seen = refit.oscillators, moving(played)
    for name in ("gamma", "sigma"):
        assert float((getattr(found, name) / getattr(true, name) - 1)[seen].abs().max()) < 2e-3  # 2e-4, of its steps.
    assert float((found.q - true.q)[seen].abs().max()) < 2e-3
    again = OnlineRefit(of(RATE, nominal(COUNT)))
    again.restore(refit.state())
    assert again.oscillators.rate == found.rate == RATE


def test_the_logistic_model_does_not_fit_another_rate() -> None:
    true = of(RATE, truth(COUNT, readout=False))
    refit = OnlineRefit(nominal(COUNT), noise=0.01)
    played = played_finely(true)
    refit.update([played])
    assert float((refit.oscillators.q - true.q)[moving(played)].abs().min()) > 0.05


def test_a_rate_without_derivatives_is_not_refitted() -> None:
    with pytest.raises(ConfigError, match=r"needs the derivatives.*; seen: .*'bare' gives none; allowed: .*; next: "):
        OnlineRefit(of(Bare(), nominal(COUNT)))


def test_neurons_of_a_running_network_are_refitted_with_the_logistic_rate_alone() -> None:
    with pytest.raises(ConfigError, match=r"seen: quadratic_damping; allowed: logistic; next: .*when: never"):
        CoupledRefit(of(RATE, nominal(COUNT)))


def test_parameters_are_not_handed_to_neurons_of_another_rate() -> None:
    other = Neurons.nominal(COUNT, tau_s=5e-9, rate=RATE)
    with pytest.raises(ConfigError, match=r"belongs to another rate; seen: quadratic_damping; allowed: logistic"):
        nominal(COUNT).neurons(other)
    assert Oscillators.nominal(other).neurons(other).rate == RATE
