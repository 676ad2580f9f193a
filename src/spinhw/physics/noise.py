"""Thermal noise of the oscillator power (Slavin and Tiberkevich 2009), in the Ito sense, by a split step."""

import torch
from torch import Tensor


def diffusion(gamma: Tensor, thermal_power: float | Tensor) -> Tensor:
    """Give D = gamma p_T / 2 in 1/s, with this package's gamma (the factor 2 of eq. 1 absorbed).

    Args:
        gamma: Damping rate in 1/s.
        thermal_power: p_T, the mean power far below threshold without non-linearity, dimensionless, zero or above.
    """
    return gamma * thermal_power / 2


def thermal_step(power: Tensor, diffusion_per_s: Tensor, step_s: float, normals: Tensor) -> Tensor:
    """Add the thermal noise of one step: x <- (sqrt x + sqrt(D h) n1)^2 + D h n2^2.

    The two normals are the two quadratures of the complex amplitude. The mean grows by 2 D h and the variance by
    4 D h x, the moments of dp = 2 D dt + 2 sqrt(D p) dW. Power stays >= 0 and may exceed 1.

    Args:
        power: x before the noise, >= 0.
        diffusion_per_s: D in 1/s.
        step_s: Step h in seconds.
        normals: Standard normal numbers, the shape of power with a last axis of 2.
    """
    kick = torch.sqrt(diffusion_per_s * step_s)
    # A gradient through sqrt at x = 0 would be infinite; the smallest normal number changes nothing measurable.
    amplitude = torch.sqrt(power.clamp_min(torch.finfo(power.dtype).tiny))
    return (amplitude + kick * normals[..., 0]) ** 2 + (kick * normals[..., 1]) ** 2
