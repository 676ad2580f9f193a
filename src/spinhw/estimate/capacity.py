"""How much of a target a linear read-out can reproduce: capacity (Dambre et al., Sci. Rep. 2, 514 (2012)).

    C = 1 - min_W <(z - W y)^2> / <z^2>

is the squared multiple correlation of a target z with the states y, 0 to 1. From T rows and N directions a capacity
of zero is estimated as N / T in the mean, so what lies below a threshold counts as zero.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Capacities:
    """Capacities of one network for several targets.

    Args:
        values: As estimated, (target,).
        threshold: The largest of as many shuffled targets as were tried.
    """

    values: Tensor
    threshold: float

    @property
    def counted(self) -> Tensor:
        """Those above the threshold, (target,); the others are zero."""
        return torch.where(self.values > self.threshold, self.values, 0.0)

    @property
    def total(self) -> float:
        """Sum of those that count."""
        return float(self.counted.sum())


def capacity_of(basis: Tensor, targets: Tensor) -> Tensor:
    """Return the capacity for each target, (target,).

    Args:
        basis: Of the states, orthonormal and without mean, (row, direction), as `orthonormal` gives it.
        targets: z, (row, target); their means are taken off.
    """
    centred = targets - targets.mean(0)
    return (basis.T @ centred).square().sum(0) / centred.square().sum(0)


def shuffled_threshold(basis: Tensor, targets: Tensor, shuffles: int, generator: torch.Generator) -> float:
    """Return the largest capacity for targets whose rows were shuffled: what comes about by chance.

    Args:
        basis: As of `capacity_of`.
        targets: (row, target). All of them are put into the same order, again and again.
        shuffles: How many shuffled ones are tried at least, 1 or more: one of so many true zeros passes the threshold.
        generator: Where the orders come from.
    """
    rows, count = targets.shape
    highest = 0.0
    for _ in range(-(-shuffles // count)):
        order = torch.randperm(rows, generator=generator)
        highest = max(highest, float(capacity_of(basis[order], targets).max()))
    return highest


def capacities(basis: Tensor, targets: Tensor, shuffles: int, generator: torch.Generator) -> Capacities:
    """Return capacities with their threshold; arguments as of `shuffled_threshold`."""
    return Capacities(capacity_of(basis, targets), shuffled_threshold(basis, targets, shuffles, generator))
