"""Networks that go on by themselves: what they make of a series, and the error over the horizon."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from spinhw.plots.canvas import BLUE, GREY, LIGHT, VERMILION, page
from spinhw.training.generation import Generation

# Sequences that are drawn, and samples shown before the first generated one, as a share of the generated ones.
_SEQUENCES, _BEFORE = 3, 0.6


def plot_generation(made: Generation, interval_s: float, path: Path) -> None:
    """Draw a few sequences of the first network, and the error over the horizon, into a PNG file.

    Args:
        made: What networks made.
        interval_s: Time for which a sample is held, in seconds.
        path: The file.
    """
    rows = min(_SEQUENCES, made.right.shape[1])
    with page(path, 10.4, max(3.4, 1.6 * rows + 0.7)) as figure:
        left, right = figure.subfigures(1, 2, width_ratios=(6.4, 4.0), squeeze=False).flat
        every = left.subplots(rows, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for number, axes in enumerate(every):
            _draw_sequence(axes, made, 1e9 * interval_s, number)
        every[0].set_title("first network, going on by itself")
        every[-1].set_xlabel("time (ns)")
        handles, labels = every[0].get_legend_handles_labels()
        left.legend(handles, labels, loc="outside upper right", ncols=3)
        draw_horizon(right.subplots(), made)


def _draw_sequence(axes: Axes, made: Generation, interval_ns: float, number: int) -> None:
    """Draw the first channel of one sequence: what is right, and what was generated."""
    count = made.generated.shape[2]
    begin = max(0, made.prefix - max(3, round(_BEFORE * count)))
    right, generated = made.right[0, number, :, 0], made.generated[0, number, :, 0]
    times = interval_ns * np.arange(1, len(right) + 1)
    axes.axvspan(times[begin], times[made.prefix - 1], color=LIGHT, alpha=0.5, linewidth=0, label="shown")
    axes.plot(times[begin:], right[begin:], color=GREY, linewidth=2.4, alpha=0.6, label="right")
    joined = np.concatenate([right[made.prefix - 1 : made.prefix], generated])
    axes.plot(times[made.prefix - 1 :], joined, color=BLUE, linewidth=1.2, label="generated")
    axes.set(ylabel="input u", xlim=(times[begin], times[-1]))


def draw_horizon(axes: Axes, made: Generation) -> None:
    """Draw the error over the horizon: each seed thin, the median over them."""
    errors = np.array([one["per_seed"] for one in made.found["nrmse_by_sample"]])  # (sample, seed)
    samples, seeds = np.arange(1, len(errors) + 1), errors.shape[1]
    if seeds > 1:
        axes.plot(samples, errors, color=BLUE, linewidth=0.5, alpha=0.35)
    label = "one seed" if seeds == 1 else f"median of {seeds} seeds"
    axes.plot(samples, np.median(errors, axis=1), color=BLUE, marker="o" if len(errors) < 10 else None, label=label)
    axes.axhline(1.0, color=GREY, linewidth=0.8, linestyle=":", label="always the mean")
    up_to = made.found["follows_up_to"]
    axes.axhline(up_to, color=VERMILION, linewidth=0.8, linestyle="--", label=f"counts as following: {up_to:g}")
    axes.set(xlabel="samples ahead", ylabel="NRMSE", title="error over the horizon", ylim=(0, None))
    axes.set_xlim(0, len(errors) + 0.5)
    axes.grid(axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=3.2)
