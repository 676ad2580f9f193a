"""A run folder to be looked into: settings, trained networks, metrics, recording."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from spinhw.device import Recording
from spinhw.network import SpintronicNetwork
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.learner import Learner
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings


class Run:
    """A run, finished or not. What is in its folder is read when it is asked for, once.

    Args:
        folder: Its run folder.

    Raises:
        ConfigError: It is no run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = RunFolder.open(folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._folder.path

    @cached_property
    def settings(self) -> RunSettings:
        """The settings that the run was started with, complete."""
        return self._folder.settings()

    @cached_property
    def network(self) -> SpintronicNetwork:
        """The trained networks as the last checkpoint has them: an ensemble with a member for each seed.

        They are what the run is measured by: the running average of the weights, where it has one.

        Raises:
            ConfigError: The checkpoint, or a calibration record that the run was trained with, is missing or damaged.
        """
        learner = Learner(self.settings)
        learner.restore(*load_checkpoint(self._folder.checkpoint))
        return learner.evaluated

    @cached_property
    def metrics(self) -> xr.Dataset:
        """What was written after each epoch, by ``epoch`` and ``seed``.

        Numbers of every seed lie on (epoch, seed), those of the whole run on (epoch); NaN where an epoch has none.
        Whatever is no number is kept as it was written, on (epoch), None where an epoch has none.
        """
        return metrics_table(self._folder.metrics(), self.settings.training.seeds)

    @property
    def summary(self) -> dict[str, Any]:
        """What came out, as ``summary.json`` has it.

        Raises:
            ConfigError: The run has not finished.
        """
        return self._folder.summary()

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the run comes from, as ``provenance.json`` has it; empty of a run that did not write it."""
        return self._folder.provenance()

    @cached_property
    def recordings(self) -> Recording:
        """The batches that were measured on the device; each is read when it is asked for.

        Raises:
            ConfigError: Nothing was recorded.
        """
        return Recording(self._folder.recording)


def open_run(folder: str | Path) -> Run:
    """Look into a run folder: its settings, trained networks, metrics, summary and recording.

    Raises:
        ConfigError: It is no run folder.
    """
    return Run(Path(folder))


def metrics_table(rows: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> xr.Dataset:
    """Make a table of the lines of ``metrics.jsonl``.

    Args:
        rows: A line for each epoch.
        seeds: One for each member.
    """
    names = dict.fromkeys(name for row in rows for name in row if name != "epoch")
    columns = {name: _column([row.get(name) for row in rows], len(seeds)) for name in names}
    return xr.Dataset(columns, {"epoch": [row["epoch"] for row in rows], "seed": list(seeds)})


def _column(cells: Sequence[Any], members: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Give the dimensions and the values of one name."""
    there = [cell for cell in cells if cell is not None]
    if there and all(_is_number(cell) for cell in there):
        return ("epoch",), np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
    if there and all(_is_row(cell, members) for cell in there):
        gap = [math.nan] * members
        return ("epoch", "seed"), np.array([gap if cell is None else cell for cell in cells], dtype=np.float64)
    plain = np.empty(len(cells), dtype=object)
    for place, cell in enumerate(cells):
        plain[place] = cell
    return ("epoch",), plain


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _is_row(cell: Any, members: int) -> bool:
    return isinstance(cell, list) and len(cell) == members and all(map(_is_number, cell))
