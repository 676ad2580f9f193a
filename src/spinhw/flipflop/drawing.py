"""Trials of any task, for training and for measuring."""

from dataclasses import dataclass

import torch

from spinhw.flipflop.settings import FlipFlopTraining, TaskSettings
from spinhw.streams import torch_stream
from spinhw.tasks.decision_settings import DecisionSettings
from spinhw.tasks.decisions import draw_decisions
from spinhw.tasks.flipflop import draw_trials
from spinhw.tasks.trials import Trials


def draw(task: TaskSettings, count: int, generator: torch.Generator) -> Trials:
    """Draw trials of a task."""
    if isinstance(task, DecisionSettings):
        return draw_decisions(task, count, generator)
    return draw_trials(task, count, generator)


def measuring_trials(task: TaskSettings, count: int, what: str) -> Trials:
    """Draw trials that no network was trained on; the same ones for every network.

    Args:
        task: The task.
        count: How many.
        what: What for: "held out" (to choose the best network), "final" (to report), ...
    """
    return draw(task, count, torch_stream("flip-flop measuring", what))


def held_out_trials(task: TaskSettings, training: FlipFlopTraining) -> Trials:
    """Draw the trials by which the best network is chosen: long ones where it is to learn long holds."""
    return measuring_trials(_long(task, training), training.held_out, "held out")


def _long(task: TaskSettings, training: FlipFlopTraining) -> TaskSettings:
    return task if training.long_steps is None else task.model_copy(update={"steps": training.long_steps})


@dataclass(frozen=True)
class Feed:
    """Training sequences of one network, batch by batch; any batch can be drawn again at any time.

    Args:
        task: The task.
        training: Batch size, and whether each epoch's sequences are new.
        seed: The network's.
        kept: Every sequence, where they are the same in each epoch.
    """

    task: TaskSettings
    training: FlipFlopTraining
    seed: int
    kept: Trials | None

    @classmethod
    def of(cls, task: TaskSettings, training: FlipFlopTraining, seed: int) -> "Feed":
        """Prepare the sequences of a network."""
        kept = None if training.fresh else draw(task, training.sequences, torch_stream("flip-flop sequences", seed))
        return cls(task, training, seed, kept)

    def batch(self, epoch: int, batch: int) -> Trials:
        """Give a batch, both numbers from 0; the last of an epoch may be smaller."""
        first = batch * self.training.batch_size
        count = min(self.training.batch_size, self.training.sequences - first)
        if self.kept is None:
            task = self.task
            if self.training.is_long(epoch, batch):
                task = _long(task, self.training)
            return draw(task, count, torch_stream("flip-flop sequences", self.seed, epoch, batch))
        order = torch.randperm(self.training.sequences, generator=torch_stream("flip-flop order", self.seed, epoch))
        return self.kept.chosen(order[first : first + count])
