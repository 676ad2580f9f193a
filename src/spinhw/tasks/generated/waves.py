"""Sine and square waves in random order, one period each (Paquot et al., Sci. Rep. 2, 287 (2012))."""

import math

import torch
from torch import Tensor


def sine_square(kinds: Tensor, period: int) -> Tensor:
    """Return one period of a wave for each kind, one after another.

    Args:
        kinds: 0 for a sine and 1 for a square wave, (sequence, wave).
        period: Samples of a period, at least 2.

    Returns:
        Samples between -1 and 1, (sequence, wave * period), float64.
    """
    place = torch.arange(period, dtype=torch.float64)
    sine = torch.sin(2 * math.pi * place / period)
    square = torch.where(place < period / 2, 1.0, -1.0).double()
    return torch.stack([sine, square])[kinds].flatten(1)


def draw_sine_square(count: int, samples: int, period: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw waves, either kind equally likely; the last one of a sequence is cut where its samples end.

    Args:
        count: Sequences.
        samples: Of each.
        period: Of a wave, in samples.
        generator: Where the numbers come from.

    Returns:
        Samples, (sequence, time), and the kind of wave that each belongs to, (sequence, time).
    """
    kinds = torch.randint(0, 2, (count, -(-samples // period)), generator=generator)
    return sine_square(kinds, period)[:, :samples], kinds.repeat_interleave(period, dim=1)[:, :samples]
