"""Sequences and what a network should answer to them."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Trials:
    """Some trials of a task.

    Args:
        inputs: (trial, time, input).
        targets: (trial, time, output).
        weights: How much each step counts in the loss, (trial, time, 1); None where all count the same.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def chosen(self, trials: Tensor | slice) -> "Trials":
        """Give some of the trials, by number."""
        weights = None if self.weights is None else self.weights[trials]
        return Trials(self.inputs[trials], self.targets[trials], weights)

    def loss(self, outputs: Tensor) -> Tensor:
        """Give the (weighted) mean squared error over trials, time and channels."""
        squares = (outputs - self.targets).square()
        return squares.mean() if self.weights is None else (squares * self.weights).mean() / self.weights.mean()
