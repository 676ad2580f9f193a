"""Draw the wiring of a bench for docs/bench.md: .venv/bin/python docs/pictures/bench.py."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

INK, PALE, CHIP, PLAYED, SLOW, READ = "#222222", "#f4f4f4", "#dbe9f6", "#b5452c", "#7a4fa3", "#1b6ca8"


def _box(ax: Axes, x: float, y: float, width: float, height: float, text: str, colour: str = PALE) -> None:
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0.02", facecolor=colour, edgecolor=INK))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=9, color=INK)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], text: str, colour: str) -> None:
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.6})
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.07)
    ax.text(*middle, text, ha="center", va="bottom", fontsize=8, color=colour)


def _wiring(ax: Axes) -> None:
    ax.set(xlim=(0, 10.4), ylim=(-0.15, 5.3))
    ax.axis("off")
    _box(ax, 0.1, 3.3, 2.0, 0.9, "waveform source")
    _box(ax, 0.1, 1.8, 2.0, 0.9, "synapse controller")
    _box(ax, 0.1, 0.3, 2.0, 0.9, "current source")
    _box(ax, 4.0, 0.3, 2.0, 3.9, "chip\n\noscillators\nand resonators", CHIP)
    _box(ax, 6.9, 3.0, 1.2, 0.9, "switch\nmatrix")
    _box(ax, 8.9, 3.0, 1.4, 0.9, "digitizer")
    _box(ax, 8.9, 1.2, 1.4, 0.9, "digitizer")
    _arrow(ax, (2.12, 3.95), (3.97, 3.95), "inputs", PLAYED)
    _arrow(ax, (2.12, 3.5), (3.97, 3.5), "gate (or by itself)", PLAYED)
    _arrow(ax, (2.12, 2.25), (3.97, 2.25), "weights, biases", SLOW)
    _arrow(ax, (2.12, 0.75), (3.97, 0.75), "supply; V and I read", SLOW)
    _arrow(ax, (6.03, 3.45), (6.87, 3.45), "power x", READ)
    _arrow(ax, (8.13, 3.45), (8.87, 3.45), "4 at once", READ)
    _arrow(ax, (6.03, 1.65), (8.87, 1.65), "outputs  W_out y", READ)
    ax.plot([1.1, 1.1, 9.6], [4.23, 4.75, 4.75], color=INK, lw=1.2)
    ax.annotate("", (9.6, 3.92), (9.6, 4.77), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2})
    ax.text(5.3, 4.82, "trigger: an edge of the source starts the digitizers", ha="center", fontsize=8, color=INK)
    ax.text(
        8.2, 0.35, "the computer talks to every\ninstrument by LAN, USB or GPIB", ha="center", fontsize=8, color=INK
    )


def _batch(axes: list[Axes]) -> None:
    rest, image = 30, 64
    generator = np.random.default_rng(3)
    time, wave, gate = np.arange(3 * (rest + image) + rest), [], []
    for _ in range(3):
        rows = np.repeat(generator.uniform(-1, 1.6, image // 4), 4)
        wave += [np.zeros(rest), rows]
        gate += [np.zeros(rest), np.ones(image)]
    played = np.concatenate([*wave, np.zeros(rest)])
    opened = np.concatenate([*gate, np.zeros(rest)])
    for ax, signal, name, colour in zip(axes, (played, opened), ("input u", "gate"), (PLAYED, SLOW), strict=True):
        ax.step(time, signal, where="post", color=colour, lw=1.2)
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
        ax.set(yticks=[], xlim=(0, time[-1]))
        ax.spines[["top", "right", "left"]].set_visible(False)
    axes[0].set_xticks([])
    for part in range(3):
        start = part * (rest + image)
        axes[0].text(start + rest / 2, 1.75, "rest", ha="center", fontsize=8)
        axes[0].text(start + rest + image / 2, 1.75, f"image {part + 1}", ha="center", fontsize=8)
    axes[1].set_xlabel(
        "time in ns: one batch is one record, uploaded once (rests drawn shorter than they are)", fontsize=8
    )
    axes[1].tick_params(labelsize=8)


def _main() -> None:
    figure = plt.figure(figsize=(9, 6.2), layout="constrained")
    rows = figure.add_gridspec(3, 1, height_ratios=(5, 0.9, 0.6))
    _wiring(figure.add_subplot(rows[0]))
    _batch([figure.add_subplot(rows[1]), figure.add_subplot(rows[2])])
    figure.savefig(Path(__file__).with_name("bench.png"), dpi=130)


if __name__ == "__main__":
    _main()
