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
from spinhw.plots.canvas import BLUE, GREY, LIGHT, VERMILION, draw_side_by_side, letter, stacked

_FAINTEST = 1e-4  # Crosstalk below this is drawn like this.
_FEWEST_TUNINGS = 3  # Two always lie on their line.


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
    """Draw a calibration of synapses into a PNG file; panels that it has no data for are left out."""
    rows = -(-len(shown.quantities) // 3)
    panels = [
        *([_draw_tuning] if shown.off_line_hz.shape[-1] >= _FEWEST_TUNINGS else []),
        *([_draw_crosstalk] if shown.crosstalk.size else []),
        *([_draw_programming] if np.isfinite(shown.programming).any() else []),
    ]
    heights = {"swept": 2.9 * bool(shown.swept), "panels": 3.1 * bool(panels), "quantities": 1.9 * rows}
    letters = iter("abcde")
    with stacked(path, 11.5, 0.4, shown.heading, heights) as places:
        if shown.swept:
            _draw_swept(places["swept"], shown.swept, next(letters))
        if panels:
            draw_side_by_side(places["panels"], panels, shown, letters)
        if shown.quantities:
            draw_parameters(places["quantities"], shown.quantities, rows, "resonator", next(letters))


def _draw_swept(figure: SubFigure, swept: Sequence[SweptResonator], name: str) -> None:
    grid = figure.subplots(1, len(swept), squeeze=False, sharey=True)[0]
    letter(grid[0], name)
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
    axes.axhline(0, color=GREY, linewidth=0.8)
    for row in shown.off_line_hz:
        axes.plot(shown.tuning, row / 1e3, ".-", color=BLUE, alpha=0.5, linewidth=0.8)
    axes.set(xlabel="tuning", ylabel="resonance - line (kHz)", title="resonances off their lines")


def _draw_crosstalk(axes: Axes, shown: SynapseFigure) -> None:
    size = np.clip(np.abs(shown.crosstalk), _FAINTEST, 1.0)
    image = axes.imshow(size, norm=LogNorm(_FAINTEST, 1.0), cmap="cividis", interpolation="nearest")
    axes.set(xlabel="resonator that is tuned", ylabel="source that feels it", title="crosstalk over the own change")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.figure.colorbar(image, ax=axes, extend="min")


def _draw_programming(axes: Axes, shown: SynapseFigure) -> None:
    off = shown.programming[np.isfinite(shown.programming)]
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
