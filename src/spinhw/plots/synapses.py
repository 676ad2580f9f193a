"""A calibration of synapses as a picture: detuning curves against fit, tuning, crosstalk, programming."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from spinhw.plots.calibration import FoundParameter, draw_parameters
from spinhw.plots.canvas import BLUE, GREY, LIGHT, VERMILION, letter, page

_FAINTEST = 1e-4  # Crosstalk below this is drawn like this.


@dataclass(frozen=True)
class SweptResonator:
    """Detuning curves of one resonator.

    Args:
        title: Whose.
        tuning: (level,).
        offset_hz: Of each tone from the frequency of its source, (level, tone).
        weight: As measured, (level, tone); NaN where nothing counts.
        fine_hz: Tones of the fit, (level, fine).
        fit: What the record gives there, (level, fine).
    """

    title: str
    tuning: NDArray[np.float64]
    offset_hz: NDArray[np.float64]
    weight: NDArray[np.float64]
    fine_hz: NDArray[np.float64]
    fit: NDArray[np.float64]


@dataclass(frozen=True)
class SynapseFigure:
    """What a calibration of synapses shows. Parts that were not measured are empty.

    Args:
        heading: Device, time, plan.
        swept: A few resonators.
        tuning: Of the sweep, (level,).
        off_line_hz: Centre of each resonance less the line through its centres, (resonator, level).
        crosstalk: (source, resonator); NaN where unknown.
        programming: Measured less requested weight over the largest, of all visits and resonators.
        quantities: By resonator, with errors.
    """

    heading: str
    swept: Sequence[SweptResonator]
    tuning: NDArray[np.float64]
    off_line_hz: NDArray[np.float64]
    crosstalk: NDArray[np.float64]
    programming: NDArray[np.float64]
    quantities: Sequence[FoundParameter]


def plot_synapses(shown: SynapseFigure, path: Path) -> None:
    """Draw a calibration of synapses into a PNG file."""
    rows = -(-len(shown.quantities) // 3)
    with page(path, 11.5, 6.4 + 1.9 * rows) as figure:
        figure.suptitle(shown.heading, x=0.01, ha="left")
        heights = (2.9, 3.1, max(1, 1.9 * rows))
        upper, middle, lower = figure.subfigures(3, 1, height_ratios=heights, squeeze=False)[:, 0]
        _draw_swept(upper, shown.swept)
        left, centre, right = middle.subplots(1, 3)
        _draw_tuning(left, shown)
        _draw_crosstalk(middle, centre, shown.crosstalk)
        _draw_programming(right, shown.programming)
        for axes, text in zip((left, centre, right), "bcd", strict=True):
            letter(axes, text)
        if shown.quantities:
            draw_parameters(lower, shown.quantities, rows, "resonator", "e")


def _missing(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes, color=GREY)
    axes.set_axis_off()


def _draw_swept(figure: SubFigure, swept: Sequence[SweptResonator]) -> None:
    grid = figure.subplots(1, max(1, len(swept)), squeeze=False, sharey=True)[0]
    letter(grid[0], "a")
    if not swept:
        _missing(grid[0], "this plan has no detuning sweep")
        return
    most = max(float(np.abs(one.tuning).max()) for one in swept) or 1.0
    shade, scale = colormaps["cividis"], Normalize(-most, most)
    for axes, one in zip(grid, swept, strict=True):
        for level, tuning in enumerate(one.tuning):
            colour = shade(0.9 * scale(tuning))
            axes.plot(one.offset_hz[level] / 1e6, one.weight[level], ".", color=colour, markersize=4)
            axes.plot(one.fine_hz[level] / 1e6, one.fit[level], color=colour, linewidth=0.9)
        axes.set(xlabel="tone - frequency of its source (MHz)", title=one.title)
    grid[0].set_ylabel("weight of the chain")
    first = swept[0]
    for level in sorted({0, len(first.tuning) // 2, len(first.tuning) - 1}):
        colour = shade(0.9 * scale(first.tuning[level]))
        grid[0].plot([], [], ".-", color=colour, label=f"tuning {first.tuning[level]:+.2g}")
    grid[0].legend(loc="upper left")
    grid[0].set_title(f"{first.title}: points measured, lines fit")


def _draw_tuning(axes: Axes, shown: SynapseFigure) -> None:
    if shown.off_line_hz.shape[-1] < 3:
        _missing(axes, "fewer than three tunings")
        return
    axes.axhline(0, color=GREY, linewidth=0.8)
    for row in shown.off_line_hz:
        axes.plot(shown.tuning, row / 1e3, ".-", color=BLUE, alpha=0.5, linewidth=0.8)
    axes.set(xlabel="tuning", ylabel="resonance - line (kHz)", title="resonances off their lines")


def _draw_crosstalk(figure: SubFigure, axes: Axes, crosstalk: NDArray[np.float64]) -> None:
    if not crosstalk.size:
        _missing(axes, "this plan measures no crosstalk")
        return
    size = np.clip(np.abs(crosstalk), _FAINTEST, 1.0)
    image = axes.imshow(size, norm=LogNorm(_FAINTEST, 1.0), cmap="cividis", interpolation="nearest")
    axes.set(xlabel="resonator that is tuned", ylabel="source that feels it", title="crosstalk over the own change")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    figure.colorbar(image, ax=axes, extend="min")


def _draw_programming(axes: Axes, off: NDArray[np.float64]) -> None:
    off = off[np.isfinite(off)]
    if not off.size:
        _missing(axes, "this plan programs nothing twice")
        return
    rms, most = float(np.sqrt((off**2).mean())), float(np.abs(off).max())
    bins = np.linspace(-most, most, 51) * 100 if most > 0 else np.array([-1.0, 1.0])
    axes.hist(off * 100, list(bins), color=LIGHT, edgecolor=GREY, linewidth=0.4)
    for side in (-1, 1):
        axes.axvline(side * rms * 100, color=VERMILION, linewidth=1.0, label="rms" if side > 0 else None)
    axes.set(
        xlabel="measured - requested (% of largest weight)",
        ylabel="weights",
        title=f"programming: rms {100 * rms:.2g} %",
    )
    axes.legend(loc="upper right")
