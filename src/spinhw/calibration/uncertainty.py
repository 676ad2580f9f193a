"""How sure a fit is: covariances, correlations, and which parameters the data can tell apart."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spinhw.estimate import NormalEquations
from spinhw.estimate import covariance as inverse
from spinhw.surrogate import PARAMETERS, Oscillators, columns

# What a parameter must be known to, relative for positive ones, to call it identified; times in units of 1 / gamma.
IDENTIFIED = {"gamma": 0.2, "sigma": 0.2, "q": 0.3, "gain": 0.2, "offset": 0.1, "delay": 0.2, "lag": 0.2}
# Correlation of two parameters beyond which only a combination of them is measured.
MOST_CORRELATION = 0.999


def covariance(found: NormalEquations, oscillators: Oscillators, free: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Give the noise of one shot, (oscillator,), and s^2 (J^T J)^-1, (oscillator, parameter, parameter).

    A lag at its bound of zero counts as fixed there.
    """
    freedom = (found.samples - len(free)).clamp_min(1)
    variance = found.squares / freedom
    moving = torch.zeros(found.gradient.shape, dtype=torch.bool)
    moving[:, columns(free)] = True
    moving[:, PARAMETERS.index("lag")] &= oscillators.lag > 0
    return variance.sqrt(), variance[:, None, None] * inverse(found.normal, moving)


def correlations(spread: Tensor) -> Tensor:
    """Turn covariances, (oscillator, parameter, parameter), into correlations; zero where a parameter did not move."""
    size = spread.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()
    product = size[:, :, None] * size[:, None, :]
    return torch.where(product > 0, spread / product.clamp_min(1e-300), torch.zeros_like(spread))


def untold(spread: Tensor, oscillators: Oscillators, free: Sequence[str]) -> list[str]:
    """Name the free parameters that most oscillators' data cannot tell: error too large, or tied to another.

    Of two that are tied together the later one in the order of `free` is named, so that the dynamics are kept.
    """
    size = spread.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()  # (oscillator, parameter)
    tied = correlations(spread).abs()
    names, lost = list(free), []
    for place, name in zip(columns(free).tolist(), names, strict=True):
        allowed = torch.ones_like(oscillators.gamma) * IDENTIFIED[name]
        if name in ("delay", "lag"):
            allowed = allowed / oscillators.gamma
        vague = size[:, place] > (allowed**2 if name == "lag" else allowed)
        before = columns([other for other in names[: names.index(name)] if other not in lost])
        if len(before):
            vague = vague | (tied[:, place][:, before] > MOST_CORRELATION).any(1)
        if float((vague | ~size[:, place].isfinite()).double().mean()) > 0.5:
            lost.append(name)
    return lost
