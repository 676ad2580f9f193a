"""The CPU engine behind the signature of the reference rollout."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from spinhw.rollout.cells import make_cell
from spinhw.rollout.cpu.coefficients import coefficients_of
from spinhw.rollout.cpu.engine import Given, Wanted, integrate
from spinhw.rollout.cpu.kernels.rows import CTRNN, OSCILLATOR
from spinhw.rollout.cpu.operator import integrate_in_graph
from spinhw.rollout.cpu.pattern import pattern_of
from spinhw.rollout.parameters import Rollout, Sparsity
from spinhw.rollout.problem import DrivenProblem, NetworkProblem, Problem
from spinhw.rollout.recurrence import block_matrix, node_drive
from spinhw.rollout.reference import start_state

_KINDS = {"spintronic": OSCILLATOR, "ctrnn": CTRNN}


def rollout(problem: NetworkProblem) -> Rollout:
    """Integrate a whole network; with a loop delay it asks for no gradient."""
    weights, neurons, inputs, extras = problem.weights, problem.neurons, problem.inputs, problem.extras
    members, batch, samples, channels = inputs.shape
    start = _start(problem, problem.cell)
    sparsity = weights.sparsity or _made(Sparsity.dense, weights.layers, channels)
    given = Given(
        coefficients=coefficients_of(problem),
        w_rec=block_matrix(weights, problem.overrides),
        # Only the first layer has any input weights.
        w_in=torch.nn.functional.pad(weights.w_ext[0], (0, 0, 0, sum(weights.layers[1:]))),
        bias=torch.cat(weights.bias, dim=-1),
        start=start,
        nodes=node_drive(weights, problem.overrides),
        inputs=inputs,
        defect=extras.defect,
        noise=extras.noise,
    )
    wanted = Wanted(_KINDS[problem.cell], problem.bounded, batch, samples, problem.recorded, problem.record_drive)
    power, filtered, drive = _integrate(given, wanted, problem, sparsity)
    if drive is not None and problem.bounded and neurons.bounds is not None:
        lowest, highest = neurons.bounds.lowest[:, None, None], neurons.bounds.highest[:, None, None]
        drive = lowest + (highest - lowest) * drive
    return Rollout(start.expand(-1, batch, -1), power, filtered, drive)


def rollout_driven(problem: DrivenProblem) -> Rollout:
    """Integrate uncoupled oscillators."""
    drive, batch, extras = problem.drive, problem.batch, problem.extras
    start = _start(problem, "spintronic")
    given = Given(
        coefficients=coefficients_of(problem),
        start=start,
        ext=None if problem.at_nodes else drive,
        nodes=drive if problem.at_nodes else None,
        defect=extras.defect,
        noise=extras.noise,
    )
    wanted = Wanted(OSCILLATOR, False, batch, problem.samples, problem.recorded, drive=False)
    power, filtered, _ = _integrate(given, wanted, problem, _made(Sparsity.uncoupled, problem.width))
    return Rollout(start.expand(-1, batch, -1), power, filtered)


def _integrate(
    given: Given, wanted: Wanted, problem: Problem, sparsity: Sparsity
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Integrate at once, or, in a graph, as one node of it."""
    masks = sparsity.recurrent, sparsity.inputs
    if torch.compiler.is_compiling():
        return integrate_in_graph(given, wanted, problem.steps, masks)
    delay = problem.loop_delay_s / problem.steps.step_s if isinstance(problem, NetworkProblem) else 0.0
    return integrate(given, wanted, problem.steps, pattern_of(*masks, problem.members), delay)


def _made(make: Callable[..., Sparsity], *sizes: Any) -> Sparsity:
    """Make a pattern; the same object every time, so that engines remember it, but in a graph, which makes it anew."""
    return make(*sizes) if torch.compiler.is_compiling() else _remembered(make, *sizes)


@lru_cache(maxsize=16)
def _remembered(make: Callable[..., Sparsity], *sizes: Any) -> Sparsity:
    return make(*sizes)


def _start(problem: Problem, cell: str) -> Tensor:
    """Give the state before the first sample, (member, batch or 1, neuron): once for all samples where they agree."""
    if isinstance(problem.initial, Tensor):
        return problem.initial.expand(problem.members, -1, -1)
    once = problem.signal.new_full((problem.members, 1, problem.width), 0.5)
    if problem.initial == "half":
        return once
    return start_state(make_cell(cell, problem.neurons, problem.steps.step_s), problem.initial, once)
