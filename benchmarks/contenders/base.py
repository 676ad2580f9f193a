"""What a contender gives, and the training step that all contenders in torch share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.problem import Problem, masked

Layers = tuple[torch.Tensor, ...]
# (w_ext, w_int, biases) -> y of the last layer at the last samples, (member, batch, readout, neuron)
Forward = Callable[[Layers, Layers, Layers], torch.Tensor]


@dataclass(frozen=True)
class Prepared:
    """A contender on one problem.

    Args:
        train: Give the loss after forward and backward; the gradients are computed when it returns.
        infer: Give the loss of a forward pass alone, for which nothing is kept.
        gradients: Give the gradients of the last `train` by the weights drawn, W_ext and W_int by layer, then biases.
        step: The same as `train` without waiting for the result, so that a CUDA graph can hold it; None in JAX.
    """

    train: Callable[[], float]
    infer: Callable[[], float]
    gradients: Callable[[], list[np.ndarray]]
    step: Callable[[], object] | None = None


class TorchStep:
    """A training step around a forward pass in torch."""

    def __init__(self, problem: Problem, forward: Forward) -> None:
        self._forward, self._masks = forward, problem.masks
        self._ext, self._int = ([w.clone().requires_grad_() for w in kind] for kind in problem.drawn)
        self._biases = [bias.clone().requires_grad_() for bias in problem.biases]

    @classmethod
    def prepared(cls, problem: Problem, forward: Forward) -> Prepared:
        """Make a contender of a forward pass."""
        step = cls(problem, forward)
        return Prepared(step.train, step.infer, step.gradients, step.step)

    @property
    def _leaves(self) -> list[torch.Tensor]:
        return [*self._ext, *self._int, *self._biases]

    def _loss(self) -> torch.Tensor:
        weights = (masked(w, mask) for w, mask in zip((self._ext, self._int), self._masks, strict=True))
        return self._forward(*weights, tuple(self._biases)).mean(2).square().sum()

    def step(self) -> torch.Tensor:
        """Take a training step and give the loss, without waiting for it."""
        for leaf in self._leaves:
            leaf.grad = None
        loss = self._loss()
        loss.backward()
        return loss.detach()

    def train(self) -> float:
        return float(self.step())

    def infer(self) -> float:
        with torch.no_grad():
            return float(self._loss())

    def gradients(self) -> list[np.ndarray]:
        return [np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.cpu().numpy() for leaf in self._leaves]
