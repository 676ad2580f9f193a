"""A network and its baselines side by side: every seed a dot, the mean with its interval."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spinhw.plots.canvas import BLUE, LIGHT, VERMILION, page
from spinhw.training.measures import measure_of

_SPREAD = 0.14  # Dots of seeds stand beside each other within this distance of their model's line.


def plot_baselines(found: Mapping[str, Any], path: Path) -> None:
    """Draw a comparison as PNG, the best model on top.

    Args:
        found: As `spinhw.baselines.compare` gives it.
        path: The file.
    """
    measure = measure_of(found)
    models = sorted(found["models"].items(), key=lambda one: one[1]["mean"], reverse=not measure.higher_is_better)
    first = next(iter(found["models"]))
    with page(path, 6.8, 1.2 + 0.42 * len(models)) as figure:
        axes = figure.subplots()
        for place, (name, model) in enumerate(models):
            colour = VERMILION if name == first else BLUE
            values = measure.scale * np.array(model["per_seed"])
            beside = place + _SPREAD * np.linspace(-1, 1, len(values)) if len(values) > 1 else np.array([place])
            axes.axhline(place, color=LIGHT, linewidth=0.6, zorder=1)
            axes.plot(values, beside, "o", color=colour, alpha=0.4, markersize=3.5, markeredgewidth=0, zorder=2)
            if model["interval95"] is not None:
                axes.plot(measure.scale * np.array(model["interval95"]), [place, place], color=colour, zorder=3)
            axes.plot(measure.scale * model["mean"], place, "D", color=colour, markersize=5, zorder=4)
        axes.set_yticks(range(len(models)), [name for name, _ in models])
        axes.set_ylim(-0.6, len(models) - 0.4)
        axes.set(xlabel=measure.axis, title=f"{found['name']}, {found['part']} part, {len(found['seeds'])} seeds")
