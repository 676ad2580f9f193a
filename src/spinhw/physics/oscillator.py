"""The auto-oscillator neuron: normalised power x under a drive (Plouet et al. 2024, eq. 1 and 2).

With the factor 2 of eq. 1 absorbed in gamma and I:

    dx/dt = a x - c x^2,    a = sigma I - gamma,    c = sigma I + gamma Q

Eq. 2 is Q = 0, sigma = 1. All functions are elementwise and broadcast.
"""

import torch
from torch import Tensor

# x = 0 is a fixed point that no drive can leave (without noise); a real device never rests there.
POWER_FLOOR = 1e-6


def coefficients(drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Give the linear and quadratic rates a and c of the logistic equation, in 1/s.

    Args:
        drive: I, in 1/s.
        gamma: Damping rate, the inverse of the relaxation time, in 1/s, above zero.
        sigma: Dimensionless drive efficiency, 1 nominally.
        q: Dimensionless non-linear damping Q, 0 nominally.
    """
    pumping = sigma * drive
    return pumping - gamma, pumping + gamma * q


def power_rate(power: Tensor, drive: Tensor, gamma: Tensor, sigma: Tensor, q: Tensor) -> Tensor:
    """Give dx/dt in 1/s (eq. 1, the factor 2 absorbed): the right-hand side itself, for reference integrators."""
    a, c = coefficients(drive, gamma, sigma, q)
    return a * power - c * power**2


def equilibrium(a: Tensor, c: Tensor, floor: float = POWER_FLOOR) -> Tensor:
    """Give the stationary power max(a / c, floor); at the floor where the drive is below threshold (a <= 0).

    Args:
        a: Linear rate in 1/s.
        c: Quadratic rate in 1/s; where c <= 0 the drive is below threshold too and the floor is returned.
        floor: Smallest power returned.
    """
    above = (a > 0) & (c > 0)
    ratio = a / torch.where(above, c, torch.ones_like(c))
    return torch.where(above, ratio, torch.zeros_like(ratio)).clamp_min(floor)


def decay_mean(w: Tensor) -> Tensor:
    """Give (1 - exp(-w)) / w for w >= 0, the mean of exp(-t) over 0 <= t <= w; 1 at w = 0."""
    # The direct form and its derivative lose digits as rounding / w. Below the fourth root of the rounding error, three
    # terms after the first are exact to rounding (the next is w^4 / 120).
    small = w < torch.finfo(w.dtype).eps ** 0.25
    # Each branch gets an argument that is harmless to it, or its unused derivative would be infinite and spoil the sum.
    near, far = torch.where(small, w, torch.zeros_like(w)), torch.where(small, torch.ones_like(w), w)
    series = 1 - near / 2 * (1 - near / 3 * (1 - near / 4))
    return torch.where(small, series, -torch.expm1(-far) / far)


def logistic_step(power: Tensor, growth: Tensor, damping: Tensor) -> Tensor:
    """Advance dx/dt = a x - c x^2 by one step, exactly for constant a and c, without overflow or cancellation.

    The closed form is x e^z / (1 + c h phi(z) x) with z = a h and phi(z) = expm1(z) / z. With c = a + d it becomes a
    ratio of sums of non-negative terms, for w = |z|, e = exp(-w) and p = (1 - e) / w:

        z <= 0:  x e / ((1 - x) + x (e + d h p))          z > 0:  x / ((1 - x) e + x (1 + d h p))

    so 0 <= x <= 1 stays so for every z, in every precision.

    Args:
        power: x, within [0, 1]. Above 1 the solution has a pole for negative drives: clip noisy measured states first.
        growth: z = a h = (sigma I - gamma) h, dimensionless, any size and sign.
        damping: d h = (c - a) h = gamma (1 + Q) h, dimensionless, zero or above.
    """
    growing = growth > 0
    # Not abs(): its derivative is zero at z = 0, where both branches have slope one.
    size = torch.where(growing, growth, -growth)
    decay = torch.exp(-size)
    one = torch.ones_like(decay)
    gain, loss = torch.where(growing, one, decay), torch.where(growing, decay, one)
    return power * gain / ((1 - power) * loss + power * (gain + damping * decay_mean(size)))
