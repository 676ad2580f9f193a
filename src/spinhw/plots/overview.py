"""One picture of a whole run, to end a demonstration with."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinhw.energy import EnergyLedger
from spinhw.plots.canvas import letter, page
from spinhw.plots.confusion import draw_confusion
from spinhw.plots.energy import draw_energy
from spinhw.plots.learning import LearningCurves, draw_accuracy, draw_loss
from spinhw.plots.traces import Traces, draw_traces


def plot_overview(
    curves: LearningCurves,
    counts: NDArray[np.int64] | None,
    traces: Traces,
    ledger: EnergyLedger,
    path: Path,
    title: str,
) -> None:
    """Draw accuracy, confusion matrix (or the loss), waveforms and energy into one PNG file of the shape of a slide."""
    with page(path, 13.4, 7.5) as figure:
        figure.suptitle(title, fontsize=13, fontweight="bold", x=0.01, ha="left")
        left, right = figure.subfigures(1, 2, width_ratios=(2, 3), squeeze=False).flat
        upper, lower = left.subplots(2, 1, height_ratios=(4, 5))
        draw_accuracy(upper, curves)
        if counts is None:
            draw_loss(lower, curves)
        else:
            draw_confusion(lower, counts)
        waves, bars = right.subfigures(2, 1, height_ratios=(5, 2.6), squeeze=False).flat
        first = draw_traces(waves, traces)[0]
        account = bars.subplots()
        draw_energy(account, ledger)
        for axes, text in zip((upper, lower, first, account), "abcd", strict=True):
            letter(axes, text)
