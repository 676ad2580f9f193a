"""The RF synapse: a spin-diode resonator turns RF power into a voltage, V = P w(f - f_res).

After Leroux et al. 2021 and Ross et al. 2023, Lorentzians with half linewidth G:

    w(d) = w_max 2 G (d cos a + G sin a) / (d^2 + G^2),    d = f - f_res

With the angle a = 0 it is antisymmetric: bounded by w_max (reached at d = +-G), zero at resonance and far away; the far
tail is the crosstalk in a chain. An angle mixes the symmetric Lorentzian in: the extremes are then w_max (sin a +- 1),
and zero lies at d = -G tan a. The branch between the extremes, through that zero, is called the inner one.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

# Numbers of one block of detunings: what needs more is worked out block by block, for the sake of memory.
LARGEST_BLOCK = 1 << 23


def resonator_weight(
    detuning_hz: Tensor, half_linewidth_hz: Tensor, max_weight: Tensor | float, angle_rad: float = 0.0
) -> Tensor:
    """Return the weight of a resonator at a detuning f - f_res, both in Hz; with angle 0 at most max_weight in size.

    Args:
        detuning_hz: f - f_res.
        half_linewidth_hz: G, above zero.
        max_weight: w_max.
        angle_rad: a, between -pi/2 and pi/2.
    """
    square = detuning_hz**2 + half_linewidth_hz**2
    if angle_rad == 0:
        return max_weight * 2 * half_linewidth_hz * detuning_hz / square
    turned = detuning_hz * math.cos(angle_rad) + half_linewidth_hz * math.sin(angle_rad)
    return max_weight * 2 * half_linewidth_hz * turned / square


def resonator_slope(
    detuning_hz: Tensor, half_linewidth_hz: Tensor, max_weight: Tensor | float, angle_rad: float = 0.0
) -> Tensor:
    """Return the derivative of `resonator_weight` by its detuning, in 1/Hz; arguments as there."""
    slope, _, _ = _derivatives(detuning_hz, half_linewidth_hz, angle_rad)
    return max_weight * 2 * half_linewidth_hz * slope


def detuning_for(
    weight: Tensor, half_linewidth_hz: Tensor, max_weight: Tensor | float, angle_rad: float = 0.0
) -> Tensor:
    """Return the detuning on the inner branch that makes a weight: the inverse of `resonator_weight`.

    Args:
        weight: Wanted weight, from max_weight (sin a - 1) to max_weight (sin a + 1); beyond that the result is NaN.
        half_linewidth_hz: G in Hz.
        max_weight: w_max, above zero.
        angle_rad: a.
    """
    ratio = weight / max_weight
    if angle_rad == 0:
        # d = G (1 - sqrt(1 - r^2)) / r, in a form that has no division by zero at r = 0.
        return half_linewidth_hz * ratio / (1 + torch.sqrt(1 - ratio**2))
    # With d = G tan p the weight is w_max (sin a + sin(2 p + a)).
    return half_linewidth_hz * torch.tan((torch.asin(ratio - math.sin(angle_rad)) - angle_rad) / 2)


def chain_weights(
    frequency_hz: Tensor,
    resonance_hz: Tensor,
    half_linewidth_hz: Tensor,
    max_weight: Tensor | float,
    *,
    shift_hz: Tensor | None = None,
    angle_rad: float = 0.0,
) -> Tensor:
    """Return the effective weights of chains of resonators in series, neighbours' crosstalk included.

    Every resonator of a chain sees all frequencies of the layer, so the weight from source j is the sum over the
    chain's resonators k of w(f_j - f_res_k). Exact, and differentiable in everything but the angle; memory is bounded,
    however long the chains.

    Args:
        frequency_hz: RF frequency of each source, (..., source).
        resonance_hz: Resonance frequency of each resonator, (..., destination, resonator).
        half_linewidth_hz: G of each resonator, broadcasts with resonance_hz.
        max_weight: w_max of each resonator, a number or broadcasts with resonance_hz; put 0 for an absent one.
        shift_hz: Added to resonance_hz, broadcasts with it. It is taken off the difference of two frequencies, so that
            single precision loses nothing of a small shift.
        angle_rad: a, the symmetric part.

    Returns:
        Weights (..., destination, source).
    """
    width = torch.as_tensor(half_linewidth_hz, dtype=resonance_hz.dtype)
    bound = torch.as_tensor(max_weight, dtype=resonance_hz.dtype)
    weights: Tensor = _Chains.apply(frequency_hz, resonance_hz, width, bound, shift_hz, angle_rad)
    return weights


class _Chains(torch.autograd.Function):
    """Sums over resonators with their derivatives in closed form: nothing of the size of all pairs is kept for them."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        frequency: Tensor, resonance: Tensor, width: Tensor, bound: Tensor, shift: Tensor | None, angle_rad: float
    ) -> Tensor:
        parts = (resonance, width, bound, shift)
        rows = [
            resonator_weight(_detuning(frequency, *some), _apart(some[1]), _apart(some[2]), angle_rad).sum(-2)
            for some in _blocks(frequency, parts)
        ]
        return rows[0] if len(rows) == 1 else torch.cat(rows, dim=-2)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.angle_rad = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        frequency, resonance, width, bound, shift = ctx.saved_tensors
        by_frequency, by_resonance, by_width, by_bound, by_shift, _ = tangents
        d, g = _detuning(frequency, resonance, width, bound, shift), _apart(width)
        slope, curve, shape = _derivatives(d, g, ctx.angle_rad)
        total = torch.zeros_like(d)
        if by_frequency is not None:
            total = total + _apart(2 * width * bound) * slope * by_frequency[..., None, None, :]
        for moved in (by_resonance, by_shift):
            total = total if moved is None else total - _apart(2 * width * bound * moved) * slope
        total = total if by_width is None else total + _apart(2 * bound * by_width) * curve()
        total = total if by_bound is None else total + _apart(2 * width * by_bound) * shape()
        return total.sum(-2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        frequency, *parts = ctx.saved_tensors
        blocks = _blocks(frequency, (*parts, gradient))
        found = [_pulled_back(frequency, some, ctx.angle_rad, ctx.needs_input_grad) for some in blocks]
        by_frequency, *others = zip(*found, strict=True)
        wholes = [None if one[0] is None else torch.cat(one, dim=-2) for one in others]  # (..., destination, resonator)
        return (
            None if by_frequency[0] is None else sum(by_frequency[1:], by_frequency[0]).sum_to_size(frequency.shape),
            *(None if one is None else one.sum_to_size(part.shape) for one, part in zip(wholes, parts, strict=True)),
            None,
        )


def _pulled_back(
    frequency: Tensor, some: Sequence[Any], angle_rad: float, needed: Sequence[bool]
) -> tuple[Tensor | None, ...]:
    """Pull a gradient back to frequency, resonance, width, bound and shift, of one block; None for what needs none.

    All but the first are (..., destination, resonator), summed over the sources and not yet over what was broadcast.
    """
    resonance, width, bound, shift, gradient = some
    d, g, felt = _detuning(frequency, resonance, width, bound, shift), _apart(width), gradient[..., None]
    slope, curve, shape = _derivatives(d, g, angle_rad)
    factor = 2 * width * bound
    by_detuning = factor * (slope @ felt)[..., 0] if needed[1] or needed[4] else None
    by_frequency = by_width = by_bound = None
    if needed[0]:
        by_frequency = (_apart(factor) * slope * gradient[..., None, :]).sum((-3, -2))
    if needed[2]:
        by_width = 2 * bound * (curve() @ felt)[..., 0]
    if needed[3]:
        by_bound = 2 * width * (shape() @ felt)[..., 0]
    moved = None if by_detuning is None else -by_detuning
    return (by_frequency, moved if needed[1] else None, by_width, by_bound, moved if needed[4] else None)


def _derivatives(d: Tensor, g: Tensor, angle_rad: float) -> tuple[Tensor, Callable[[], Tensor], Callable[[], Tensor]]:
    """Return the derivatives by d over 2 G w_max, by G over 2 w_max, and by w_max over 2 G, of all pairs.

    The last two on demand: they are seldom asked for.
    """
    cos, sin, wide = math.cos(angle_rad), math.sin(angle_rad), g**2
    one_over = (d**2 + wide).reciprocal()
    slope = one_over * (one_over * (2 * wide) - 1)  # (G^2 - d^2) / (d^2 + G^2)^2
    if angle_rad != 0:
        slope = cos * slope - 2 * sin * g * d * one_over**2
    return (
        slope,
        lambda: (cos * d * (d**2 - wide) + 2 * sin * g * d**2) * one_over**2,
        lambda: (cos * d + sin * g) * one_over,
    )


def _detuning(frequency: Tensor, resonance: Tensor, width: Tensor, bound: Tensor, shift: Tensor | None) -> Tensor:
    """Return f - f_res of all pairs, (..., destination, resonator, source); the longest of all shapes."""
    detuning = frequency[..., None, None, :] - _apart(resonance)
    return detuning if shift is None else detuning - _apart(shift)


def _apart(part: Tensor) -> Tensor:
    """Make room for the source axis."""
    return part[..., None] if part.ndim else part


def _blocks(frequency: Tensor, parts: Sequence[Tensor | None]) -> Iterator[list[Any]]:
    """Cut what broadcasts to (..., destination, resonator) into so many destinations that memory is bounded."""
    shape = torch.broadcast_shapes(*(part.shape for part in parts[:4] if part is not None), (1, 1))
    rows = max(1, LARGEST_BLOCK * shape[-2] // max(1, math.prod(shape) * frequency.shape[-1]))
    for first in range(0, max(1, shape[-2]), rows):
        chosen = slice(first, first + rows)
        yield [part if part is None or part.ndim < 2 or part.shape[-2] == 1 else part[..., chosen, :] for part in parts]
