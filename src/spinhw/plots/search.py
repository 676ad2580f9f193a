"""A search for hyper-parameters: its progress, and the score over each key."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from spinhw.plots.canvas import BLUE, GREY, VERMILION, page
from spinhw.training.measures import Measure

_COLUMNS = 3
# Trials that are farther below the median than this many times the best is above it stand at the edge of the picture.
_FAR = 6.0
_ACCURACY = Measure("accuracy")


def plot_search(
    scores: NDArray[np.float64],
    values: Mapping[str, Sequence[float | str]],
    logs: Mapping[str, bool],
    path: Path,
    measure: Measure = _ACCURACY,
) -> None:
    """Draw a search into a PNG file.

    Args:
        scores: Of each trial, (trial,), such as the share recognised; those that diverged may be infinite.
        values: What was tried, by key, each (trial,).
        logs: Whether the axis of a key is logarithmic.
        path: The file.
        measure: What the scores are.

    What is far worse than most, or diverged, stands as a triangle at the edge.
    """
    shown, best = measure.scale * np.where(np.isfinite(scores), scores, np.nan), measure.best(scores.tolist())
    far, edge = _far(shown, float(shown[best]))
    panels = 1 + len(values)
    rows = -(-panels // _COLUMNS)
    with page(path, 3.6 * min(panels, _COLUMNS), 2.9 * rows) as figure:
        every = figure.subplots(rows, min(panels, _COLUMNS), squeeze=False).flatten()
        _draw_progress(every[0], shown, far, edge, measure)
        for axes, (key, tried) in zip(every[1:], values.items(), strict=False):
            _draw_trials(axes, list(tried), np.where(far, np.nan, shown), BLUE)
            _draw_far(axes, [one for one, out in zip(tried, far, strict=True) if out], edge)
            axes.plot([tried[best]], [shown[best]], "D", color=VERMILION)
            axes.set(xlabel=key, ylabel=measure.axis)
            if logs.get(key):
                axes.set_xscale("log")
                axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axes.xaxis.set_major_formatter("{x:g}")
                axes.xaxis.set_minor_formatter(NullFormatter())
        for axes in every[panels:]:
            axes.remove()


def _draw_progress(
    axes: Axes, shown: NDArray[np.float64], far: NDArray[np.bool_], edge: float, measure: Measure
) -> None:
    so_far = np.fmax if measure.higher_is_better else np.fmin
    _draw_trials(axes, list(range(len(shown))), np.where(far, np.nan, shown), GREY, "trial")
    _draw_far(axes, np.flatnonzero(far).tolist(), edge)
    axes.plot(so_far.accumulate(np.where(far, np.nan, shown)), color=VERMILION, label="best so far")
    axes.set(xlabel="trial", ylabel=measure.axis, title="validation part, converged")
    axes.legend(loc="lower right" if measure.higher_is_better else "upper right")


def _draw_trials(
    axes: Axes, where: list[float | str] | list[int], shown: NDArray[np.float64], colour: str, label: str | None = None
) -> None:
    axes.plot(where, shown, "o", color=colour, markersize=4, alpha=0.7, label=label)


def _draw_far(axes: Axes, where: list[float | str] | list[int], edge: float) -> None:
    if where:
        axes.plot(where, [edge] * len(where), "v", color=GREY, markersize=5, label="far worse, or diverged")


def _far(shown: NDArray[np.float64], best: float) -> tuple[NDArray[np.bool_], float]:
    """Tell which trials are too far off to be drawn to scale, and where they stand instead."""
    known = shown[np.isfinite(shown)]
    reach = _FAR * (best - float(np.median(known)))
    far = ~np.isfinite(shown) | (np.abs(best - np.nan_to_num(shown, nan=np.inf)) > abs(reach))
    inside = shown[~far]
    worst = inside[np.abs(best - inside).argmax()]
    return far, float(worst - 0.08 * (best - worst))
