"""The images of an ensemble: every member has its own split, its own order and its own noise, as if it were alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import torch
from torch import Tensor

from spinhw.streams import torch_stream
from spinhw.tasks import DigitsSettings, as_sequence, split
from spinhw.training.augmentation import augment
from spinhw.training.settings import TrainingSettings


@dataclass(frozen=True)
class EnsembleData:
    """Splits of all members, stacked; the images are pixels in 0 to 1.

    Args:
        task: The task.
        seeds: Seed of each member.
        train: (member, image, 8, 8).
        train_labels: (member, image), whole numbers 0 to 9.
        test: What accuracy is measured on, (member, image, 8, 8).
        test_labels: (member, image).
    """

    task: DigitsSettings
    seeds: tuple[int, ...]
    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor

    @classmethod
    def load(cls, task: DigitsSettings, seeds: Sequence[int]) -> "EnsembleData":
        """Draw the split of every seed."""
        splits = [split(task, seed) for seed in seeds]
        names = ("train", "train_labels", "test", "test_labels")
        return cls(task, tuple(seeds), *(torch.stack([getattr(one, name) for one in splits]) for name in names))

    def batches(self, batch_size: int) -> int:
        """Batches of an epoch; the last one may be smaller."""
        return ceil(self.train.shape[1] / batch_size)


def training_batch(data: EnsembleData, training: TrainingSettings, epoch: int, batch: int) -> tuple[Tensor, Tensor]:
    """Make one training batch of all members: (member, batch, time, 1) and labels (member, batch).

    Every number drawn is keyed by seed, epoch and batch: an interrupted run needs no more than these to go on.
    """
    size, here = training.batch_size, (epoch, batch)
    chosen = [_order(data.train.shape[1], seed, epoch)[batch * size : (batch + 1) * size] for seed in data.seeds]
    images = torch.stack([one[place] for one, place in zip(data.train, chosen, strict=True)])
    labels = torch.stack([one[place] for one, place in zip(data.train_labels, chosen, strict=True)])
    # All members at once: a tenth of the calls.
    streams = (torch_stream("augmentation", seed, *here) for seed in data.seeds)
    changed = augment(images.flatten(0, 1), training.augmentation, *streams).view(images.shape)
    inputs = as_sequence(changed, data.task)
    if training.input_noise > 0:
        shape = inputs.shape[1:]
        noise = [torch.randn(shape, generator=torch_stream("input noise", seed, *here)) for seed in data.seeds]
        inputs = inputs + training.input_noise * torch.stack(noise)
    return inputs, labels


@lru_cache(maxsize=256)
def _order(images: int, seed: int, epoch: int) -> Tensor:
    """Draw the order in which a seed shows its images in an epoch; all its batches ask for it. Not to be changed."""
    return torch.randperm(images, generator=torch_stream("order", seed, epoch))
