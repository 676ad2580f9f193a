"""What is worked out once and kept between calls: made anew whatever changed what it is made of, however it changed.

torch counts changes in place, but none by `Tensor.data`, and none at all of tensors of `torch.inference_mode`. What
things are made of is small beside what a rollout does with it, so that it is compared number by number.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from spinhw.rollout.choice import recorded_by_torch

Copies = tuple[Tensor, ...]


def may_keep(tensors: Sequence[Tensor]) -> bool:
    """Tell whether something that is made of these can be kept: their numbers can be seen and no gradient is wanted."""
    if torch.compiler.is_compiling() or recorded_by_torch():
        return False
    return not any(one.is_meta or one.requires_grad for one in tensors)


def copied(tensors: Sequence[Tensor]) -> Copies:
    """Copy tensors, to tell later whether they are still the same."""
    with ordinary_tensors():
        return tuple(one.detach().clone() for one in tensors)


def unchanged(before: Copies, now: Sequence[Tensor]) -> bool:
    """Tell whether tensors are alike in place, type, shape and every number."""
    return len(before) == len(now) and all(map(_alike, before, now))


def _alike(one: Tensor, other: Tensor) -> bool:
    if one.device != other.device or one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype == torch.bool:  # A tenth of the time.
        one, other = one.view(torch.uint8), other.view(torch.uint8)
    return torch.equal(one, other)


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """Make ordinary tensors without a history, even within `torch.inference_mode`: gradients may need them later."""
    with torch.inference_mode(False), torch.no_grad():
        yield


def ordinary(tensor: Tensor) -> Tensor:
    """Return a tensor that gradients may need: the same, or a copy of one of `torch.inference_mode`."""
    if not tensor.is_inference():
        return tensor
    with ordinary_tensors():
        return tensor.clone()
