"""A read-out in closed form, of whatever a model shows."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.baselines.rows import Shown
from spinhw.estimate import CANDIDATES, Moments, fit
from spinhw.tasks import Batch, chosen
from spinhw.tasks.objective import wanted, weight_of

_AT_ONCE = 256  # Sequences that are run side by side.


@dataclass(frozen=True, eq=False)
class LinearReadout:
    """A linear read-out, float64.

    Args:
        weights: (output, state).
        bias: (output,).
    """

    weights: Tensor
    bias: Tensor

    def of(self, states: Tensor) -> Tensor:
        """Return the answers to states, (..., state): (..., output)."""
        return states @ self.weights.T + self.bias


def solved(shown: Shown, states: Callable[[Batch], Tensor], ridge: float | None = None) -> LinearReadout:
    """Solve for the read-out by ridge regression on the answers of a training part that count.

    Args:
        shown: The training part.
        states: Returns what a batch of one member shows, (sequence, answer, state).
        ridge: What a weight costs; None for the one with the least error by generalised cross-validation.
    """
    moments: Moments | None = None
    for first in range(0, shown.batch.size, _AT_ONCE):
        some = chosen(shown.batch, slice(first, first + _AT_ONCE))
        right, seen = wanted(some, shown.outputs), states(some)
        weight = weight_of(right, some)
        counts = torch.ones_like(right[..., 0]) if weight is None else weight[..., 0]
        moments = Moments.zero(1, seen.shape[2], shown.outputs) if moments is None else moments
        moments = moments.with_rows(seen.flatten(0, 1)[None], right.flatten(1, 2), counts.flatten(1))
    if moments is None:
        raise ValueError("no sequences were shown")
    fits = fit(moments, CANDIDATES if ridge is None else [ridge])
    best = int(fits.validated[0].argmin())
    return LinearReadout(fits.weights[0, best], fits.biases[0, best])
