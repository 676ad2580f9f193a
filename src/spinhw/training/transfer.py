"""Trained networks on many simulated chips: how well they do on one that they have never seen."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.atomic import write_atomically
from spinhw.device import Device, DeviceSettings, SimulatedSettings, open_device
from spinhw.errors import ConfigError
from spinhw.network import SpintronicNetwork
from spinhw.tasks import Task
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.deploy import answer_on_device
from spinhw.training.handed_over import with_data
from spinhw.training.held_out import refuse_non_finite
from spinhw.training.learner import Learner
from spinhw.training.measures import headline_of
from spinhw.training.member import of_seeds, repeated
from spinhw.training.progress import SILENT, Progress, Tick
from spinhw.training.provenance import circumstances
from spinhw.training.refusals import simulated
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings
from spinhw.training.statistics import of_pairs
from spinhw.training.summary import told_of
from spinhw.training.versions import versions

# Chips that are simulated side by side, which bounds the memory; a chip measures the same beside any others.
TOGETHER = 10


def evaluate_on_chips(
    folder: Path,
    chips: int,
    device: DeviceSettings | None = None,
    progress: Progress = SILENT,
    note: str = "",
    seeds: Sequence[int] | None = None,
    task: Any = None,
) -> dict[str, Any]:
    """Measure every network of a run on the chips ID-0, ID-1, ... of a profile; the run itself is not changed.

    Pairs of a network and the very chip that it was trained on are measured, named and left out of the statistics.

    Args:
        folder: A run folder, finished or not.
        chips: How many, at least 1.
        device: A simulated device; None for the run's own.
        progress: Told what happens.
        note: Given back with what came out, in place of ``run.note``.
        seeds: Of the networks to measure; None for all of the run.
        task: What `train` was given, where a task was handed over to it.

    Returns:
        ``epochs``, ``device``, ``seeds``, ``ids`` of the chips, ``measure`` (the one that counts) and, under its name,
        such as ``accuracy``, what `of_pairs` gives, ``trained_on`` (place of seed and chip of each pair that is left
        out), ``versions`` and ``provenance``.

    Raises:
        ConfigError: There is no simulated device, it is no run folder, the run has no such seed, or no pair is left.
        LimitError: The networks are beyond a limit of the chips.
    """
    if chips < 1:
        raise ValueError(f"there must be a chip or more, not {chips}")
    opened = RunFolder.open(folder)
    settings = with_data(opened, opened.settings(), task)
    profile = simulated(device or settings.device)
    around = circumstances(settings.run, note)
    learner = Learner(settings)
    learner.restore(*load_checkpoint(opened.checkpoint))
    settings, network = of_seeds(settings, learner.evaluated, seeds)
    shown = settings.open_task()
    counted = headline_of(settings.task)
    tick = partial(progress.on_evaluation, f"{counted.called} on chips")
    own = _own(settings, profile, chips)
    if len(own) == chips * len(settings.training.seeds):
        raise ConfigError(
            "every network was trained on the only chip that there would be", seen=chips, todo="raise --chips"
        )
    table = np.concatenate(list(_measured(settings, network, shown, profile, chips, tick)), axis=1)  # (seed, chip)
    left_out = np.zeros_like(table, dtype=bool)
    for seed, chip in own:
        left_out[seed, chip] = True
    return {
        "epochs": learner.epoch,
        "device": profile.id,
        "seeds": list(settings.training.seeds),
        "ids": [f"{profile.id}-{number}" for number in range(chips)],
        **told_of(settings.task),
        counted.name: of_pairs(table, left_out, counted.higher_is_better),
        "trained_on": own,
        "versions": versions(),
        "provenance": around,
    }


def write_transfer(found: dict[str, Any], path: Path) -> None:
    """Write what was found as JSON.

    Raises:
        ConfigError: The file cannot be written.
    """
    write_atomically(path, (json.dumps(found, indent=2, allow_nan=False) + "\n").encode())


def _own(settings: RunSettings, profile: SimulatedSettings, chips: int) -> list[list[int]]:
    """Name the pairs of seed and chip, by their places, that were in the loop together."""
    training = settings.training
    if settings.device != profile or training.loop_start >= training.epochs:
        return []
    return [[place, seed] for place, seed in enumerate(training.seeds) if seed < chips]


def _measured(
    settings: RunSettings,
    network: SpintronicNetwork,
    task: Task,
    profile: SimulatedSettings,
    chips: int,
    tick: Tick,
) -> Iterator[NDArray[np.float64]]:
    """Give the headline figures (seed, chip) of some chips after others."""
    groups = [range(first, min(first + TOGETHER, chips)) for first in range(0, chips, TOGETHER)]
    seeds, done = settings.training.seeds, 0
    total = len(groups) * len(seeds)
    for group in groups:
        rows = []
        with open_device(
            profile, settings.network, settings.task.sample_interval_s, group, answer=settings.answer
        ) as device:
            for place in range(len(seeds)):
                tick(done, total)
                rows.append(_on(device, network, settings, task, place))
                done += 1
        tick(done, total)
        yield np.array(rows)


def _on(device: Device, networks: SpintronicNetwork, settings: RunSettings, task: Task, place: int) -> list[float]:
    """Give the headline figure of one network on each chip of a device."""
    count, seed = device.describe().members, settings.training.seeds[place]
    network, alike = repeated(networks, place, seed, count), (seed,) * count
    found = answer_on_device(network, task, alike, settings.final_part, device, lambda done, total: None)
    refuse_non_finite(found.answers, alike, settings)
    return task.metrics(found.answers, found.batch)[0].values
