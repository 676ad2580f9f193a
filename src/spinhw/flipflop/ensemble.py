"""All networks of a run as the training loop sees them: each a step of its own, several at a time."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any, TypeVar

import torch
from torch import Tensor

from spinhw.cores import usable_cores
from spinhw.errors import ConfigError
from spinhw.flipflop.learner import Member
from spinhw.flipflop.settings import FlipFlopRun
from spinhw.tasks.score import Score
from spinhw.tasks.trial_task import held_out_trials
from spinhw.training import Diverged, RunFolder
from spinhw.training.checkpoint import save_checkpoint
from spinhw.training.schedule import scheduled_rates
from spinhw.training.versions import bit_versions

Found = TypeVar("Found")


class Ensemble:
    """All networks of a run, and the place in the run: what a checkpoint holds.

    Args:
        settings: The run.
    """

    def __init__(self, settings: FlipFlopRun) -> None:
        self.settings = settings
        self.threads, task = settings.training.threads, settings.open_task()
        self.members = [Member(settings, seed, task) for seed in settings.training.seeds]
        self.epoch = 0  # Epochs that are done.
        self.batch = 0  # Batches of the next epoch that are done.
        self.losses = [0.0] * len(self.members)  # Sums over the batches of the epoch so far.
        self.scores: list[Score] | None = None  # At the last look.
        self.epochs, self.batches = settings.training.epochs, settings.batches
        self._held_out = held_out_trials(settings.task)
        self._started = time.monotonic()

    @property
    def steps(self) -> int:
        """Steps of the optimiser that are done."""
        return self.epoch * self.batches + self.batch

    @property
    def wall_s(self) -> float:
        """Time spent on the run so far, resumes included, in seconds."""
        return time.monotonic() - self._started

    @property
    def loss(self) -> float:
        """Mean loss of the epoch so far."""
        return sum(self.losses) / (len(self.losses) * self.batch)

    @property
    def accuracy(self) -> None:
        """None: the answers are values."""
        return None

    @property
    def is_due(self) -> bool:
        """True: the checkpoint is written after each epoch."""
        return True

    def training_time(self) -> AbstractContextManager[None]:
        """Count nothing of its own."""
        return nullcontext()

    def step(self) -> None:
        """Let every network take a step, and look at the held-out trials when it is time."""
        epoch, batch, number = self.epoch, self.batch, self.steps
        losses = each(lambda one: one.step(epoch, batch, number), self.members, self.threads)
        self._refuse_divergence(losses)
        self.losses = [total + loss for total, loss in zip(self.losses, losses, strict=True)]
        self.batch += 1
        if self.steps % self.settings.training.evaluate_every == 0 or self.batch == self.batches:
            done = self.steps
            self.scores = each(lambda one: one.look(self._held_out, done), self.members, self.threads)

    def refuse_to_go_on(self, folder: RunFolder) -> None:
        """Do nothing: nothing is watched."""

    def row(self) -> dict[str, Any]:
        """Sum up the epoch that was just trained."""
        scores = self.scores or []
        return {
            "epoch": self.epoch + 1,
            "loss": [total / self.batches for total in self.losses],
            "mse": [one.mse for one in scores],
            "settled": [one.settled for one in scores],
            "accuracy": [one.bits_right for one in scores],
            "best_mse": [one.best_score.mse for one in self.members if one.best_score is not None],
            "learning_rate": self._rate(self.batches - 1),
            "wall_s": self.wall_s,
        }

    def _rate(self, batch: int) -> float:
        """Return the learning rate of a batch of this epoch."""
        training = self.settings.training
        return scheduled_rates(training.optimiser, 1, training.epochs, self.epoch, batch, self.batches)[0]

    def is_over(self, folder: RunFolder) -> bool:
        """Return False: all epochs are trained."""
        return False

    def finish_epoch(self) -> None:
        """Move on to the next epoch."""
        self.epoch, self.batch, self.losses = self.epoch + 1, 0, [0.0] * len(self.members)

    def save(self, folder: RunFolder) -> None:
        """Write the checkpoint."""
        tensors = {name: value for member in self.members for name, value in member.tensors().items()}
        facts = {
            "epoch": self.epoch,
            "batch": self.batch,
            "losses": self.losses,
            "scores": None if self.scores is None else [asdict(one) for one in self.scores],
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
        looked = facts.get("scores")  # Checkpoints of version 0.1 lack it.
        self.scores = None if looked is None else [Score(**one) for one in looked]
        self._started = time.monotonic() - facts["wall_s"]

    def _refuse_divergence(self, losses: list[float]) -> None:
        fine = [math.isfinite(loss) and one.finite() for loss, one in zip(losses, self.members, strict=True)]
        if not all(fine):
            raise Diverged(
                f"training diverged in epoch {self.epoch + 1}, batch {self.batch + 1}",
                torch.tensor(fine),
                self.settings.training.seeds,
                seen="a loss or weight that is not finite",
                todo="lower training.optimiser.learning_rate, or set training.optimiser.gradient_norm to 1",
            )


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
        with ThreadPoolExecutor(min(threads or usable_cores(), len(items)), initializer=_one_thread) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(before)


def _one_thread() -> None:
    torch.set_num_threads(1)  # Some builds of torch count by thread.
