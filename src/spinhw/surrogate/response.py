"""What oscillators do under drives that are known, and how that depends on gamma, sigma and Q.

The drive is held over each step, where the logistic equation has a closed solution x' = F(x, z, d), z = (sigma I -
gamma) h, d = gamma (1 + Q) h: the rollout is exact with one step. The dependence s = dx/dtheta follows the same steps,

    s' = F_x s + F_z dz/dtheta + F_d dd/dtheta,

with the derivatives of F taken by torch for all steps at once.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.physics import POWER_FLOOR, coefficients, equilibrium, logistic_step
from spinhw.rollout import Neurons, Steps, rollout_driven
from spinhw.surrogate.oscillators import DYNAMICS, Oscillators


@dataclass(frozen=True)
class Response:
    """Powers at the nodes between steps, and their tangents.

    Args:
        power: x, (batch, step + 1, oscillator), the first before the first step.
        tangents: Derivatives by ln gamma, ln sigma and Q, (3, batch, step + 1, oscillator); None where not asked for.
        growth: a = sigma I - gamma of each step in 1/s, (batch, step, oscillator).
        damping: c = sigma I + gamma Q of each step in 1/s, same shape.
        pumping: sigma I of each step in 1/s, same shape.
        step_s: Step in seconds.
    """

    power: Tensor
    tangents: Tensor | None
    growth: Tensor
    damping: Tensor
    pumping: Tensor
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
    """
    drive = drive.double()
    gamma, sigma, q = oscillators.gamma, oscillators.sigma, oscillators.q
    bias = torch.as_tensor(bias_drive, dtype=torch.float64).expand_as(gamma)
    flat = torch.zeros_like(gamma)[None]
    neurons = Neurons(gamma[None], sigma[None], q[None], flat, flat + 1, bias[None])
    result = rollout_driven(drive[None], neurons, Steps(step_s, substeps=1, order=1))
    power = torch.cat([result.power0[0][:, None], result.power[0]], dim=1)  # (batch, step + 1, oscillator)
    pumping = sigma * drive
    growth, damping = pumping - gamma, pumping + gamma * q
    found = _tangents(power, pumping, oscillators, bias, step_s) if tangents else None
    return Response(power, found, growth, damping, pumping, step_s)


def _tangents(power: Tensor, pumping: Tensor, oscillators: Oscillators, bias: Tensor, step_s: float) -> Tensor:
    gamma, q = oscillators.gamma, oscillators.q
    by_x, by_z, by_d = _step_derivatives(power[:, :-1], (pumping - gamma) * step_s, (gamma * (1 + q)) * step_s)
    pushes = torch.stack(
        [by_d * (gamma * (1 + q) * step_s) - by_z * (gamma * step_s), by_z * pumping * step_s, by_d * (gamma * step_s)]
    )  # (3, batch, step, oscillator)
    by_step, pushes_by_step = by_x.movedim(1, 0).contiguous(), pushes.movedim(2, 0).contiguous()
    current = rest_tangents(oscillators, bias)[:, None].expand(-1, power.shape[0], -1)  # (3, batch, oscillator)
    found = power.new_empty(power.shape[1], *current.shape)
    found[0] = current
    for step in range(len(by_step)):
        torch.addcmul(pushes_by_step[step], by_step[step], found[step], out=found[step + 1])
    return found.movedim(0, 2)


def _step_derivatives(power: Tensor, growth: Tensor, damping: Tensor) -> tuple[Tensor, ...]:
    """Give the derivatives of one step by x, z and d, elementwise."""
    leaves = [one.expand_as(power).detach().clone().requires_grad_() for one in (power, growth, damping)]
    with torch.enable_grad():
        return torch.autograd.grad(logistic_step(*leaves).sum(), leaves)


def rest_tangents(oscillators: Oscillators, bias: Tensor) -> Tensor:
    """Give the derivatives of the power at rest, x = a / c, (3, oscillator); zero where it rests at the floor."""
    gamma, q = oscillators.gamma, oscillators.q
    a, c = coefficients(bias, gamma, oscillators.sigma, q)
    rest = equilibrium(a, c)
    oscillates = rest > POWER_FLOOR
    safe = torch.where(oscillates, c, torch.ones_like(c))
    by = torch.stack([-gamma * (1 + q * rest), oscillators.sigma * bias * (1 - rest), -gamma * rest]) / safe
    return by * oscillates


def slopes(response: Response) -> tuple[Tensor, Tensor]:
    """Give dx/dt and its tangents at both ends of each step, in 1/s.

    Returns:
        At the start and at the end of each step, each (1 + 3, batch, step, oscillator): x first, then its tangents;
        (1, ...) where there are no tangents.
    """
    return _slopes_at(response, slice(None, -1)), _slopes_at(response, slice(1, None))


def _slopes_at(response: Response, nodes: slice) -> Tensor:
    power, a, c = response.power[:, nodes], response.growth, response.damping
    own = (a - c * power) * power
    if response.tangents is None:
        return own[None]
    gamma = response.pumping - a  # Broadcast over batch and steps.
    gamma_q = c - response.pumping
    pushed = torch.stack(
        [-gamma * power - gamma_q * power**2, response.pumping * (power - power**2), -gamma * power**2]
    )
    by_theta = (a - 2 * c * power) * response.tangents[:, :, nodes] + pushed
    return torch.cat([own[None], by_theta])


DYNAMIC_ROWS = len(DYNAMICS)
