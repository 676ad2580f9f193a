"""Accuracy and training loss over the epochs, with the spread of the seeds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from spinhw.plots.canvas import BLUE, GREY, VERMILION, page

# With many epochs the axis of accuracy leaves out this first share of them, where it only says that learning began.
_WARM_UP = 0.1


@dataclass(frozen=True)
class LearningCurves:
    """What was learned, epoch by epoch; shares, not percent.

    Args:
        epochs: Epochs after which accuracy was measured, (epoch,), counted from 1.
        accuracy: Share of images recognised, at the training step, (epoch, seed).
        loss: Training loss, the mean over each epoch, (epoch, seed).
        converged: Share recognised after the last epoch at 16 steps per ns, (seed,); None where it was not measured.
        images: Which images those of the curves are, such as "validation".
        final: Which images those of the converged value are, such as "test".
    """

    epochs: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    loss: NDArray[np.float64]
    converged: NDArray[np.float64] | None = None
    images: str = "validation"
    final: str = "test"


def plot_learning(curves: LearningCurves, path: Path) -> None:
    """Draw accuracy above training loss into a PNG file."""
    with page(path, 6.4, 5.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        draw_accuracy(upper, curves)
        draw_loss(lower, curves)
        upper.set_xlabel("")


def draw_accuracy(axes: Axes, curves: LearningCurves) -> None:
    """Draw accuracy in percent: each seed thin, median and quartiles over them, the converged value at the end."""
    percent = 100 * curves.accuracy
    _spread(axes, curves.epochs, percent, BLUE)
    if curves.converged is not None:
        _draw_converged(axes, curves.epochs[-1], 100 * curves.converged, curves.final)
    axes.set(xlabel="epoch", ylabel="accuracy (%)", title=f"{curves.images} images recognised")
    lowest = _lowest_shown(percent)
    if curves.converged is not None:
        lowest = min(lowest, _lowest_shown(100 * curves.converged[None]))
    axes.set_ylim(lowest, 100.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    axes.legend(loc="lower right")


def draw_loss(axes: Axes, curves: LearningCurves) -> None:
    """Draw the training loss on a logarithmic axis."""
    _spread(axes, curves.epochs, curves.loss, GREY)
    axes.set(xlabel="epoch", ylabel="training loss (nats)", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")


def _spread(axes: Axes, epochs: NDArray[np.int64], values: NDArray[np.float64], colour: str) -> None:
    seeds = values.shape[1]
    marker = "o" if len(epochs) == 1 else None  # a line of one point is invisible
    axes.plot(epochs, np.median(values, axis=1), color=colour, marker=marker, label=_label("median", seeds), zorder=3)
    if seeds == 1:
        return
    axes.plot(epochs, values, color=colour, linewidth=0.5, alpha=0.35)
    lower, upper = np.quantile(values, (0.25, 0.75), axis=1)
    axes.fill_between(epochs, lower, upper, color=colour, alpha=0.25, linewidth=0, label="25 to 75 %")


def _label(statistic: str, seeds: int) -> str:
    return "one seed" if seeds == 1 else f"{statistic} of {seeds} seeds"


def _draw_converged(axes: Axes, epoch: int, percent: NDArray[np.float64], images: str) -> None:
    spread = f" ± {percent.std(ddof=1):.1f}" if len(percent) > 1 else ""
    label = f"{images} images, converged at 16 steps per ns: {percent.mean():.1f}{spread} %"
    error = percent.std(ddof=1) if len(percent) > 1 else None
    axes.errorbar(
        epoch, percent.mean(), yerr=error, fmt="D", color=VERMILION, markersize=5, capsize=3, label=label, zorder=4
    )


def _lowest_shown(percent: NDArray[np.float64]) -> float:
    skipped = int(_WARM_UP * len(percent)) if len(percent) >= 10 else 0
    return float(max(0.0, 10 * np.floor(percent[skipped:].min() / 10 - 0.01)))
