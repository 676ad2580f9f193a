"""The images of an ensemble: every member has its own split, its own order and its own noise, as if it were alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import torch
from torch import Tensor

from spinhw.streams import torch_stream
from spinhw.tasks import DigitsSettings, as_sequence, split
from spinhw.train.augmentation import augment
from spinhw.train.settings import TrainingSettings


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
    drawn = [_member_batch(data, training, member, epoch, batch) for member in range(len(data.seeds))]
    inputs, labels = zip(*drawn, strict=True)
    return torch.stack(inputs), torch.stack(labels)


@lru_cache(maxsize=256)
def _order(images: int, seed: int, epoch: int) -> Tensor:
    """Draw the order in which a seed shows its images in an epoch; all its batches ask for it. Not to be changed."""
    return torch.randperm(images, generator=torch_stream("order", seed, epoch))


def _member_batch(
    data: EnsembleData, training: TrainingSettings, member: int, epoch: int, batch: int
) -> tuple[Tensor, Tensor]:
    seed, size = data.seeds[member], training.batch_size
    chosen = _order(data.train.shape[1], seed, epoch)[batch * size : (batch + 1) * size]
    images = augment(
        data.train[member, chosen], training.augmentation, torch_stream("augmentation", seed, epoch, batch)
    )
    inputs = as_sequence(images, data.task)  # (batch, time, 1)
    if training.input_noise > 0:
        noise = torch.randn(inputs.shape, generator=torch_stream("input noise", seed, epoch, batch))
        inputs = inputs + training.input_noise * noise
    return inputs, data.train_labels[member, chosen]
