"""From traces to parameters: what can be fitted is fitted, what the data cannot tell is fixed, what failed is named."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.calibration.clocks import runs_off
from spinhw.calibration.fitting import Fit, approach, fit, replaced
from spinhw.calibration.judge import faults, miswired, noise_of
from spinhw.calibration.measure import joined
from spinhw.calibration.settling import unsettled, without
from spinhw.calibration.start import begin
from spinhw.calibration.traces import Taken
from spinhw.calibration.uncertainty import IDENTIFIED, untold
from spinhw.errors import CalibrationError
from spinhw.surrogate import DYNAMICS, Oscillators, Played
from spinhw.units import show_quantity

# Beyond this reduced chi square the model does not describe the oscillator.
WORST_CHI2 = 4.0
# A model this good (rms, in units of full power) is good enough whatever the noise.
GOOD_ENOUGH = 2e-3
# An oscillator that had to be left out of more of its segments than this is not described by what remains.
MOST_LEFT_OUT = 0.5
# A gain further from the conversion than this is a fit that took something else for the oscillator.
_LEAST_GAIN, _MOST_GAIN = 0.1, 10.0
_LOOKS = 4  # At which segments began at rest, going by the fit without those found before.


@dataclass(frozen=True)
class CalibrationAnalysis:
    """What was found.

    Args:
        fit: Of all oscillators; those that failed keep the nominal values.
        fixed: Parameters that the plan would have fitted but the data cannot tell, and why.
        failed: By number, why.
        left_out: Segments that do not count because an oscillator had not come to rest before them, by its number.
        noise: Of one shot's sample, (oscillator,).
        residual_rms: Of one shot's sample around the fit, (oscillator,).
        reduced_chi2: (oscillator,).
    """

    fit: Fit
    fixed: dict[str, str]
    failed: dict[int, str]
    left_out: dict[int, int]
    noise: Tensor
    residual_rms: Tensor
    reduced_chi2: Tensor


def analyse(
    taken: Sequence[Taken], nominal: Oscillators, free: Sequence[str], rest_s: float = 0.0
) -> CalibrationAnalysis:
    """Fit everything that was measured.

    Args:
        taken: All experiments.
        nominal: The device as designed.
        free: Parameters of the plan.
        rest_s: Rest before each segment in seconds.

    Raises:
        CalibrationError: Oscillators are wired to each other's drives, or not one of them works.
    """
    _refuse_miswired(taken, nominal)
    noise = noise_of(taken)
    failed = faults(taken, noise)
    working = torch.tensor([number for number in range(nominal.count) if number not in failed])
    if not len(working):
        raise _nothing_works(failed, taken, nominal)
    with single_threaded():
        first, fixed = _fitted(taken, nominal.picked(working), free, working)
        found, left_out = _of_rested(taken, first, noise[working], rest_s, working)
    chi2 = _chi2(found.noise, noise[working])
    segments = _segments(joined(taken))
    for place, number in enumerate(working.tolist()):
        why = _restless(int(left_out[place]), segments, rest_s) or _failure(found, place, float(chi2[place]))
        if why:
            failed[number] = _clocks(taken, first, place, noise[number], rest_s, number) or why
    everything = _spread(found, working, nominal)
    residual = torch.full((nominal.count,), torch.nan, dtype=torch.float64)
    reduced = residual.clone()
    residual[working], reduced[working] = found.noise, chi2
    lost = {number: int(count) for number, count in zip(working.tolist(), left_out, strict=True) if count}
    return CalibrationAnalysis(everything, fixed, dict(sorted(failed.items())), lost, noise, residual, reduced)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let torch use one thread: the arrays of a fit are small, and threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fitted(
    taken: Sequence[Taken], nominal: Oscillators, free: Sequence[str], working: Tensor
) -> tuple[Fit, dict[str, str]]:
    """Fit, and fit again without what the data cannot tell."""
    played = [one.of(working) for one in joined(taken)]
    names, fixed = list(free), dict[str, str]()
    start = approach(played, begin(played, nominal, names), names)
    found = fit(played, start, names)
    lost = [name for name in untold(found.covariance, found.oscillators, names) if name not in ("gamma", "sigma")]
    if lost:
        fixed = {name: "these drives cannot tell it from the other parameters" for name in lost}
        names = [name for name in names if name not in lost]
        start = approach(played, begin(played, nominal, names), names)
        found = fit(played, start, names)
    return found, fixed


def _of_rested(taken: Sequence[Taken], found: Fit, noise: Tensor, rest_s: float, working: Tensor) -> tuple[Fit, Tensor]:
    """Fit oscillators again without the segments that they did not begin at rest; count these, (oscillator,)."""
    played = [one.of(working) for one in joined(taken)]
    before = [torch.zeros(len(one.power), len(working), dtype=torch.bool) for one in played]
    for _ in range(_LOOKS):
        left_out = unsettled(played, found.oscillators, noise, rest_s)
        changed = torch.stack([(a != b).any(0) for a, b in zip(left_out, before, strict=True)]).any(0)
        again = (changed & (_counted(left_out) <= MOST_LEFT_OUT * _segments(played))).nonzero()[:, 0]
        before = left_out
        if not len(again):
            break
        some = [without(one, out).of(again) for one, out in zip(played, left_out, strict=True)]
        found = replaced(found, fit(some, found.oscillators.picked(again), found.free), again)
    return found, _counted(before)


def _counted(left_out: Sequence[Tensor]) -> Tensor:
    return torch.stack([one.sum(0) for one in left_out]).sum(0)


def _segments(played: Sequence[Played]) -> int:
    return sum(len(one.power) for one in played)


def _restless(left_out: int, segments: int, rest_s: float) -> str:
    """Say that an oscillator did not come to rest; empty where it did."""
    if left_out <= MOST_LEFT_OUT * segments:
        return ""
    return (
        f"it had not come to rest before {left_out} of {segments} segments, {show_quantity(rest_s, 's', 3)} after "
        "the one before: it is next to its threshold under the bias; give it more bias, or a longer rest in the plan"
    )


def _clocks(taken: Sequence[Taken], first: Fit, place: int, noise: Tensor, rest_s: float, number: int) -> str:
    """Say that clocks which differ are what is behind a failure; empty where they are not."""
    played = [one.of(torch.tensor([number])) for one in joined(taken)]
    with single_threaded():
        share = float(runs_off(played, first.oscillators.picked(torch.tensor([place])), noise[None], rest_s))
    if not share:
        return ""
    return (
        f"its record runs off against its drive, by about {abs(share) * 1e6:.0f} ppm: the clocks of the source and of "
        "the digitizer differ; lock both to one reference (10 MHz) and calibrate again"
    )


def _chi2(residual: Tensor, noise: Tensor) -> Tensor:
    return residual**2 / (noise**2 + GOOD_ENOUGH**2)


def _failure(found: Fit, place: int, chi2: float) -> str:
    """Say why a fit does not count; empty where it does."""
    if not bool(found.converged[place]):
        return "the fit came to no rest: its drives tell too little of it, perhaps it hardly passes its threshold"
    errors = found.errors()[:, place]
    if not bool(errors.isfinite().all()):
        return "its drives cannot tell its parameters apart"
    relative = found.covariance[place].diagonal().clamp_min(0).sqrt()
    vague = [
        name for row, name in enumerate(DYNAMICS) if name in found.free and float(relative[row]) > IDENTIFIED[name]
    ]
    if vague:
        return f"its drives tell too little about {', '.join(vague)}: drive it further above its threshold"
    gain = float(found.oscillators.gain[place])
    if "gain" in found.free and not _LEAST_GAIN < gain < _MOST_GAIN:
        return (
            f"what it shows fits a read-out with {gain:.2g} times the expected gain: it hardly oscillates at these "
            "drives, or conversion.power or the range of its input is wrong"
        )
    if chi2 > WORST_CHI2:
        return f"the model does not describe it: residuals {chi2**0.5:.1f} times its noise"
    return ""


def _spread(found: Fit, working: Tensor, nominal: Oscillators) -> Fit:
    """Put the fits of those that work among all; the others keep nominal values without errors."""
    count = nominal.count
    table = nominal.table()
    table[:, working] = found.oscillators.table()

    def full(values: Tensor, fill: float) -> Tensor:
        result = values.new_full((count, *values.shape[1:]), fill)
        result[working] = values
        return result

    return Fit(
        Oscillators.of(table),
        found.free,
        full(found.covariance, 0.0),
        full(found.noise, float("nan")),
        full(found.samples, 0.0),
        full(found.converged, False),
        found.iterations,
    )


def _refuse_miswired(taken: Sequence[Taken], nominal: Oscillators) -> None:
    wrong = miswired(taken, nominal)
    if not wrong:
        return
    pairs = [f"the power of oscillator {record} follows the drive of {drive}" for record, drive in wrong.items()]
    raise CalibrationError(
        "the wiring is mixed up: " + ", ".join(pairs),
        allowed="each power follows its own drive",
        todo="exchange these channels in the wiring or at the bench; the traces are kept",
    )


def _nothing_works(failed: dict[int, str], taken: Sequence[Taken], nominal: Oscillators) -> CalibrationError:
    number, why = next(iter(failed.items()))
    highest = max(float(one.played.drive.max()) for one in taken) / float(nominal.gamma.mean())
    return CalibrationError(
        f"not one of {len(failed)} oscillators can be calibrated; oscillator {number}: {why}",
        seen=f"drives up to {highest:.3g} gamma",
        allowed="drives well above the threshold, which is at 1 gamma nominally",
        todo="check supply, wiring, ranges and drive_per_ampere, or drive further; the traces are kept",
    )
