"""Rounding and clipping by a DAC or an ADC."""

import torch
from torch import Tensor

from spinhw.chip.settings import ConverterSettings


def quantise(values: Tensor, lowest: float, highest: float, bits: int | None) -> Tensor:
    """Round to the nearest of the 2^bits levels from lowest to highest, both included; clip to that range.

    The gradient is that of the identity (straight through), also where values are clipped.

    Args:
        values: In the units of the range.
        lowest: First level.
        highest: Last level.
        bits: Resolution; None only clips.
    """
    rounded = values.detach().clamp(lowest, highest)
    if bits is not None:
        level = (highest - lowest) / (2**bits - 1)
        rounded = (lowest + ((rounded - lowest) / level).round() * level).clamp(lowest, highest)
    return values + (rounded - values).detach() if values.requires_grad else rounded


def convert(values: Tensor, converter: ConverterSettings) -> tuple[Tensor, Tensor | None]:
    """Pass values through a converter.

    Returns:
        The converted values, and where they were out of range (boolean, same shape); None without a range.
    """
    if converter.limits is None:
        return values, None
    lowest, highest = converter.limits
    return quantise(values, lowest, highest, converter.bits), (values < lowest) | (values > highest)


def merge(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Join two masks of clipped samples; None is "nowhere"."""
    if first is None or second is None:
        return second if first is None else first
    return torch.logical_or(first, second)
