"""The engines of spinhw itself: the reference rollout and the compiled CPU engine."""

import torch

from benchmarks.contenders.base import Layers, Prepared, TorchStep
from benchmarks.problem import Problem
from spinhw.rollout import Engine, Weights, rollout


def reference(problem: Problem) -> Prepared:
    return _prepared(problem, "reference")


def cpu(problem: Problem) -> Prepared:
    return _prepared(problem, "cpu")


def _prepared(problem: Problem, engine: Engine) -> Prepared:
    last = problem.size.layers[-1]

    def forward(w_ext: Layers, w_int: Layers, biases: Layers) -> torch.Tensor:
        weights = Weights(w_ext, w_int, biases, problem.sparsity)
        run = rollout(
            weights,
            problem.neurons,
            problem.inputs,
            problem.steps,
            initial="half",
            record_last=problem.size.readout,
            engine=engine,
        )
        return run.filtered[..., -last:]

    return TorchStep.prepared(problem, forward)
