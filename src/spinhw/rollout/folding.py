"""Physical parameters -> the few numbers per neuron and step that compiled kernels work with, for every engine.

u = gain (W y + external) + offset          argument of the saturation
s = sigmoid(u), or u itself                 where the drive is bounded, or not
oscillator: z = a h = p1 s + p0,  c h = p1 s + p2 = z + damping,  y' = decay y + passed (x' - x)
CTRNN:      x' = p0 x + p1 s
noise:      x' -> (sqrt x' + kick n1)^2 + (kick n2)^2
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spinhw.rollout.parameters import Neurons


class Folded(NamedTuple):
    """Coefficients of every neuron, each (member, neuron), in double precision; see the top of this file."""

    gain: Tensor
    offset: Tensor
    p1: Tensor
    p0: Tensor
    p2: Tensor
    damping: Tensor
    decay: Tensor
    passed: Tensor
    kick: Tensor

    def stacked(self, *rows: Tensor, dtype: torch.dtype) -> Tensor:
        """Stack some of them, (row, member, neuron), rounded once to a type."""
        return torch.stack(rows).to(dtype)


class _Parameters(NamedTuple):
    """What is folded, each (member, neuron), torch or numpy; rates in 1/s."""

    gamma: Any
    sigma: Any
    q: Any
    cutoff_hz: Any
    rate: Any  # drive of a unit synaptic sum
    bias_drive: Any
    diffusion: Any
    lowest: Any
    highest: Any


def fold(
    neurons: Neurons,
    step_s: float,
    members: int,
    *,
    cell: str = "spintronic",
    drive_rate_per_s: float | None = None,
    diffusion_per_s: Tensor | None = None,
) -> Folded:
    """Fold the parameters of neurons, differentiably (but for the noise) where one of them wants a gradient.

    Args:
        neurons: Parameters, (member or 1, neuron).
        step_s: Integration step in seconds.
        members: Number of networks.
        cell: "spintronic" or "ctrnn".
        drive_rate_per_s: Drive of a unit synaptic sum at S = 1; None where the drive itself is given, to which neither
            bias nor bounds are applied.
        diffusion_per_s: D of the thermal noise, (member or 1, neuron); None for none.
    """
    tensors = _parameters(neurons, cell, drive_rate_per_s, diffusion_per_s)
    shape = (members, neurons.gamma.shape[-1])
    differentiable = wants_gradient(each for each in tensors if isinstance(each, Tensor))
    make = _oscillator if cell == "spintronic" else _ctrnn
    if differentiable or neurons.gamma.device.type != "cpu" or torch.compiler.is_compiling():
        like = neurons.gamma
        return Folded(*make(torch, step_s, _Parameters(*(_tensor(each, shape, like) for each in tensors))))
    # A tenth of the time of torch, for arrays as small as these.
    found = make(np, step_s, _Parameters(*(_array(each, shape) for each in tensors)))
    return Folded(*(torch.from_numpy(np.array(each)) for each in found))


def wants_gradient(tensors: Iterable[Tensor | None]) -> bool:
    """Say whether any of these asks for a gradient."""
    return any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _parameters(neurons: Neurons, cell: str, rate: float | None, diffusion_per_s: Tensor | None) -> _Parameters:
    coupled, spintronic, bounds = rate is not None, cell == "spintronic", neurons.bounds
    bounded = coupled and spintronic and bounds is not None
    return _Parameters(
        gamma=neurons.gamma,
        sigma=neurons.sigma,
        q=neurons.q,
        cutoff_hz=neurons.cutoff_hz,
        rate=neurons.gain * rate if rate is not None else 1.0,
        bias_drive=neurons.bias_drive if coupled and spintronic else 0.0,
        diffusion=0.0 if diffusion_per_s is None else diffusion_per_s.detach(),
        lowest=bounds.lowest if bounded and bounds is not None else None,
        highest=bounds.highest if bounded and bounds is not None else None,
    )


def _tensor(value: Tensor | float | None, shape: tuple[int, int], like: Tensor) -> Tensor | None:
    return None if value is None else torch.as_tensor(value, dtype=torch.float64, device=like.device).expand(shape)


def _array(value: Tensor | float | None, shape: tuple[int, int]) -> np.ndarray | None:
    if value is None:
        return None
    plain = value.detach().numpy() if isinstance(value, Tensor) else value
    return np.broadcast_to(np.asarray(plain, np.float64), shape)


def _oscillator(xp: Any, h: float, p: _Parameters) -> tuple[Any, ...]:
    """Coefficients of oscillators in the order of `Folded`; xp: torch or numpy."""
    gain, offset, lowest, span = p.rate, p.bias_drive, 0.0, 1.0
    if p.lowest is not None:
        lowest, span = p.lowest, p.highest - p.lowest
        below, above = p.bias_drive - lowest, p.highest - p.bias_drive
        gain, offset = gain * span / (below * above), xp.log(below / above)
    angle = 2 * math.pi * h * p.cutoff_hz
    return (
        gain,
        offset,
        p.sigma * (h * span),
        (p.sigma * lowest - p.gamma) * h,
        (p.sigma * lowest + p.gamma * p.q) * h,
        p.gamma * (1 + p.q) * h,
        xp.exp(-angle),
        _decay_mean(xp, angle),
        xp.sqrt(p.diffusion * h),
    )


def _ctrnn(xp: Any, h: float, p: _Parameters) -> tuple[Any, ...]:
    """The same for CTRNN neurons, with zeros for what they lack."""
    zero = p.gamma * 0.0
    return p.rate, p.bias_drive, _decay_mean(xp, p.gamma * h) * h, xp.exp(-p.gamma * h), *[zero] * 5


def _decay_mean(xp: Any, angle: Any) -> Any:
    """As `spinhw.physics.decay_mean`, in double precision only."""
    small = abs(angle) < 1e-6
    safe = xp.where(small, xp.ones_like(angle), angle)
    return xp.where(small, 1 - angle / 2 + angle * angle / 6, -xp.expm1(-safe) / safe)
