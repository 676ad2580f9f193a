"""From a detuning sweep to resonators: the centre of each line at each tuning, then a line through the centres.

Each resonator is fitted to the tones around itself, with what the others add taken off; a few rounds settle it, for
tails are small where resonances are many linewidths apart. Its centre is free at each tuning, because a programming
scatters more than readings do: what the centres scatter by around a line is the repeatability, pooled over the chain,
and errors of resonance and span follow from that scatter. Errors do not know of errors of neighbours; that counts only
where resonances are nearer than about four half linewidths.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from torch import Tensor

from spinhw.calibration.synapses.readings import Read
from spinhw.physics import Chain, Ladder

_ROUNDS = 6
_SETTLED = 1e-9  # Of a half linewidth.
_TRIED_WIDTHS = (0.4, 0.7, 1.0, 1.4, 2.5)  # Half linewidths over the designed one, where the search begins.
_TRIED_CENTRES = 121
_WIDTHS = (0.1, 10.0)  # Half linewidths over the designed one that are looked at.
_MOST_TRIALS = 40  # A resonance takes ten; where there is none, none is found by more.
_FEWEST_TONES = 6  # In a window that is looked at.

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SweptWindows:
    """A sweep as it is fitted: one window of tones for each resonator and tuning, in hertz and weights.

    Args:
        tuning: (level,).
        rf_hz: (level, resonator, tone).
        weight: Voltage over power without the offset; NaN where nothing counts; same shape.
        readings: Of each point.
    """

    tuning: Array
    rf_hz: Array
    weight: Array
    readings: int

    @classmethod
    def of(cls, read: Read, offset: float) -> "SweptWindows":
        """Cut a sweep into windows."""
        count = read.points.tuning.shape[1]
        tones = int(str(read.experiment["tones"]))
        weight = (read.mean() - offset) / read.points.power
        shape = (-1, count, tones)
        return cls(
            read.points.tuning[:: count * tones, 0].numpy(),
            read.points.rf_hz.view(shape).numpy(),
            weight.view(shape).numpy(),
            read.voltage.shape[1],
        )


@dataclass(frozen=True)
class Lines:
    """What the windows tell of each resonator, before a line is drawn through its centres.

    Args:
        centre_hz: (resonator, level).
        half_linewidth_hz: (resonator,).
        max_weight: (resonator,).
        covariance: Of the centres, then G and K, (resonator, level + 2, level + 2).
        residual: Rms, (resonator,).
        offset: Weight that is there at all tones, left in the data.
    """

    centre_hz: Array
    half_linewidth_hz: Array
    max_weight: Array
    covariance: Array
    residual: Array
    offset: float


def fit_lines(windows: SweptWindows, ladder: Ladder) -> Lines:
    """Fit every resonance at every tuning."""
    levels, count, _ = windows.rf_hz.shape
    start = [_begin(windows, number, ladder) for number in range(count)]
    table = np.stack(start)  # (resonator, level + 2): centres, G, K
    covariances, residual, offset = np.zeros((count, levels + 2, levels + 2)), np.zeros(count), 0.0
    for _ in range(_ROUNDS):
        before, rest = table.copy(), 0.0
        for number in range(count):
            others = _model(windows.rf_hz[:, number], np.delete(table, number, 0))
            data = windows.weight[:, number] - others - offset
            table[number], covariances[number], misfit = _fit_one(windows.rf_hz[:, number], data, table[number], ladder)
            residual[number], rest = misfit.std(), rest + float(misfit.mean()) / count
        offset += rest
        moved = np.abs(table - before)[:, :levels].max() / ladder.half_linewidth_hz
        if moved < _SETTLED:
            break
    return Lines(table[:, :levels], table[:, levels], table[:, levels + 1], covariances, residual, offset)


def _shape(rf_hz: Array, centre_hz: Array, width_hz: Array) -> Array:
    detuning = rf_hz - centre_hz
    return 2 * width_hz * detuning / (detuning**2 + width_hz**2)


def _model(rf_hz: Array, table: Array) -> Array:
    """Give what resonators add to one window of each tuning, (level, tone)."""
    total = np.zeros_like(rf_hz)
    for row in table:
        total += row[-1] * _shape(rf_hz, row[:-2, None], row[-2])
    return total


def _begin(windows: SweptWindows, number: int, ladder: Ladder) -> Array:
    """Try centres and widths in every window; the size of the best follows by linear least squares."""
    rf_hz, weight = windows.rf_hz[:, number], windows.weight[:, number]
    centres = np.linspace(rf_hz[:, 0], rf_hz[:, -1], _TRIED_CENTRES, axis=1)  # (level, centre)
    sizes, gains = np.zeros((2, len(_TRIED_WIDTHS), *centres.shape))
    for level, (tones, data) in enumerate(zip(rf_hz, weight, strict=True)):
        good = np.isfinite(data)
        if good.sum() < _FEWEST_TONES:
            continue
        flat = _flattener(tones[good])
        for place, share in enumerate(_TRIED_WIDTHS):
            width = np.asarray(share * ladder.half_linewidth_hz)
            shapes = _shape(tones[good], centres[level][:, None], width) @ flat
            power = (shapes**2).sum(1).clip(1e-12)
            sizes[place, level] = shapes @ data[good] / power
            gains[place, level] = sizes[place, level] ** 2 * power
    # One width and one sign for all tunings: neither depends on the tuning.
    signed = np.stack([gains * (sign * sizes > 0) for sign in (1, -1)])  # (sign, width, level, centre)
    sign, place = np.unravel_index(signed.max(-1).sum(-1).argmax(), signed.shape[:2])
    rows, chosen = np.arange(len(rf_hz)), signed[sign, place].argmax(-1)
    width_hz = _TRIED_WIDTHS[place] * ladder.half_linewidth_hz
    return np.concatenate([centres[rows, chosen], [width_hz, sizes[place][rows, chosen].mean()]])


def _flattener(tones: Array) -> Array:
    """Give the projection that takes out a constant and a slope: tails of neighbours, offsets."""
    base = np.stack([np.ones_like(tones), (tones - tones.mean()) / np.ptp(tones).clip(1.0)], axis=1)
    basis, _ = np.linalg.qr(base)
    return np.eye(len(tones)) - basis @ basis.T


def _fit_one(rf_hz: Array, data: Array, start: Array, ladder: Ladder) -> tuple[Array, Array, Array]:
    """Fit centres, G and K of one resonator; give them, their covariance, and what is left over."""
    good, unit = np.isfinite(data), ladder.half_linewidth_hz
    levels = len(rf_hz)
    if good.sum() <= levels + 2:
        return start, np.full((levels + 2, levels + 2), np.inf), np.zeros(1)
    level = np.broadcast_to(np.arange(levels)[:, None], rf_hz.shape)[good]
    reference = rf_hz.mean(1)
    tones, wanted = ((rf_hz - reference[:, None]) / unit)[good], data[good]
    scale = max(abs(float(start[-1])), 1e-12)

    def left(free: Array) -> Array:
        return (scale * free[-1] * _shape(tones, free[level], free[-2]) - wanted) / scale

    def slopes(free: Array) -> Array:
        detuning, width = tones - free[level], free[-2]
        square = detuning**2 + width**2
        found = np.zeros((len(tones), levels + 2))
        found[np.arange(len(tones)), level] = -free[-1] * 2 * width * (width**2 - detuning**2) / square**2
        found[:, -2] = free[-1] * 2 * detuning * (detuning**2 - width**2) / square**2
        found[:, -1] = 2 * width * detuning / square
        return found

    begin = np.concatenate([(start[:levels] - reference) / unit, [start[-2] / unit, start[-1] / scale]])
    # Narrower lines would fit single readings where there is nothing but noise; centres may lie a little outside.
    ends = np.array([[tones.min() - 1, tones.max() + 1]] * levels + [_WIDTHS, (-np.inf, np.inf)]).T
    begin[-2] = min(max(begin[-2], 1.01 * _WIDTHS[0]), 0.99 * _WIDTHS[1])
    begin[:levels] = begin[:levels].clip(ends[0, 0] + 0.01, ends[1, 0] - 0.01)
    ask = {"x_scale": "jac", "ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14, "max_nfev": _MOST_TRIALS}
    found = least_squares(left, begin, slopes, tuple(ends), **ask)
    freedom = max(1, len(tones) - levels - 2)
    size = np.concatenate([np.full(levels + 1, unit), [scale]])
    spread = np.linalg.pinv(found.jac.T @ found.jac) * float((found.fun**2).sum()) / freedom
    free = found.x
    table = np.concatenate([reference + free[:levels] * unit, [free[-2] * unit, free[-1] * scale]])
    return table, spread * size[:, None] * size, -found.fun * scale * np.sqrt(len(tones) / freedom)


@dataclass(frozen=True)
class Tuned:
    """Lines through the centres.

    Args:
        chain: The resonators.
        covariance: Of resonance, G, K and span, (resonator, 4, 4).
        scatter: What centres scatter by around their line beyond what readings explain, over G / 2: the repeatability
            pooled over those that count.
    """

    chain: Chain
    covariance: Tensor
    scatter: float


def fit_tuning(windows: SweptWindows, lines: Lines, counted: Array, ladder: Ladder) -> Tuned:
    """Draw a line through the centres of each resonator.

    Args:
        windows: The sweep.
        lines: Its resonances.
        counted: Which resonators tell of the scatter, boolean, (resonator,).
        ladder: Gives the span where there is one tuning only.
    """
    count, levels = lines.centre_hz.shape
    design = np.stack([np.ones(levels), windows.tuning], axis=1)
    lone = levels < 2
    solve = np.array([[1.0], [0.0]]) if lone else np.linalg.pinv(design)  # (2, level)
    found = lines.centre_hz @ solve.T  # (resonator, 2)
    scatter = _scatter(lines, lines.centre_hz - found @ design.T, counted) if levels > 2 else 0.0
    covariance = np.zeros((count, 4, 4))
    for number in range(count):
        spread = lines.covariance[number].copy()
        spread[:levels, :levels] += np.eye(levels) * (scatter * lines.half_linewidth_hz[number] / 2) ** 2
        onto = np.zeros((4, levels + 2))
        onto[0, :levels], onto[1, levels], onto[2, levels + 1], onto[3, :levels] = solve[0], 1.0, 1.0, solve[1]
        covariance[number] = onto @ spread @ onto.T
    span = np.full(count, ladder.tuning_span_hz) if lone else found[:, 1]
    values = (found[:, 0], lines.half_linewidth_hz, lines.max_weight, span)
    return Tuned(
        Chain(*(torch.from_numpy(np.ascontiguousarray(one)) for one in values)), torch.from_numpy(covariance), scatter
    )


def _scatter(lines: Lines, off: Array, counted: Array) -> float:
    """Estimate the scatter of programmings over G / 2 from what centres are off their lines, pooled."""
    if not counted.any():
        return 0.0
    levels = off.shape[1]
    readings = lines.covariance[:, np.arange(levels), np.arange(levels)].mean(1)
    excess = ((off**2).sum(1) / (levels - 2) - readings) / (lines.half_linewidth_hz / 2) ** 2
    return float(np.sqrt(max(0.0, excess[counted].mean())))


def centres_off_line(windows: SweptWindows, ladder: Ladder) -> Array:
    """Give by how much each centre is off the line through its resonator's centres, in hertz, (resonator, level)."""
    lines = fit_lines(windows, ladder)
    design = np.stack([np.ones(len(windows.tuning)), windows.tuning], axis=1)
    return lines.centre_hz - lines.centre_hz @ np.linalg.pinv(design).T @ design.T
