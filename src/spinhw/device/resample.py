"""From a digitizer's record to samples at given instants, each with its quality."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinhw.device.trace import Quality
from spinhw.instruments import Record

# An instant this near to a sample of the digitizer, in samples, is that sample.
_SAME_SAMPLE = 0.01
# A record that is the same number to the last bit for so long comes from an input that does not move.
_STUCK_SAMPLES = 16


@dataclass(frozen=True)
class Sampled:
    """One input at given instants.

    Args:
        volts: NaN where there is nothing, (batch, time).
        quality: A `Quality` for each, uint8, same shape.
    """

    volts: NDArray[np.float64]
    quality: NDArray[np.uint8]


def at_instants(record: Record, channel: str, instants_s: NDArray[np.float64]) -> Sampled:
    """Return an input at instants, and what each sample is worth.

    Between samples of the digitizer it is interpolated linearly. The signal has kinks where inputs change, so the
    interpolation is off by up to a quarter of a digitizer's sample times the jump of the slope; choose a digitizer rate
    that is a multiple of the input rate, and there is nothing to interpolate.

    Args:
        record: Of one acquisition.
        channel: Which input.
        instants_s: After the trigger, any shape.
    """
    row = record.channels.index(channel)
    volts, clipped = record.volts[row], record.clipped[row]
    place = (instants_s - record.start_s) / record.interval_s
    nearest = np.rint(place)
    place = np.where(np.abs(place - nearest) < _SAME_SAMPLE, nearest, place)
    left = np.floor(place).astype(np.int64)
    right = np.ceil(place).astype(np.int64)
    outside = (left < 0) | (right >= len(volts))
    left, right = np.where(outside, 0, left), np.where(outside, 0, right)
    share = place - np.floor(place)
    # A hole must not spread to an instant that falls on the sample beside it.
    values = np.where(left == right, volts[left], volts[left] * (1 - share) + volts[right] * share)
    values[outside] = np.nan
    quality = np.full(values.shape, Quality.GOOD, np.uint8)
    quality[clipped[left] | clipped[right]] = Quality.CLIPPED
    quality[~np.isfinite(values)] = Quality.MISSING
    if _is_stuck(volts):
        quality[quality == Quality.GOOD] = Quality.FAULTY
    return Sampled(values, quality)


def average(shots: list[Sampled]) -> Sampled:
    """Average over shots; a sample that is bad in one of them is bad."""
    if len(shots) == 1:
        return shots[0]
    quality = np.max([shot.quality for shot in shots], axis=0)
    return Sampled(np.mean([shot.volts for shot in shots], axis=0), quality)


def _is_stuck(volts: NDArray[np.float64]) -> bool:
    """Tell whether an input gave one number all the time: even the noise of its converter is missing."""
    start = volts[:_STUCK_SAMPLES]
    start = start[np.isfinite(start)]
    if (start != start[:1]).any():  # Nearly always: a look at the beginning is enough.
        return False
    seen = volts[np.isfinite(volts)]
    return len(seen) >= _STUCK_SAMPLES and bool((seen == seen[0]).all())
