"""How well a network does the task."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.tasks.trials import Trials

# An output is settled within half the distance between the two levels' middle and a level, some steps after a change.
TOLERANCE = 0.5
SETTLING_STEPS = 15


@dataclass(frozen=True)
class Score:
    """What was measured on some trials; shares are 0 to 1.

    Args:
        mse: Mean squared error over trials, time and channels.
        signs: Share of outputs with the right sign, where the target is not 0.
        settled: Share of outputs within `TOLERANCE` of the target, leaving out `SETTLING_STEPS` after each change.
        bits_right: Share of trials that end with the right sign of every output.
        final: Share of trials that end with every output within `TOLERANCE` of its target.
        distance: Mean Euclidean distance between outputs and targets at the end of a trial.
    """

    mse: float
    signs: float
    settled: float
    bits_right: float
    final: float
    distance: float


def score(outputs: Tensor, trials: Trials) -> Score:
    """Compare outputs (trial, time, output) with targets; a last step whose target is 0 by mistake is left out."""
    targets = trials.targets
    last = -2 if _last_is_wrong(targets) else -1
    error = (outputs - targets).abs()
    told = targets != 0
    right = outputs.sign() == targets
    return Score(
        mse=trials.loss(outputs).item(),
        signs=right[told].double().mean().item(),
        settled=(error < TOLERANCE)[settled_steps(targets)].double().mean().item(),
        bits_right=(right | ~told)[:, last].all(-1).double().mean().item(),
        final=(error[:, last] < TOLERANCE).all(-1).double().mean().item(),
        distance=error[:, last].norm(dim=-1).mean().item(),
    )


def settled_steps(targets: Tensor) -> Tensor:
    """Mark the steps that are at least `SETTLING_STEPS` behind the last change of their channel, and no mistake."""
    changes = torch.zeros_like(targets)
    changes[:, 1:] = (targets[:, 1:] != targets[:, :-1]).to(targets)
    total = changes.cumsum(1)
    before = torch.zeros_like(total)
    before[:, SETTLING_STEPS:] = total[:, :-SETTLING_STEPS]
    return total == before


def _last_is_wrong(targets: Tensor) -> bool:
    """Tell whether the published mistake is in these targets: every last one is 0, and not every one before it."""
    return bool((targets[:, -1] == 0).all() and (targets[:, -2] != 0).any())
