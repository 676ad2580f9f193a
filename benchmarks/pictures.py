"""Charts of results.json: the time of a training step, and how it grows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.growth import NAMES
from benchmarks.timing import Row

GRID = "128 midpoint"
SHADES = {1: "#1b6ca8", 10: "#e08e45"}
COLOURS = dict(zip(NAMES, ("#1b6ca8", "#b4442f", "#4d8f3a"), strict=True))


def draw(results: dict[str, Any], folder: Path) -> None:
    """Write the pictures that the results have rows for."""
    folder.mkdir(exist_ok=True)
    if "compare_1" in results:
        training_step(results["compare_1"]["rows"], folder / "training_step.png")
    if "grow" in results:
        growth(results["grow"]["rows"], folder / "growth.png")


def training_step(rows: list[Row], path: Path) -> None:
    """Draw bars on a logarithmic axis, 1 and 10 networks, midpoint steps, one thread."""
    found = {
        (r["contender"], r["members"]): r["train"]["processor_s"] for r in rows if r["grid"] == GRID and "train" in r
    }
    names = sorted({name for name, _ in found}, key=lambda name: -found[name, 1])
    figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
    for members, shift in ((1, 0.2), (10, -0.2)):
        places = [index + shift for index in range(len(names))]
        values = [1e3 * found.get((name, members), float("nan")) for name in names]
        label = f"{members} network{'s' * (members > 1)}"
        bars = axes.barh(places, values, 0.38, color=SHADES[members], label=label)
        axes.bar_label(bars, [f"{value:.0f} ms" for value in values], padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    axes.set_xlim(1e3 * min(found.values()) / 3, 2.2e3 * max(found.values()))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("processor time of a training step in ms, one thread (logarithmic)")
    axes.set_title("Forward and backward, 96 neurons, 120 series, 128 midpoint steps", fontsize=10)
    axes.legend(loc="upper right", frameon=False)
    save(figure, [axes], path)


def growth(rows: list[Row], path: Path) -> None:
    """Draw one panel for each sweep, both axes logarithmic."""
    sweeps = list(dict.fromkeys(row["grows"] for row in rows))
    figure, grid = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
    for axes, what in zip(grid.flat, sweeps, strict=False):
        for name in NAMES:
            chosen = [row for row in rows if row["grows"] == what and row["contender"] == name]
            values, times = [row["value"] for row in chosen], [1e3 * row["processor_s"] for row in chosen]
            axes.loglog(values, times, "o-", markersize=4, color=COLOURS[name], label=name)
        if max(values) <= 1:
            axes.set_xscale("linear")
        ticks = sorted({row["value"] for row in rows if row["grows"] == what})
        axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(what.replace(", ", ",\n"), fontsize=9)
        axes.grid(axis="y", alpha=0.3)
    handles, labels = grid[0][0].get_legend_handles_labels()
    grid[1][2].legend(handles, labels, loc="center", frameon=False, title="processor time of\na training step in ms")
    for axes in grid.flat[len(sweeps) :]:
        axes.set_axis_off()
    save(figure, grid.flat, path)


def save(figure: Figure, panels: Iterable[Axes], path: Path) -> None:
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
