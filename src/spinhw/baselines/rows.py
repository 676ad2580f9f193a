"""The training part of one seed as rows: one for each answer that counts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spinhw.baselines.columns import Columns
from spinhw.tasks import Batch, Classes, Task, chosen, joined
from spinhw.tasks.objective import wanted, weight_of

# Of answers after each sample, so many are looked at: a window has few weights.
_MOST_ANSWERS = 50_000


@dataclass(frozen=True, eq=False)
class Shown:
    """The sequences that a seed is trained with, in an order that follows from what they hold.

    Args:
        batch: All of them, one member.
        outputs: Classes, or values.
        digest: The same for the same sequences.
    """

    batch: Batch
    outputs: int
    digest: str

    @classmethod
    def of(cls, task: Task, seed: int, outputs: int) -> "Shown":
        """Look at the first epoch, as far as it is needed."""
        parts: list[Batch] = []
        for place in range(task.batches):
            parts.append(task.train([seed], 0, place))
            if parts[0].target.per_step and sum(one.inputs[..., 0].numel() for one in parts) >= _MOST_ANSWERS:
                break
        return cls._ordered(joined(parts), outputs)

    @classmethod
    def held_out(cls, batches: Sequence[Batch], outputs: int) -> "Shown":
        """Take up a held-out part."""
        return cls._ordered(joined(batches), outputs)

    @classmethod
    def _ordered(cls, batch: Batch, outputs: int) -> "Shown":
        marks = _marks(batch)
        order = sorted(range(len(marks)), key=marks.__getitem__)
        digest = hashlib.blake2b(b"".join(marks[place] for place in order), digest_size=16).hexdigest()
        return cls(chosen(batch, torch.tensor(order)), outputs, digest)

    @property
    def of_classes(self) -> bool:
        """Whether answers are classes."""
        return isinstance(self.batch.target, Classes)

    @property
    def samples(self) -> int:
        """Samples of the longest sequence."""
        return int(self.batch.inputs.shape[2])

    def rows(self, columns: Columns, most: int | None = None) -> "Rows":
        """Return the rows of all sequences, or of the first ones, which have at least `most` rows."""
        batch = self.batch
        if most is not None:
            batch = chosen(batch, slice(-(-most // (self.samples if columns.per_step else 1))))
        right = wanted(batch, self.outputs)[0]  # (sequence, answer, output)
        weight = weight_of(right[None], batch)
        counts = torch.ones_like(right[..., 0]) if weight is None else weight[0, ..., 0].double()
        there = (counts > 0).numpy()
        sequence = np.broadcast_to(np.arange(len(right))[:, None], right.shape[:2])
        return Rows(columns.of(batch)[there], right.numpy()[there], counts.numpy()[there], sequence[there])


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of numbers, and what is right for each.

    Args:
        columns: (row, column).
        right: 1 for the right class and 0 for the others, or values, (row, output).
        weight: How much each counts, above 0, (row,).
        sequence: Which sequence it belongs to, (row,).
    """

    columns: NDArray[np.float32]
    right: NDArray[np.float64]
    weight: NDArray[np.float64]
    sequence: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.columns)


def _marks(batch: Batch) -> list[bytes]:
    """Return a mark of each sequence, by what it holds."""
    target = batch.target.labels if isinstance(batch.target, Classes) else batch.target.values
    parts = [batch.inputs[0], target[0], batch.lengths, batch.weight]
    parts[2:] = [None if one is None else one[0] for one in parts[2:]]
    arrays = [np.ascontiguousarray(one.numpy()) for one in parts if one is not None]
    return [
        hashlib.blake2b(b"".join(one[place].tobytes() for one in arrays), digest_size=16).digest()
        for place in range(batch.size)
    ]
