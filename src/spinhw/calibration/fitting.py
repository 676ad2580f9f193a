"""Least squares for all oscillators of a chip at once: Levenberg and Marquardt, each oscillator with its own steps.

The model is what the drive-only rollout gives, its Jacobian that of the rollout. Nothing couples two oscillators, so
the normal equations are one small block for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.calibration.uncertainty import covariance
from spinhw.estimate import NormalEquations, levenberg_marquardt
from spinhw.surrogate import PARAMETERS, Oscillators, Played, columns, misfit, shifted, substeps_for

_SMALLEST_VARIANCE = 1e-24  # Of a sample: rounding of a power near 1.
_CLEAR_LAG = 2.0  # Standard errors by which a squared lag must lie above zero to count.
# The order in which parameters join a fit that begins far away.
STAGES = ("gamma", "sigma", "q", "offset", "gain")
_FEW = 12  # Steps of a stage.
_SEGMENTS = 16  # Segments of all batches together that a stage looks at, about.
# So many oscillators at a time: their arrays stay small.
_BLOCK = 16


@dataclass(frozen=True)
class Fit:
    """What was found.

    Args:
        oscillators: The parameters; those not free are as they were given.
        free: Which parameters were moved.
        covariance: Of the coordinates of the fit (relative for positive parameters), (oscillator, parameter,
            parameter), in the order of `PARAMETERS`; zero for what was not free.
        noise: Standard deviation of one shot's sample around the model, in model units, (oscillator,).
        samples: Good samples, (oscillator,).
        converged: Whether the method came to rest, (oscillator,).
        iterations: Steps taken until the last oscillator came to rest.
    """

    oscillators: Oscillators
    free: tuple[str, ...]
    covariance: Tensor
    noise: Tensor
    samples: Tensor
    converged: Tensor
    iterations: int

    def errors(self) -> Tensor:
        """Give the standard error of each parameter in its own unit, (parameter, oscillator); zero where not free."""
        relative = self.covariance.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt().T
        return relative * self.oscillators.scales()


def fit(played: Sequence[Played], start: Oscillators, free: Sequence[str], most_iterations: int = 30) -> Fit:
    """Fit parameters to everything that was measured.

    Args:
        played: Batches of the same oscillators.
        start: Where to begin; parameters that are not free keep their value.
        free: Names of `PARAMETERS`.
        most_iterations: Steps after which an oscillator counts as not converged.
    """
    blocks = [
        _fit_block([one.of(chosen) for one in played], start.picked(chosen), tuple(free), most_iterations)
        for chosen in torch.arange(start.count).split(_BLOCK)
    ]
    return _joined(blocks, tuple(free))


def approach(played: Sequence[Played], start: Oscillators, free: Sequence[str]) -> Oscillators:
    """Come near to the best fit in stages: first what dominates, then one thing after another.

    All at once, gain, offset and Q may run far away before gamma and sigma are right. A few segments are enough here,
    and records that are shifted by whole samples.
    """
    interval_s = played[0].interval_s * played[0].every
    late = torch.round(start.delay / interval_s)
    few = [shifted(_thinned(one, len(played)), late.long()) for one in played]
    found = replace(start, delay=start.delay * 0, lag=start.lag * 0)
    stages = [name for name in STAGES if name in free]
    for upto in range(2, len(stages) + 1):
        found = fit(few, found, stages[:upto], _FEW).oscillators
    return replace(found, delay=start.delay, lag=start.lag)


def replaced(old: Fit, new: Fit, numbers: Tensor) -> Fit:
    """Put the fit of some oscillators, by number, in place of what they had."""
    table = old.oscillators.table().index_copy(1, numbers, new.oscillators.table())
    parts = ("covariance", "noise", "samples", "converged")
    changed = {name: getattr(old, name).index_copy(0, numbers, getattr(new, name)) for name in parts}
    return replace(old, oscillators=Oscillators.of(table), iterations=max(old.iterations, new.iterations), **changed)


def _thinned(played: Played, batches: int) -> Played:
    wanted = max(1, _SEGMENTS // batches)
    stride = max(1, len(played.drive) // wanted)
    return replace(played, drive=played.drive[::stride], power=played.power[::stride], good=played.good[::stride])


def _joined(blocks: Sequence[Fit], free: tuple[str, ...]) -> Fit:
    return Fit(
        Oscillators.of(torch.cat([one.oscillators.table() for one in blocks], dim=1)),
        free,
        torch.cat([one.covariance for one in blocks]),
        torch.cat([one.noise for one in blocks]),
        torch.cat([one.samples for one in blocks]),
        torch.cat([one.converged for one in blocks]),
        max(one.iterations for one in blocks),
    )


def _fit_block(played: Sequence[Played], start: Oscillators, free: tuple[str, ...], most_iterations: int) -> Fit:
    """Fit a few oscillators, at first with every lag; those that cannot be told from zero are then held there.

    A lag of zero may be the best nearby only: what is held there is also tried from a lag that shows plainly.
    """
    held = torch.zeros(start.count, dtype=torch.bool)
    first = 0
    if "lag" in free:
        state = _search(played, start, free, held, min(_FEW, most_iterations))
        _, spread = covariance(state.found, state.oscillators, free)
        row, first = PARAMETERS.index("lag"), state.iterations
        held = state.oscillators.lag**2 <= _CLEAR_LAG * spread[:, row, row].sqrt()
        start = replace(state.oscillators, lag=torch.where(held, 0.0, state.oscillators.lag))
    state = _search(played, start, free, held, most_iterations)
    if bool(held.any()):
        state = _tried_with_lag(played, state, free, held.nonzero()[:, 0], most_iterations)
    noise, spread = covariance(state.found, state.oscillators, free)
    return Fit(state.oscillators, free, spread, noise, state.found.samples, state.converged, first + state.iterations)


@dataclass(frozen=True)
class _State:
    """Where a search came to rest, or was stopped, and the sums there."""

    oscillators: Oscillators
    found: NormalEquations
    converged: Tensor
    iterations: int


def _tried_with_lag(
    played: Sequence[Played], state: _State, free: tuple[str, ...], held: Tensor, most_iterations: int
) -> _State:
    """Search again from a quarter of a sample interval where the lag is zero; keep what fits clearly better.

    From half of one the search may fall back to zero over a lag of a quarter.
    """
    start, lag_s = state.oscillators.picked(held), played[0].interval_s * played[0].every / 4
    start = replace(start, lag=torch.full_like(start.lag, lag_s))
    tried = _search(
        [one.of(held) for one in played], start, free, torch.zeros_like(held, dtype=torch.bool), most_iterations
    )
    before = state.found.squares[held]
    gained = (before - tried.found.squares) / (before / state.found.samples[held].clamp_min(1))
    better = (gained > _CLEAR_LAG**2) & tried.converged
    table, converged = state.oscillators.table(), state.converged.clone()
    table[:, held[better]] = tried.oscillators.table()[:, better]
    converged[held[better]] = True
    found = state.found.replaced(held[better], tried.found.picked(better))
    return _State(Oscillators.of(table), found, converged, state.iterations + tried.iterations)


def _search(
    played: Sequence[Played], start: Oscillators, free: tuple[str, ...], held: Tensor, most_iterations: int
) -> _State:
    """Search until every oscillator has come to rest.

    Args:
        played: What was measured.
        start: Where to begin.
        free: What may move.
        held: Which oscillators' lag may not, (oscillator,).
        most_iterations: When to stop.
    """
    # The grid stays: a sum of squares must not jump because a parameter has moved.
    played = [replace(one, substeps=substeps_for(one, start)) for one in played]
    timed = bool({"delay", "lag"} & set(free))
    moving = torch.zeros(start.count, len(PARAMETERS), dtype=torch.bool)
    moving[:, columns(free)] = True
    moving[held, PARAMETERS.index("lag")] = False

    def look(steps: Tensor, busy: Tensor) -> NormalEquations:
        here = start.moved(steps.T).picked(busy)
        some = played if len(busy) == start.count else [one.of(busy) for one in played]
        return misfit(some, here, timed).profiled(_SMALLEST_VARIANCE)

    steps = torch.zeros(moving.shape, dtype=torch.float64)
    end = levenberg_marquardt(look, steps, start.farthest(), start.bounds(), moving, most_looks=most_iterations + 1)
    oscillators = start.moved(end.values.T)
    return _State(oscillators, misfit(played, oscillators, timed), end.converged, end.looks - 1)
