"""A linear read-out in closed form: ridge regression from moments that are summed up batch by batch.

With weights w, states y and right answers t, and their weighted means taken off, the read-out W y + b that makes

    < |t - b - W y|^2 > + ridge c |W|^2,    c the mean variance of a state,

smallest is W = M^T (C + ridge c)^-1 with the covariances C = <y y^T>, M = <y t^T>, and b = <t> - W <y>: b is not
penalised, and `ridge` has no unit. Everything is float64, each member for itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

# Variance of a direction as a share of the largest, of which float64 knows nothing.
_ROUNDED_OFF = 1e-15
# Among which cross-validation chooses, a quarter of a decade apart. What float32 rounds off lies below the first.
CANDIDATES = tuple(10.0 ** (place / 4) for place in range(-40, 9))


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over rows: one row for each answer that counts.

    Args:
        rows: How many rows weigh more than nothing, (member,).
        weight: Sum of the weights, (member,).
        states: Of w y, (member, neuron).
        targets: Of w t, (member, output).
        squares: Of w y y^T, (member, neuron, neuron).
        mixed: Of w y t^T, (member, neuron, output).
        target_squares: Of w t^2, (member, output).
    """

    rows: Tensor
    weight: Tensor
    states: Tensor
    targets: Tensor
    squares: Tensor
    mixed: Tensor
    target_squares: Tensor

    @classmethod
    def zero(cls, members: int, neurons: int, outputs: int) -> "Moments":
        """Begin to sum up."""
        shapes = ((), (), (neurons,), (outputs,), (neurons, neurons), (neurons, outputs), (outputs,))
        return cls(*(torch.zeros(members, *shape, dtype=torch.float64) for shape in shapes))

    def with_rows(self, states: Tensor, targets: Tensor, weight: Tensor | None = None) -> "Moments":
        """Return the sums with some rows more.

        Args:
            states: y, (member, row, neuron).
            targets: t, (member, row, output).
            weight: w, 0 and above, (member, row); None where all weigh 1.
        """
        y, t = states.double(), targets.double()
        w = torch.ones_like(y[..., 0]) if weight is None else weight.double()
        wy, wt = w[..., None] * y, w[..., None] * t
        more = Moments(
            (w > 0).sum(1).double(),
            w.sum(1),
            wy.sum(1),
            wt.sum(1),
            wy.transpose(1, 2) @ y,
            wy.transpose(1, 2) @ t,
            (wt * t).sum(1),
        )
        return Moments(*(getattr(self, one.name) + getattr(more, one.name) for one in fields(self)))

    def named(self) -> dict[str, Tensor]:
        """Return the sums by name, as a checkpoint holds them."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def of(cls, named: Mapping[str, Tensor]) -> "Moments":
        """Take up what `named` gave."""
        return cls(**named)


@dataclass(frozen=True, eq=False)
class Fits:
    """The read-outs that several ridges give.

    Args:
        ridges: As they were asked for, (ridge,).
        weights: W, (member, ridge, output, neuron).
        biases: b, (member, ridge, output).
        errors: Mean squared error over the rows that they were fitted to, the mean over outputs, (member, ridge).
        validated: The same as generalised cross-validation expects it of other rows, (member, ridge).
    """

    ridges: Tensor
    weights: Tensor
    biases: Tensor
    errors: Tensor
    validated: Tensor


def fit(moments: Moments, ridges: Sequence[float] = CANDIDATES) -> Fits:
    """Solve for the read-out of every ridge at once, by one eigenbasis of the states' covariance.

    Generalised cross-validation (Golub, Heath and Wahba, Technometrics 21, 215 (1979)): error / (1 - p / n)^2 with n
    rows and p = 1 + sum e / (e + ridge c) over the eigenvalues e of the covariance. It takes rows for independent.
    With fewer rows than neurons it still tells one ridge from another, for both factors go to zero together.

    Args:
        moments: Sums over the rows.
        ridges: Above 0.
    """
    total = moments.weight[:, None].clamp_min(torch.finfo(torch.float64).tiny)
    mean, mean_target = moments.states / total, moments.targets / total
    covariance = moments.squares / total[..., None] - mean[:, :, None] * mean[:, None]
    mixed = moments.mixed / total[..., None] - mean[:, :, None] * mean_target[:, None]
    variance = (moments.target_squares / total - mean_target**2).sum(1)  # (member,)
    values, basis = torch.linalg.eigh(covariance)
    there = values > _ROUNDED_OFF * values[:, -1:]  # (member, neuron)
    values = torch.where(there, values, 0.0)
    size = values.mean(1).clamp_min(torch.finfo(torch.float64).tiny)[:, None, None]
    given = torch.tensor(ridges, dtype=torch.float64)
    penalty = given[:, None] * size  # (member, ridge, 1)
    shrunk = values[:, None] + penalty  # (member, ridge, neuron)
    along = (basis.transpose(1, 2) @ mixed) * there[..., None]  # (member, neuron, output)
    weights = (basis[:, None] @ (along[:, None] / shrunk[..., None])).transpose(2, 3)
    explained = along.square().sum(2) / torch.where(there, values, 1.0)  # By each direction, without a ridge.
    beyond = (variance - explained.sum(1)).clamp_min(0.0)
    # Each part by itself: where there are hardly more rows than directions, differences would be rounding alone.
    errors = beyond[:, None] + (explained[:, None] * (penalty / shrunk) ** 2).sum(2)
    errors = errors / moments.targets.shape[1]
    rows = moments.rows[:, None].clamp_min(1.0)
    left = (rows - 1 - there.sum(1, keepdim=True)).clamp_min(0.0) + (there[:, None] * penalty / shrunk).sum(2)
    validated = torch.where(left > 0, errors / (left / rows) ** 2, torch.inf)
    biases = mean_target[:, None] - (weights @ mean[:, None, :, None])[..., 0]
    return Fits(given, weights, biases, errors, validated)
