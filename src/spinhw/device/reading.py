"""What a backend hands to the base class: raw samples in SI of one repeat."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.device.trace import Quality


@dataclass(frozen=True)
class Samples:
    """Samples in SI with the member axis in front.

    Args:
        values: (member, batch, time, observed), or (member, batch, channel) for one instant.
        time_s: (time,), in seconds after the start of the first input interval.
        quality: A `Quality` for each sample, uint8, same shape; None: all good. NaN counts as missing, or as unobserved
            where that is said.
        noise: 1 sigma in SI after averaging; None where unknown.
    """

    values: Tensor
    time_s: Tensor
    quality: Tensor | None = None
    noise: float | None = None

    def judged(self) -> Tensor:
        """Return the quality of each sample, with NaN and infinity as missing unless nobody looked."""
        good = torch.full(self.values.shape, Quality.GOOD, dtype=torch.uint8)
        quality = good if self.quality is None else self.quality
        told = torch.isfinite(self.values) | (quality == Quality.UNOBSERVED)
        return torch.where(told, quality, torch.full_like(quality, Quality.MISSING))


@dataclass(frozen=True)
class Reading:
    """One repeat of a batch.

    Args:
        shots: First shot and the one after the last.
        power: x of the observed neurons, in their order, at the ends of the input intervals.
        power0: x before the first input, (member, batch, observed).
        filtered: y, as power.
        outputs: Answers of a hardware read-out, (member, batch, answer, output).
        drive: Drive as played by a bank, (member, batch, time, oscillator).
        energy_j: Measured energy of one shot of the batch, in joules; None where not measured.
    """

    shots: tuple[int, int]
    power: Samples | None = None
    power0: Samples | None = None
    filtered: Samples | None = None
    outputs: Samples | None = None
    drive: Samples | None = None
    energy_j: float | None = None


def clipped_quality(values: Tensor, clipped: Tensor | None) -> Tensor | None:
    """Turn a mask of clipped samples into qualities; None where there is no mask."""
    if clipped is None:
        return None
    good = torch.full(values.shape, Quality.GOOD, dtype=torch.uint8)
    return torch.where(clipped, torch.full_like(good, Quality.CLIPPED), good)
