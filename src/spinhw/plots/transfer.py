"""How well trained networks do on many chips, as a histogram."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spinhw.plots.canvas import BLUE, LIGHT, VERMILION, page
from spinhw.training.measures import measure_of

_BINS = 25


def plot_transfer(found: Mapping[str, Any], path: Path) -> None:
    """Draw how often which figure occurs over all pairs of network and chip, and each network's own, as PNG.

    Args:
        found: As `spinhw.training.evaluate_on_chips` gives it.
        path: The file.
    """
    measure = measure_of(found)
    figure_of, scale = found[measure.name], measure.scale
    rows = [np.array([scale * one for one in row if one is not None]) for row in figure_of["pairs"]]
    every = np.concatenate(rows)
    with page(path, 6.4, 3.0 + 0.16 * len(rows)) as figure:
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.0, 0.6 + 0.16 * len(rows)])
        top.hist(every, bins=_edges(every, measure.is_share), color=BLUE)
        top.axvline(scale * figure_of["mean"], color=VERMILION)
        if figure_of["interval95"]:
            low, high = figure_of["interval95"]
            top.axvspan(scale * low, scale * high, color=VERMILION, alpha=0.25, linewidth=0, zorder=0)
        top.yaxis.get_major_locator().set_params(integer=True)
        top.set(ylabel="networks x chips", title=_title(found))
        for place, (row, one) in enumerate(zip(rows, figure_of["per_seed"], strict=True)):
            below.axhline(place, color=LIGHT, linewidth=0.6, zorder=1)
            below.plot(row, np.full(len(row), place), ".", color=BLUE, alpha=0.5, markersize=4, zorder=2)
            if one["mean"] is not None:
                below.plot(scale * one["mean"], place, "D", color=VERMILION, markersize=4, zorder=3)
        below.set_yticks(range(len(rows)), [str(seed) for seed in found["seeds"]])
        below.invert_yaxis()
        below.set(xlabel=measure.axis.replace(measure.called, f"{measure.called} on the chip"), ylabel="seed")


def _title(found: Mapping[str, Any]) -> str:
    """Name the chips, and give the mean with its interval."""
    ids, measure = found["ids"], measure_of(found)
    figure_of = found[measure.name]
    chips = ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"
    mean = f"{chips}: mean {measure.text(figure_of['mean'], 1)}"
    if not figure_of["interval95"]:
        return mean
    low, high = figure_of["interval95"]
    bounds = " to ".join(measure.text(bound, 1).removesuffix(measure.unit) for bound in (low, high))
    return f"{mean} (95 % interval {bounds})"


def _edges(every: np.ndarray[Any, np.dtype[np.float64]], whole: bool) -> list[float]:
    """Give edges around all values, whole ones in at most so many bins of 1, 2, 5 or 10 points where they may be."""
    if not whole:
        return [float(edge) for edge in np.histogram_bin_edges(every, bins="auto")]
    span = max(float(np.ptp(every)), 1.0)
    width = next((one for one in (1, 2, 5, 10) if span / one <= _BINS), 10)
    first = width * np.floor(every.min() / width)
    count = int(np.ceil((every.max() - first) / width + 1e-9))
    return [float(first + width * number) for number in range(max(count, 1) + 1)]
