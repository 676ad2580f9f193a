"""The measure that counts and the training loss over the epochs, with the spread of the seeds."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from spinhw.plots.canvas import BLUE, GREY, VERMILION, page
from spinhw.training.measures import Measure

# With many epochs the axis of a share leaves out this first share of them, where it only says that learning began.
_WARM_UP = 0.1
_FEW = 10  # Looks that are marked one by one.


@dataclass(frozen=True)
class LearningCurves:
    """What was learned, epoch by epoch; shares, not percent.

    Args:
        epochs: Epochs after which the measure was taken, (epoch,), counted from 1.
        values: The measure, such as the share of images recognised, at the training step, (epoch, seed).
        loss: Training loss, the mean over each epoch, (epoch, seed).
        converged: The measure after the last epoch at 16 steps per ns, (seed,); None where it was not taken.
        part: Of which sequences the curves are, such as "validation".
        final: Of which sequences the converged value is, such as "test".
        noun: What a sequence is called.
        measure: What is drawn; None for the training loss alone.
        loss_epochs: Epochs of the loss, (epoch,), counted from 1; None for those after which the measure was taken.
        nats: Whether the loss is a negative log-likelihood.
    """

    epochs: NDArray[np.int64]
    values: NDArray[np.float64]
    loss: NDArray[np.float64]
    converged: NDArray[np.float64] | None = None
    part: str = "validation"
    final: str = "test"
    noun: str = "image"
    measure: Measure | None = Measure("accuracy")
    loss_epochs: NDArray[np.int64] | None = None
    nats: bool = True


def plot_learning(curves: LearningCurves, path: Path) -> None:
    """Draw the measure above the training loss into a PNG file."""
    with page(path, 6.4, 5.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        draw_measure(upper, curves)
        draw_loss(lower, curves)
        upper.tick_params(labelbottom=True)


def draw_measure(axes: Axes, curves: LearningCurves) -> None:
    """Draw the measure: each seed thin, median and quartiles over them, the converged value at the end."""
    measure = curves.measure
    scale = 1.0 if measure is None else measure.scale
    shown = scale * curves.values
    _spread(axes, curves.epochs, shown, BLUE)
    if curves.converged is not None and measure is not None:
        _draw_converged(axes, curves.epochs[-1], scale * curves.converged, curves, measure)
    recognised = " recognised" if measure is not None and measure.name == "accuracy" else ""
    better = "" if measure is None or measure.higher_is_better else ": less is better"
    axes.set(xlabel="epoch", ylabel="loss" if measure is None else measure.axis)
    axes.set_title(f"{curves.part} {curves.noun}s{recognised}{better}")
    if measure is not None and measure.is_share:
        lowest = _lowest_shown(shown)
        if curves.converged is not None:
            lowest = min(lowest, _lowest_shown(100 * curves.converged[None]))
        axes.set_ylim(lowest, 100.0)
    _count_epochs(axes, curves)
    axes.grid(axis="y")
    # Below the axis and its label: wherever a legend stands inside, some run's curve passes there.
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=3.2)


def draw_loss(axes: Axes, curves: LearningCurves) -> None:
    """Draw the training loss on a logarithmic axis."""
    _spread(axes, _loss_epochs(curves), curves.loss, GREY)
    axes.set(xlabel="epoch", ylabel="training loss (nats)" if curves.nats else "training loss", yscale="log")
    _count_epochs(axes, curves)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")


def _count_epochs(axes: Axes, curves: LearningCurves) -> None:
    """Let ticks stand at whole epochs only, and a single epoch in the middle."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    epochs = np.concatenate([curves.epochs, _loss_epochs(curves)])
    if epochs.min() == epochs.max():
        axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)


def _loss_epochs(curves: LearningCurves) -> NDArray[np.int64]:
    return curves.epochs if curves.loss_epochs is None else curves.loss_epochs


def _spread(axes: Axes, epochs: NDArray[np.int64], values: NDArray[np.float64], colour: str) -> None:
    seeds = values.shape[1]
    marker = "o" if len(epochs) <= _FEW else None  # A line of one point is invisible, one of a few says not of which.
    axes.plot(epochs, np.median(values, axis=1), color=colour, marker=marker, label=_label("median", seeds), zorder=3)
    if seeds == 1:
        return
    axes.plot(epochs, values, color=colour, linewidth=0.5, alpha=0.35)
    lower, upper = np.quantile(values, (0.25, 0.75), axis=1)
    axes.fill_between(epochs, lower, upper, color=colour, alpha=0.25, linewidth=0, label="25 to 75 %")


def _label(statistic: str, seeds: int) -> str:
    return "one seed" if seeds == 1 else f"{statistic} of {seeds} seeds"


def _draw_converged(
    axes: Axes, epoch: int, values: NDArray[np.float64], curves: LearningCurves, measure: Measure
) -> None:
    form = ".1f" if measure.is_share else "#.3g"
    spread = f" ± {values.std(ddof=1):{form}}" if len(values) > 1 else ""
    value = f"{values.mean():{form}}{spread}{measure.unit}"
    label = f"{curves.final} {curves.noun}s, converged at 16 steps per ns: {value}"
    error = values.std(ddof=1) if len(values) > 1 else None
    axes.errorbar(
        epoch, values.mean(), yerr=error, fmt="D", color=VERMILION, markersize=5, capsize=3, label=label, zorder=4
    )


def _lowest_shown(percent: NDArray[np.float64]) -> float:
    skipped = int(_WARM_UP * len(percent)) if len(percent) >= 10 else 0
    return float(max(0.0, 10 * np.floor(percent[skipped:].min() / 10 - 0.01)))
