"""What a model reaches on a task, and the plainest one: an answer that is always the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from spinhw.energy import EnergySettings, software_ledger
from spinhw.errors import ConfigError
from spinhw.sequences import in_one
from spinhw.tasks import Batch, Classes, Feed, Part, Task, TaskSettings, joined
from spinhw.tasks.objective import wanted, weight_of

# Sequences that are read at a time.
_AT_ONCE = 256


@dataclass(frozen=True)
class Baseline:
    """What a model reached on a part of a task.

    Args:
        name: Such as "linear".
        values: The task's headline, such as accuracy (0 to 1) or NRMSE, for each seed.
        weights: Numbers that were fitted or drawn, those of one model, biases included.
        energy_j: Joules of an inference: multiply-adds times a constant, without memory.
        about: What it is, in a sentence or two.
        answer: Returns the answers (1, batch, answer, output) of the first seed's model to a batch of one member; None
            where the model is not kept.
    """

    name: str
    values: list[float]
    weights: int
    energy_j: float
    about: str
    answer: Callable[[Batch], Tensor] | None = field(default=None, repr=False, compare=False)

    def facts(self) -> dict[str, Any]:
        """Return what is kept of it beside its name, as plain data for JSON."""
        return {"values": self.values, "weights": self.weights, "energy_j": self.energy_j, "about": self.about}


def opened(task: TaskSettings, part: Part, seeds: Sequence[int]) -> Task:
    """Make a task whose sequences are shown as they are, without noise.

    Raises:
        ConfigError: It has no such part, or there are no seeds.
    """
    if part not in task.parts:
        raise ConfigError(
            "part: this task has no such part", seen=part, allowed=" or ".join(task.parts), todo="name one of these"
        )
    if not seeds:
        raise ConfigError("seeds: there are none", seen="[]", allowed="whole numbers from 0", todo="name some")
    return task.open(Feed(_AT_ONCE))


def headline(task: Task, seed: int, part: Part, answer: Callable[[Batch], Tensor]) -> float:
    """Measure a model on the sequences of a part by the task's first measure.

    Args:
        task: The task.
        seed: Whose sequences.
        part: Which.
        answer: Returns the answers to a batch of one member, (1, batch, answer, output).
    """
    batches = list(task.held_out([seed], part))
    return task.metrics(in_one([answer(one) for one in batches]), joined(batches))[0].values[0]


def arithmetic_j(energy: EnergySettings, task: TaskSettings, per_sample: int, per_answer: int) -> float:
    """Estimate the joules of an inference: multiply-adds times a constant, without non-linearities and memory.

    Args:
        energy: The constant.
        task: How many samples a sequence has in the mean, and how many answers.
        per_sample: Multiply-adds for each sample.
        per_answer: Multiply-adds for each answer.
    """
    answers, duration_s = task.mean_samples if task.per_step else 1, task.mean_samples * task.sample_interval_s
    parts = ((per_sample, task.mean_samples), (per_answer, answers))
    return sum(software_ledger(energy, 0, count, times, duration_s).per_inference_j for count, times in parts)


def plain_guess(task: TaskSettings, seeds: Sequence[int], part: Part) -> Baseline:
    """Measure the answer that is always the same: the largest class of the training part, or the mean of its values.

    Of several largest classes it is the first. Answers that do not count have no part in it, and others as much as
    they weigh.

    Args:
        task: The task.
        seeds: A model for each.
        part: On which sequences it is measured.

    Raises:
        ConfigError: The task has no such part, or there are no seeds.
    """
    shown = opened(task, part, seeds)
    values = []
    for seed in seeds:
        sums = torch.stack([_sums(shown.train([seed], 0, place), task.outputs) for place in range(shown.batches)]).sum(
            0
        )
        values.append(headline(shown, seed, part, partial(_always, sums[:-1] / sums[-1])))
    of_classes = isinstance(shown.train(seeds[:1], 0, 0).target, Classes)
    about = "the largest class of the training part" if of_classes else "the mean of the training part"
    return Baseline("plain guess", values, 1 if of_classes else task.outputs, 0.0, f"always {about}")


def _sums(batch: Batch, outputs: int) -> Tensor:
    """Return sums of right answers, (output,), and behind them of what they weigh."""
    right = wanted(batch, outputs)
    weight = weight_of(right, batch)
    weight = torch.ones_like(right[..., :1]) if weight is None else weight.double()
    return torch.cat([(weight * right).sum((0, 1, 2)), weight.sum()[None]])


def _always(level: Tensor, batch: Batch) -> Tensor:
    answers = batch.inputs.shape[2] if batch.target.per_step else 1
    return level.float().expand(*batch.inputs.shape[:2], answers, len(level))
