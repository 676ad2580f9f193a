"""Draws of hidden parameters and noise, each from a stream keyed by chip, seed and purpose."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.streams import torch_stream

LEAST_Q = -0.9  # At Q = -1 the power would grow beyond 1 and the logistic equation lose its bound.


@dataclass(frozen=True)
class Identity:
    """Who a chip is. Everything hidden follows from it.

    Args:
        name: Device id, such as "chip-3".
        seed: Seed of the device profile.
    """

    name: str
    seed: int

    def stream(self, *purpose: str | int) -> torch.Generator:
        """Make the stream of this chip for a purpose."""
        return torch_stream("chip", self.name, self.seed, *purpose)

    def normals(self, shape: Sequence[int], *purpose: str | int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Draw standard normal numbers for a purpose."""
        return torch.randn(tuple(shape), generator=self.stream(*purpose), dtype=dtype)


def lognormal_factor(normals: Tensor, spread: float) -> Tensor:
    """Turn standard normal numbers into factors of mean 1 and standard deviation `spread`."""
    width = math.sqrt(math.log1p(spread**2))
    return torch.exp(width * normals - width**2 / 2)


def factors(identities: Sequence[Identity], size: int, spread: float, *purpose: str | int) -> Tensor:
    """Draw log-normal factors for each member, (member, size), in float64."""
    normals = torch.stack([identity.normals((size,), *purpose) for identity in identities])
    return lognormal_factor(normals, spread)  # (member, size)


def q_offsets(identity: Identity, nominal: Tensor, spread: float) -> Tensor:
    """Draw normal deviations of Q, (neuron,), again where Q would be below `LEAST_Q`.

    Args:
        identity: Who the chip is.
        nominal: Nominal Q of each oscillator, at least `LEAST_Q`, (neuron,).
        spread: Standard deviation before any is drawn again.
    """
    generator = identity.stream("q")
    deviations = torch.zeros_like(nominal)
    again = torch.ones_like(nominal, dtype=torch.bool)
    while bool(again.any()):
        drawn = torch.randn(int(again.sum()), generator=generator, dtype=nominal.dtype)
        deviations[again] = drawn * spread
        again = nominal + deviations < LEAST_Q
    return deviations  # (neuron,)


def chosen(identity: Identity, size: int, fraction: float, listed: Sequence[int], purpose: str) -> Tensor:
    """Mark a fraction of `size` parts, drawn once, and those listed, (size,) boolean."""
    mask = torch.zeros(size, dtype=torch.bool)
    mask[torch.randperm(size, generator=identity.stream(purpose))[: round(fraction * size)]] = True
    mask[list(listed)] = True
    return mask  # (size,)
