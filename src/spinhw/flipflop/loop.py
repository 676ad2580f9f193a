"""The training loop of all networks of a run, side by side."""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeVar

import torch
from torch import Tensor

from spinhw.device import DeviceSettings
from spinhw.errors import ConfigError
from spinhw.flipflop.drawing import held_out_trials
from spinhw.flipflop.learner import Member, learning_rate
from spinhw.flipflop.oscillators import OscillatorNetwork, device_of
from spinhw.flipflop.score import Score
from spinhw.flipflop.settings import FlipFlopRun, RecurrentSettings
from spinhw.training import Diverged, Interrupted, Progress, RunFolder
from spinhw.training.checkpoint import save_checkpoint
from spinhw.training.interrupt import Interrupt
from spinhw.training.versions import bit_versions

Found = TypeVar("Found")


class Ensemble:
    """All networks of a run, and the place in the run: what a checkpoint holds.

    Args:
        settings: The run.
    """

    def __init__(self, settings: FlipFlopRun) -> None:
        self.settings = settings
        # Oscillators are integrated on as many cores as there are; one network after another then.
        self.threads = settings.training.threads if isinstance(settings.network, RecurrentSettings) else 1
        self.members = [Member(settings, seed) for seed in settings.training.seeds]
        self.epoch = 0  # Epochs that are done.
        self.batch = 0  # Batches of the next epoch that are done.
        self.losses = [0.0] * len(self.members)  # Sums over the batches of the epoch so far.
        self.scores: list[Score] | None = None  # At the last look.
        self._restored: tuple[Mapping[str, Tensor], Mapping[str, Any]] | None = None
        self._started = time.monotonic()

    @property
    def step(self) -> int:
        """Steps of the optimiser that are done."""
        return self.epoch * self.settings.training.batches + self.batch

    @property
    def wall_s(self) -> float:
        """Time spent on the run so far, resumes included, in seconds."""
        return time.monotonic() - self._started

    def save(self, folder: RunFolder) -> None:
        """Write the checkpoint."""
        tensors = {name: value for member in self.members for name, value in member.tensors().items()}
        facts = {
            "epoch": self.epoch,
            "batch": self.batch,
            "losses": self.losses,
            "members": [member.facts() for member in self.members],
            "wall_s": self.wall_s,
            "versions": bit_versions(),
        }
        save_checkpoint(folder.checkpoint, tensors, facts)

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take up what a checkpoint held.

        Raises:
            ConfigError: It belongs to other networks.
        """
        try:
            for member, found in zip(self.members, facts["members"], strict=True):
                member.restore(tensors, found)
        except (RuntimeError, KeyError, ValueError) as error:
            raise ConfigError(
                "the checkpoint belongs to other networks than the config",
                seen=error,
                todo="restore the run folder from a copy",
            ) from error
        self.epoch, self.batch, self.losses = facts["epoch"], facts["batch"], facts["losses"]
        self._started = time.monotonic() - facts["wall_s"]
        self._restored = tensors, facts

    def enter_loop(self, profile: DeviceSettings, stack: ExitStack) -> None:
        """Open the device of each network and go on with that in the loop.

        Args:
            profile: The device.
            stack: Closes the devices.

        Raises:
            ConfigError: Network and device do not go together.
            DeviceError: Nothing answers.
        """
        for place, member in enumerate(self.members):
            if not isinstance(member.network, OscillatorNetwork):
                raise RuntimeError("only oscillators run on a device")
            member.enter_loop(stack.enter_context(device_of(member.network, profile)))
            if self._restored is not None:
                tensors, facts = self._restored
                member.restore_loop(tensors, facts["members"][place])
        self._restored = None


def each(function: Callable[[Any], Found], items: Sequence[Any], threads: int | None) -> list[Found]:
    """Call a function on every item, several at a time; each call computes on one thread of torch's.

    Args:
        function: What to do; must not depend on the other items.
        items: With what.
        threads: At most so many at a time; None for one for each core.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(min(threads or os.cpu_count() or 1, len(items)), initializer=_one_thread) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(before)


def _one_thread() -> None:
    torch.set_num_threads(1)  # Some builds of torch count by thread.


