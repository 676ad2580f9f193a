"""Which classes are taken for which."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from numpy.typing import NDArray

from spinhw.plots.canvas import page

_TICKS = (0, 1, 5, 20, 50, 100)


def plot_confusion(counts: NDArray[np.int64], path: Path) -> None:
    """Draw a confusion matrix into a PNG file.

    Args:
        counts: Images of a class (row) taken for a class (column), summed over the seeds, (class, class).
        path: The file.
    """
    with page(path, 6.0, 5.2) as figure:
        draw_confusion(figure.subplots(), counts)


def draw_confusion(axes: Axes, counts: NDArray[np.int64]) -> None:
    """Draw a confusion matrix, each row in percent of its images; colours stretch the small shares."""
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The errors are what one looks for: a colour linear in the share would show the diagonal only.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.35, 0, 100))
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            _write(axes, row, column, share)
    classes = np.arange(len(counts))
    axes.set(xlabel="recognised as", ylabel="digit shown", xticks=classes, yticks=classes)
    axes.set_title(f"{counts.sum()} images, rows in %")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, ticks=_TICKS, pad=0.02, label="share of the row (%)")
    bar.outline.set_visible(False)


def _write(axes: Axes, row: int, column: int, share: float) -> None:
    text = "<0.1" if share < 0.05 else f"{share:.1f}" if share < 99.95 else "100"
    axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if share > 30 else "black")
