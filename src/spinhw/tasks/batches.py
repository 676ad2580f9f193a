"""Batches put together, and cut."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.tasks.base import Batch, Classes, Values


def joined(batches: Sequence[Batch]) -> Batch:
    """Put batches of equally long sequences into one."""
    first = batches[0]

    def all_of(parts: Sequence[Tensor | None]) -> Tensor | None:
        present = [one for one in parts if one is not None]
        return _beside(present) if len(present) == len(parts) else None

    target: Classes | Values
    if isinstance(first.target, Classes):
        target = Classes(_beside([one.target.labels for one in batches if isinstance(one.target, Classes)]))
    else:
        target = Values(_beside([one.target.values for one in batches if isinstance(one.target, Values)]))
    return replace(
        first,
        inputs=_beside([one.inputs for one in batches]),
        target=target,
        lengths=all_of([one.lengths for one in batches]),
        weight=all_of([one.weight for one in batches]),
    )


def _beside(parts: Sequence[Tensor]) -> Tensor:
    """Put tensors (member, batch, ...) one behind the other; what all members share stays one memory."""
    members = parts[0].shape[0]
    if members > 1 and all(one.stride(0) == 0 for one in parts):
        once = torch.cat([one[:1] for one in parts], dim=1)
        return once.expand(members, *once.shape[1:])
    return torch.cat(list(parts), dim=1)


def chosen(batch: Batch, sequences: Tensor | slice) -> Batch:
    """Return some of the sequences of every member."""
    target = batch.target
    return replace(
        batch,
        inputs=batch.inputs[:, sequences],
        target=Classes(target.labels[:, sequences])
        if isinstance(target, Classes)
        else Values(target.values[:, sequences]),
        lengths=None if batch.lengths is None else batch.lengths[:, sequences],
        weight=None if batch.weight is None else batch.weight[:, sequences],
    )
