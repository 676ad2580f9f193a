"""Which classes are taken for which."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from numpy.typing import NDArray

from spinhw.plots.canvas import page

_TICKS = (0, 1, 5, 20, 50, 100)
_WRITTEN = 15  # Classes up to which every share is written out.
_NAMED = 20  # Classes that are named along an axis.
_LONGEST, _WIDE = 14, 45  # Letters of a name, and of all names along an axis.


@dataclass(frozen=True)
class Confusion:
    """Which classes were taken for which.

    Args:
        counts: Answers of a class (row) taken for a class (column), summed over the seeds, (class, class).
        noun: What was counted, such as "image"; "step" where every step of a sequence has its class.
        shown: What the rows are called, such as "digit shown".
        names: Of the classes; None for their numbers.
    """

    counts: NDArray[np.int64]
    noun: str = "image"
    shown: str = "digit shown"
    names: tuple[str, ...] | None = None


def plot_confusion(confusion: Confusion, path: Path) -> None:
    """Draw a confusion matrix into a PNG file."""
    with page(path, 6.0, 5.2) as figure:
        draw_confusion(figure.subplots(), confusion)


def draw_confusion(axes: Axes, confusion: Confusion) -> None:
    """Draw a confusion matrix, each row in percent of its answers; colours stretch the small shares."""
    counts = confusion.counts
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # The errors are what one looks for: a colour linear in the share would show the diagonal only.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.35, 0, 100))
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column] and len(counts) <= _WRITTEN:
            _write(axes, row, column, share)
    axes.set(xlabel="recognised as", ylabel=confusion.shown)
    _name_classes(axes, confusion)
    axes.set_title(f"{counts.sum()} {confusion.noun}s, rows in %")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, ticks=_TICKS, pad=0.02, label="share of the row (%)")
    bar.outline.set_visible(False)


def _name_classes(axes: Axes, confusion: Confusion) -> None:
    """Name the classes along both axes; of very many of them only some, for names must not run into each other."""
    classes = np.arange(len(confusion.counts))[:: max(1, len(confusion.counts) // _NAMED)]
    names = [str(one) for one in classes]
    if confusion.names is not None:
        names = [shortened(confusion.names[one]) for one in classes]
    slanted = max(map(len, names)) > 2 and len(names) * max(map(len, names)) > _WIDE
    axes.set_xticks(classes, names, rotation=45 if slanted else 0, ha="right" if slanted else "center")
    axes.set_yticks(classes, names)


def shortened(name: str) -> str:
    """Cut a name that is too long for an axis."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _write(axes: Axes, row: int, column: int, share: float) -> None:
    text = "<0.1" if share < 0.05 else f"{share:.1f}" if share < 99.95 else "100"
    axes.text(column, row, text, ha="center", va="center", fontsize=7, color="white" if share > 30 else "black")
