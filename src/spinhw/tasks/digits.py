"""Sequential digits: 8 x 8 images read pixel by pixel (Plouet et al. 2024, section III), or row by row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
import torch
from torch import Tensor

from spinhw.streams import torch_stream
from spinhw.tasks.augmentation import augment
from spinhw.tasks.base import Batch, Classes, Feed, Part, Task
from spinhw.tasks.digits_settings import DigitsSettings

# scikit-learn's digits: counts from 0 to 16 of the pixels set in each 4 x 4 block.
_WHITEST = 16.0


@dataclass(frozen=True)
class Split:
    """Images of one seed, pixels in 0 to 1.

    Args:
        train: (image, 8, 8).
        train_labels: (image,), whole numbers 0 to 9.
        test: (image, 8, 8).
        test_labels: (image,).
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


@lru_cache(maxsize=1)
def _images() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return torch.from_numpy(digits.images.astype(np.float32) / _WHITEST), torch.from_numpy(
        digits.target.astype(np.int64)
    )


def split(settings: DigitsSettings, seed: int) -> Split:
    """Draw the split of one seed: a random permutation, the training images first."""
    images, labels = _images()
    order = torch.randperm(len(images), generator=torch_stream("digits split", seed))
    trained = round(settings.train_fraction * len(images))
    train, test = order[:trained], order[trained:]
    if settings.held_out == "validation":
        kept = round(0.8 * trained)
        train, test = train[:kept], train[kept:]
    return Split(images[train], labels[train], images[test], labels[test])


class DigitsTask(Task):
    """Sequential digits: every member has its own split, its own order and its own noise, as if it were alone.

    Args:
        settings: The task.
        feed: How images are shown.
    """

    def __init__(self, settings: DigitsSettings, feed: Feed) -> None:
        self._settings, self._feed = settings, feed

    @property
    def batches(self) -> int:
        return ceil(self.sequences / self._feed.batch_size)

    @property
    def sequences(self) -> int:
        return len(_split(self._settings, 0).train_labels)

    def held_out_sequences(self, part: Part) -> int:
        return len(_split(self._settings, 0).test_labels)

    def train(self, seeds: Sequence[int], epoch: int, batch: int) -> Batch:
        settings, size, here = self._settings, self._feed.batch_size, (epoch, batch)
        splits = [_split(settings, seed) for seed in seeds]
        chosen = [_order(self.sequences, seed, epoch)[batch * size : (batch + 1) * size] for seed in seeds]
        images = torch.stack([one.train[place] for one, place in zip(splits, chosen, strict=True)])
        labels = torch.stack([one.train_labels[place] for one, place in zip(splits, chosen, strict=True)])
        if self._feed.augmentation is not None:
            # All members at once: a tenth of the calls.
            streams = (torch_stream("augmentation", seed, *here) for seed in seeds)
            images = augment(images.flatten(0, 1), self._feed.augmentation, *streams).view(images.shape)
        inputs = as_sequence(images, settings)
        if self._feed.input_noise > 0:
            shape = inputs.shape[1:]
            noise = [torch.randn(shape, generator=torch_stream("input noise", seed, *here)) for seed in seeds]
            inputs = inputs + self._feed.input_noise * torch.stack(noise)
        return Batch(inputs, Classes(labels))

    def held_out(self, seeds: Sequence[int], part: Part) -> Iterator[Batch]:
        splits, size = [_split(self._settings, seed) for seed in seeds], self._feed.batch_size
        for start in range(0, self.held_out_sequences(part), size):
            chosen = slice(start, start + size)
            images = torch.stack([one.test[chosen] for one in splits])
            labels = torch.stack([one.test_labels[chosen] for one in splits])
            yield Batch(as_sequence(images, self._settings), Classes(labels))


@lru_cache(maxsize=1024)
def _split(settings: DigitsSettings, seed: int) -> Split:
    """Draw the split of a seed once; every batch asks for it. Not to be changed."""
    return split(settings, seed)


@lru_cache(maxsize=256)
def _order(images: int, seed: int, epoch: int) -> Tensor:
    """Draw the order in which a seed shows its images in an epoch; all its batches ask for it. Not to be changed."""
    return torch.randperm(images, generator=torch_stream("order", seed, epoch))


def as_sequence(images: Tensor, settings: DigitsSettings) -> Tensor:
    """Read images from the top: (..., 8, 8), pixels in 0 to 1 -> (..., time, channel), u = scale (pixel - offset)."""
    read = images.flatten(-2).unsqueeze(-1) if settings.read_by == "pixel" else images
    return settings.input_scale * (read - settings.input_offset)
