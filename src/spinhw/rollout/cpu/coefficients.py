"""Physical parameters -> coefficients per step of the CPU kernels."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor


def cell_coefficients(
    cell: str, step_s: float, shape: tuple[int, int], dtype: torch.dtype, parameters: dict[str, Tensor | float | None]
) -> tuple[Tensor, bool]:
    """(coefficients (kernels.CELL_ROWS, M, N) in `dtype`, whether they depend differentiably on the parameters).

    Rows: gain, offset, p1, p0, p2, decay, kappa, thermal amplitude, and decay and kappa of the mean of two nodes; see `rows`.
    Parameters: gamma, scale, bias_drive in 1/s, cutoff_hz, diffusion in 1/s; sigma, q; drive bounds low, high in 1/s or None.
    Computed in double precision: in torch where a gradient is wanted, else in numpy, which costs a tenth of the time.
    """
    tensors = [value for value in parameters.values() if isinstance(value, Tensor)]
    differentiable = any(tensor.requires_grad for tensor in tensors)
    make = _oscillator if cell == "oscillator" else _ctrnn
    if differentiable:
        full = {name: _expand_tensor(value, shape) for name, value in parameters.items()}
        return torch.stack(make(torch, step_s, full)).to(dtype), True
    full = {name: _expand_array(value, shape) for name, value in parameters.items()}
    return torch.from_numpy(np.stack(make(np, step_s, full))).to(dtype), False


def _expand_tensor(value: Tensor | float | None, shape: tuple[int, int]) -> Tensor | None:
    """(M, N) double-precision tensor."""
    return None if value is None else torch.as_tensor(value, dtype=torch.float64).expand(shape)


def _expand_array(value: Tensor | float | None, shape: tuple[int, int]) -> np.ndarray | None:
    """(M, N) double-precision array."""
    if isinstance(value, Tensor):
        value = value.detach().numpy()
    return None if value is None else np.broadcast_to(np.asarray(value, np.float64), shape)


def _oscillator(xp: Any, h: float, p: dict[str, Any]) -> list[Any]:
    """Rows of an oscillator; xp: torch or numpy."""
    gain, offset, low, span = p["scale"], p["bias_drive"], 0.0, 1.0
    if p["low"] is not None:
        low, span = p["low"], p["high"] - p["low"]
        below, above = p["bias_drive"] - low, p["high"] - p["bias_drive"]
        gain, offset = gain * span / (below * above), xp.log(below / above)
    angle = 2 * math.pi * h * p["cutoff_hz"]
    decay, kappa = xp.exp(-angle), _mean_decay(xp, angle)
    return [
        gain, offset, p["sigma"] * (h * span), (p["sigma"] * low - p["gamma"]) * h, (p["sigma"] * low + p["gamma"] * p["q"]) * h,
        decay, kappa, xp.sqrt(p["diffusion"] * h), (1 + decay) / 2, kappa / 2,
    ]  # fmt: skip


def _ctrnn(xp: Any, h: float, p: dict[str, Any]) -> list[Any]:
    """Rows of a CTRNN neuron."""
    zero = p["gamma"] * 0.0
    rise = _mean_decay(xp, p["gamma"] * h) * h
    return [p["scale"], p["bias_drive"], rise, xp.exp(-p["gamma"] * h), zero, zero, zero, zero, zero, zero]


def _mean_decay(xp: Any, angle: Any) -> Any:
    """(1 - e^-angle) / angle, the mean of an exponential over a step."""
    small = abs(angle) < 1e-6
    safe = xp.where(small, xp.ones_like(angle), angle)
    return xp.where(small, 1 - angle / 2 + angle * angle / 6, -xp.expm1(-safe) / safe)
