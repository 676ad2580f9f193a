"""The smallest network that does the task: one run for each number of units, and which of them learned."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinhw.atomic import make_folder, write_atomically
from spinhw.errors import ConfigError
from spinhw.flipflop.run import FlipFlopResults, resume_flipflop, train_flipflop
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.network.recurrent_settings import RecurrentSettings
from spinhw.plots.canvas import BLUE, GREY, attempted, page
from spinhw.tasks.trial_settings import HOLD_STEPS
from spinhw.training import SILENT, Progress

# Share of trials that must end with the right sign of every output.
ENOUGH = 0.97


@dataclass(frozen=True)
class Size:
    """What networks of one size learned.

    Args:
        units: Their number of units.
        bits_right: Share of fresh trials that end with the right sign of every output, one for each seed.
        mse: Mean squared error, likewise.
        held: Share of trials that hold for `HOLD_STEPS`, likewise.
    """

    units: int
    bits_right: tuple[float, ...]
    mse: tuple[float, ...]
    held: tuple[float, ...]

    @classmethod
    def of(cls, results: FlipFlopResults) -> "Size":
        """Take it from a run."""
        summary = results.summary
        each = (tuple(summary[name]["per_seed"]) for name in ("bits_right", "mse", "held"))
        return cls(summary["units"], *each)

    @property
    def done(self) -> int:
        """How many of the networks do the task."""
        return sum(one >= ENOUGH for one in self.bits_right)


def smallest(sizes: Sequence[Size], *, every: bool) -> int | None:
    """Give the least number of units with which every network did the task, or one of them; None where none did."""
    return min((one.units for one in sizes if one.done >= (len(one.bits_right) if every else 1)), default=None)


def train_sizes(runs: Sequence[FlipFlopRun], folder: Path, progress: Progress = SILENT) -> list[Size]:
    """Train networks of several sizes, a run folder for each; what is there already is gone on with.

    Args:
        runs: One for each size, with recurrent units in software.
        folder: Gets a folder ``units-N`` for each, ``smallest.json`` and ``smallest.png``.
        progress: Told what happens.

    Raises:
        ConfigError: A run there has other settings, a network is none of units, or the disk is full.
        Interrupted: The user asked to stop; the same call goes on.
    """
    by_units = {_units(run): run for run in runs}
    make_folder(folder)
    found = []
    for units, run in sorted(by_units.items()):
        place = folder / f"units-{units}"
        done = resume_flipflop(place, run, progress) if place.exists() else train_flipflop(run, place, progress)
        found.append(Size.of(done))
        write_atomically(folder / "smallest.json", (json.dumps(_facts(found), indent=2) + "\n").encode())
    with attempted(folder / "smallest.png"):
        plot_sizes(found, folder / "smallest.png")
    return found


def _units(run: FlipFlopRun) -> int:
    if run.task.kind != "flipflop":
        raise ConfigError(
            "the size is asked for of flip-flop networks", seen=f"task {run.task.kind}", allowed="flipflop"
        )
    if not isinstance(run.network, RecurrentSettings):
        raise ConfigError(
            "only recurrent networks in software have a number of units",
            seen=f"kind {run.network.kind}",
            allowed="tanh, gru or lstm",
        )
    return run.network.units


def plot_sizes(sizes: Sequence[Size], path: Path) -> None:
    """Draw what the networks of each size learned, every one a dot, and the mean over the seeds."""
    panels = [("bits_right", "end with every sign right (%)"), ("held", f"hold for {HOLD_STEPS} steps (%)")]
    with page(path, 9.0, 3.6) as figure:
        grid = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, (name, label) in zip(grid, panels, strict=True):
            shares = [[100 * share for share in getattr(one, name)] for one in sizes]
            for one, values in zip(sizes, shares, strict=True):
                axes.plot([one.units] * len(values), values, "o", color=BLUE, markersize=5, alpha=0.6)
            axes.plot([one.units for one in sizes], [sum(one) / len(one) for one in shares], color=BLUE)
            axes.set_xscale("log", base=2)
            axes.set(xlabel="units", ylabel=f"trials that {label}", ylim=(-3, 103))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_xticks([one.units for one in sizes])
            axes.grid(axis="y")
        grid[0].axhline(100 * ENOUGH, color=GREY, linestyle="--", linewidth=1.0)


def _facts(sizes: Sequence[Size]) -> dict[str, Any]:
    return {
        "enough": ENOUGH,
        "every_seed": smallest(sizes, every=True),
        "one_seed": smallest(sizes, every=False),
        "sizes": [vars(one) for one in sizes],
    }
