"""Memory by delay, capacity by degree, and the spectra behind ranks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from spinhw.plots.canvas import BLUE, GREY, LIGHT, VERMILION, page

_BY_DEGREE = "capacity of degree "


def plot_merit(found: Mapping[str, Any], path: Path) -> None:
    """Draw figures of merit into a PNG file: each network a thin line, their mean a thick one.

    Args:
        found: As `spinhw.merit.measure_merit` gives it.
        path: The file.
    """
    with page(path, 9.6, 3.4) as figure:
        memory, degrees, ranks = figure.subplots(1, 3)
        _memory(memory, found)
        _degrees(degrees, found)
        _spectra(ranks, found)


def _memory(axes: Axes, found: Mapping[str, Any]) -> None:
    figures = found["figures"]
    for name, colour in (("linear", BLUE), ("quadratic", VERMILION)):
        rows = np.asarray(found["by_delay"][name])
        axes.plot(rows.T, color=colour, alpha=0.2, linewidth=0.8)
        mean = figures[f"{name} memory capacity"]["mean"]
        axes.plot(rows.mean(0), color=colour, label=f"{name}, sum {mean:.2f}")
        axes.axhline(figures[f"{name} memory capacity"]["threshold"], color=colour, linewidth=0.8, linestyle=":")
    shown = np.asarray(found["by_delay"]["linear"]).mean(0)
    above = np.flatnonzero(shown > figures["linear memory capacity"]["threshold"])
    axes.set(xlabel="delay (samples)", ylabel="capacity", title="Memory", ylim=(0, 1.05))
    axes.set_xlim(0, min(len(shown) - 1, max(5, 1.5 * (above[-1] if len(above) else 0))))
    axes.legend()


def _degrees(axes: Axes, found: Mapping[str, Any]) -> None:
    rows = {name.removeprefix(_BY_DEGREE): one for name, one in found["figures"].items() if name.startswith(_BY_DEGREE)}
    for place, one in enumerate(rows.values()):
        axes.bar(place, one["mean"], color=BLUE, width=0.7)
        axes.plot(np.full(len(one["per_seed"]), place), one["per_seed"], ".", color=VERMILION, markersize=4)
    axes.set_xticks(range(len(rows)), list(rows))
    total = found["figures"]["information processing capacity"]["mean"]
    axes.axhline(found["states"], color=GREY, linewidth=0.8)
    axes.set(xlabel="degree", ylabel="capacity", title=f"Processing: {total:.1f} of {found['states']}")


def _spectra(axes: Axes, found: Mapping[str, Any]) -> None:
    largest = np.maximum(np.asarray(found["spectra"]["kernel"])[:, :1], np.finfo(float).tiny)
    for name, colour in (("kernel", BLUE), ("generalisation", VERMILION)):
        rows = np.asarray(found["spectra"][name])
        shares = rows / largest
        axes.plot(np.arange(1, rows.shape[1] + 1), shares.T, color=colour, alpha=0.2, linewidth=0.8)
        mean = found["figures"][f"{name} rank"]["mean"]
        axes.plot(np.arange(1, rows.shape[1] + 1), shares.mean(0), color=colour, label=f"{name}, rank {mean:.1f}")
    axes.axhline(found["choices"]["tolerance"], color=LIGHT, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_ylim(1e-7, 2)
    axes.set(xlabel="number", ylabel="singular value / largest of the kernel", title="Ranks")
    axes.legend()
