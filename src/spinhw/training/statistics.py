"""A figure over seeds: mean, spread, and how sure the mean is."""

from collections.abc import Callable, Sequence
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


def of_pairs(table: NDArray[np.float64], left_out: NDArray[np.bool_], higher_is_better: bool = True) -> dict[str, Any]:
    """Sum up a figure for each pair of a seed and a chip.

    Args:
        table: (seed, chip).
        left_out: Which pairs count for nothing, (seed, chip).
        higher_is_better: Direction of the figure.

    Returns:
        ``mean``, ``std`` (over all pairs), ``lowest`` (``highest`` where less is better: the worst pair) and
        ``interval95``: that of the mean, where seeds and chips are drawn again, both (a pair is no independent sample:
        a bad chip is bad for many networks). ``per_seed``: for each seed mean, std, lowest and the interval of its mean
        over chips. ``pairs``: the table, None where left out. What would need two seeds or chips is None where there is
        one.
    """
    values = np.where(left_out, np.nan, table)
    return {
        **_spread(values, higher_is_better),
        "interval95": _interval_over_both(values),
        "per_seed": [{**_spread(row, higher_is_better), "interval95": _interval_over(row)} for row in values],
        "pairs": [[None if np.isnan(one) else float(one) for one in row] for row in values],
    }


def _spread(values: NDArray[np.float64], higher_is_better: bool) -> dict[str, float | None]:
    known, worst = values[~np.isnan(values)], "lowest" if higher_is_better else "highest"
    if not len(known):
        return {"mean": None, "std": None, worst: None}
    std = float(known.std(ddof=1)) if len(known) > 1 else None
    return {"mean": float(known.mean()), "std": std, worst: float(known.min() if higher_is_better else known.max())}


def _interval_over(row: NDArray[np.float64]) -> list[float] | None:
    known = row[~np.isnan(row)]
    return bootstrap_interval(known.tolist()) if len(known) > 1 else None


def _interval_over_both(values: NDArray[np.float64]) -> list[float] | None:
    """Bootstrap rows and columns at once; an axis of length one stays as it is."""
    if (~np.isnan(values)).sum() < 2:
        return None
    stream, means = numpy_stream("bootstrap of pairs"), []
    for _ in range(_RESAMPLES):
        rows, columns = (stream.integers(0, size, size) for size in values.shape)
        drawn = values[np.ix_(rows, columns)]
        known = drawn[~np.isnan(drawn)]
        if len(known):
            means.append(known.mean())
    return _percentiles(np.array(means))


def bootstrap_interval(values: Sequence[float]) -> list[float]:
    """Give the percentile bootstrap interval [low, high] of the mean, at 95 %."""
    return _percentiles(_bootstrap_means(values, numpy_stream("bootstrap")))


def difference_interval(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Give the percentile bootstrap interval [low, high] of the difference of two means, one - other, at 95 %."""
    stream = numpy_stream("bootstrap of a difference")
    first = _bootstrap_means(one, stream)
    return _percentiles(first - _bootstrap_means(other, stream))


def interval_of(
    table: NDArray[np.float64], figure: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> list[float]:
    """Give the percentile bootstrap interval [low, high] at 95 % of a figure of several means that are paired.

    Args:
        table: (seed, mean): the seeds are drawn again, all their values together.
        figure: From means, (sample, mean), to the figure of each, (sample,).
    """
    drawn = numpy_stream("bootstrap of a figure").integers(0, len(table), (_RESAMPLES, len(table)))
    return _percentiles(figure(table[drawn].mean(axis=1)))


def _bootstrap_means(values: Sequence[float], stream: np.random.Generator) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = stream.choice(np.asarray(values), size=(_RESAMPLES, len(values))).mean(axis=1)
    return drawn


def _percentiles(means: NDArray[np.float64]) -> list[float]:
    tail = (1 - _COVERAGE) / 2
    return [float(bound) for bound in np.quantile(means, [tail, 1 - tail])]
