"""`align`: the gradients of a run, compared with the device's own."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from spinhw.atomic import make_folder, write_atomically
from spinhw.gradients import refuse_mode
from spinhw.tasks import Batch, Task
from spinhw.training.alignment import DIRECTIONS, Reference, align
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.deploy import device_for, refuse_misfit
from spinhw.training.device_loop import put_in_loop
from spinhw.training.handed_over import with_data
from spinhw.training.learner import Learner
from spinhw.training.member import of_seeds
from spinhw.training.progress import SILENT, Progress
from spinhw.training.refusals import without_device
from spinhw.training.run_folder import RunFolder
from spinhw.training.settings import RunSettings
from spinhw.training.start import start_from

# What is compared where nothing is named; finite differences take thousands of shots.
USUAL = ("surrogate", "output", "layerwise", "observer", "spsa")


def align_run(
    settings: RunSettings,
    folder: Path | None = None,
    modes: Sequence[str] = USUAL,
    batches: int = 8,
    directions: int = DIRECTIONS,
    progress: Progress = SILENT,
    seeds: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Compare the gradients of several modes with the device's own, on training images.

    The device's own gradient is the true one of a simulated chip; on a bench its slopes along random directions, whose
    cosines scatter by about 1 / sqrt(directions) for each batch.

    Args:
        settings: The run, with a device.
        folder: A run folder, whose trained networks are taken; None for networks as they would begin.
        modes: Gradient modes.
        batches: Batches to average over, at least 1.
        directions: Random directions of a batch, at least 2.
        progress: Told what happens.
        seeds: Of the networks to look at; None for all of the run.

    Returns:
        ``reference`` ("truth" or "slopes"), ``epochs`` of the networks, ``device`` and ``cosines`` by mode.

    Raises:
        ConfigError: There is no device, it cannot do what a mode needs, or the run has no such seed.
        DeviceError: The device failed.
    """
    profile = settings.device
    if profile is None:
        raise without_device()
    refuse_misfit(settings)
    learner = Learner(settings)
    if folder is None:
        start_from(learner, settings)
    else:
        opened = RunFolder.open(folder)
        settings = with_data(opened, settings)
        learner.restore(*load_checkpoint(opened.checkpoint))
    settings, network = of_seeds(settings, learner.evaluated, seeds)
    training = settings.training
    task = settings.open_task()
    with device_for(settings, profile) as device:
        for mode in modes:
            refuse_mode(mode, device)
        loops = {mode: put_in_loop(training, network, device, mode) for mode in modes}
        reference = Reference(put_in_loop(training, network, device, "output"), training.label_smoothing, directions)
        cosines = align(
            loops,
            reference,
            _batches(task, training.seeds, learner.epoch, batches),
            training.label_smoothing,
            lambda done: progress.on_evaluation("alignment", done, batches),
        )
    return {
        "reference": "truth" if reference.knows else "slopes",
        "epochs": learner.epoch,
        "device": list(device.describe().device_ids),
        "cosines": cosines,
    }


def write_alignment(found: dict[str, Any], path: Path) -> None:
    """Write what was found as JSON.

    Raises:
        ConfigError: The file cannot be written.
    """
    make_folder(path.parent)
    write_atomically(path, (json.dumps(found, indent=2, allow_nan=False) + "\n").encode())


def _batches(task: Task, seeds: Sequence[int], epoch: int, count: int) -> Iterator[Batch]:
    """Give training batches that the run has not seen yet: those of the epochs to come."""
    each = task.batches
    for number in range(count):
        yield task.train(seeds, epoch + number // each, number % each)
