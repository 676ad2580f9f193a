"""Batches put together, and cut."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.sequences import in_one
from spinhw.tasks.base import Batch, Classes, Values


def joined(batches: Sequence[Batch]) -> Batch:
    """Put batches into one; where their time axes differ, shorter sequences keep their ends."""
    first = batches[0]
    time = 2 if first.target.per_step else None

    def all_of(parts: Sequence[Tensor | None], axis: int | None = None) -> Tensor | None:
        present = [one for one in parts if one is not None]
        return in_one(present, axis) if len(present) == len(parts) else None

    target: Classes | Values
    if isinstance(first.target, Classes):
        target = Classes(in_one([one.target.labels for one in batches if isinstance(one.target, Classes)], time))
    else:
        target = Values(in_one([one.target.values for one in batches if isinstance(one.target, Values)], time))
    return replace(
        first,
        inputs=in_one([one.inputs for one in batches]),
        target=target,
        lengths=all_of(_lengths(batches)),
        weight=all_of([one.weight for one in batches], time),
    )


def beside(members: Sequence[Batch]) -> Batch:
    """Put batches of members with sequences of the same kind beside each other: the member axis of what comes out."""
    first = members[0]

    def all_of(parts: Sequence[Tensor | None]) -> Tensor | None:
        present = [one for one in parts if one is not None]
        return torch.cat(present) if len(present) == len(parts) else None

    target: Classes | Values
    if isinstance(first.target, Classes):
        target = Classes(torch.cat([one.target.labels for one in members if isinstance(one.target, Classes)]))
    else:
        target = Values(torch.cat([one.target.values for one in members if isinstance(one.target, Values)]))
    return replace(
        first,
        inputs=torch.cat([one.inputs for one in members]),
        target=target,
        lengths=all_of([one.lengths for one in members]),
        weight=all_of([one.weight for one in members]),
    )


def _lengths(batches: Sequence[Batch]) -> list[Tensor | None]:
    """Return the lengths of each batch, written out where some have none or their time axes differ."""
    own = [one.lengths for one in batches]
    if len({one.inputs.shape[2] for one in batches}) == 1 and all(one is None for one in own):
        return own
    return [
        torch.full(one.inputs.shape[:2], one.inputs.shape[2]) if one.lengths is None else one.lengths for one in batches
    ]


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
