"""The rate of a neuron: dx/dt as a function of its power, its drive and its parameters, and how any such is stepped."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.physics.oscillator import POWER_FLOOR, coefficients, power_rate

Parameters = tuple[Tensor, Tensor, Tensor]  # gamma in 1/s, sigma and Q, which broadcast to the power
_NEWTON_STEPS = 20


class Rate(ABC):
    """What a neuron does: dx/dt in 1/s, elementwise in torch.

    Kinds are frozen dataclasses, equal where their numbers are. Numbers of their own, beyond gamma, sigma and Q, are
    fields, the same for all neurons.
    """

    name: ClassVar[str]

    @abstractmethod
    def __call__(self, power: Tensor, drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor) -> Tensor:
        """Return dx/dt in 1/s.

        Args:
            power: x, from 0 to 1 and, where a step or noise overshoots, a little beyond.
            drive: I in 1/s.
            gamma: Damping rate in 1/s.
            sigma: Drive efficiency, dimensionless.
            q: Non-linear damping, dimensionless.
        """

    def derivatives(
        self, power: Tensor, drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
        """Return the derivatives of dx/dt by x, gamma, sigma and Q; None where nobody gave them: no refit then."""
        return None


@dataclass(frozen=True)
class Logistic(Rate):
    """The auto-oscillator (Plouet et al. 2024, eq. 1), the only rate with an exact step: `logistic_step`."""

    name = "logistic"

    def __call__(self, power: Tensor, drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor) -> Tensor:
        return power_rate(power, drive, gamma, sigma, q)

    def derivatives(
        self, power: Tensor, drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        a, c = coefficients(drive, gamma, sigma, q)
        return a - 2 * c * power, -power * (1 + q * power), drive * power * (1 - power), -gamma * power**2


LOGISTIC = Logistic()


def midpoint_step(rate: Rate, power: Tensor, drive: Tensor, parameters: Parameters, step_s: float) -> Tensor:
    """Advance by one step of constant drive with the explicit midpoint rule, order two.

    Stable while |d(dx/dt)/dx| h stays below 2; nothing keeps the power within 0 and 1 but short steps.
    """
    middle = power + step_s / 2 * rate(power, drive, *parameters)
    return power + step_s * rate(middle, drive, *parameters)


def midpoint_derivatives(
    rate: Rate, power: Tensor, drive: Tensor, parameters: Parameters, step_s: float
) -> tuple[Tensor, ...]:
    """Return the derivatives of `midpoint_step` by x, gamma, sigma and Q.

    Raises:
        ConfigError: The rate comes without its derivatives.
    """
    start = derivatives_of(rate, power, drive, parameters)
    middle = derivatives_of(rate, power + step_s / 2 * rate(power, drive, *parameters), drive, parameters)
    by_power = 1 + step_s * middle[0] * (1 + step_s / 2 * start[0])
    by_parameters = (
        step_s * (there + middle[0] * (step_s / 2) * here) for here, there in zip(start[1:], middle[1:], strict=True)
    )
    return by_power, *by_parameters


def derivatives_of(
    rate: Rate, power: Tensor, drive: Tensor, parameters: Parameters
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the derivatives of a rate by x, gamma, sigma and Q.

    Raises:
        ConfigError: It comes without.
    """
    found = rate.derivatives(power, drive, *parameters)
    if found is None:
        raise ConfigError(
            "a refit needs the derivatives of the rate",
            seen=f"the rate {rate.name!r} gives none",
            allowed="a rate with the method `derivatives`, such as 'logistic'",
            todo="write it, as docs/extending.md shows, or do without the refit (training.refit: {when: never})",
        )
    return found


def rest_by_newton(rate: Rate, nominal: Tensor, drive: Tensor, parameters: Parameters) -> Tensor:
    """Return the power at which a neuron rests, a stable zero of its rate, differentiable by drive and parameters.

    Newton's method from the rest of the logistic rate, never below the floor; a neuron whose power falls there rests
    there. The last step alone is differentiated: dx = -d(rate) / (d rate / dx), the implicit function theorem.

    Args:
        rate: The rate.
        nominal: Where the logistic rate rests.
        drive: I in 1/s, constant.
        parameters: gamma, sigma and Q.

    Raises:
        ConfigError: It did not converge. In graphs and transforms of torch nobody looks.
    """
    with torch.no_grad():
        found = nominal.detach()
        for _ in range(_NEWTON_STEPS):
            value, slope = rate(found, drive, *parameters), _slope(rate, found, drive, parameters)
            found = (found - value / slope).clamp_min(POWER_FLOOR)
        slope = _slope(rate, found, drive, parameters)
    value = rate(found, drive, *parameters)
    falls = (found <= POWER_FLOOR) & (value <= 0)
    step = value / torch.where(falls, torch.ones_like(slope), slope)
    # noqa below: the only name that torch has for it.
    if not torch.compiler.is_compiling() and not torch._C._are_functorch_transforms_active():  # noqa: SLF001
        # Newton's method doubles the digits: a step as short as this leaves rounding alone.
        settled = falls | ((slope < 0) & (step.abs() <= torch.finfo(found.dtype).eps ** 0.5))
        if not bool(settled.all()):
            raise _restless(rate, found.detach(), value.detach(), settled)
    return torch.where(falls, found, found - step)


def _slope(rate: Rate, power: Tensor, drive: Tensor, parameters: Parameters) -> Tensor:
    """Return the derivative of a rate by the power: a difference, which every transform of torch can follow."""
    apart = power * torch.finfo(power.dtype).eps ** (1 / 3)
    ahead, behind = (rate(one, drive, *parameters) for one in (power + apart, power - apart))
    return (ahead - behind) / (2 * apart)


def _restless(rate: Rate, found: Tensor, value: Tensor, settled: Tensor) -> ConfigError:
    place = tuple((~settled).nonzero()[0].tolist())
    return ConfigError(
        f"network.rate: the rest of neurons with the rate {rate.name!r} was not found by Newton's method",
        seen=f"neuron {place[-1]} at x = {float(found[place]):.4g} with dx/dt = {float(value[place]):.4g} 1/s after "
        f"{_NEWTON_STEPS} steps; {int((~settled).sum())} of {settled.numel()} neurons",
        allowed="a rate with a stable zero that is reached from where the logistic rate rests",
        todo="look at the rate's sign and parameters, or start from network.initial_state: half",
    )
