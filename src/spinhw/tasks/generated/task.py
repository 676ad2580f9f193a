"""Series from a formula, for training and for measuring."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from spinhw.streams import torch_stream
from spinhw.tasks.base import Batch, Classes, Feed, Part, Task, Values
from spinhw.tasks.batches import chosen
from spinhw.tasks.generated.settings import GeneratedSettings


class GeneratedTask(Task):
    """Series of any number of seeds; held-out ones are the same for all of them.

    Args:
        settings: The task.
        feed: How sequences are shown.
    """

    def __init__(self, settings: GeneratedSettings, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        self._kept: dict[int | Part, Batch] = {}  # Every sequence of a seed or of a part, where they stay the same.

    @property
    def batches(self) -> int:
        return -(-self.sequences // self._feed.batch_size)

    @property
    def sequences(self) -> int:
        return self._settings.sequences

    def held_out_sequences(self, part: Part) -> int:
        return {"validation": self._settings.held_out, "test": self._settings.tested}[part]

    def train(self, seeds: Sequence[int], epoch: int, batch: int) -> Batch:
        return _beside([self._shown(seed, epoch, batch) for seed in seeds])

    def held_out(self, seeds: Sequence[int], part: Part) -> Iterator[Batch]:
        if part not in self._kept:
            self._kept[part] = self._draw(self.held_out_sequences(part), "held out", part)
        size = self._feed.batch_size
        for start in range(0, self.held_out_sequences(part), size):
            yield _beside([chosen(self._kept[part], slice(start, start + size))] * len(seeds))

    def as_inputs(self, values: Tensor) -> Tensor:
        return self._played(values)

    def _shown(self, seed: int, epoch: int, batch: int) -> Batch:
        """Draw a batch of one seed; the last of an epoch may be smaller."""
        first = batch * self._feed.batch_size
        count = min(self._feed.batch_size, self.sequences - first)
        if self._settings.fresh:
            found = self._draw(count, "training", seed, epoch, batch)
        else:
            if seed not in self._kept:
                self._kept[seed] = self._draw(self.sequences, "training", seed)
            order = torch.randperm(self.sequences, generator=torch_stream("series order", seed, epoch))
            found = chosen(self._kept[seed], order[first : first + count])
        return found if self._feed.input_noise == 0 else self._noisy(found, seed, epoch, batch)

    def _noisy(self, shown: Batch, *key: int) -> Batch:
        noise = torch.randn(shown.inputs.shape, generator=torch_stream("input noise", *key))
        return Batch(shown.inputs + self._feed.input_noise * noise, shown.target, washout=shown.washout)

    def _draw(self, count: int, *key: str | int) -> Batch:
        """Draw sequences of one member, whose axis is in front."""
        settings = self._settings
        series, target = settings.draw(count, torch_stream("series", settings.kind, *key))
        return Batch(self._played(series)[None, ..., None], target, washout=settings.washout)

    def _played(self, series: Tensor) -> Tensor:
        """Map the range of the series to what is played, of any shape."""
        settings, (low, high) = self._settings, self._settings.series_range
        share = (series - low) / (high - low)
        return (settings.input_low + (settings.input_high - settings.input_low) * share).float()


def _beside(members: Sequence[Batch]) -> Batch:
    """Put the batches of members, one of each, beside each other."""
    first = members[0]
    target: Classes | Values
    if isinstance(first.target, Classes):
        target = Classes(torch.cat([one.target.labels for one in members if isinstance(one.target, Classes)]))
    else:
        target = Values(torch.cat([one.target.values for one in members if isinstance(one.target, Values)]))
    return Batch(torch.cat([one.inputs for one in members]), target, washout=first.washout)
