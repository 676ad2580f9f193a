"""Recurrent networks in software as the training loop sees them: each a step of its own, several at a time."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor

from spinhw.cores import usable_cores
from spinhw.network import RecurrentSettings
from spinhw.tasks import Task
from spinhw.training.checkpoint import of_others, save_checkpoint
from spinhw.training.divergence import Diverged
from spinhw.training.run_folder import RunFolder
from spinhw.training.schedule import scheduled_rates
from spinhw.training.software_member import Member, SoftwareTraining
from spinhw.training.versions import bit_versions

Found = TypeVar("Found")


class Ensemble:
    """All networks of a run, and the place in the run: what a checkpoint holds.

    Args:
        network: The networks as designed.
        training: How they are trained.
        seeds: One for each.
        task: What they are trained on.
        look_every: Steps between looks; the end of an epoch is one in any case.
        told: What an epoch tells of the last look, by the name of its measure.
        threads: At most so many are trained at a time; None for one for each core.
        save_every: Epochs between checkpoints.
    """

    def __init__(
        self,
        network: RecurrentSettings,
        training: SoftwareTraining,
        seeds: Sequence[int],
        task: Task,
        *,
        look_every: int = 1,
        told: Mapping[str, str] = MappingProxyType({}),
        threads: int | None = None,
        save_every: int = 1,
    ) -> None:
        self._training, self._seeds, self._look_every, self._told = training, tuple(seeds), look_every, told
        self.threads, self._save_every = threads, save_every
        self.members = [Member(network, training, seed, task) for seed in seeds]
        self.epoch = 0  # Epochs that are done.
        self.batch = 0  # Batches of the next epoch that are done.
        self.losses = [0.0] * len(self.members)  # Sums over the batches of the epoch so far.
        self.scores: list[dict[str, float]] | None = None  # At the last look.
        self.epochs, self.batches = training.epochs, task.batches
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
        """None: nobody counts right answers on the way."""
        return None

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint is due after the epoch that was just finished."""
        return self.epoch % self._save_every == 0

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
        if self._training.look is not None and (self.steps % self._look_every == 0 or self.batch == self.batches):
            done = self.steps
            self.scores = each(lambda one: one.look(done), self.members, self.threads)

    def refuse_to_go_on(self, folder: RunFolder) -> None:
        """Do nothing: nothing is watched."""

    def row(self) -> dict[str, Any]:
        """Sum up the epoch that was just trained."""
        scores, by = self.scores or [], self._training.judged_by
        looked = (
            {}
            if self._training.look is None
            else {name: [one[key] for one in scores] for key, name in self._told.items()}
        )
        best = [one.best_score[by] for one in self.members if one.best_score is not None]
        return {
            "epoch": self.epoch + 1,
            "loss": [total / self.batches for total in self.losses],
            **looked,
            **({f"best_{by}": best} if looked else {}),
            "learning_rate": self._rate(self.batches - 1),
            "wall_s": self.wall_s,
        }

    def _rate(self, batch: int) -> float:
        """Return the learning rate of a batch of this epoch."""
        return scheduled_rates(self._training.optimiser, 1, self.epochs, self.epoch, batch, self.batches)[0]

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
            "scores": self.scores,
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
            raise of_others(error) from error
        self.epoch, self.batch, self.losses = facts["epoch"], facts["batch"], facts["losses"]
        self.scores = facts.get("scores")  # Checkpoints of version 0.1 lack it.
        self._started = time.monotonic() - facts["wall_s"]

    def _refuse_divergence(self, losses: list[float]) -> None:
        fine = [math.isfinite(loss) and one.finite() for loss, one in zip(losses, self.members, strict=True)]
        if not all(fine):
            raise Diverged(
                f"training diverged in epoch {self.epoch + 1}, batch {self.batch + 1}",
                torch.tensor(fine),
                self._seeds,
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
