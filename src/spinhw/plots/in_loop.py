"""Pictures of chips in the training loop: what is not recognised over mismatch, and over averages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from spinhw.plots.canvas import COLOURS, GREY, page
from spinhw.training.statistics import bootstrap_interval

Floats = NDArray[np.float64]

_MARKERS = "osD^vP*X"
_ERROR_TICKS = (1, 2, 3, 5, 10, 20, 30, 50, 90)


@dataclass(frozen=True)
class LoopCurve:
    """One method.

    Args:
        label: For the legend.
        x: Where the points stand, (point,).
        accuracy: Share recognised on the chip, each (seed,), 0 to 1.
        place: Which of the colours and markers; the same method has the same in every panel.
    """

    label: str
    x: Sequence[float]
    accuracy: Sequence[Floats]
    place: int


@dataclass(frozen=True)
class LoopPanel:
    """Chips alike but for one quantity.

    Args:
        title: What they have in common, or what is varied.
        curves: Methods.
        xlabel: Label of the axis, with its unit; empty for the mismatch, which panels of one column share.
        log: Whether the axis is logarithmic.
    """

    title: str
    curves: Sequence[LoopCurve]
    xlabel: str = ""
    log: bool = False


def plot_in_loop(panels: Sequence[LoopPanel], path: Path, ideal: float | None = None) -> None:
    """Draw the share of images that are not recognised, a panel for each kind of chip or each axis, as a PNG file.

    Args:
        panels: Two in a row.
        path: The file.
        ideal: Share recognised on the ideal device: a line.
    """
    rows = -(-len(panels) // 2)
    with page(path, 9.6, 0.6 + 3.4 * rows) as figure:
        grid = figure.subplots(rows, 2, squeeze=False, sharex=not any(panel.xlabel for panel in panels), sharey=True)
        for axes, panel in zip(grid.flat, panels, strict=False):
            if ideal is not None:
                axes.axhline(100 * (1 - ideal), color=GREY, linestyle="--", linewidth=1.0, label="ideal device")
            _draw(axes, panel.curves)
            axes.set(title=panel.title, yscale="log", xscale="log" if panel.log else "linear", xlabel=panel.xlabel)
            axes.yaxis.set_major_locator(FixedLocator(_ERROR_TICKS))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_minor_formatter(NullFormatter())
            _mark(axes, panel.curves)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[-1] if grid[0, 0].get_xlabel() == "" else ():
            axes.set_xlabel("mismatch of gamma, sigma, Q (%)")
        for axes in grid[:, 0]:
            axes.set_ylabel("not recognised on the chip (%)")
        lines = {
            label: line for axes in grid.flat for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            lines.values(),
            lines.keys(),
            loc="outside upper center",
            ncols=4,
            title="mean over chips, 95 %",
            title_fontsize=8.0,
        )


def plot_averaging(curves: Sequence[LoopCurve], path: Path, shots: int) -> None:
    """Draw the share of images that are not recognised over averages, at equal shots, as a PNG file."""
    with page(path, 5.4, 3.8) as figure:
        axes = figure.subplots()
        _draw(axes, curves)
        axes.set(
            xscale="log",
            xlabel="shots averaged over for each batch",
            ylabel="not recognised on the chip (%)",
            title=f"each training image played {shots} times",
        )
        axes.set_ylim(bottom=0.0)
        _mark(axes, curves)
        axes.legend(title="noise of one shot, mean and 95 %", title_fontsize=8.0)


def _draw(axes: Axes, curves: Sequence[LoopCurve]) -> None:
    for curve in curves:
        errors = [100 * (1 - each) for each in curve.accuracy]
        mean = np.array([each.mean() for each in errors])
        lower, upper = np.array([bootstrap_interval(each.tolist()) for each in errors]).T
        x, colour = np.array(curve.x), COLOURS[curve.place % len(COLOURS)]
        axes.fill_between(x, lower, upper, color=colour, alpha=0.15, linewidth=0)
        axes.plot(x, mean, color=colour, marker=_MARKERS[curve.place % len(_MARKERS)], markersize=5, label=curve.label)
    axes.grid(axis="y")


def _mark(axes: Axes, curves: Sequence[LoopCurve]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(sorted({x for curve in curves for x in curve.x})))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
