"""The coefficients of neurons as the kernels take them, remembered while the neurons stay as they are."""

from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from spinhw.rollout.folding import Folded, fold, wants_gradient
from spinhw.rollout.parameters import Neurons
from spinhw.rollout.problem import NetworkProblem, Problem

_Key = tuple[object, ...]
# The last ones that were asked for: training asks for the same at every step, and folding takes a twentieth of a small
# one.
_known: WeakKeyDictionary[Neurons, tuple[_Key, Tensor]] = WeakKeyDictionary()


def coefficients_of(problem: Problem) -> Tensor:
    """Give the coefficients of a problem, (row, member, neuron); see `kernels.plan` for the rows."""
    key = _key(problem)
    if key is None:
        return _made(problem)
    found = _known.get(problem.neurons)
    if found is None or found[0] != key:
        found = _known[problem.neurons] = key, _made(problem)
    return found[1]


def _key(problem: Problem) -> _Key | None:
    """Say what the coefficients depend on beside the neurons; None where they cannot be remembered."""
    neurons = problem.neurons
    tensors = [neurons.gamma, neurons.sigma, neurons.q, neurons.cutoff_hz, neurons.gain, neurons.bias_drive]
    if neurons.bounds is not None:
        tensors += [neurons.bounds.lowest, neurons.bounds.highest]
    if problem.extras.diffusion_per_s is not None or torch.compiler.is_compiling():
        return None
    if wants_gradient(tensors) or any(each.is_inference() for each in tensors):
        return None
    versions = [each._version for each in tensors]  # noqa: SLF001  # torch's counter of changes in place: no other name.
    call = (problem.cell, problem.drive_rate_per_s) if isinstance(problem, NetworkProblem) else ("driven",)
    return (*versions, problem.steps.step_s, problem.members, problem.signal.dtype, *call)


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
