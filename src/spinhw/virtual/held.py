"""Records that hold each sample until the next one comes."""

import numpy as np


def at_rate(samples: np.ndarray, rate_hz: float, wanted_hz: float, points: int, delay_s: float = 0.0) -> np.ndarray:
    """Give a held record on another grid, its first sample held before and its last one after it.

    Args:
        samples: (time,).
        rate_hz: Of the samples.
        wanted_hz: Of the result.
        points: Of the result.
        delay_s: How much later the record begins in seconds.
    """
    if rate_hz == wanted_hz and len(samples) == points and delay_s == 0:
        return samples
    # A little forward, so that an edge that falls on a sample belongs to it whatever the rounding.
    places = np.floor((np.arange(points) + 1e-6) * (rate_hz / wanted_hz) - delay_s * rate_hz)
    return samples[np.clip(places, 0, len(samples) - 1).astype(np.int64)]
