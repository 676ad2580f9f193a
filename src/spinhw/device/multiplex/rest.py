"""How long an oscillator must rest before a segment so that nobody can tell what was played before."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.physics import POWER_FLOOR, coefficients, equilibrium, logistic_step
from spinhw.surrogate import Oscillators

# Rests grow by this factor until one is long enough.
_LONGER = 1.25
# Oscillators next to their threshold rest without end; longer than this none is waited for.
_MOST_TAU = 400.0


@dataclass(frozen=True)
class Rest:
    """A rest under the bias drive.

    Args:
        duration_s: Its length in seconds.
        deviation: Largest deviation from rest that is predicted at its end, in units of full power.
    """

    duration_s: float
    deviation: float


def rest_needed(ends: Tensor, oscillators: Oscillators, bias_drive: float, tolerance: float) -> Rest:
    """Return the shortest rest after which every oscillator is back within a tolerance, or the longest that is tried.

    Five relaxation times are not enough after a segment that ends with hardly any power: it first grows back, by e in
    gamma / (sigma I - gamma) relaxation times.

    Args:
        ends: Powers at the ends of the segments, (segment, oscillator).
        oscillators: The surrogate.
        bias_drive: Drive while resting, in 1/s.
        tolerance: In units of full power.
    """
    tau_s = float(1 / oscillators.gamma.min())
    count = math.ceil(math.log(_MOST_TAU) / math.log(_LONGER)) + 1
    for power in range(count):
        duration_s = tau_s * _LONGER**power
        deviation = deviation_after(duration_s, ends, oscillators, bias_drive)
        if deviation <= tolerance:
            break
    return Rest(duration_s, deviation)


def deviation_after(duration_s: float, ends: Tensor, oscillators: Oscillators, bias_drive: float) -> float:
    """Return the largest deviation from rest after a time under the bias drive, in units of full power."""
    gamma, q = oscillators.gamma, oscillators.q
    growth, damping = coefficients(torch.full_like(gamma, bias_drive), gamma, oscillators.sigma, q)
    z, d = growth * duration_s, gamma * (1 + q) * duration_s
    left = logistic_step(ends.double().clamp(POWER_FLOOR, 1.0), z.expand_as(ends), d.expand_as(ends))
    return float((left - equilibrium(growth, damping)).abs().max())
