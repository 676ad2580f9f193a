"""What oscillators do under drives that are known, and how that depends on gamma, sigma and Q.

The drive is held over each step, where the logistic equation has a closed solution x' = F(x, z, d), z = (sigma I -
gamma) h, d = gamma (1 + Q) h: the rollout is exact with one step. The dependence s = dx/dtheta follows the same steps,

    s' = F_x s + F_z dz/dtheta + F_d dd/dtheta,

with the derivatives of F taken by torch for all steps at once. Any other rate takes a midpoint step, and gives its own
derivatives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.physics import (
    LOGISTIC,
    POWER_FLOOR,
    Parameters,
    coefficients,
    derivatives_of,
    equilibrium,
    logistic_step,
    midpoint_derivatives,
    rest_by_newton,
)
from spinhw.rollout import Neurons, Steps, rollout_driven
from spinhw.surrogate.oscillators import DYNAMICS, Oscillators


@dataclass(frozen=True)
class Response:
    """Powers at the nodes between steps, and their tangents.

    Args:
        power: x, (batch, step + 1, oscillator), the first before the first step.
        tangents: Derivatives by ln gamma, ln sigma and Q, (3, batch, step + 1, oscillator); None where not asked for.
        drive: I of each step in 1/s, (batch, step, oscillator).
        oscillators: Whose powers these are.
        step_s: Step in seconds.
    """

    power: Tensor
    tangents: Tensor | None
    drive: Tensor
    oscillators: Oscillators
    step_s: float


@torch.no_grad()
def respond(
    drive: Tensor, step_s: float, oscillators: Oscillators, bias_drive: Tensor | float, tangents: bool = True
) -> Response:
    """Simulate oscillators that rest under the bias drive and are then driven.

    Args:
        drive: I in 1/s, held over each step, (batch, step, oscillator).
        step_s: Step in seconds.
        oscillators: Their parameters; the read-out plays no part here.
        bias_drive: Drive before the first step in 1/s, a number or (oscillator,).
        tangents: Whether to give them too.

    Raises:
        ConfigError: Tangents are asked for, and the rate comes without its derivatives.
    """
    drive = drive.double()
    gamma, sigma, q = oscillators.gamma, oscillators.sigma, oscillators.q
    bias = torch.as_tensor(bias_drive, dtype=torch.float64).expand_as(gamma)
    flat = torch.zeros_like(gamma)[None]
    neurons = Neurons(gamma[None], sigma[None], q[None], flat, flat + 1, bias[None], rate=oscillators.rate)
    result = rollout_driven(drive[None], neurons, Steps(step_s, substeps=1, order=1))
    power = torch.cat([result.power0[0][:, None], result.power[0]], dim=1)  # (batch, step + 1, oscillator)
    found = _tangents(power, drive, oscillators, bias, step_s) if tangents else None
    return Response(power, found, drive, oscillators, step_s)


def _tangents(power: Tensor, drive: Tensor, oscillators: Oscillators, bias: Tensor, step_s: float) -> Tensor:
    derivatives = _of_exact_step if oscillators.rate == LOGISTIC else _of_midpoint_step
    by_x, pushes = derivatives(power[:, :-1], drive, oscillators, step_s)
    by_step, pushes_by_step = by_x.movedim(1, 0).contiguous(), pushes.movedim(2, 0).contiguous()
    current = rest_tangents(oscillators, bias)[:, None].expand(-1, power.shape[0], -1)  # (3, batch, oscillator)
    found = power.new_empty(power.shape[1], *current.shape)
    found[0] = current
    for step in range(len(by_step)):
        torch.addcmul(pushes_by_step[step], by_step[step], found[step], out=found[step + 1])
    return found.movedim(0, 2)


def _of_exact_step(power: Tensor, drive: Tensor, oscillators: Oscillators, step_s: float) -> tuple[Tensor, Tensor]:
    """Return the derivatives of each step by x, (batch, step, oscillator), and by the dynamics, (3, batch, ...)."""
    gamma, q, pumping = oscillators.gamma, oscillators.q, oscillators.sigma * drive
    by_x, by_z, by_d = _step_derivatives(power, (pumping - gamma) * step_s, (gamma * (1 + q)) * step_s)
    pushes = [
        by_d * (gamma * (1 + q) * step_s) - by_z * (gamma * step_s),
        by_z * pumping * step_s,
        by_d * (gamma * step_s),
    ]
    return by_x, torch.stack(pushes)


def _of_midpoint_step(power: Tensor, drive: Tensor, oscillators: Oscillators, step_s: float) -> tuple[Tensor, Tensor]:
    found = midpoint_derivatives(oscillators.rate, power, drive, _parameters(oscillators), step_s)
    return found[0], _by_logarithms(found[1:], oscillators)


def _parameters(oscillators: Oscillators) -> Parameters:
    return oscillators.gamma, oscillators.sigma, oscillators.q


def _by_logarithms(by_parameters: Sequence[Tensor], oscillators: Oscillators) -> Tensor:
    """Turn derivatives by gamma, sigma and Q into those by ln gamma, ln sigma and Q, (3, ...)."""
    by_gamma, by_sigma, by_q = by_parameters
    return torch.stack([oscillators.gamma * by_gamma, oscillators.sigma * by_sigma, by_q])


def _step_derivatives(power: Tensor, growth: Tensor, damping: Tensor) -> tuple[Tensor, ...]:
    """Give the derivatives of one step by x, z and d, elementwise."""
    leaves = [one.expand_as(power).detach().clone().requires_grad_() for one in (power, growth, damping)]
    with torch.enable_grad():
        return torch.autograd.grad(logistic_step(*leaves).sum(), leaves)


def rest_tangents(oscillators: Oscillators, bias: Tensor) -> Tensor:
    """Give the derivatives of the power at rest, (3, oscillator); zero where it rests at the floor."""
    gamma, q = oscillators.gamma, oscillators.q
    a, c = coefficients(bias, gamma, oscillators.sigma, q)
    rest = equilibrium(a, c)
    if oscillators.rate != LOGISTIC:
        return _any_rest_tangents(oscillators, bias, rest)
    oscillates = rest > POWER_FLOOR
    safe = torch.where(oscillates, c, torch.ones_like(c))
    by = torch.stack([-gamma * (1 + q * rest), oscillators.sigma * bias * (1 - rest), -gamma * rest]) / safe
    return by * oscillates


def _any_rest_tangents(oscillators: Oscillators, bias: Tensor, nominal: Tensor) -> Tensor:
    rest = rest_by_newton(oscillators.rate, nominal, bias, _parameters(oscillators))
    by_power, *by_parameters = derivatives_of(oscillators.rate, rest, bias, _parameters(oscillators))
    return -_by_logarithms(by_parameters, oscillators) / by_power * (rest > POWER_FLOOR)


def slopes(response: Response) -> tuple[Tensor, Tensor]:
    """Give dx/dt and its tangents at both ends of each step, in 1/s.

    Returns:
        At the start and at the end of each step, each (1 + 3, batch, step, oscillator): x first, then its tangents;
        (1, ...) where there are no tangents.
    """
    return _slopes_at(response, slice(None, -1)), _slopes_at(response, slice(1, None))


def _slopes_at(response: Response, nodes: slice) -> Tensor:
    power, oscillators = response.power[:, nodes], response.oscillators
    if oscillators.rate != LOGISTIC:
        return _any_slopes_at(response, nodes)
    pumping = oscillators.sigma * response.drive
    a, c = pumping - oscillators.gamma, pumping + oscillators.gamma * oscillators.q
    own = (a - c * power) * power
    if response.tangents is None:
        return own[None]
    gamma = pumping - a  # Broadcast over batch and steps.
    gamma_q = c - pumping
    pushed = torch.stack([-gamma * power - gamma_q * power**2, pumping * (power - power**2), -gamma * power**2])
    by_theta = (a - 2 * c * power) * response.tangents[:, :, nodes] + pushed
    return torch.cat([own[None], by_theta])


def _any_slopes_at(response: Response, nodes: slice) -> Tensor:
    power, drive, oscillators = response.power[:, nodes], response.drive, response.oscillators
    parameters = _parameters(oscillators)
    own = oscillators.rate(power, drive, *parameters)
    if response.tangents is None:
        return own[None]
    by_power, *by_parameters = derivatives_of(oscillators.rate, power, drive, parameters)
    by_theta = by_power * response.tangents[:, :, nodes] + _by_logarithms(by_parameters, oscillators)
    return torch.cat([own[None], by_theta])


DYNAMIC_ROWS = len(DYNAMICS)