def train(ensemble: Ensemble, folder: RunFolder, progress: Progress, interrupt: Interrupt, devices: ExitStack) -> None:
    """Train from where the ensemble stands to the last epoch; the folder gets metrics and checkpoints.

    Args:
        ensemble: The networks.
        folder: Where to write.
        progress: Told what happens.
        interrupt: Asked after each batch whether to stop.
        devices: Holds the devices that come into the loop open, for what is to be measured afterwards.

    Raises:
        Interrupted: The user asked to stop; the batch was finished and saved.
        Diverged: A network went to infinity; checkpoints up to the last epoch are kept.
        ConfigError: The disk is full, or a device does not go with the networks.
        DeviceError: A device failed and was made safe; the last checkpoint is kept.
    """
    settings, training = ensemble.settings, ensemble.settings.training
    _train_until(training.epochs, ensemble, folder, progress, interrupt)
    if settings.device is not None:
        ensemble.enter_loop(settings.device, devices)
        _train_until(settings.all_epochs, ensemble, folder, progress, interrupt)


def _train_until(epochs: int, ensemble: Ensemble, folder: RunFolder, progress: Progress, interrupt: Interrupt) -> None:
    settings, training = ensemble.settings, ensemble.settings.training
    held_out = held_out_trials(settings.task, training)
    while ensemble.epoch < epochs:
        while ensemble.batch < training.batches:
            epoch, batch, number = ensemble.epoch, ensemble.batch, ensemble.step
            losses = each(lambda one: one.step(epoch, batch, number), ensemble.members, ensemble.threads)  # noqa: B023
            _refuse_divergence(ensemble, losses)
            ensemble.losses = [total + loss for total, loss in zip(ensemble.losses, losses, strict=True)]
            ensemble.batch += 1
            if ensemble.step % training.evaluate_every == 0 or ensemble.batch == training.batches:
                done = ensemble.step
                ensemble.scores = each(lambda one: one.look(held_out, done), ensemble.members, ensemble.threads)  # noqa: B023
            _tell(progress, ensemble)
            if interrupt.requested and ensemble.batch < training.batches:
                ensemble.save(folder)
                raise _interrupted(ensemble, folder)
        _finish_epoch(ensemble, folder, progress)
        if interrupt.requested:
            raise _interrupted(ensemble, folder)


def _finish_epoch(ensemble: Ensemble, folder: RunFolder, progress: Progress) -> None:
    row = _row(ensemble)
    folder.append_metrics(row)
    progress.on_epoch(row)
    ensemble.epoch, ensemble.batch, ensemble.losses = ensemble.epoch + 1, 0, [0.0] * len(ensemble.members)
    ensemble.save(folder)


def _row(ensemble: Ensemble) -> dict[str, Any]:
    training, scores = ensemble.settings.training, ensemble.scores or []
    loops = [one.loop for one in ensemble.members]
    return {
        "epoch": ensemble.epoch + 1,
        "loss": [total / training.batches for total in ensemble.losses],
        "mse": [one.mse for one in scores],
        "settled": [one.settled for one in scores],
        "accuracy": [one.bits_right for one in scores],
        "best_mse": [one.best_score.mse for one in ensemble.members if one.best_score is not None],
        "learning_rate": learning_rate(training, ensemble.step - 1),
        **({} if None in loops else {"inferences_on_device": [one.inferences for one in loops if one is not None]}),
        "wall_s": ensemble.wall_s,
    }


def _tell(progress: Progress, ensemble: Ensemble) -> None:
    training = ensemble.settings.training
    loss = sum(ensemble.losses) / (len(ensemble.losses) * ensemble.batch)
    progress.on_batch(ensemble.epoch, ensemble.batch, (ensemble.settings.all_epochs, training.batches), loss, None)


def _interrupted(ensemble: Ensemble, folder: RunFolder) -> Interrupted:
    batches = ensemble.settings.training.batches
    return Interrupted(
        f"interrupted and saved after {ensemble.epoch} epochs and {ensemble.batch} of {batches} batches",
        todo=f"go on with: {folder.resume_command}",
    )


def _refuse_divergence(ensemble: Ensemble, losses: list[float]) -> None:
    fine = [math.isfinite(loss) and one.finite() for loss, one in zip(losses, ensemble.members, strict=True)]
    if not all(fine):
        raise Diverged(
            f"training diverged in epoch {ensemble.epoch + 1}, batch {ensemble.batch + 1}",
            torch.tensor(fine),
            ensemble.settings.training.seeds,
            seen="a loss or weight that is not finite",
            todo="lower training.learning_rate, or set training.gradient_norm to 1",
        )
