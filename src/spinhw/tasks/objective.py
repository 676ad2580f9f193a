"""How wrong and how good answers are, each member for itself. Answers are (member, batch, answer, output)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from spinhw.sequences import inside
from spinhw.tasks.base import Batch, Classes, Values


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

    Classes: mean negative log-likelihood in nats. Values: mean squared error over outputs. Both are means over all
    answers that count, whatever sequence they belong to, weighted where the batch says so; those of the washout and
    after a sequence's own end do not count.

    Args:
        answers: Logits or values.
        batch: What they answer.
        label_smoothing: Probability spread evenly over all classes, 0 to below 1.
    """
    counts = weight_of(answers, batch)
    if not isinstance(batch.target, Classes):
        return _mean_squares(answers - _right_values(batch.target), counts)
    labels = batch.target.labels
    flat = cross_entropy(
        answers.flatten(0, 2), labels.flatten(), label_smoothing=label_smoothing, reduction="none"
    ).view(labels.shape)
    if counts is None:
        return flat.flatten(1).mean(1)
    weight = counts[..., 0].view(labels.shape)
    return (flat * weight).flatten(1).mean(1) / weight.flatten(1).mean(1)


def weight_of(answers: Tensor, batch: Batch) -> Tensor | None:
    """Return how much each answer counts, (member, batch, answer, 1); None where all count the same."""
    counted = counting(answers, batch)
    if counted is None:
        return batch.weight
    mask = counted[..., None].to(answers.dtype)
    return mask if batch.weight is None else mask * batch.weight


def counting(answers: Tensor, batch: Batch) -> Tensor | None:
    """Tell which answers count, (member, batch, answer): after the washout, up to each end; None where all do."""
    if not batch.target.per_step:
        return None
    counted = inside(batch.lengths, answers.shape[2], batch.washout)
    return None if counted is None else counted.expand(answers.shape[:3])


def wanted(batch: Batch, outputs: int) -> Tensor:
    """Return what is right, (member, batch, answer, output): 1 for the right class and 0 for the others, or values.

    Args:
        batch: What is to be answered.
        outputs: Classes, or values.
    """
    if not isinstance(batch.target, Classes):
        return _right_values(batch.target).double()
    hot = one_hot(batch.target.labels, outputs).double()
    return hot if hot.ndim == 4 else hot[:, :, None]


def right_answers(answers: Tensor, batch: Batch) -> tuple[Tensor, Tensor] | None:
    """Count each member's right answers and those that count, both (member,); None where answers are no classes."""
    target = batch.target
    if not isinstance(target, Classes):
        return None
    right, counted = _right(answers, target.labels), counting(answers, batch)
    if counted is None:
        return right.flatten(1).sum(1), torch.full((len(right),), right[0].numel())
    return (right & counted).flatten(1).sum(1), counted.flatten(1).sum(1)


def metrics(answers: Tensor, batch: Batch) -> list[Metric]:
    """Say how good answers are; the first measure is the headline. All are of the answers that count, as `loss` says.

    Classes: "accuracy", the share of right answers. Values: "nrmse" and "rmse". The latter is the root of the mean
    squared error over answers and outputs, in the units of the right values; the former divides it by the standard
    deviation of the right values: of those of this batch that count, each output about its own mean, its variance the
    mean over outputs. So an answer that is always the mean has an nrmse of 1.

    Args:
        answers: Logits or values.
        batch: What they answer.
    """
    counts = weight_of(answers, batch)
    if isinstance(batch.target, Classes):
        return [Metric("accuracy", _shares(answers, batch.target.labels, counts))]
    values = _right_values(batch.target)
    errors = _mean_squares(answers - values, counts)
    if counts is None:
        mean = values.mean((1, 2), keepdim=True)
    else:
        mean = (values * counts).sum((1, 2), keepdim=True) / counts.sum((1, 2), keepdim=True)
    spread = _mean_squares(values - mean, counts)
    return [
        Metric("nrmse", (errors / spread.clamp_min(1e-30)).sqrt().tolist(), higher_is_better=False),
        Metric("rmse", errors.sqrt().tolist(), higher_is_better=False),
    ]


def _right_values(target: Values) -> Tensor:
    """Return right values as answers are shaped, (member, batch, answer, output)."""
    return target.values if target.per_step else target.values[:, :, None]


def _mean_squares(errors: Tensor, counts: Tensor | None) -> Tensor:
    """Return the (weighted) mean square of each member, (member,)."""
    squares = errors.square()
    if counts is None:
        return squares.mean((1, 2, 3))
    return (squares * counts).mean((1, 2, 3)) / counts.mean((1, 2, 3))


def _right(answers: Tensor, labels: Tensor) -> Tensor:
    """Tell which answers are right, (member, batch, answer)."""
    return (answers.argmax(-1).view(labels.shape) == labels).view(answers.shape[:3])


def _shares(answers: Tensor, labels: Tensor, counts: Tensor | None) -> list[float]:
    right = _right(answers, labels)
    if counts is None:
        return [count / right[0].numel() for count in right.flatten(1).sum(1).tolist()]
    weight = counts[..., 0]
    return ((right * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)).tolist()


def confusion(answers: Tensor, batch: Batch) -> list[list[int]] | None:
    """Count answers by class, summed over members: row is the true class, column the answer; only those that count.

    Args:
        answers: Logits.
        batch: What they answer.

    Returns:
        One row for each class; None where answers are no classes.
    """
    if not isinstance(batch.target, Classes):
        return None
    classes = answers.shape[-1]
    pairs = batch.target.labels.flatten() * classes + answers.argmax(-1).flatten()
    counted = counting(answers, batch)
    if counted is not None:
        pairs = pairs[counted.flatten()]
    counts: list[list[int]] = torch.bincount(pairs, minlength=classes**2).view(classes, classes).tolist()
    return counts
