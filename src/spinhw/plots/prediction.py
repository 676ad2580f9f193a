"""What a network answers over what is right: in time for a few sequences, and point by point for many."""

from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from spinhw.plots.canvas import BLUE, GREY, LIGHT, VERMILION, page
from spinhw.training.predictions import Predictions

# Sequences that are drawn in time, outputs that each of them shows, and points of a cloud.
_SEQUENCES, _OUTPUTS, _POINTS = 3, 3, 4000
_FEW = 300  # Points that are drawn larger.


def plot_prediction(found: Predictions, interval_s: float, path: Path) -> None:
    """Draw answers over right ones into a PNG file.

    Where there is an answer after each sample, a few sequences stand in time. Where answers are values, a cloud of all
    that count stands beside them, or alone.

    Args:
        found: Answers of one network.
        interval_s: Time for which a sample is held, in seconds.
        path: The file.
    """
    cloud = 0 if found.classes else min(found.right.shape[-1], _OUTPUTS)
    rows = min(_SEQUENCES, len(found.right)) if found.per_step else 0
    with page(path, (6.4 if rows else 0.0) + (3.4 if cloud else 0.0), max(1.7 * rows + 0.7, 3.2 * cloud)) as figure:
        parts: list[Figure | SubFigure] = [figure]
        if rows and cloud:
            parts = list(figure.subfigures(1, 2, width_ratios=(6.4, 3.4), squeeze=False).flat)
        if rows:
            draw_sequences(parts[0], found, interval_s, rows)
        if cloud:
            for output, axes in enumerate(parts[-1].subplots(cloud, 1, squeeze=False)[:, 0]):
                draw_cloud(axes, found, output)


def draw_sequences(figure: Figure | SubFigure, found: Predictions, interval_s: float, rows: int) -> None:
    """Draw the first sequences in time, one below the other; what does not count is grey."""
    every = figure.subplots(rows, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for number, axes in enumerate(every):
        draw_sequence(axes, found, interval_s, number)
    every[0].set_title("predicted over right, first network")
    every[-1].set_xlabel("time (ns)")
    figure.legend(*_legend(every[0]), loc="outside upper right", ncols=3)


def draw_first_sequence(axes: Axes, found: Predictions, interval_s: float) -> None:
    """Draw the first sequence alone, with its legend."""
    draw_sequence(axes, found, interval_s, 0)
    axes.set(xlabel="time (ns)", title="one sequence, first network")
    axes.legend(*_legend(axes), loc="upper left", ncols=3, bbox_to_anchor=(0, 0), borderaxespad=3.2)


def _legend(axes: Axes) -> tuple[list[Artist], list[str]]:
    """Return handles and labels, each label once."""
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    return list(unique.values()), list(unique)


def draw_sequence(axes: Axes, found: Predictions, interval_s: float, number: int) -> None:
    """Draw one sequence in time: right and answered, of the first few outputs."""
    ends = np.flatnonzero(found.counted[number])
    if not len(ends):
        return
    last = int(ends[-1]) + 1
    times_ns = 1e9 * interval_s * np.arange(1, last + 1)
    outputs = min(found.right.shape[-1], _OUTPUTS)
    steps: Literal["steps-pre", "default"] = "steps-pre" if found.classes else "default"
    for output in range(outputs):
        right, answered = (one[number, :last, output] for one in (found.right, found.answered))
        shifted = 0.0 if outputs == 1 else output * _apart(found)
        begun = slice(ends[0], None)  # Nobody says what is right in the washout.
        axes.plot(
            times_ns[begun],
            right[begun] + shifted,
            color=GREY,
            linewidth=2.4,
            alpha=0.6,
            label="right",
            drawstyle=steps,
        )
        axes.plot(times_ns, answered + shifted, color=BLUE, linewidth=1.2, label="predicted", drawstyle=steps)
    if ends[0] > 0:
        axes.axvspan(0, 1e9 * interval_s * ends[0], color=LIGHT, alpha=0.5, linewidth=0, label="washout")
    axes.set_xlim(0, 1e9 * interval_s * found.right.shape[1])
    axes.set_ylabel("class" if found.classes else "value" if outputs == 1 else "values,\nshifted")
    if found.classes:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _apart(found: Predictions) -> float:
    """Return by how much outputs are shifted, so that they stand one above the other."""
    right = found.right[found.counted]
    return 1.2 * float(np.ptp(right)) if right.size else 1.0


def draw_cloud(axes: Axes, found: Predictions, output: int = 0) -> None:
    """Draw one output of all answers that count over what is right, with the line on which they would be equal."""
    right, answered = (one[found.counted][:, output] for one in (found.right, found.answered))
    some = slice(None, None, max(1, len(right) // _POINTS))
    low, high = (float(pick([right.min(), answered.min(), right.max(), answered.max()])) for pick in (min, max))
    margin = 0.04 * (high - low) or 0.5
    size = 3 if len(right[some]) > _FEW else 6
    axes.plot(right[some], answered[some], ".", color=BLUE, markersize=size, alpha=0.4, markeredgewidth=0)
    axes.plot([low, high], [low, high], color=VERMILION, linewidth=1.0)
    axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    several = found.right.shape[-1] > 1
    axes.set(xlabel="right", ylabel="predicted", title=f"output {output}" if several else "all answers that count")
