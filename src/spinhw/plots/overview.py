"""One picture of a whole run, to end a demonstration with."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes

from spinhw.energy import EnergyLedger
from spinhw.plots.canvas import letter, page
from spinhw.plots.energy import draw_energy
from spinhw.plots.learning import LearningCurves, draw_loss, draw_measure
from spinhw.plots.traces import Traces, draw_traces


def plot_overview(
    curves: LearningCurves,
    beside: Callable[[Axes], None] | None,
    traces: Traces,
    ledger: EnergyLedger,
    path: Path,
    title: str,
) -> None:
    """Draw the measure, what was answered, waveforms and energy into one PNG file of the shape of a slide.

    Args:
        curves: What was learned.
        beside: Draws what was answered, such as a confusion matrix; None for the training loss.
        traces: Waveforms.
        ledger: Energy.
        path: The file.
        title: Above everything.
    """
    with page(path, 13.4, 7.5) as figure:
        figure.suptitle(title, fontsize=13, fontweight="bold", x=0.01, ha="left")
        left, right = figure.subfigures(1, 2, width_ratios=(2, 3), squeeze=False).flat
        upper, lower = left.subplots(2, 1, height_ratios=(4, 5))
        draw_measure(upper, curves)
        if beside is None:
            draw_loss(lower, curves)
        else:
            beside(lower)
        waves, bars = right.subfigures(2, 1, height_ratios=(5, 2.6), squeeze=False).flat
        first = draw_traces(waves, traces)[0]
        account = bars.subplots()
        draw_energy(account, ledger)
        for axes, text in zip((upper, lower, first, account), "abcd", strict=True):
            letter(axes, text)
