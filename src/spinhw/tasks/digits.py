"""Sequential digits: 8 x 8 images read pixel by pixel, 64 samples each (Plouet et al. 2024, section III)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from spinhw.streams import torch_stream
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


def as_sequence(images: Tensor, settings: DigitsSettings) -> Tensor:
    """Read images row by row: (..., 8, 8) with pixels in 0 to 1 -> (..., time, 1), u = scale (pixel - offset)."""
    return settings.input_scale * (images.flatten(-2).unsqueeze(-1) - settings.input_offset)
