"""Tasks whose sequences are drawn: new ones in every epoch, or the same ones in another order."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from spinhw.streams import torch_stream
from spinhw.tasks.base import Batch, Feed, Part, Task
from spinhw.tasks.batches import beside, chosen


class DrawnTask(Task, ABC):
    """Sequences of any number of seeds; held-out ones are the same for all of them.

    Args:
        sequences: Of an epoch, of each seed.
        fresh: Whether new ones are drawn in every epoch; else the same ones are shown again, shuffled.
        order: Stream of that order, by name.
        feed: How sequences are shown.
    """

    def __init__(self, sequences: int, fresh: bool, order: str, feed: Feed) -> None:
        self._sequences, self._fresh, self._stream, self._feed = sequences, fresh, order, feed
        self._kept: dict[int | Part, Batch] = {}  # Every sequence of a seed or of a part, where they stay the same.

    @property
    def batches(self) -> int:
        return -(-self._sequences // self._feed.batch_size)

    @property
    def sequences(self) -> int:
        return self._sequences

    def train(self, seeds: Sequence[int], epoch: int, batch: int) -> Batch:
        return beside([self._shown(seed, epoch, batch) for seed in seeds])

    def held_out(self, seeds: Sequence[int], part: Part) -> Iterator[Batch]:
        if part not in self._kept:
            self._kept[part] = self._measuring(part)
        size = self._feed.batch_size
        for start in range(0, self._kept[part].size, size):
            yield beside([chosen(self._kept[part], slice(start, start + size))] * len(seeds))

    @abstractmethod
    def _training(self, count: int, seed: int, *when: int) -> Batch:
        """Draw training sequences of one seed.

        Args:
            count: How many.
            seed: Of the network.
            when: Epoch and batch, where every batch has its own; nothing where they stay the same.
        """

    @abstractmethod
    def _measuring(self, part: Part) -> Batch:
        """Draw all sequences of a held-out part, with one member in front."""

    def _shown(self, seed: int, epoch: int, batch: int) -> Batch:
        """Draw a batch of one seed; the last of an epoch may be smaller."""
        first = batch * self._feed.batch_size
        count = min(self._feed.batch_size, self._sequences - first)
        if self._fresh:
            found = self._training(count, seed, epoch, batch)
        else:
            if seed not in self._kept:
                self._kept[seed] = self._training(self._sequences, seed)
            order = torch.randperm(self._sequences, generator=torch_stream(self._stream, seed, epoch))
            found = chosen(self._kept[seed], order[first : first + count])
        return found if self._feed.input_noise == 0 else self._noisy(found, seed, epoch, batch)

    def _noisy(self, shown: Batch, *key: int) -> Batch:
        noise = torch.randn(shown.inputs.shape, generator=torch_stream("input noise", *key))
        return replace(shown, inputs=shown.inputs + self._feed.input_noise * noise)
