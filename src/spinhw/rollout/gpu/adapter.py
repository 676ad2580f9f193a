"""The GPU engine behind the signature of the reference rollout."""

import logging
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from spinhw.rollout import reference
from spinhw.rollout.cells import make_cell
from spinhw.rollout.folding import Folded, fold
from spinhw.rollout.gpu.engine import GpuPlan, GpuSignals, sweep
from spinhw.rollout.gpu.launch import LARGEST_NETWORK
from spinhw.rollout.parameters import Rollout, Weights
from spinhw.rollout.problem import DrivenProblem, NetworkProblem, Problem
from spinhw.rollout.recurrence import recurrence

_log = logging.getLogger(__name__)


def rollout(problem: NetworkProblem) -> Rollout:
    """Integrate a whole network; it asks for no loop delay and no record of the drive."""
    if problem.width > LARGEST_NETWORK:
        _say_fallback(problem.width)
        return reference.rollout(problem)
    neurons, steps, extras = problem.neurons, problem.steps, problem.extras
    folded = fold(
        neurons,
        steps.step_s,
        problem.members,
        cell=problem.cell,
        drive_rate_per_s=problem.drive_rate_per_s,
        diffusion_per_s=extras.diffusion_per_s,
    )
    synapses = recurrence(_with_gain(problem.weights, folded), problem.inputs, problem.overrides)
    cell = make_cell(problem.cell, neurons, steps.step_s)
    start = reference.start_state(cell, problem.initial, synapses.held[:, :, 0])
    plan = _plan(problem, problem.cell == "ctrnn", problem.bounded)
    signals = GpuSignals(
        synapses.matrix, synapses.held, synapses.nodes, _stacked(folded), start, extras.defect, extras.noise
    )
    return Rollout(start, *sweep(plan, signals))


def rollout_driven(problem: DrivenProblem) -> Rollout:
    """Integrate uncoupled oscillators."""
    if problem.width > LARGEST_NETWORK:
        _say_fallback(problem.width)
        return reference.rollout_driven(problem)
    drive, steps, extras = problem.drive, problem.steps, problem.extras
    cell = make_cell("spintronic", problem.neurons, steps.step_s)
    start = reference.start_state(cell, problem.initial, drive[:, :, 0])
    folded = fold(problem.neurons, steps.step_s, problem.members, diffusion_per_s=extras.diffusion_per_s)
    held, nodes = (None, drive) if problem.at_nodes else (drive, None)
    signals = GpuSignals(None, held, nodes, _stacked(folded), start, extras.defect, extras.noise)
    return Rollout(start, *sweep(_plan(problem, ctrnn=False, saturate=False), signals))


def _plan(problem: Problem, ctrnn: bool, saturate: bool) -> GpuPlan:
    return GpuPlan(
        ctrnn=ctrnn,
        order=problem.steps.order,
        saturate=saturate,
        samples=problem.samples,
        substeps=problem.steps.substeps,
        recorded_from=problem.samples - problem.recorded,
    )


def _with_gain(weights: Weights, folded: Folded) -> Weights:
    """Multiply weights and biases by the gain of their neuron and add its offset to the bias."""
    rounded = (part.to(weights.bias[0].dtype) for part in (folded.gain, folded.offset))
    gains, offsets = (part.split(weights.layers, dim=-1) for part in rounded)
    return replace(
        weights,
        w_ext=tuple(w * gain[:, :, None] for w, gain in zip(weights.w_ext, gains, strict=True)),
        w_int=tuple(w * gain[:, :, None] for w, gain in zip(weights.w_int, gains, strict=True)),
        bias=tuple(b * gain + offset for b, gain, offset in zip(weights.bias, gains, offsets, strict=True)),
    )


def _stacked(folded: Folded) -> Tensor:
    """Stack coefficients in the order of the kernels, (member, 6, neuron)."""
    rows = (folded.p1, folded.p0, folded.damping, folded.decay, folded.passed, folded.kick)
    return folded.stacked(*rows, dtype=torch.float32).transpose(0, 1)


@cache
def _say_fallback(neurons: int) -> None:
    _log.info(
        "%d neurons are more than the %d that one GPU program can hold: the reference rollout takes over, on the GPU",
        neurons,
        LARGEST_NETWORK,
    )
