"""Whether records run off against the drives, because the clocks of source and digitizer differ.

Each segment is then later than the one before by the same time, and no delay explains them all. What is left around a
fit looks like oscillators that had not come to rest, or like a model that does not describe them.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.estimate import NormalEquations, covariance, levenberg_marquardt
from spinhw.surrogate import Oscillators, Played, modelled

# A difference of clocks is believed from so many of its standard errors on, ...
_CLEARLY = 6.0
# ... and where it explains this share of what is left beyond the noise.
_MOST_OF_IT = 0.5
_LOOKS = 5  # A sample and more is no small shift, ...
_MOST_SAMPLES = 2.0  # ... and a step goes so many samples at most in the last segment.
_LEAST_NOISE = 1e-9  # In units of full power: rounding.


def runs_off(played: Sequence[Played], oscillators: Oscillators, noise: Tensor, rest_s: float) -> Tensor:
    """Estimate by how much each digitizer's clock differs from its source's, relatively.

    The delay of segment n of an experiment is taken for d + e n T, with T from one segment's beginning to the next's.

    Args:
        played: All experiments, segments in the order in which they were played, each experiment in one upload.
        oscillators: What a fit to all of them found.
        noise: Of one shot's sample, in model units, (oscillator,).
        rest_s: Rest before each segment in seconds.

    Returns:
        The share e, (oscillator,), positive where records are later and later; zero where nothing shows.
    """
    step_s = max(one.interval_s for one in played) * _MOST_SAMPLES
    longest_s = max(len(one.drive) * _period_s(one, rest_s) for one in played)
    start = torch.zeros(oscillators.count, 2, dtype=torch.float64)  # d, e
    farthest = start + torch.tensor([step_s, step_s / longest_s])
    variance = noise.double().clamp_min(_LEAST_NOISE) ** 2

    def look(found: Tensor, busy: Tensor) -> NormalEquations:
        return _equations(played, oscillators, found.T, rest_s).over(variance).picked(busy)

    before = look(start, torch.arange(oscillators.count)).squares
    end = levenberg_marquardt(look, start, farthest, damping=0.0, most_looks=_LOOKS)
    share, squares, samples = end.values[:, 1], end.found.squares, end.found.samples
    spread = (covariance(end.found.normal)[:, 1, 1] * squares / samples).sqrt()
    beyond_noise = (before - samples).clamp_min(0)
    shows = (share.abs() > _CLEARLY * spread) & (before - squares > _MOST_OF_IT * beyond_noise)
    return torch.where(shows, share, 0.0)


def _equations(played: Sequence[Played], oscillators: Oscillators, found: Tensor, rest_s: float) -> NormalEquations:
    """Give the normal equations of both unknowns, of each oscillator."""
    count, parts = oscillators.count, list[NormalEquations]()
    for one in played:
        segments, nudge_s = len(one.drive), one.interval_s / 64
        start_s = torch.arange(segments, dtype=torch.float64) * _period_s(one, rest_s)
        late_s = (found[0] + found[1] * start_s[:, None]).flatten()  # (segment * oscillator,)
        side_by_side = replace(one, drive=_side(one.drive), power=_side(one.power), good=_side(one.good))
        many = Oscillators.of(oscillators.table().repeat(1, segments))
        model, nudged = (
            modelled(side_by_side, replace(many, delay=many.delay + late_s + more_s))[0][0].unflatten(1, (-1, count))
            for more_s in (0.0, nudge_s)
        )  # (time + 1, segment, oscillator)
        good, power = one.good.movedim(0, 1), one.power.movedim(0, 1)
        slope = (nudged - model) / nudge_s
        columns = torch.stack([slope, slope * start_s[:, None]], dim=-1)  # (time + 1, segment, oscillator, 2)
        each = (columns, power - model, good.double() * one.averages)
        parts.append(NormalEquations.of(*(values.movedim(2, 0).flatten(1, 2) for values in each)))
    return sum(parts[1:], parts[0])


def _period_s(played: Played, rest_s: float) -> float:
    return played.drive.shape[1] * played.interval_s + rest_s


def _side(values: Tensor) -> Tensor:
    """Put segments side by side, as if each were another oscillator's, (1, time, segment * oscillator)."""
    return values.movedim(0, 1).flatten(1, 2)[None]
