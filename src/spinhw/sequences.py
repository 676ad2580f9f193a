"""Sequences of unequal lengths side by side: what stands after a sequence's own end is seen by nobody.

Axes are (..., time, channel); lengths are whole numbers from 1 to the samples of the time axis, (...).
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def held(values: Tensor, lengths: Tensor | None, first: int = 0) -> Tensor:
    """Return sequences of which each holds its last sample from its own end on, whatever stood there.

    Args:
        values: (..., time, channel).
        lengths: Samples of each sequence; None where all end with the time axis.
        first: Samples at the beginning that do not count either: the first one that counts stands there.
    """
    if lengths is None and first == 0:
        return values
    if _is_one(values) and (lengths is None or _is_one(lengths)):
        once = held(values[:1], None if lengths is None else lengths[:1], first)
        return once.expand_as(values)
    time = torch.arange(values.shape[-2])
    last = values.shape[-2] if lengths is None else lengths[..., None]
    place = torch.minimum(time.clamp_min(first), torch.as_tensor(last) - 1)
    place = place.expand(values.shape[:-1])[..., None]
    return values.gather(-2, place.expand_as(values))


def inside(lengths: Tensor | None, samples: int, first: int = 0) -> Tensor | None:
    """Tell which samples count, (..., time); None where all do.

    Args:
        lengths: Samples of each sequence; None where all end with the time axis.
        samples: Of the time axis.
        first: Samples at the beginning that do not count.
    """
    if lengths is None and first == 0:
        return None
    time = torch.arange(samples)
    begun = time >= first
    return begun if lengths is None else begun & (time < lengths[..., None])


def in_one(parts: Sequence[Tensor], time: int | None = 2) -> Tensor:
    """Put sequences of all members side by side, (member, batch, ...); shorter ones hold their last sample.

    What all members share stays one memory.

    Args:
        parts: With members in front.
        time: Which axis is time; None where there is none.
    """
    longest = 0 if time is None else max(one.shape[time] for one in parts)
    members = parts[0].shape[0]
    if all(_is_one(one) for one in parts):
        once = in_one([one[:1] for one in parts], time)
        return once.expand(members, *once.shape[1:])
    return torch.cat([one if time is None else _longer(one, time, longest) for one in parts], dim=1)


def _is_one(values: Tensor) -> bool:
    """Tell whether all members share the same memory, which then stays one."""
    return values.ndim > 1 and values.shape[0] > 1 and values.stride(0) == 0


def _longer(values: Tensor, axis: int, samples: int) -> Tensor:
    if values.shape[axis] == samples:
        return values
    return values.index_select(axis, torch.arange(samples).clamp_max(values.shape[axis] - 1))
