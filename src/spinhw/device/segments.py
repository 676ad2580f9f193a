"""How a batch is laid out in time: segments with rests before them, played as one record. Pure functions of numbers."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A sample interval must be this near to a whole number of samples of the source, as a share of one.
_WHOLE = 1e-6


def samples_per_input(sample_interval_s: float, rate_hz: float) -> int | None:
    """Return for how many samples of the source each input is held; None where that is no whole number."""
    count = round(sample_interval_s * rate_hz)
    return count if count >= 1 and abs(count - sample_interval_s * rate_hz) <= _WHOLE * count else None


@dataclass(frozen=True)
class Segments:
    """A batch as one record: rest, first segment, rest, second segment, ..., and at the end the rest level again.

    Args:
        batch: Segments.
        times: Inputs of each segment.
        held: Samples of the source for which each input is held.
        rest_s: Rest before each segment, at least, in seconds.
        rate_hz: Sample rate of the source.
    """

    batch: int
    times: int
    held: int
    rest_s: float
    rate_hz: float

    @property
    def rest(self) -> int:
        """Samples of a rest: whole inputs, so that samples of a digitizer fall into each segment alike."""
        return math.ceil(self.rest_s * self.rate_hz / self.held - _WHOLE) * self.held

    @property
    def period(self) -> int:
        """Samples from one segment to the next."""
        return self.rest + self.times * self.held

    @property
    def points(self) -> int:
        """Samples of the whole record; the source holds the last one afterwards, so that must be the rest level."""
        return self.batch * self.period + self.held

    @property
    def duration_s(self) -> float:
        """Length of the whole record, in seconds."""
        return self.points / self.rate_hz

    @property
    def window_s(self) -> float:
        """Length of all segments together, without rests, in seconds."""
        return self.batch * self.times * self.held / self.rate_hz

    def wave(self, values: NDArray[np.float64], rest_level: float) -> NDArray[np.float64]:
        """Lay out one channel.

        Args:
            values: (batch, time).
            rest_level: Between segments, and at the end.

        Returns:
            (point,)
        """
        record = np.full(self.points, rest_level)
        body = record[: self.batch * self.period].reshape(self.batch, self.period)
        body[:, self.rest :] = np.repeat(values, self.held, axis=1)
        return record

    def instants_s(self) -> NDArray[np.float64]:
        """Return the start of each segment and the ends of its inputs after the trigger, (batch, time + 1)."""
        starts = np.arange(self.batch) * self.period + self.rest
        ends = np.arange(self.times + 1) * self.held
        instants: NDArray[np.float64] = (starts[:, None] + ends) / self.rate_hz
        return instants
