"""Non-linear least squares by Levenberg and Marquardt, for many independent problems side by side.

A step solves the normal equations with some of their diagonal added: with none it is that of Gauss and Newton, with
much a short one downhill (Marquardt, J. Soc. Indust. Appl. Math. 11, 431 (1963)). What helped is damped less next time,
what did not is taken back and damped more. Each problem has its own damping, and rests once it has settled.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.estimate.normal_equations import NormalEquations

_LESS, _MORE = 9.0, 10.0  # Damping after a step that helped, and after one that did not: ...
_LEAST_RAISED = 0.1  # ... at least this, for less hardly shortens a step.
_MOST_DAMPING = 1e3
_HARDLY = 0.03  # What a look gains that changes nothing, ...
_MOST_IDLE = 5  # ... and how many in a row gain no more.
# Where a model has a kink, a minimum there promises as much as noise does: as a gain.
_LITTLE_LEFT = 9.0


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a search ended.

    Args:
        values: Of a problem at rest, after its last step; of one that is not, where it was looked at last with success,
            (problem, parameter).
        found: What was found at that last look.
        step: From there, (problem, parameter): taken on trust by those at rest, for it was short.
        converged: Whether it came to rest, (problem,).
        looks: At any of them.
    """

    values: Tensor
    found: NormalEquations
    step: Tensor
    converged: Tensor
    looks: int


def levenberg_marquardt(
    look: Callable[[Tensor, Tensor], NormalEquations],
    start: Tensor,
    farthest: Tensor,
    bounds: tuple[Tensor, Tensor] | None = None,
    moving: Tensor | None = None,
    damping: float = 1e-3,
    short: float = 0.0,
    least_gain: float = 1e-4,
    most_looks: int = 30,
) -> Minimum:
    """Move parameters until nothing is gained any more.

    Args:
        look: Gives the normal equations, over the noise, of some problems: of all values, (problem, parameter), and the
            numbers of those problems.
        start: Where to begin, within the bounds, (problem, parameter).
        farthest: The longest step allowed, above 0 and up to infinity, same shape: the model is linear only nearby.
        bounds: Lowest and highest values, each of the same shape; a parameter that is pushed against one is held there.
        moving: Which parameters move, boolean, same shape; None for all.
        damping: Of the first step, as a share of the diagonal, 0 or above.
        short: Share of the longest step at which one is so short that it is linear: it is taken, and not looked at.
        least_gain: In chi-square; a step that promises less is taken and not looked at either.
        most_looks: At least 1; what still moves then has not converged.
    """
    lowest, highest = bounds or (torch.full_like(start, -torch.inf), torch.full_like(start, torch.inf))
    moving = torch.ones(start.shape, dtype=torch.bool) if moving is None else moving
    values, tried, steps = start.clone(), start.clone(), torch.zeros_like(start)
    damp = torch.full((len(start),), damping, dtype=start.dtype)
    idle, converged = torch.zeros(len(start), dtype=torch.int64), torch.zeros(len(start), dtype=torch.bool)
    busy, looks = torch.arange(len(start)), 1
    found = there = look(tried, busy)
    while True:
        better = there.squares.isfinite()
        if looks > 1:
            gained = found.squares[busy] - there.squares
            better = better & (gained > 0)
            idle[busy] = torch.where(better & (gained >= _HARDLY), 0, idle[busy] + 1)
            found = found.replaced(busy[better], there.picked(better))
            raised = (damp[busy] * _MORE).clamp_min(_LEAST_RAISED)
            damp[busy] = torch.where(better, damp[busy] / _LESS, raised)
        values[busy[better]] = tried[busy[better]]
        here = values[busy]
        equations, limits = found.picked(busy), (lowest[busy] - here, highest[busy] - here)
        about = (moving[busy], farthest[busy], limits)
        bare = _step(equations, 0 * damp[busy], *about)
        step = _step(equations, damp[busy], *about) if bool(damp[busy].any()) else bare
        # A step that is short because it is damped tells nothing.
        promised = (bare * equations.gradient).sum(1)
        near = (promised < least_gain) | (bare.abs() <= short * farthest[busy]).all(1)
        steps[busy] = step = torch.where(near[:, None], bare, step)
        tried[busy] = torch.maximum(torch.minimum(here + step, highest[busy]), lowest[busy])
        blocked = (idle[busy] >= _MOST_IDLE) | (damp[busy] > _MOST_DAMPING)
        # Where no step helps although one promises to, rounding is all that is left, or something is wrong.
        converged[busy] = near | (blocked & (promised <= _LITTLE_LEFT))
        values[busy[near]] = tried[busy[near]]
        tried[busy[blocked]] = values[busy[blocked]]
        busy = busy[~(near | blocked)]
        if not len(busy) or looks == most_looks:
            return Minimum(values, found, steps, converged, looks)
        looks, there = looks + 1, look(tried, busy)


def _step(
    found: NormalEquations, damping: Tensor, moving: Tensor, farthest: Tensor, limits: tuple[Tensor, Tensor]
) -> Tensor:
    """Return the step of each problem, none longer than allowed, (problem, parameter)."""
    step = found.held(moving).step(damping)
    outward = ((limits[0] >= 0) & (step < 0)) | ((limits[1] <= 0) & (step > 0))
    if bool(outward.any()):
        step = found.held(moving & ~outward).step(damping)
    # Where a step that was cut has not helped, one that is damped more would be cut to the same length.
    allowed = farthest / (1 + damping)[:, None]
    return step / (step.abs() / allowed).amax(1, keepdim=True).clamp_min(1.0)
