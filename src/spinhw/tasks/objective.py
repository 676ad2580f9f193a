"""How wrong and how good answers are, each member for itself. Answers are (member, batch, answer, output)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from spinhw.tasks.base import Batch, Classes


@dataclass(frozen=True)
class Metric:
    """How good the answers of every member are, by one measure.

    Args:
        name: Such as "accuracy".
        values: One for each member.
        higher_is_better: Its direction.
    """

    name: str
    values: list[float]
    higher_is_better: bool = True

    def better(self, one: float, other: float) -> bool:
        """Tell whether one value of this measure is better than another."""
        return one > other if self.higher_is_better else one < other


def loss(answers: Tensor, batch: Batch, label_smoothing: float = 0.0) -> Tensor:
    """Return each member's loss, (member,): no member's gradient depends on another.

    Classes: mean negative log-likelihood in nats. Values: mean squared error over sequences, time and outputs. Answers
    are weighted, and those of the washout and after a sequence's own end left out, where the batch says so.

    Args:
        answers: Logits or values.
        batch: What they answer.
        label_smoothing: Probability spread evenly over all classes, 0 to below 1.
    """
    counts = weight_of(answers, batch)
    if not isinstance(batch.target, Classes):
        squares = (answers - batch.target.values).square()
        if counts is None:
            return squares.mean((1, 2, 3))
        return (squares * counts).mean((1, 2, 3)) / counts.mean((1, 2, 3))
    labels = batch.target.labels
    flat = cross_entropy(
        answers.flatten(0, 2), labels.flatten(), label_smoothing=label_smoothing, reduction="none"
    ).view(labels.shape)
    if counts is None:
        return flat.flatten(1).mean(1)
    return (flat * counts[..., 0]).flatten(1).mean(1) / counts[..., 0].flatten(1).mean(1)


def weight_of(answers: Tensor, batch: Batch) -> Tensor | None:
    """Return how much each answer counts, (member, batch, answer, 1); None where all count the same."""
    if answers.shape[2] == 1 and batch.inputs.shape[2] > 1:
        return None  # One answer at the end of each sequence.
    time = torch.arange(answers.shape[2])
    inside = time >= batch.washout
    if batch.lengths is None and batch.washout == 0:
        return batch.weight
    if batch.lengths is not None:
        inside = inside & (time < batch.lengths[..., None])
    mask = inside.expand(*answers.shape[:3])[..., None].to(answers.dtype)
    return mask if batch.weight is None else mask * batch.weight


def right_answers(answers: Tensor, batch: Batch) -> Tensor | None:
    """Count each member's right answers, (member,), where a sequence has one class; None for other targets."""
    target = batch.target
    if not isinstance(target, Classes) or target.labels.ndim != 2:
        return None
    return (answers[:, :, 0].argmax(-1) == target.labels).sum(-1)


def metrics(answers: Tensor, batch: Batch) -> list[Metric]:
    """Say how good answers are; the first measure is the headline.

    Classes: "accuracy", the share of right answers. Values: "nrmse", the root of the mean squared error over the
    standard deviation of the right values, and "mse".

    Args:
        answers: Logits or values.
        batch: What they answer.
    """
    counts = weight_of(answers, batch)
    if isinstance(batch.target, Classes):
        return [Metric("accuracy", _shares(answers, batch.target.labels, counts))]
    errors = loss(answers, batch)
    values = batch.target.values
    spread = loss(values.mean((1, 2), keepdim=True).expand_as(values), batch)
    return [
        Metric("nrmse", (errors / spread.clamp_min(1e-30)).sqrt().tolist(), higher_is_better=False),
        Metric("mse", errors.tolist(), higher_is_better=False),
    ]


def _shares(answers: Tensor, labels: Tensor, counts: Tensor | None) -> list[float]:
    right = answers.argmax(-1).view(labels.shape) == labels
    if counts is None:
        return [count / right[0].numel() for count in right.flatten(1).sum(1).tolist()]
    weight = counts[..., 0].view(labels.shape)
    return ((right * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)).tolist()


def confusion(answers: Tensor, labels: Tensor) -> list[list[int]]:
    """Count answers by class, summed over members: row is the true class, column the answer.

    Args:
        answers: Logits.
        labels: As of `Classes`.
    """
    classes = answers.shape[-1]
    pairs = labels.flatten() * classes + answers.argmax(-1).flatten()
    counts: list[list[int]] = torch.bincount(pairs, minlength=classes**2).view(classes, classes).tolist()
    return counts
