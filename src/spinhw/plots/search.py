"""A search for hyper-parameters: its progress, and the score over each key."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spinhw.plots.canvas import BLUE, GREY, VERMILION, page

_COLUMNS = 3


def plot_search(
    scores: NDArray[np.float64], values: Mapping[str, Sequence[float | str]], logs: Mapping[str, bool], path: Path
) -> None:
    """Draw a search into a PNG file.

    Args:
        scores: Share recognised in each trial, (trial,), 0 to 1.
        values: What was tried, by key, each (trial,).
        logs: Whether the axis of a key is logarithmic.
        path: The file.
    """
    panels = 1 + len(values)
    rows = -(-panels // _COLUMNS)
    with page(path, 3.6 * min(panels, _COLUMNS), 2.9 * rows) as figure:
        every = figure.subplots(rows, min(panels, _COLUMNS), squeeze=False).flatten()
        _draw_progress(every[0], 100 * scores)
        for axes, (key, tried) in zip(every[1:], values.items(), strict=False):
            axes.plot(list(tried), 100 * scores, "o", color=BLUE, markersize=4, alpha=0.7)
            axes.plot([tried[int(scores.argmax())]], [100 * scores.max()], "D", color=VERMILION)
            axes.set(xlabel=key, ylabel="accuracy (%)")
            if logs.get(key):
                axes.set_xscale("log")
        for axes in every[panels:]:
            axes.remove()


def _draw_progress(axes: Axes, percent: NDArray[np.float64]) -> None:
    axes.plot(percent, "o", color=GREY, markersize=3.5, label="trial")
    axes.plot(np.maximum.accumulate(percent), color=VERMILION, label="best so far")
    axes.set(xlabel="trial", ylabel="accuracy (%)", title="validation images, converged")
    axes.legend(loc="lower right")
