"""A figure over seeds: mean, spread, and how sure the mean is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.streams import numpy_stream

_RESAMPLES = 10_000
_COVERAGE = 0.95


def over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """Sum up one number per seed: ``mean``, ``std``, ``interval95`` and ``per_seed``.

    `std` is the sample standard deviation over seeds (n - 1), `interval95` the bootstrap interval of the mean as
    [low, high]. A single seed has neither: both are None then.
    """
    several = len(values) > 1
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if several else None,
        "interval95": bootstrap_interval(values) if several else None,
        "per_seed": [float(value) for value in values],
    }


def bootstrap_interval(values: Sequence[float]) -> list[float]:
    """Give the percentile bootstrap interval [low, high] of the mean, at 95 %."""
    return _percentiles(_bootstrap_means(values, numpy_stream("bootstrap")))


def difference_interval(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Give the percentile bootstrap interval [low, high] of the difference of two means, one - other, at 95 %."""
    stream = numpy_stream("bootstrap of a difference")
    first = _bootstrap_means(one, stream)
    return _percentiles(first - _bootstrap_means(other, stream))


def _bootstrap_means(values: Sequence[float], stream: np.random.Generator) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = stream.choice(np.asarray(values), size=(_RESAMPLES, len(values))).mean(axis=1)
    return drawn


def _percentiles(means: NDArray[np.float64]) -> list[float]:
    tail = (1 - _COVERAGE) / 2
    return [float(bound) for bound in np.quantile(means, [tail, 1 - tail])]
