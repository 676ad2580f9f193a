"""Series as columns of numbers, as a linear model reads them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinhw.tasks import Batch, TaskSettings

# Above so many columns neighbouring samples are averaged: more would only cost time.
_MOST_COLUMNS = 4096
Unequal = Literal["filled", "resampled"]


@dataclass(frozen=True)
class Columns:
    """What becomes a column.

    Args:
        per_step: Whether there is an answer after each sample: to the last `samples` inputs up to it, 0 before the
            first one. Else there is one to the whole sequence.
        samples: Of a window; or of the longest sequence, to which shorter ones are brought.
        channels: Input channels.
        unequal: How: "filled" with 0 after their own end, or "resampled", linearly. In both cases the length is a
            column of its own. None where all sequences are equally long.
    """

    per_step: bool
    samples: int
    channels: int
    unequal: Unequal | None = None

    @classmethod
    def whole(cls, task: TaskSettings, samples: int, unequal: Unequal | None) -> "Columns":
        """Read whole sequences."""
        return cls(False, samples, task.inputs, unequal)

    @property
    def averaged(self) -> int:
        """Neighbouring samples of which the mean is one column for each channel; 1 for none."""
        return 1 if self.per_step else -(-self.samples * self.channels // _MOST_COLUMNS)

    @property
    def count(self) -> int:
        """Columns."""
        return -(-self.samples // self.averaged) * self.channels + (self.unequal is not None)

    def of(self, batch: Batch) -> NDArray[np.float32]:
        """Return the columns of a batch of one member, (sequence, answer, column)."""
        inputs = batch.inputs[0]  # (sequence, time, channel)
        if self.per_step:
            return _windows(inputs, self.samples)
        lengths = lengths_of(batch)
        found = _resampled(inputs, lengths, self.samples) if self.unequal == "resampled" else self._filled(batch)
        if self.averaged > 1:
            found = _padded(found, -(-self.samples // self.averaged) * self.averaged)
            found = found.unflatten(1, (-1, self.averaged)).mean(2)
        flat = found.flatten(1)
        if self.unequal is not None:
            flat = torch.cat([flat, lengths.to(flat)[:, None]], dim=1)
        columns: NDArray[np.float32] = flat.numpy()[:, None]
        return columns

    def _filled(self, batch: Batch) -> Tensor:
        inputs = batch.inputs[0]
        if self.unequal is not None:
            there = torch.arange(inputs.shape[1]) < lengths_of(batch)[:, None]
            inputs = inputs * there[..., None]
        # What lies beyond the longest sequence of the training part is the same in all of them, and had no weight.
        return _padded(inputs[:, : self.samples], self.samples)


def lengths_of(batch: Batch) -> Tensor:
    """Return the samples of each sequence of a batch of one member, (sequence,)."""
    return torch.full((batch.size,), batch.inputs.shape[2]) if batch.lengths is None else batch.lengths[0]


def _padded(inputs: Tensor, samples: int) -> Tensor:
    """Put zeros behind sequences, up to so many samples."""
    return torch.nn.functional.pad(inputs, (0, 0, 0, samples - inputs.shape[1]))


def _windows(inputs: Tensor, samples: int) -> NDArray[np.float32]:
    """Return the last inputs up to each sample, the newest first, (sequence, time, samples x channel)."""
    before = torch.nn.functional.pad(inputs, (0, 0, samples - 1, 0))
    windows = before.unfold(1, samples, 1).flip(-1)  # (sequence, time, channel, lag)
    found: NDArray[np.float32] = windows.transpose(2, 3).flatten(2).numpy()
    return found


def _resampled(inputs: Tensor, lengths: Tensor, samples: int) -> Tensor:
    """Stretch each sequence over so many samples, by linear interpolation."""
    at = torch.linspace(0, 1, samples) * (lengths[:, None] - 1)  # (sequence, sample)
    before = at.floor().long()
    share = (at - before).to(inputs)[..., None]
    after = torch.minimum(before + 1, lengths[:, None] - 1)

    def there(place: Tensor) -> Tensor:
        return inputs.gather(1, place[..., None].expand(-1, -1, inputs.shape[2]))

    return torch.lerp(there(before), there(after), share)
