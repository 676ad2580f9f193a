"""How far the powers of driven oscillators are from a measurement, and how they depend on the parameters; compiled.

The drive is held over each step of h, where the logistic equation has a closed solution. With z = (sigma I - gamma) h,
d = gamma (1 + Q) h, e = exp(z), phi = (e - 1) / z and n = 1 + x (e - 1 + d phi) it is x' = x e / n, and

    dx'/dx = e / n^2    dx'/dz = x' - x' x (e + d phi') / n    dx'/dd = -x' x phi / n,    phi' = dphi/dz.

In plain torch this is some fifty passes over memory and a loop over all samples: a refit took 1.6 times as long.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spinhw.rollout.compiled import kept

Array = NDArray[Any]
_F = np.float32
# What may be reordered or fused; nan and infinity keep their meaning. All that is compiled is in this file: Numba does
# not see changes elsewhere.
_JIT: dict[str, Any] = {"nogil": True, "fastmath": {"contract", "nsz", "arcp"}, "error_model": "numpy", "_nrt": False}
# For what is called from compiled code only: entries for Python would be much of the compile time. So would slices.
_PART = _JIT | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_ENTRY = _JIT | {"no_cfunc_wrapper": True}
_DYNAMICS = 3  # ln gamma, ln sigma and Q: in front of the synapses.
_LARGEST_EXPONENT = _F(40.0)  # Beyond, squares of the exponential would overflow; no shipped drive comes near.
_NEAR = _F(0.1)  # Within this, differences lose digits and series are exact to rounding.


@njit(**_PART)
def _phi(z, grown):
    """Give phi and its derivative."""
    if abs(z) < _NEAR:
        phi = _F(1) + z * _F(1 / 2) * (_F(1) + z * _F(1 / 3) * (_F(1) + z * _F(1 / 4)))
        return phi, _F(1 / 2) + z * _F(1 / 3) * (_F(1) + z * _F(3 / 8) * (_F(1) + z * _F(4 / 15)))
    phi = (grown - _F(1)) / z
    return phi, (grown - phi) / z


@njit(**_PART)
def _interval(x, drive, slope, sequence, neuron, end, substeps, rates, one):
    """Take the steps before `end`: x after them, what is left of x before, and the pushes of gamma, sigma, Q and I."""
    flat, pump, damping = rates[one, 0], rates[one, 1], rates[one, 2]
    keep, by_gamma, by_sigma, by_q, by_drive = _F(1), _F(0), _F(0), _F(0), _F(0)
    for step in range(end - substeps, end):
        pumped = pump * drive[sequence, step, neuron]
        z = min(max(pumped - flat, -_LARGEST_EXPONENT), _LARGEST_EXPONENT)
        grown = np.exp(z)
        phi, rise = _phi(z, grown)
        share = _F(1) / (_F(1) + x * (grown - _F(1) + damping * phi))
        after = x * grown * share
        by_x = grown * share * share
        by_z = after - after * x * share * (grown + damping * rise)
        by_d = -after * x * share * phi
        by_gamma = by_x * by_gamma + by_d * damping - by_z * flat
        by_sigma = by_x * by_sigma + by_z * pumped
        by_q = by_x * by_q + by_d * flat
        by_drive = by_x * by_drive + by_z * pump * slope[sequence, step, neuron]
        keep *= by_x
        x = after
    return x, keep, by_gamma, by_sigma, by_q, by_drive


@njit(**_PART)
def _move(tangents, one, keep, by_gamma, by_sigma, by_q, by_drive, carried, sequence, interval, sources):
    """Move the derivatives of one neuron over a sample interval."""
    tangents[one, 0] = keep * tangents[one, 0] + by_gamma
    tangents[one, 1] = keep * tangents[one, 1] + by_sigma
    tangents[one, 2] = keep * tangents[one, 2] + by_q
    for slot in range(sources.shape[1]):
        arrived, place = carried[sequence, interval, sources[one, slot]], _DYNAMICS + slot
        tangents[one, place] = keep * tangents[one, place] + by_drive * arrived


@njit(**_PART)
def _leave(found, one, row, tangents, apart, counts, push):
    """Write a sample of one neuron, and add to its gradient."""
    last = tangents.shape[1]
    for place in range(last):
        found[one, row, place] = tangents[one, place] if counts else _F(0)
    found[one, row, last] = apart if counts else _F(0)
    if counts:
        for place in range(_DYNAMICS):
            push[one, place] += tangents[one, place] * apart


@njit(**_PART)
def _rest(power, tangents, push, rest):
    """Begin a sequence."""
    for one in range(len(power)):
        power[one] = rest[one, 0]
        for place in range(tangents.shape[1]):
            tangents[one, place] = rest[one, 1 + place] if place < _DYNAMICS else _F(0)
        for place in range(_DYNAMICS):
            push[one, place] = 0.0


@njit(**_PART)
def _add_squares(spread, push):
    """Add g g^T, and let g begin anew."""
    for one in range(len(push)):
        for place in range(_DYNAMICS):
            for other in range(_DYNAMICS):
                spread[one, place, other] += push[one, place] * push[one, other]
        for place in range(_DYNAMICS):
            push[one, place] = 0.0


@kept(**_ENTRY)
def _sweep(
    drive, slope, carried, measured, good, chosen, sources, rates, rest, stretch, power, tangents, push, found, spread
):
    samples = measured.shape[1]
    substeps = drive.shape[1] // (samples - 1)
    for sequence in range(measured.shape[0]):
        _rest(power, tangents, push, rest)
        for sample in range(samples):
            for one in range(len(chosen)):
                neuron = chosen[one]
                if sample > 0:
                    power[one], keep, by_gamma, by_sigma, by_q, by_drive = _interval(
                        power[one], drive, slope, sequence, neuron, sample * substeps, substeps, rates, one
                    )
                    before = sample - 1
                    _move(tangents, one, keep, by_gamma, by_sigma, by_q, by_drive, carried, sequence, before, sources)
                apart, counts = measured[sequence, sample, neuron] - power[one], good[sequence, sample, neuron]
                _leave(found, one, sequence * samples + sample, tangents, apart, counts, push)
            if (sample + 1) % stretch == 0:
                _add_squares(spread, push)


def sensitivities(
    drive: Array,
    slope: Array,
    carried: Array,
    measured: Array,
    good: Array,
    chosen: Array,
    sources: Array,
    rates: Array,
    rest: Array,
    stretch: int,
    found: Array,
    spread: Array,
) -> None:
    """Fill `found` with derivatives of the powers and what is left of a measurement, and add to `spread`.

    Everything is float32 where nothing else is said, and C-contiguous.

    Args:
        drive: I of each step, the same number in each sample interval, (sequence, step, neuron).
        slope: How it changes with the synaptic sum, same shape.
        carried: What synapses carried in each sample interval, (sequence, time, source).
        measured: Powers before the first and at the end of each interval, (sequence, time + 1, neuron).
        good: Which of them count, bool, same shape.
        chosen: Neurons, by number, int64, (chosen,).
        sources: Of their synapses, int64, (chosen, slot).
        rates: gamma, sigma and gamma (1 + Q) times the step, (chosen, 3).
        rest: Power before the first step and its derivatives by the dynamics, (chosen, 4).
        stretch: Samples whose gradient is summed before it is squared for `spread`.
        found: By the dynamics, by synapses of weight 1, then measured - model; zeros where a sample does not count,
            (chosen, sequence * (time + 1), 3 + slot + 1).
        spread: Sums of g g^T over whole stretches, g the gradient of one by the dynamics, float64, (chosen, 3, 3).
    """
    count = len(chosen)
    room = np.empty(count, _F), np.empty((count, found.shape[2] - 1), _F), np.empty((count, _DYNAMICS))
    _sweep(drive, slope, carried, measured, good, chosen, sources, rates, rest, stretch, *room, found, spread)
