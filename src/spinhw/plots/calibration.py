"""A calibration as a picture: data against fit, what was found with its errors, and what is left over."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spinhw.plots.canvas import BLUE, GREY, LIGHT, VERMILION, draw_side_by_side, letter, stacked

_SHOWN = 3  # Oscillators whose traces are drawn.


@dataclass(frozen=True)
class FittedTrace:
    """A stretch of data with its fit.

    Args:
        title: Whose, and what of.
        time_s: (sample,).
        drive: In units of nominal gamma, (sample - 1,).
        power: As recorded, in units of full power, (sample,).
        fit: What the model gives, (sample,).
    """

    title: str
    time_s: NDArray[np.float64]
    drive: NDArray[np.float64]
    power: NDArray[np.float64]
    fit: NDArray[np.float64]


@dataclass(frozen=True)
class FoundParameter:
    """One parameter of all oscillators.

    Args:
        name: With its unit, for the axis.
        values: (oscillator,); NaN where it failed.
        errors: Standard errors, (oscillator,).
    """

    name: str
    values: NDArray[np.float64]
    errors: NDArray[np.float64]


@dataclass(frozen=True)
class CalibrationFigure:
    """What a calibration shows.

    Args:
        heading: Device, time, plan.
        traces: A few oscillators; empty where all failed.
        parameters: Those that were fitted.
        levels: Settled drives in units of nominal gamma, (level,); empty without a drive sweep.
        settled: Settled power of the same oscillators as `traces`, (level, oscillator).
        settled_fit: What the model gives, same shape.
        residuals: Of all good samples over the noise, (sample,).
    """

    heading: str
    traces: Sequence[FittedTrace]
    parameters: Sequence[FoundParameter]
    levels: NDArray[np.float64]
    settled: NDArray[np.float64]
    settled_fit: NDArray[np.float64]
    residuals: NDArray[np.float64]


def plot_calibration(shown: CalibrationFigure, path: Path) -> None:
    """Draw a calibration into a PNG file; panels that it has no data for are left out."""
    rows = -(-len(shown.parameters) // 3)
    checks = [
        *([_draw_curve] if shown.settled.size else []),
        *([_draw_residuals] if shown.residuals.size else []),
    ]
    heights = {"traces": 2.7 * bool(shown.traces), "checks": 2.4 * bool(checks), "parameters": 1.9 * rows}
    letters = iter("abcd")
    with stacked(path, 11.5, 0.5, shown.heading, heights) as places:
        if shown.traces:
            _draw_traces(places["traces"], shown.traces, next(letters))
        if checks:
            draw_side_by_side(places["checks"], checks, shown, letters)
        if shown.parameters:
            draw_parameters(places["parameters"], shown.parameters, rows, name=next(letters))


def _draw_traces(figure: SubFigure, traces: Sequence[FittedTrace], name: str) -> None:
    grid = figure.subplots(2, len(traces), sharex=True, sharey="row", squeeze=False, height_ratios=(1, 2))
    for column, one in enumerate(traces):
        above, below = grid[:, column]
        edges = one.time_s * 1e9
        above.stairs(one.drive, edges, color=GREY, baseline=None)
        above.set_title(one.title)
        below.plot(edges, one.power, ".", color=BLUE, markersize=4, label="measured")
        below.plot(edges, one.fit, color=VERMILION, linewidth=1.2, label="fit")
        below.set_xlabel("time (ns)")
    grid[0, 0].set_ylabel("drive (γ)")
    grid[1, 0].set_ylabel("power")
    grid[1, 0].legend(loc="best")
    letter(grid[0, 0], name)


def _draw_residuals(axes: Axes, shown: CalibrationFigure) -> None:
    bins = np.linspace(-5, 5, 61)
    axes.hist(np.clip(shown.residuals, -5, 5), list(bins), density=True, color=LIGHT, edgecolor=GREY, linewidth=0.4)
    axes.plot(bins, np.exp(-(bins**2) / 2) / np.sqrt(2 * np.pi), color=VERMILION, label="normal distribution")
    axes.set(xlabel="(measured - fit) / noise", ylabel="density", title="residuals of all good samples")
    axes.legend(loc="upper right")


def _draw_curve(axes: Axes, shown: CalibrationFigure) -> None:
    for column in range(shown.settled.shape[1]):
        shade = 1 - 0.25 * column
        axes.plot(shown.levels, shown.settled[:, column], "o", color=BLUE, markersize=4, alpha=shade)
        axes.plot(shown.levels, shown.settled_fit[:, column], color=VERMILION, alpha=shade)
    axes.set(xlabel="drive (γ)", ylabel="settled power", title="power curve: points measured, lines fit")


def draw_parameters(
    figure: SubFigure, parameters: Sequence[FoundParameter], rows: int, of: str = "oscillator", name: str = "d"
) -> None:
    """Draw each parameter by oscillator, or whatever it is of, with its errors."""
    columns = min(3, len(parameters))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for axes, one in zip(grid, parameters, strict=False):
        number = np.arange(len(one.values))
        axes.errorbar(number, one.values, yerr=one.errors, fmt=".", color=BLUE, markersize=4, elinewidth=0.8)
        axes.set_ylabel(one.name)
        axes.grid(axis="y")
    for axes in grid[len(parameters) :]:
        axes.set_axis_off()
    for axes in grid[max(0, len(parameters) - columns) : len(parameters)]:
        axes.set_xlabel(of)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.tick_params(labelbottom=True)
    letter(grid[0], name)
