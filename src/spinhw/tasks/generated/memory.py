"""What a network must have kept: inputs of some samples ago, or the parity of the last few bits."""

from collections.abc import Sequence

import torch
from torch import Tensor


def delayed(inputs: Tensor, delays: Sequence[int]) -> Tensor:
    """Return u(n - k) for each delay k; zero before the first sample.

    Args:
        inputs: u, (sequence, time).
        delays: Samples, 0 and above.

    Returns:
        (sequence, time, delay).
    """
    shifted = []
    for delay in delays:
        kept = inputs[:, : max(inputs.shape[1] - delay, 0)]
        shifted.append(torch.cat([torch.zeros_like(inputs[:, : inputs.shape[1] - kept.shape[1]]), kept], dim=1))
    return torch.stack(shifted, dim=-1)


def parities(bits: Tensor, delays: Sequence[int]) -> Tensor:
    """Return u(n) u(n - 1) ... u(n - k) for each delay k: -1 where an odd number of these bits is -1.

    Args:
        bits: u, each +1 or -1, (sequence, time).
        delays: Samples, 0 and above.

    Returns:
        (sequence, time, delay); zero where there were fewer bits.
    """
    every = delayed(bits, range(max(delays) + 1)).cumprod(-1)
    return every[..., list(delays)]


def draw_bits(count: int, samples: int, generator: torch.Generator) -> Tensor:
    """Draw +1 and -1, equally likely, (sequence, time), float64."""
    return torch.randint(0, 2, (count, samples), generator=generator).double() * 2 - 1


def draw_uniform(count: int, samples: int, generator: torch.Generator) -> Tensor:
    """Draw numbers between -1 and 1, all equally likely, (sequence, time), float64."""
    return torch.rand(count, samples, generator=generator, dtype=torch.float64) * 2 - 1
