"""The corner of the high-pass behind each oscillator, from the signal behind it.

The oscillators are known from their powers by then, so that y is a function of the corner alone, but for the gain of
the channel that records it, which follows by linear least squares.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.calibration.traces import Taken
from spinhw.device import OscillatorBank
from spinhw.errors import CalibrationError
from spinhw.estimate import NormalEquations, levenberg_marquardt
from spinhw.rollout import Neurons, Steps, rollout_driven
from spinhw.surrogate import Oscillators

_STEPS_PER_NS = 8
_TRIED = 2.0 ** torch.arange(-4, 5, dtype=torch.float64)  # Corners over the designed one, where the search begins.
_FARTHEST, _APART = 0.5, 1e-4  # In the logarithm of the corner.
_LEAST_VARIANCE = 1e-24  # Of a sample: rounding.
_UNSURE = 0.3  # Relative error beyond which a corner counts as not seen.


@dataclass(frozen=True)
class Corners:
    """Corners of the high-pass.

    Args:
        cutoff_hz: (oscillator,); NaN where it is not seen.
        error_hz: Standard errors, (oscillator,).
    """

    cutoff_hz: Tensor
    error_hz: Tensor


def require_filtered(bank: OscillatorBank, kinds: Sequence[str]) -> None:
    """Refuse a plan with a high-pass experiment on a bank that does not show the signal behind it.

    Raises:
        CalibrationError: Names the signal; nothing was played.
    """
    if "highpass" in kinds and "filtered" not in bank.describe().observables:
        raise CalibrationError(
            f"{bank.name}: this bank records nothing behind a high-pass, so its corner cannot be measured",
            seen=", ".join(sorted(bank.describe().observables)),
            allowed="a simulated bank, or a bench that names inputs behind the high-pass (wiring.filtered)",
            todo="wire such inputs, or leave the highpass experiment out of the plan: the corner of the design counts",
        )


def corners(taken: Sequence[Taken], found: Oscillators, nominal: Neurons) -> Corners | None:
    """Fit the corners; None where no experiment recorded the signal behind the high-pass for that.

    Args:
        taken: All experiments.
        found: Oscillators as fitted.
        nominal: Neurons as designed, (1, oscillator): where the search begins.
    """
    shown = [one for one in taken if one.experiment["kind"] == "highpass" and one.filtered is not None]
    if not shown:
        return None
    neurons, start = found.neurons(nominal), nominal.cutoff_hz[0].double().log()
    tried = torch.stack([_misfit(shown, neurons, start + shift)[0] for shift in _TRIED.log()])  # (tried, oscillator)
    begun = start + _TRIED.log()[tried.argmin(0)]

    def look(steps: Tensor, busy: Tensor) -> NormalEquations:
        return _equations(shown, neurons, begun + steps[:, 0]).profiled(_LEAST_VARIANCE).picked(busy)

    steps = torch.zeros(len(begun), 1, dtype=torch.float64)
    end = levenberg_marquardt(look, steps, torch.full_like(steps, _FARTHEST), damping=0.0)
    log = begun + end.values[:, 0]
    ends = _equations(shown, neurons, log)
    curvature = ends.normal[:, 0, 0]
    error = (ends.squares / (ends.samples - 2).clamp_min(1) / curvature.clamp_min(1e-300)).sqrt()
    seen = (error < _UNSURE) & (curvature > 1e-12) & ((log - start).abs() < math.log(64))
    cutoff = log.exp()
    return Corners(torch.where(seen, cutoff, torch.nan), torch.where(seen, cutoff * error, torch.nan))


def _misfit(shown: Sequence[Taken], neurons: Neurons, log: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
    """Give the squares left over with the best gain, (oscillator,), what is left of each sample, and that gain."""
    models = [_model(one, neurons, log) for one in shown]
    data = [_filtered(one) for one in shown]
    good = [one.played.good[:, 1:] & values.isfinite() for one, values in zip(shown, data, strict=True)]
    pairs = [(torch.where(ok, y, 0.0), torch.where(ok, m, 0.0)) for ok, y, m in zip(good, data, models, strict=True)]
    power = torch.stack([(m**2).sum((0, 1)) for _, m in pairs]).sum(0)
    gain = torch.stack([(y * m).sum((0, 1)) for y, m in pairs]).sum(0) / power.clamp_min(1e-300)
    left = [y - gain * m for y, m in pairs]
    return torch.stack([(one**2).sum((0, 1)) for one in left]).sum(0), left, gain


def _equations(shown: Sequence[Taken], neurons: Neurons, log: Tensor) -> NormalEquations:
    """Give the normal equations of the corners; the gain follows the corner wherever it goes."""
    left, above, below = (_misfit(shown, neurons, log + sign * _APART)[1] for sign in (0, 1, -1))
    parts = []
    for one, apart, high, low in zip(shown, left, above, below, strict=True):
        # Of gain times model.
        slope, good = (low - high) / (2 * _APART), one.played.good[:, 1:].double()
        by, apart, good = (values.movedim(2, 0).flatten(1) for values in (slope, apart, good))
        parts.append(NormalEquations.of(by[..., None], apart, good))
    return sum(parts[1:], parts[0])


def _filtered(taken: Taken) -> Tensor:
    if taken.filtered is None:
        raise ValueError("this experiment has no signal behind the high-pass")
    return taken.filtered.double()


def _model(taken: Taken, neurons: Neurons, log: Tensor) -> Tensor:
    """Give y at the ends of the intervals, (segment, time, oscillator)."""
    played = taken.played
    steps = Steps(played.interval_s, max(1, math.ceil(played.interval_s * 1e9 * _STEPS_PER_NS - 1e-9)), 1)
    rest = replace(neurons, cutoff_hz=log.exp()[None], bias_drive=torch.full_like(neurons.gamma, played.bias_drive))
    return rollout_driven(played.drive[None], rest, steps).filtered[0]
