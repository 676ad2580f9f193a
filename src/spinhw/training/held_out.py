"""How well trained networks recognise images that they have not seen."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from spinhw.network import SpintronicNetwork
from spinhw.rollout import Steps
from spinhw.tasks import as_sequence
from spinhw.training.data import EnsembleData
from spinhw.training.divergence import Diverged
from spinhw.training.forward import logits
from spinhw.training.loss import correct_answers
from spinhw.training.progress import Tick
from spinhw.training.settings import TrainingSettings


def held_out_chunks(data: EnsembleData, size: int, tick: Tick | None = None) -> Iterator[Tensor]:
    """Give the held-out images as inputs (member, batch, time, 1), a chunk at a time."""
    images = data.test.shape[1]
    for start in range(0, images, size):
        yield as_sequence(data.test[:, start : start + size], data.task)
        if tick is not None:
            tick(min(start + size, images), images)


@torch.no_grad()
def held_out_logits(
    network: SpintronicNetwork,
    data: EnsembleData,
    training: TrainingSettings,
    steps: Steps | None = None,
    tick: Tick | None = None,
) -> Tensor:
    """Give the logits (member, image, class) of the held-out images, by simulation.

    Args:
        network: The networks.
        data: Their data.
        training: Images at a time, and the engine.
        steps: Another time grid than the network's own.
        tick: Told of the progress.

    Raises:
        Diverged: Some are not finite.
    """
    chunks = held_out_chunks(data, training.batch_size, tick)
    answers = torch.cat([logits(network, inputs, steps, training.engine) for inputs in chunks], dim=1)
    refuse_non_finite(answers, data.seeds)
    return answers


def refuse_non_finite(answers: Tensor, seeds: Sequence[int]) -> None:
    """Stop where the networks' answers are no numbers to count with.

    Args:
        answers: Logits, (member, image, class).
        seeds: Seed of each member.

    Raises:
        Diverged: Names the seeds.
    """
    fine = answers.isfinite().flatten(1).all(1)
    if not fine.all():
        raise Diverged(
            "the answers of the networks overflow",
            fine,
            seeds,
            seen="logits that are not finite",
            todo="bring network.weight_limit, out_gain, gain, sigma, drive_rate and task.input_scale nearer to one",
        )


def accuracy(answers: Tensor, labels: Tensor) -> list[float]:
    """Give each member's share of right answers, 0 to 1.

    Args:
        answers: Logits, (member, image, class).
        labels: (member, image).
    """
    return [count / labels.shape[1] for count in correct_answers(answers, labels).tolist()]


def confusion(answers: Tensor, labels: Tensor) -> list[list[int]]:
    """Count answers by class, summed over members: row is the true class, column the answer.

    Args:
        answers: Logits, (member, image, class).
        labels: (member, image).
    """
    classes = answers.shape[-1]
    pairs = labels.flatten() * classes + answers.argmax(-1).flatten()
    counts: list[list[int]] = torch.bincount(pairs, minlength=classes**2).view(classes, classes).tolist()
    return counts
