"""Whether the result of a rollout can be believed: finite numbers, and steps that are short enough for its drive."""

import itertools
import math
import warnings

import torch
from torch import Tensor

from spinhw.errors import SpinhwWarning
from spinhw.physics import LOGISTIC, POWER_FLOOR
from spinhw.rollout.parameters import Neurons, Rollout
from spinhw.rollout.problem import NetworkProblem
from spinhw.rollout.steps import MOST_SUBSTEPS

# Largest growth |a| h of a step, with a = sigma I - gamma. Growth alone multiplies the odds x / (1 - x) by e^(a h) in a
# step: at 2 by 7.4, so that a power jumps from 0.27 to 0.73. What the neurons tell each other on the way there is lost,
# whatever the order, and a network learns the steps in place of the physics.
LARGEST_GROWTH = 2.0
# Where no bound limits the drive it is worked out: of the first sequences of each member, and not every time, because
# that takes a hundredth of a small rollout.
_LOOKED_AT, LOOK_EVERY = 8, 16
# The largest of thousands of drives says little. By the paper's protocol single ones reach 3, a hundredth exceed 1.3,
# and accuracies at 2 and 16 steps per ns agree; with one first-order step per ns it is 8 and 3.6, and they do not.
_SHARE = 0.99

said: set[str] = set()
_turns = itertools.count()


def check_finite(problem: NetworkProblem, result: Rollout) -> None:
    """Look for what is not finite where a sum of the weights or of the last state is not: it would spread to there.

    Raises:
        ValueError: Names argument and member. Where all arguments are finite and states overflow, nothing is raised.
    """
    weights = problem.weights
    seen = [*weights.w_ext, *weights.w_int, *weights.bias, result.filtered[:, :, -1]]
    if math.isfinite(sum(tensor.detach().sum().item() for tensor in seen)):
        return
    for name, tensor in problem.tensors().items():
        wrong = ~tensor.detach().isfinite()
        if wrong.any():
            place = tuple(wrong.nonzero()[0].tolist())
            raise ValueError(
                f"{name} of member {place[0]} holds {tensor[place].item()} at {place}; every number must be finite: "
                "look where it comes from, such as a learning rate that is too high"
            )


def warn_of_long_steps(problem: NetworkProblem, result: Rollout) -> None:
    """Warn, once in a process for each kind of drive, of steps that are too long for it.

    A bounded drive is judged by its bounds, an unbounded one by its values at the end of some sequences, now and then.
    """
    cause = "bounded" if problem.bounded else "unbounded"
    if problem.cell != "spintronic" or cause in said or (not problem.bounded and next(_turns) % LOOK_EVERY):
        return
    found = float(_growth(problem, result)) * problem.steps.step_s
    if found > LARGEST_GROWTH:
        said.add(cause)
        enough = math.ceil(min(problem.steps.substeps * found / LARGEST_GROWTH, MOST_SUBSTEPS))
        reaches = "can reach" if problem.bounded else "exceeds, in a hundredth of the neurons and sequences,"
        warnings.warn(
            f"steps of {problem.steps.step_s:.3g} s are too long for the {cause} drive of this network: "
            f"{_grows(problem.neurons)} times the step {reaches} {found:.3g}, and above {LARGEST_GROWTH:g} a network "
            f"can learn the steps in place of the physics; take {enough} or more substeps, or a lower drive (this is "
            "said once)",
            SpinhwWarning,
            stacklevel=5,
        )


@torch.no_grad()
def _growth(problem: NetworkProblem, result: Rollout) -> Tensor:
    """Give the largest growth in 1/s that is possible, or that a hundredth of the drives exceed."""
    neurons = problem.neurons
    if neurons.bounds is not None:
        ends = torch.stack(
            [_growth_at(each[:, None], neurons) for each in (neurons.bounds.lowest, neurons.bounds.highest)]
        )
        return ends.abs().max()
    growth = _growth_at(last_drive(problem, result), neurons).abs()
    return growth.flatten(1).quantile(_SHARE, dim=1).max()


def _growth_at(drive: Tensor, neurons: Neurons) -> Tensor:
    """Return how fast a small power grows in 1/s, for drives (member, batch, neuron)."""
    gamma, sigma, q = (one[:, None] for one in (neurons.gamma, neurons.sigma, neurons.q))
    if neurons.rate == LOGISTIC:
        return sigma * drive - gamma
    small = torch.full_like(drive, POWER_FLOOR)
    return neurons.rate(small, drive, gamma, sigma, q) / small


def _grows(neurons: Neurons) -> str:
    return "|sigma I - gamma|" if neurons.rate == LOGISTIC else "|dx/dt| / x at small x"


def last_drive(problem: NetworkProblem, result: Rollout) -> Tensor:
    """Give the unbounded drive at the end of some sequences, (member, batch, neuron), in 1/s."""
    weights, neurons, some = problem.weights, problem.neurons, slice(0, _LOOKED_AT)
    outputs = result.filtered[:, some, -1].split(weights.layers, dim=-1)
    sources = [problem.inputs, *outputs[:-1]]
    for layer, given in {0: problem.inputs, **problem.overrides}.items():
        sources[layer] = given[:, some, -1]
    parts = [
        torch.baddbmm(bias[:, None], source, w_ext.mT) + own @ w_int.mT
        for w_ext, w_int, bias, source, own in zip(
            weights.w_ext, weights.w_int, weights.bias, sources, outputs, strict=True
        )
    ]
    return neurons.gain[:, None] * problem.drive_rate_per_s * torch.cat(parts, dim=-1) + neurons.bias_drive[:, None]
