"""What one network answers beside what is right, for figures."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.tasks import Batch, Classes, Task, counting
from spinhw.training.forward import logits
from spinhw.training.held_out import first_held_out
from spinhw.training.member import member_of
from spinhw.training.settings import RunSettings

# Sequences that are looked at: enough for a cloud of points.
SEQUENCES = 200


@dataclass(frozen=True)
class Predictions:
    """Answers of one network to its first held-out sequences, beside the right ones.

    Args:
        answered: Values, or the classes that were taken for the likeliest, (sequence, answer, output); one output for
            classes.
        right: The same, as it should be.
        counted: Which answers count, (sequence, answer): not those of the washout or after a sequence's own end.
        per_step: Whether there is an answer after each sample.
        classes: Whether answers are classes.
    """

    answered: NDArray[np.float64]
    right: NDArray[np.float64]
    counted: NDArray[np.bool_]
    per_step: bool
    classes: bool


@torch.no_grad()
def record_predictions(
    network: SpintronicNetwork, settings: RunSettings, task: Task, steps: Steps | None = None
) -> Predictions:
    """Take the answers of the first member.

    Args:
        network: An ensemble.
        settings: The run.
        task: Its task.
        steps: Another time grid than the network's own.
    """
    seed = settings.training.seeds[0]
    batch = first_held_out(task, [seed], settings.final_part, SEQUENCES)
    return predictions_of(logits(member_of(network, 0, seed), batch, steps, settings.training.engine), batch)


def predictions_of(answers: Tensor, batch: Batch) -> Predictions:
    """Put answers beside what is right.

    Args:
        answers: Of one member, (1, sequence, answer, output).
        batch: What was asked, of one member.
    """
    target, counted = batch.target, counting(answers, batch)
    if isinstance(target, Classes):
        answered, right = answers[0].argmax(-1, keepdim=True), target.labels[0]
    else:
        answered, right = answers[0], target.values[0]
    every = np.ones(answered.shape[:2], dtype=bool) if counted is None else counted[0].numpy()
    return Predictions(
        answered.double().numpy(),
        right.reshape(answered.shape).double().numpy(),
        every,
        target.per_step,
        isinstance(target, Classes),
    )
