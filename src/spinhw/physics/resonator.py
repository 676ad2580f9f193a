"""The RF synapse: a spin-diode resonator turns RF power into a voltage, V = P w(f - f_res).

After Leroux et al. 2021 and Ross et al. 2023, antisymmetric Lorentzian with half linewidth G:

    w(d) = w_max 2 G d / (d^2 + G^2),    d = f - f_res

Bounded by w_max (reached at d = +-G), zero at resonance and far away; the far tail is the crosstalk in a chain.
"""

import torch
from torch import Tensor


def resonator_weight(detuning_hz: Tensor, half_linewidth_hz: Tensor, max_weight: Tensor | float) -> Tensor:
    """Give the weight of a resonator at a detuning f - f_res, both in Hz; |weight| <= max_weight."""
    return max_weight * 2 * half_linewidth_hz * detuning_hz / (detuning_hz**2 + half_linewidth_hz**2)


def detuning_for(weight: Tensor, half_linewidth_hz: Tensor, max_weight: Tensor | float) -> Tensor:
    """Give the detuning of smallest size that makes a weight: the inverse of `resonator_weight` on |d| <= G.

    Args:
        weight: Wanted weight, |weight| <= max_weight; beyond that the result is NaN.
        half_linewidth_hz: G in Hz.
        max_weight: w_max, above zero.
    """
    ratio = weight / max_weight
    # d = G (1 - sqrt(1 - r^2)) / r, in a form that has no division by zero at r = 0.
    return half_linewidth_hz * ratio / (1 + torch.sqrt(1 - ratio**2))


def chain_weights(
    frequency_hz: Tensor, resonance_hz: Tensor, half_linewidth_hz: Tensor, max_weight: Tensor | float
) -> Tensor:
    """Give the effective weights of chains of resonators in series, neighbours' crosstalk included.

    Every resonator of a chain sees all frequencies of the layer, so the weight from source j is the sum over the
    chain's resonators k of w(f_j - f_res_k).

    Args:
        frequency_hz: RF frequency of each source, (..., source).
        resonance_hz: Resonance frequency of each resonator, (..., destination, resonator).
        half_linewidth_hz: G of each resonator, broadcasts with resonance_hz.
        max_weight: w_max of each resonator, a number or broadcasts with resonance_hz; put 0 for an absent one.

    Returns:
        Weights (..., destination, source).
    """
    detuning = frequency_hz[..., None, None, :] - resonance_hz[..., None]  # (..., destination, resonator, source)
    width = torch.as_tensor(half_linewidth_hz)[..., None].expand_as(detuning)
    bound = torch.as_tensor(max_weight, dtype=detuning.dtype)
    bound = bound[..., None] if bound.ndim else bound
    return resonator_weight(detuning, width, bound).sum(-2)
