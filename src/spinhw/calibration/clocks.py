"""Whether records run off against the drives, because the clocks of source and digitizer differ.

Each segment is then later than the one before by the same time, and no delay explains them all. What is left around a
fit looks like oscillators that had not come to rest, or like a model that does not describe them.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from spinhw.surrogate import Oscillators, Played, modelled

# A difference of clocks is believed from so many of its standard errors on, ...
_CLEARLY = 6.0
# ... and where it explains this share of what is left beyond the noise.
_MOST_OF_IT = 0.5
_ROUNDS = 4  # Of Gauss and Newton, for a sample and more is no small shift, ...
_MOST_SAMPLES = 2.0  # ... each by so many samples at most in the last segment.


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
    found = torch.zeros(2, oscillators.count, dtype=torch.float64)  # d, e
    step_s = max(one.interval_s for one in played) * _MOST_SAMPLES
    longest_s = max(len(one.drive) * _period_s(one, rest_s) for one in played)
    most = torch.tensor([[step_s], [step_s / longest_s]], dtype=torch.float64)
    before, normal, right = _normal(played, oscillators, found, rest_s)
    squares = before
    for _ in range(_ROUNDS):
        step = (torch.linalg.pinv(normal) @ right[..., None])[..., 0].T.clamp(-most, most)
        after, normal, right = _normal(played, oscillators, found + step, rest_s)
        better = after < squares
        found, squares = torch.where(better, found + step, found), torch.where(better, after, squares)
    samples = sum(one.good.sum((0, 1)) for one in played)
    spread = torch.linalg.pinv(normal)[:, 1, 1].clamp_min(0).sqrt() * (squares / samples).sqrt()
    beyond_noise = (before - samples * noise**2).clamp_min(0)
    shows = (found[1].abs() > _CLEARLY * spread) & (before - squares > _MOST_OF_IT * beyond_noise)
    return torch.where(shows, found[1], 0.0)


def _normal(
    played: Sequence[Played], oscillators: Oscillators, found: Tensor, rest_s: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Give squares, J^T J and J^T (measured - model) of both unknowns, for each oscillator."""
    count = oscillators.count
    squares = torch.zeros(count, dtype=torch.float64)
    normal, right = squares.new_zeros(count, 2, 2), squares.new_zeros(count, 2)
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
        slope = torch.where(good, (nudged - model) / nudge_s, 0.0)
        apart = torch.where(good, power - model, 0.0)
        columns = torch.stack([slope, slope * start_s[:, None]], dim=-1)  # (time + 1, segment, oscillator, 2)
        squares = squares + one.averages * (apart**2).sum((0, 1))
        normal = normal + one.averages * torch.einsum("tsoi,tsoj->oij", columns, columns)
        right = right + one.averages * torch.einsum("tsoi,tso->oi", columns, apart)
    return squares, normal, right


def _period_s(played: Played, rest_s: float) -> float:
    return played.drive.shape[1] * played.interval_s + rest_s


def _side(values: Tensor) -> Tensor:
    """Put segments side by side, as if each were another oscillator's, (1, time, segment * oscillator)."""
    return values.movedim(0, 1).flatten(1, 2)[None]
