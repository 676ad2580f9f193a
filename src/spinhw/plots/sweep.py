"""What a study measured over its axis: median and quartiles over seeds, one panel for each protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from spinhw.plots.canvas import COLOURS, GREY, LIGHT, page
from spinhw.training.measures import Measure

Floats = NDArray[np.float64]

ACCURACY = Measure("accuracy")

_JITTER = np.linspace(-0.12, 0.12, 10)  # Sideways, so that equal networks are told apart.


@dataclass(frozen=True)
class SweepCurve:
    """One curve.

    Args:
        label: For the legend.
        x: Where the points stand, (point,).
        score: The headline of the task, (point, seed), such as accuracy (0 to 1); infinite where an error has no bound.
        rising: Points at which training could have gone on to more, (point,); drawn as open circles.
        earlier: Whether this is an earlier look at the networks of another curve of this label: a thin broken line.
    """

    label: str
    x: Floats
    score: Floats
    rising: NDArray[np.bool_] | None = None
    earlier: bool = False


@dataclass(frozen=True)
class PowerPanel:
    """One neuron's power for one image of each class.

    Args:
        title: What tells this panel from the others.
        sample_interval_s: Time between two samples, in seconds.
        power: x, (image, time).
        labels: Class of each image, (image,).
    """

    title: str
    sample_interval_s: float
    power: Floats
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class SweepPanel:
    """What was measured under one protocol.

    Args:
        title: The protocol.
        curves: Its curves.
        waveforms: Drawn beneath, where there are any.
        measure: What scores are.
    """

    title: str
    curves: Sequence[SweepCurve]
    waveforms: Sequence[PowerPanel] = ()
    measure: Measure = ACCURACY


def plot_sweep(
    panels: Sequence[SweepPanel], path: Path, xlabel: str, *, log: bool, band: tuple[float, float] | None = None
) -> None:
    """Draw the panels side by side into a PNG file.

    Args:
        panels: One for each protocol.
        path: The file.
        xlabel: Label of the axis, with its unit.
        log: Whether the axis is logarithmic.
        band: Part of the axis to shade: where the paper sees its best accuracy.
    """
    traced = any(panel.waveforms for panel in panels)
    with page(path, 5.2 * len(panels), 5.6 if traced else 3.8) as figure:
        columns = figure.subfigures(1, len(panels), squeeze=False)[0]
        for column, panel in zip(columns, panels, strict=True):
            axes = _upper(column, panel, traced)
            if band is not None:
                axes.axvspan(*band, color=LIGHT, alpha=0.5, linewidth=0)
            _draw(axes, panel, xlabel, log)


def _upper(column: Figure, panel: SweepPanel, traced: bool) -> Axes:  # type: ignore[type-arg, unused-ignore]
    """Make room for the curves, and draw the waveforms beneath them."""
    if not traced:
        return column.subplots(1, 1)
    count = max(1, len(panel.waveforms))
    grid = column.add_gridspec(2, count, height_ratios=(3, 2))
    for position, waveforms in enumerate(panel.waveforms):
        _draw_waveforms(column.add_subplot(grid[1, position]), waveforms, first=position == 0)
    return column.add_subplot(grid[0, :])


def _draw(axes: Axes, panel: SweepPanel, xlabel: str, log: bool) -> None:
    labels = list(dict.fromkeys(curve.label for curve in panel.curves))
    for curve in panel.curves:
        colour, score = COLOURS[labels.index(curve.label) % len(COLOURS)], panel.measure.scale * curve.score
        # There is no mean of two values with an infinite error, of what diverged: the worse one counts.
        lower, median, upper = np.quantile(score, (0.25, 0.5, 0.75), axis=1, method=_method(score))
        if curve.earlier:
            axes.plot(curve.x, median, color=colour, linestyle=":", linewidth=1.0)
            continue
        axes.fill_between(curve.x, lower, upper, color=colour, alpha=0.2, linewidth=0)
        axes.plot(curve.x, median, color=colour, marker="o", markersize=4, label=curve.label)
        axes.plot(curve.x, score.mean(axis=1), "x", color=colour, markersize=4, alpha=0.7)
        if curve.rising is not None and curve.rising.any():
            axes.plot(curve.x[curve.rising], median[curve.rising], "o", color="white", markersize=2)
    axes.set(xlabel=xlabel, title=panel.title)
    _upright(axes, panel.measure)
    if log:
        axes.set_xscale("log")
        marks = sorted({float(x) for curve in panel.curves for x in curve.x})
        axes.xaxis.set_major_locator(FixedLocator(marks))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(
        loc="best", title=_what_is_drawn(panel), title_fontsize=8.0, frameon=True, framealpha=0.8, edgecolor="none"
    )


def _method(score: Floats) -> Literal["linear", "higher"]:
    return "linear" if bool(np.isfinite(score).all()) else "higher"


def _label(measure: Measure) -> str:
    return f"{measure.called}, converged" + (" (%)" if measure.is_share else "")


def _upright(axes: Axes, measure: Measure) -> None:
    """Label the upright axis and begin it at 0; a share ends at 100 %."""
    axes.set_ylabel(_label(measure))
    axes.set_ylim(0.0, 100.0 if measure.is_share else None)
    axes.grid(axis="y")


def _what_is_drawn(panel: SweepPanel) -> str:
    lines = ["median, 25 to 75 %; x: mean"]
    if any(curve.earlier for curve in panel.curves):
        lines.append("dotted: after the recipe's epochs")
    if any(curve.rising is not None and curve.rising.any() for curve in panel.curves):
        lines.append("open: still rising")
    return "\n".join(lines)


def _draw_waveforms(axes: Axes, waveforms: PowerPanel, first: bool) -> None:
    time_ns = 1e9 * waveforms.sample_interval_s * np.arange(waveforms.power.shape[1])
    for power, label in zip(waveforms.power, waveforms.labels, strict=True):
        axes.plot(time_ns, power, linewidth=0.8, color=COLOURS[int(label) % len(COLOURS)], alpha=0.8)
    axes.set_xlabel("time (ns)")
    axes.set_title(waveforms.title, fontsize=9.0)
    axes.set_ylim(0.0, 1.0)
    if first:
        axes.set_ylabel("power x of a neuron")
    else:
        axes.tick_params(labelleft=False)


def plot_waveforms(rows: Sequence[tuple[str, Sequence[PowerPanel]]], path: Path) -> None:
    """Draw waveforms into a PNG file, a row of panels for each title.

    Args:
        rows: Title and panels of each row; none for an empty page.
        path: The file.
    """
    with page(path, 8.4, 0.4 + 2.4 * max(1, len(rows))) as figure:
        parts = figure.subfigures(max(1, len(rows)), 1, squeeze=False)[:, 0]
        for part, (title, panels) in zip(parts, rows, strict=False):
            part.suptitle(title, fontsize=10.0)
            for place, (axes, one) in enumerate(
                zip(part.subplots(1, len(panels), squeeze=False)[0], panels, strict=True)
            ):
                _draw_waveforms(axes, one, first=place == 0)


@dataclass(frozen=True)
class DrivePoints:
    """Points of figure 3c under one protocol.

    Args:
        title: The protocol.
        drive: Cumulative drive I dt, (point,).
        score: Median over seeds of the headline, (point,).
        remembers: Whether tau is longer than dt, (point,).
        measure: What scores are.
    """

    title: str
    drive: Floats
    score: Floats
    remembers: NDArray[np.bool_]
    measure: Measure = ACCURACY


def plot_drive(panels: Sequence[DrivePoints], path: Path) -> None:
    """Draw scores over the cumulative drive, one panel for each protocol, into a PNG file."""
    with page(path, 5.2 * len(panels), 3.8) as figure:
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            axes.axvline(1.0, color=GREY, linestyle="--", linewidth=1.0)
            for chosen, colour, label in (
                (panel.remembers, COLOURS[2], "tau longer than dt"),
                (~panel.remembers, COLOURS[1], "tau shorter than dt"),
            ):
                axes.plot(
                    panel.drive[chosen],
                    panel.measure.scale * panel.score[chosen],
                    "o",
                    markersize=4.5,
                    alpha=0.8,
                    color=colour,
                    label=label,
                )
            axes.set(xscale="log", xlabel="cumulative drive I dt", title=panel.title)
            _upright(axes, panel.measure)
            axes.legend(loc="best")


@dataclass(frozen=True)
class SeedColumn:
    """Networks of one kind.

    Args:
        label: Beneath the column.
        score: The headline of the task, (seed,).
        published: Mean and standard deviation of the paper, where it has any.
    """

    label: str
    score: Floats
    published: tuple[float, float] | None = None


def plot_seeds(columns: Sequence[SeedColumn], path: Path, title: str, measure: Measure = ACCURACY) -> None:
    """Draw every network as a dot beside mean and standard deviation, and the paper's, into a PNG file.

    Networks whose error has no bound are counted below their column.
    """
    with page(path, 1.5 + 1.45 * len(columns), 4.0) as figure:
        axes, labels = figure.subplots(), []
        for place, (column, colour) in enumerate(zip(columns, COLOURS, strict=False)):
            known = np.isfinite(column.score)
            score = measure.scale * column.score[known]
            beside = place - 0.1 + np.resize(_JITTER, known.size)[known]
            axes.plot(beside, score, "o", color=colour, alpha=0.5, markersize=4)
            if score.size:
                spread = score.std(ddof=1) if score.size > 1 else 0.0
                axes.errorbar(place + 0.16, score.mean(), spread, fmt="D", color=colour, capsize=3, markersize=5)
                text = f"{score.mean():.1f}" if measure.is_share else f"{score.mean():.3g}"
                axes.annotate(text, (place + 0.22, score.mean()), va="center", fontsize=9)
            labels.append(column.label + (f"\n{(~known).sum()} diverged" if not known.all() else ""))
            if column.published is not None:
                mean, std = (measure.scale * value for value in column.published)
                label = "published mean, standard deviation" if place == 0 else None
                axes.errorbar(place + 0.52, mean, std, fmt="_", color=GREY, capsize=3, label=label)
        axes.set_xticks(range(len(columns)), labels)
        axes.set(title=title, xlim=(-0.4, len(columns) - 0.2))
        axes.set_ylabel(_label(measure))
        axes.grid(axis="y")
        if any(column.published for column in columns):
            axes.legend(loc="lower right")
