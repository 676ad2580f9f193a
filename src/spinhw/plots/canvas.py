"""The look that all figures share, and the one way a figure becomes a file."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure

from spinhw import __version__
from spinhw.atomic import write_atomically
from spinhw.errors import ConfigError

_log = logging.getLogger(__name__)

Shown = TypeVar("Shown")

DPI = 160  # A slide of 13 inches is then 2080 pixels wide, the width of a projector.

# Okabe and Ito's palette without its yellow, which vanishes on white: told apart with any colour vision.
BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "#000000")
GREY, LIGHT = "#666666", "#D9D9D9"

STYLE: Any = {
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#E6E6E6",
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def page(path: Path, width_in: float, height_in: float) -> Iterator[Figure]:
    """Give an empty figure in the common style, and save it when the block ends well, whole or not at all.

    Args:
        path: The file; its ending says in which format, PNG without one.
        width_in: Width in inches.
        height_in: Height in inches.

    Raises:
        ConfigError: There is no such format, the disk is full, or the folder cannot be written.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        kind = path.suffix[1:].lower() or "png"
        known = FigureCanvasAgg.get_supported_filetypes()
        if kind not in known:
            raise ConfigError(f"{path}: no picture can be drawn into such a file", seen=kind, allowed=", ".join(known))
        drawn = BytesIO()
        about = {"Software": f"spinhw {__version__}"} if kind == "png" else {}
        figure.savefig(drawn, format=kind, dpi=DPI, metadata=about)
    write_atomically(path if path.suffix else path.with_name(f"{path.name}.png"), drawn.getvalue())


@contextmanager
def stacked(
    path: Path, width_in: float, margin_in: float, heading: str, heights_in: Mapping[str, float]
) -> Iterator[dict[str, SubFigure]]:
    """Give rows one below the other on a `page`, by name; those without a height are left out.

    Args:
        path: As for `page`.
        width_in: Width in inches.
        margin_in: Height beyond the rows, in inches.
        heading: Above them.
        heights_in: Of each row, in inches, from top to bottom.

    Raises:
        ConfigError: As for `page`.
    """
    there = {name: height for name, height in heights_in.items() if height}
    with page(path, width_in, margin_in + sum(there.values())) as figure:
        figure.suptitle(heading, x=0.01, ha="left")
        if there:
            rows = figure.subfigures(len(there), 1, height_ratios=list(there.values()), squeeze=False)[:, 0]
            yield dict(zip(there, rows, strict=True))
        else:
            yield {}


def draw_side_by_side(
    figure: SubFigure, panels: Sequence[Callable[[Axes, Shown], None]], shown: Shown, letters: Iterator[str]
) -> None:
    """Draw panels of the same data from left to right, each with the next letter."""
    for axes, draw in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes, shown)
        letter(axes, next(letters))


@contextmanager
def attempted(path: Path) -> Iterator[None]:
    """Log whatever fails in drawing, and go on: what a picture shows is in other files too."""
    try:
        yield
    except Exception as error:  # matplotlib and the fonts and files that it needs raise errors of many kinds
        _log.warning("%s: this picture could not be drawn (%s: %s)", path, type(error).__name__, error)


def letter(axes: Axes, text: str) -> None:
    """Put a panel letter such as "a" at the upper left, outside the axes."""
    axes.annotate(
        f"({text})", (0, 1), xytext=(-34, 6), xycoords="axes fraction", textcoords="offset points", fontweight="bold"
    )
