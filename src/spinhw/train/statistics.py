"""A figure over seeds: mean, spread, and how sure the mean is."""

from collections.abc import Sequence
from typing import Any

import numpy as np

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
    drawn = numpy_stream("bootstrap").choice(np.asarray(values), size=(_RESAMPLES, len(values)))
    tail = (1 - _COVERAGE) / 2
    return [float(bound) for bound in np.quantile(drawn.mean(axis=1), [tail, 1 - tail])]
