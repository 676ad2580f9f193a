"""The control chart of a run: how far neurons in the loop were from where they began, look by look."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from spinhw.plots.canvas import BLUE, GREY, VERMILION, page

_APART = 1.6  # Scores of a look whose neurons are both written beside them differ by this factor: no text on another.
_LEAST = 0.5  # Smallest score shown: scores of nobody are zero.


def plot_drift(looks: Sequence[Mapping[str, Any]], alarms: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the largest score of each look, the limit, and every alarm, into a PNG file.

    Args:
        looks: As ``watch`` in ``metrics.jsonl``, of all epochs.
        alarms: As ``drift_alarms`` in ``summary.json``.
        path: The file.
    """
    with page(path, 6.4, 3.8) as figure:
        _draw(figure.subplots(), looks, alarms)


def _draw(axes: Axes, looks: Sequence[Mapping[str, Any]], alarms: Sequence[Mapping[str, Any]]) -> None:
    batches = np.array([look["batch"] for look in looks])
    scores = np.maximum([look["largest_score"] for look in looks], _LEAST)
    limits = np.array([look["limit"] for look in looks])
    axes.plot(batches, scores, "o-", color=BLUE, markersize=3, linewidth=1, label="largest score of a look")
    axes.plot(batches, limits, color=GREY, linestyle="--", label="limit")
    if alarms:
        _draw_alarms(axes, alarms)
    several = len({alarm["device_id"] for alarm in alarms}) > 1
    neurons = {(alarm["device_id"], alarm["neuron"]) for alarm in alarms}
    found = f"{len(alarms)} alarm{'s' * (len(alarms) != 1)}, {len(neurons)} neuron{'s' * (len(neurons) != 1)}"
    devices = f" of {len({alarm['device_id'] for alarm in alarms})} devices" if several else ""
    axes.set(xlabel="batches in the loop", ylabel="score $T^2$", yscale="log", title=f"drift: {found}{devices}")
    axes.set_ylim(_LEAST, 3 * max(scores.max(), limits.max()))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y")
    axes.legend(loc="lower right")


def _draw_alarms(axes: Axes, alarms: Sequence[Mapping[str, Any]]) -> None:
    """Mark alarms, and name the neurons of those that have room, the farthest first."""
    batches, scores = [alarm["batch"] for alarm in alarms], [alarm["score"] for alarm in alarms]
    axes.plot(batches, scores, "D", color=VERMILION, markersize=5, label="alarm, with its neuron", zorder=3)
    several = len({alarm["device_id"] for alarm in alarms}) > 1
    lowest = dict[int, float]()
    for alarm in sorted(alarms, key=lambda one: -one["score"]):
        if alarm["score"] * _APART > lowest.get(alarm["batch"], np.inf):
            continue
        lowest[alarm["batch"]] = alarm["score"]
        place, name = (alarm["batch"], alarm["score"]), f"{alarm['device_id']}: " if several else ""
        axes.annotate(f"{name}{alarm['neuron']}", place, xytext=(5, 2), textcoords="offset points", fontsize=8)
