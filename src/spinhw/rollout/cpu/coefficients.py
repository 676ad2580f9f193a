"""The coefficients of neurons as the kernels take them, remembered while the neurons stay as they are."""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from spinhw.rollout.folding import Folded, fold
from spinhw.rollout.kept import Copies, copied, may_keep, ordinary_tensors, unchanged
from spinhw.rollout.parameters import Neurons
from spinhw.rollout.problem import NetworkProblem, Problem

_Call = tuple[object, ...]
# The last ones that were asked for, with what they were made of: training asks for the same at every step, and folding
# takes a twentieth of a small one.
_known: WeakKeyDictionary[Neurons, tuple[_Call, Copies, Tensor]] = WeakKeyDictionary()


def coefficients_of(problem: Problem) -> Tensor:
    """Give the coefficients of a problem, (row, member, neuron); see `kernels.plan` for the rows."""
    tensors = problem.neurons.tensors()
    if problem.extras.diffusion_per_s is not None or not may_keep(tensors):
        return _made(problem)
    call, found = _call(problem), _known.get(problem.neurons)
    if found is None or found[0] != call or not unchanged(found[1], tensors):
        with ordinary_tensors():
            found = _known[problem.neurons] = call, copied(tensors), _made(problem)
    return found[2]


def _call(problem: Problem) -> _Call:
    """Say what the coefficients depend on beside the neurons."""
    form = (problem.cell, problem.drive_rate_per_s) if isinstance(problem, NetworkProblem) else ("driven",)
    return (problem.steps.step_s, problem.members, problem.signal.dtype, *form)


def _made(problem: Problem) -> Tensor:
    steps, diffusion = problem.steps, problem.extras.diffusion_per_s
    if isinstance(problem, NetworkProblem):
        folded = fold(
            problem.neurons,
            steps.step_s,
            problem.members,
            cell=problem.cell,
            drive_rate_per_s=problem.drive_rate_per_s,
            diffusion_per_s=diffusion,
        )
    else:
        folded = fold(problem.neurons, steps.step_s, problem.members, diffusion_per_s=diffusion)
    return _stacked(folded, problem.signal.dtype)


def _stacked(folded: Folded, dtype: torch.dtype) -> Tensor:
    """Stack coefficients in the order of the kernels, the last two for the mean y of a midpoint step."""
    gain, offset, p1, p0, p2, _, decay, passed, kick = folded
    return folded.stacked(gain, offset, p1, p0, p2, decay, passed, kick, (1 + decay) / 2, passed / 2, dtype=dtype)
