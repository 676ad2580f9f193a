"""Least squares for all oscillators of a chip at once: Levenberg and Marquardt, each oscillator with its own steps.

The model is what the drive-only rollout gives, its Jacobian that of the rollout. Nothing couples two oscillators, so
the normal equations are one small block for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.calibration.uncertainty import covariance
from spinhw.surrogate import PARAMETERS, Misfit, Oscillators, Played, columns, misfit, shifted, substeps_for

# A step that promises less than this share of one sample's variance is a hundredth of a standard error.
_NOTHING_LEFT = 1e-4
# The model has a kink where a sample falls on a change of the drive: a minimum there promises as much as noise does.
_LITTLE_LEFT = 9.0
_SMALLEST_VARIANCE = 1e-24  # Of a sample: rounding of a power near 1.
_MOST_DAMPING = 1e3
_HARDLY = 0.03  # A gain of the sum of squares, in variances of a sample, that changes nothing.
_MOST_IDLE = 5  # Steps in a row that gain no more.
_CLEAR_LAG = 2.0  # Standard errors by which a squared lag must lie above zero to count.
_FARTHEST = 0.3  # Step of ln gamma, ln sigma and Q.
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
    """Where a search came to rest, or was stopped."""

    oscillators: Oscillators
    found: Misfit
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
    found = _replaced(state.found, tried.found, held, better)
    return _State(Oscillators.of(table), found, converged, state.iterations + tried.iterations)


def _search(
    played: Sequence[Played], start: Oscillators, free: tuple[str, ...], held: Tensor, most_iterations: int
) -> _State:
    """Take steps until every oscillator has come to rest.

    Args:
        played: What was measured.
        start: Where to begin.
        free: What may move.
        held: Which oscillators' lag may not, (oscillator,).
        most_iterations: When to stop.
    """
    # The grid stays: a sum of squares must not jump because a parameter has moved.
    played = [replace(one, substeps=substeps_for(one, start)) for one in played]
    timed, wanted, farthest = bool({"delay", "lag"} & set(free)), columns(free), _farthest(start, free)
    table, found = start.table(), misfit(played, start, timed)
    damping = torch.full((start.count,), 1e-3, dtype=torch.float64)
    converged, stuck = torch.zeros(start.count, dtype=torch.bool), torch.zeros(start.count, dtype=torch.bool)
    idle, iteration = torch.zeros(start.count, dtype=torch.int64), 0
    while iteration < most_iterations and not bool(converged.all()):
        iteration += 1
        busy = (~converged).nonzero()[:, 0]
        before, at = Oscillators.of(table[:, busy]), (damping[busy], wanted, farthest[busy])
        steps, promised = _steps(_without_lag(found.of(busy), held[busy]), *at)
        below = (before.lag <= 0) & (steps[PARAMETERS.index("lag")] < 0)
        if bool(below.any()):
            steps, promised = _steps(_without_lag(found.of(busy), held[busy] | below), *at)
        tried = before.moved(steps)
        there = misfit([one.of(busy) for one in played], tried, timed)
        better = (there.squares < found.squares[busy]) & there.squares.isfinite()
        variance = (found.squares[busy] / found.samples[busy].clamp_min(1)).clamp_min(_SMALLEST_VARIANCE)
        gained = torch.where(better, found.squares[busy] - there.squares, torch.zeros_like(variance))
        idle[busy] = torch.where(gained < _HARDLY * variance, idle[busy] + 1, 0)
        table[:, busy[better]] = tried.table()[:, better]
        found = _replaced(found, there, busy, better)
        damping[busy] = torch.where(better, damping[busy] / 9, damping[busy] * 10).clamp_min(1e-9)
        blocked = (idle[busy] >= _MOST_IDLE) | (damping[busy] > _MOST_DAMPING)
        converged[busy] = (promised < _NOTHING_LEFT * variance) | blocked
        # Where no step helps although one promises to, rounding is all that is left, or something is wrong.
        stuck[busy] = blocked & (promised > _LITTLE_LEFT * variance)
    return _State(Oscillators.of(table), found, converged & ~stuck, iteration)


def _without_lag(found: Misfit, held: Tensor) -> Misfit:
    """Take the lag out of the equations of some oscillators."""
    keep = torch.ones(found.gradient.shape, dtype=torch.float64)
    keep[held, PARAMETERS.index("lag")] = 0.0
    return replace(found, normal=found.normal * keep[:, :, None] * keep[:, None, :], gradient=found.gradient * keep)


def _farthest(start: Oscillators, free: Sequence[str]) -> Tensor:
    """Give the longest step allowed, (oscillator, free parameter): the model is linear only nearby."""
    one = torch.ones_like(start.gamma)
    far = {name: _FARTHEST * one for name in PARAMETERS}
    far |= {"offset": 0.1 * one, "delay": 0.2 / start.gamma, "lag": (0.2 / start.gamma) ** 2}
    return torch.stack([far[name] for name in free], dim=1)


def _steps(found: Misfit, damping: Tensor, wanted: Tensor, farthest: Tensor) -> tuple[Tensor, Tensor]:
    """Give the damped steps of all parameters, (parameter, oscillator), and by how much each promises to help."""
    normal, gradient = found.normal[:, wanted][:, :, wanted], found.gradient[:, wanted]
    scale = normal.diagonal(dim1=1, dim2=2).sqrt()
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))  # What is held has no derivative.
    unit = normal / scale[:, :, None] / scale[:, None, :]
    unit = unit + (damping[:, None] + 1e-12)[..., None] * torch.eye(len(wanted), dtype=torch.float64)
    step = torch.linalg.solve(unit, (gradient / scale)[..., None])[..., 0] / scale
    too_far = (step.abs() / farthest).amax(1, keepdim=True).clamp_min(1.0)
    step = step / too_far
    full = step.new_zeros(found.normal.shape[1], len(damping))
    full[wanted] = step.T
    return full, (step * gradient).sum(1)


def _replaced(old: Misfit, new: Misfit, busy: Tensor, better: Tensor) -> Misfit:
    def put(before: Tensor, after: Tensor) -> Tensor:
        changed = before.clone()
        changed[busy[better]] = after[better]
        return changed

    return Misfit(
        put(old.squares, new.squares),
        put(old.normal, new.normal),
        put(old.gradient, new.gradient),
        put(old.samples, new.samples),
    )
