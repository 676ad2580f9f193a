"""A search for hyper-parameters: its progress, and the score over each key."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spinhw.plots.canvas import BLUE, GREY, VERMILION, page
from spinhw.training.measures import Measure

_COLUMNS = 3
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
    """
    shown, best = measure.scale * np.where(np.isfinite(scores), scores, np.nan), measure.best(scores.tolist())
    panels = 1 + len(values)
    rows = -(-panels // _COLUMNS)
    with page(path, 3.6 * min(panels, _COLUMNS), 2.9 * rows) as figure:
        every = figure.subplots(rows, min(panels, _COLUMNS), squeeze=False).flatten()
        _draw_progress(every[0], shown, measure)
        for axes, (key, tried) in zip(every[1:], values.items(), strict=False):
            axes.plot(list(tried), shown, "o", color=BLUE, markersize=4, alpha=0.7)
            axes.plot([tried[best]], [shown[best]], "D", color=VERMILION)
            axes.set(xlabel=key, ylabel=measure.axis)
            if logs.get(key):
                axes.set_xscale("log")
        for axes in every[panels:]:
            axes.remove()


def _draw_progress(axes: Axes, shown: NDArray[np.float64], measure: Measure) -> None:
    so_far = np.fmax if measure.higher_is_better else np.fmin
    axes.plot(shown, "o", color=GREY, markersize=3.5, label="trial")
    axes.plot(so_far.accumulate(shown), color=VERMILION, label="best so far")
    axes.set(xlabel="trial", ylabel=measure.axis, title="validation part, converged")
    axes.legend(loc="lower right" if measure.higher_is_better else "upper right")
