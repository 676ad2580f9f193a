"""The high-pass filter between layers (Plouet et al. 2024, eq. 5): dy/dt = -2 pi f_cut y + dx/dt."""

import math

import torch
from torch import Tensor

from spinhw.physics.oscillator import decay_mean


def highpass_factors(cutoff_hz: Tensor, step_s: float) -> tuple[Tensor, Tensor]:
    """Give the factors (keep, pass) of an exact step for an input that changes linearly over the step.

    With w = 2 pi f_cut: keep = exp(-w h) and pass = (1 - exp(-w h)) / (w h).

    Args:
        cutoff_hz: Corner frequency in Hz, zero or above (zero only removes the initial value).
        step_s: Step h in seconds.
    """
    wh = 2 * math.pi * cutoff_hz * step_s
    return torch.exp(-wh), decay_mean(wh)


def highpassed(power: Tensor, cutoff_hz: Tensor, interval_s: float) -> Tensor:
    """Return y at the end of each interval of a signal that is known at the ends and changes linearly between them.

    Args:
        power: x, (..., time + 1, channel), the first at rest, where y is zero.
        cutoff_hz: Corner frequency in Hz, (..., channel).
        interval_s: Interval in seconds.

    Returns:
        (..., time, channel).
    """
    factors = highpass_factors(cutoff_hz, interval_s)
    outputs = [torch.zeros_like(power[..., 0, :])]
    for change in power.diff(dim=-2).unbind(-2):
        outputs.append(highpass_step(outputs[-1], change, factors))
    return torch.stack(outputs[1:], dim=-2)


def highpass_step(filtered: Tensor, change: Tensor, factors: tuple[Tensor, Tensor]) -> Tensor:
    """Advance the filtered signal y by one step over which the input x changes by `change`."""
    keep, passed = factors
    return keep * filtered + passed * change
