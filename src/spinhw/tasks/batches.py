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
        return torch.cat(present, dim=1) if len(present) == len(parts) else None

    target: Classes | Values
    if isinstance(first.target, Classes):
        target = Classes(torch.cat([one.target.labels for one in batches if isinstance(one.target, Classes)], dim=1))
    else:
        target = Values(torch.cat([one.target.values for one in batches if isinstance(one.target, Values)], dim=1))
    return replace(
        first,
        inputs=torch.cat([one.inputs for one in batches], dim=1),
        target=target,
        lengths=all_of([one.lengths for one in batches]),
        weight=all_of([one.weight for one in batches]),
    )


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
