"""Cosines between the gradients of several modes and the device's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spinhw.plots.canvas import BLUE, GREY, VERMILION, page


def plot_alignment(cosines: Mapping[str, Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw each mode's mean cosine with its 95 % interval and every single one, into a PNG file.

    Args:
        cosines: By mode: ``mean``, ``interval95``, ``each``, as `spinhw.training.align_run` gives them.
        path: The file.
        title: What was compared.
    """
    names = [name for name, found in cosines.items() if found["mean"] is not None]
    with page(path, 6.4, 1.3 + 0.45 * len(names)) as figure:
        axes = figure.subplots()
        for row, name in enumerate(names):
            found = cosines[name]
            each = np.asarray(found["each"])
            spread = np.linspace(-0.2, 0.2, len(each)) if len(each) > 1 else np.zeros(1)
            axes.plot(each, row + spread, ".", color=BLUE, alpha=0.35, markersize=4, zorder=2)
            low, high = found["interval95"] or (found["mean"], found["mean"])
            axes.plot([low, high], [row, row], color=VERMILION, linewidth=2.5, zorder=3)
            axes.plot(found["mean"], row, "D", color=VERMILION, markersize=5, zorder=4)
        axes.axvline(0.0, color=GREY, linewidth=0.8)
        axes.axvline(1.0, color=GREY, linewidth=0.8)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.set(
            xlabel="cosine with the device's own gradient\n(1: the same direction; 0: at right angles, no help; "
            "below 0: uphill)",
            title=title,
        )
        axes.grid(axis="x")
