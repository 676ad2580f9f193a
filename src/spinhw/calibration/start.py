"""Where a fit begins: closed forms that need no guess, good to a few percent."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spinhw.estimate import NormalEquations
from spinhw.surrogate import PARAMETERS, Oscillators, Played, misfit, modelled, shifted

# A closed form may be led astray by what it does not know; beyond these it is cut, relative to the nominal device.
_WIDEST = {"gamma": (0.1, 10.0), "sigma": (0.1, 10.0), "gain": (0.2, 5.0)}
_WIDEST_Q = (-0.8, 3.0)
# How far records may be shifted against the drives, in samples.
MOST_SHIFT = 24


def begin(played: Sequence[Played], nominal: Oscillators, free: Sequence[str]) -> Oscillators:
    """Give the better of two starts for each oscillator: the nominal device, and the closed forms.

    Args:
        played: Everything that was measured.
        nominal: The device as designed; what is not free is taken from it.
        free: Parameters that will be fitted.
    """
    moved = replace(nominal, delay=nominal.delay + shift(played, nominal)) if "delay" in free else nominal
    shifted_by = moved.delay
    offset = settled_offset(played) if "offset" in free else nominal.offset
    closed = linear(played, moved, offset, "gain" in free)
    table, other = moved.table(), closed.table()
    kept = [row for row, name in enumerate(PARAMETERS) if name not in free]
    other[kept] = table[kept]
    rows = [PARAMETERS.index(name) for name in ("delay", "lag")]
    late = torch.round(shifted_by / (played[0].interval_s * played[0].every)).long()
    records = [shifted(one, late) for one in played]
    candidates = [Oscillators.of(_without(one, rows)) for one in (table, other)]
    squares = torch.stack([misfit(records, one, timed=False).squares.nan_to_num(torch.inf) for one in candidates])
    best = squares.argmin(0)
    return Oscillators.of(torch.where(best[None] == 0, table, other))


def _without(table: Tensor, rows: list[int]) -> Tensor:
    cleared = table.clone()
    cleared[rows] = 0.0
    return cleared


def settled_offset(played: Sequence[Played]) -> Tensor:
    """Estimate what the read-out shows for no power: the mean of the last quarter of segments without drive.

    Returns:
        (oscillator,); the smallest late mean where no segment is without drive, and zero where nothing is good.
    """
    lows = []
    for one in played:
        quarter = max(1, one.power.shape[1] // 4)
        drive = one.drive[:, -quarter * one.every * 2 :].amax(1)  # (batch, oscillator)
        silent = (drive <= 0)[:, None] & one.good[:, -quarter:]
        count = silent.sum((0, 1))
        total = torch.where(silent, one.power[:, -quarter:].double(), 0.0).sum((0, 1))
        lows.append(torch.where(count > 0, total / count.clamp_min(1), torch.nan))
    return torch.nanmean(torch.stack(lows), dim=0).nan_to_num(0.0)


def linear(played: Sequence[Played], nominal: Oscillators, offset: Tensor, with_gain: bool) -> Oscillators:
    """Estimate gamma, sigma, Q and gain by one linear least-squares problem for each oscillator.

    With m = power - offset the equation reads

        m' - m = sigma I int m - (sigma / gain) I int m^2 - gamma int m - (gamma Q / gain) int m^2

    over each interval, and its integrals follow from the samples by the trapezoidal rule. Noise of a sample hardly
    biases it: it enters the left side as a difference and the right side as a mean.

    Args:
        played: Everything that was measured.
        nominal: Gives the gain where it is not asked for, and delays, by which the records are shifted first.
        offset: Power shown for none, (oscillator,).
        with_gain: Whether the gain is estimated too.
    """
    unit, parts = nominal.gamma, list[NormalEquations]()
    for one in played:
        regressors, change, usable = _intervals(one, nominal, offset)
        if not with_gain:  # sigma and sigma / gain are one unknown.
            regressors = [regressors[0] + regressors[1] / nominal.gain, *regressors[2:]]
        # Damping rates in units of the nominal one: all unknowns are then near 1.
        scaled = [*regressors[:-2], regressors[-2] * unit, regressors[-1] * unit]
        each = (torch.stack(scaled, dim=-1), change, usable.double())  # (batch, time, oscillator, unknown), ...
        parts.append(NormalEquations.of(*(values.movedim(2, 0).flatten(1, 2) for values in each)))
    found = sum(parts[1:], parts[0]).step()
    return _unfolded(found, unit, nominal, offset, with_gain)


def _intervals(played: Played, nominal: Oscillators, offset: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
    """Give the integrals over each sample interval, the change of power, and where both ends are good."""
    interval_s = played.interval_s * played.every
    moved = shifted(played, torch.round(nominal.delay / interval_s).long())
    power, good = moved.power, moved.good
    level = power - offset
    drive = played.drive.double().unflatten(1, (-1, played.every)).mean(2)
    mean = (level[:, 1:] + level[:, :-1]) / 2 * interval_s
    square = (level[:, 1:] ** 2 + level[:, :-1] ** 2) / 2 * interval_s
    usable = good[:, 1:] & good[:, :-1]
    return [drive * mean, -drive * square, -mean, -square], level[:, 1:] - level[:, :-1], usable


def _unfolded(found: Tensor, unit: Tensor, nominal: Oscillators, offset: Tensor, with_gain: bool) -> Oscillators:
    sigma = found[:, 0]
    gamma, bent = found[:, -2] * unit, found[:, -1] * unit
    gain = sigma / found[:, 1] if with_gain else nominal.gain
    guess = replace(nominal, gamma=gamma, sigma=sigma, gain=gain, offset=offset)
    limited: dict[str, Any] = {
        name: _within(getattr(guess, name), getattr(nominal, name), bounds) for name, bounds in _WIDEST.items()
    }
    # The unknowns are sigma, gamma, gamma Q / gain, but with a given gain the last one carries it already.
    q = (bent * limited["gain"] / limited["gamma"]).nan_to_num(0.0).clamp(*_WIDEST_Q)
    return replace(guess, **limited, q=q)


def _within(values: Tensor, around: Tensor, bounds: tuple[float, float]) -> Tensor:
    usable = torch.where(values.isfinite() & (values > 0), values, around)
    return torch.maximum(torch.minimum(usable, around * bounds[1]), around * bounds[0])


def shift(played: Sequence[Played], nominal: Oscillators) -> Tensor:
    """Estimate by how many seconds each record is late, (oscillator,), by cross-correlation with the model.

    The best whole sample and, by a parabola through it and its neighbours, a part of one.
    """
    range_ = range(-MOST_SHIFT, MOST_SHIFT + 1)
    totals = torch.zeros(len(range_), nominal.count, dtype=torch.float64)
    interval_s = played[0].interval_s * played[0].every
    for one in played:
        expected, _ = modelled(one, replace(nominal, delay=nominal.delay * 0, lag=nominal.lag * 0))
        wanted = expected - expected.mean((0, 1))
        for row, late in enumerate(range_):
            moved = shifted(one, torch.full((nominal.count,), late))
            power, good = moved.power, moved.good
            centred = torch.where(good, power - _mean(power, good), 0.0)
            count = good.sum((0, 1)).clamp_min(1)
            size = ((centred**2).sum((0, 1)) * ((wanted * good) ** 2).sum((0, 1))).sqrt().clamp_min(1e-300)
            totals[row] += (centred * wanted).sum((0, 1)) / size * count / one.power.shape[:2].numel()
    best = totals.argmax(0)
    inner = best.clamp(1, len(range_) - 2)
    left, top, right = (totals.gather(0, (inner + step)[None])[0] for step in (-1, 0, 1))
    bend = (left - 2 * top + right).clamp_max(-1e-12)
    part = ((left - right) / (2 * bend)).clamp(-0.5, 0.5)
    return (inner - MOST_SHIFT + part) * interval_s


def _mean(power: Tensor, good: Tensor) -> Tensor:
    return torch.where(good, power, 0.0).sum((0, 1)) / good.sum((0, 1)).clamp_min(1)
