"""Sequences of one's own in batches."""

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinhw.streams import torch_stream
from spinhw.tasks.base import Batch, Classes, Feed, Part, Task, Values
from spinhw.tasks.series.prepared import Prepared
from spinhw.tasks.series.settings import SeriesSettings
from spinhw.tasks.series.splits import PartName, Pieces


class SeriesTask(Task):
    """Sequences of any lengths: all seeds share the parts and the samples, each shows them in an order of its own.

    Args:
        settings: The task.
        data: Its data.
        feed: How sequences are shown.
    """

    def __init__(self, settings: SeriesSettings, data: Prepared, feed: Feed) -> None:
        self._settings, self._data, self._feed = settings, data, feed
        self._orders: dict[tuple[int, int], NDArray[np.int64]] = {}  # Of one epoch, by epoch and seed.

    @property
    def batches(self) -> int:
        return ceil(self.sequences / self._feed.batch_size)

    @property
    def sequences(self) -> int:
        return len(self._data.parts["train"])

    def held_out_sequences(self, part: Part) -> int:
        return len(self._data.parts[_named(part)])

    def train(self, seeds: Sequence[int], epoch: int, batch: int) -> Batch:
        size, pieces = self._feed.batch_size, self._data.parts["train"]
        orders = [self._order(seed, epoch)[batch * size : (batch + 1) * size] for seed in seeds]
        shown = self._batch(pieces, np.stack(orders))  # (member, batch)
        if self._feed.input_noise == 0:
            return shown
        shape, here = shown.inputs.shape[1:], (epoch, batch)
        noise = [torch.randn(shape, generator=torch_stream("input noise", seed, *here)) for seed in seeds]
        return Batch(
            shown.inputs + self._feed.input_noise * torch.stack(noise),
            shown.target,
            lengths=shown.lengths,
            washout=shown.washout,
        )

    def held_out(self, seeds: Sequence[int], part: Part) -> Iterator[Batch]:
        size, pieces = self._feed.batch_size, self._data.parts[_named(part)]
        for start in range(0, len(pieces), size):
            yield shared(self._batch(pieces, np.arange(start, min(start + size, len(pieces)))[None]), len(seeds))

    def _order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Draw the order in which a seed shows its sequences in an epoch; all its batches ask for it."""
        if (epoch, seed) not in self._orders:
            self._orders = {key: one for key, one in self._orders.items() if key[0] == epoch}
            stream = torch_stream("order", seed, epoch)
            self._orders[epoch, seed] = torch.randperm(self.sequences, generator=stream).numpy()
        return self._orders[epoch, seed]

    def _batch(self, pieces: Pieces, chosen: NDArray[np.int64]) -> Batch:
        """Put pieces together, (member, batch); after its own end a piece goes on with its last sample."""
        series, lengths = pieces.series, pieces.lengths[chosen]
        within = np.minimum(np.arange(pieces.longest), lengths[..., None] - 1)
        samples = pieces.first[chosen][..., None] + within  # (member, batch, time)
        return Batch(
            torch.from_numpy(self._data.inputs.apply(series.samples[samples])),
            self._target(pieces, chosen, samples + pieces.horizon),
            lengths=None if pieces.equal else torch.from_numpy(lengths),
            washout=self._settings.window.washout,
        )

    def _target(self, pieces: Pieces, chosen: NDArray[np.int64], samples: NDArray[np.int64]) -> Classes | Values:
        series = pieces.series
        told = series.targets[samples if series.per_step else pieces.sequences[chosen]]
        return (
            Classes(torch.from_numpy(told))
            if series.of_classes
            else Values(torch.from_numpy(self._data.targets.apply(told)))
        )


def shared(batch: Batch, members: int) -> Batch:
    """Show the sequences of one member to several: they are views of the same memory."""

    def by(one: Tensor) -> Tensor:
        return one.expand(members, *one.shape[1:])

    target = batch.target
    return Batch(
        by(batch.inputs),
        Classes(by(target.labels)) if isinstance(target, Classes) else Values(by(target.values)),
        lengths=None if batch.lengths is None else by(batch.lengths),
        washout=batch.washout,
    )


def _named(part: Part) -> PartName:
    if part == "held":
        raise ValueError("series have no part of long holds")
    return part
