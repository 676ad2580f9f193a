"""From readings to what is known of a chain; what failed is named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from spinhw.calibration.synapses.fit import Fitted, SweptWindows, fit_sweeps, side_by_side
from spinhw.calibration.synapses.judge import GOOD_ENOUGH, faults, keeps_values, miswired
from spinhw.calibration.synapses.programming import Programmed, programmed
from spinhw.calibration.synapses.readings import Read
from spinhw.errors import CalibrationError
from spinhw.physics import Chain, Ladder

# A source's own tuning must move its weight by so many errors for the others to be compared with it.
_OWN_SEEN = 5.0


@dataclass(frozen=True)
class Crosstalk:
    """The crosstalk matrix.

    Args:
        change: Of the weight at each tone (row) from the tuning of each resonator (column) down to up.
        error: Of one change.
        values: Changes over the source's own; NaN where that is not seen.
        errors: Their standard errors.
        reduced_chi2: Of the changes by others against the chain as fitted; None without a fit.
        depth: Tuning up and down.
    """

    change: Tensor
    error: float
    values: Tensor
    errors: Tensor
    reduced_chi2: float | None
    depth: float


@dataclass(frozen=True)
class Tuned:
    """What a sweep tells of a chain, those that failed as they were found.

    Args:
        chain: The resonators.
        covariance: Of resonance, G, K and span, (resonator, 4, 4).
        scatter: Of one programming over G / 2: the repeatability, pooled over the chain.
    """

    chain: Chain
    covariance: Tensor
    scatter: float


@dataclass(frozen=True)
class SynapseAnalysis:
    """What was found.

    Args:
        chain: As fitted; a dead resonator has no weight, a stuck one no span. As designed without a detuning sweep.
        tuned: The fit with covariances; None without a detuning sweep.
        centres_hz: Of each resonator at each tuning, (resonator, level); None without one.
        failed: By number, why.
        noise: Of one reading.
        offset: Reading without a tone.
        reduced_chi2: Of the sweep, (resonator,); NaN without one.
        crosstalk: None where it was not measured.
        programmed: None where it was not measured.
    """

    chain: Chain
    tuned: Tuned | None
    centres_hz: Tensor | None
    failed: dict[int, str]
    noise: float
    offset: float
    reduced_chi2: Tensor
    crosstalk: Crosstalk | None
    programmed: Programmed | None


def analyse_synapses(reads: Sequence[Read], ladder: Ladder) -> SynapseAnalysis:
    """Fit everything that was read.

    Raises:
        CalibrationError: Tuning lines are exchanged, or not one resonator works.
    """
    count = reads[0].points.tuning.shape[1]
    offset, noise = quiet(reads)
    crossed = next((one for one in reads if one.kind == "crosstalk"), None)
    if crossed is not None:
        _refuse_miswired(_changes(crossed)[0], ladder, float(str(crossed.experiment["depth"])))
    found = SynapseAnalysis(
        Chain.designed(ladder, count),
        None,
        None,
        {},
        noise,
        offset,
        torch.full((count,), torch.nan, dtype=torch.float64),
        None,
        None,
    )
    swept = next((one for one in reads if one.kind == "detuning_sweep"), None)
    if swept is not None:
        found = _fitted(found, swept, ladder)
    if crossed is not None:
        found = replace(found, crosstalk=_crosstalk(crossed, found, ladder))
    visited = next((one for one in reads if one.kind == "programming"), None)
    if visited is not None:
        found = replace(found, programmed=programmed(visited, found.chain, found.offset, found.noise))
    return found


def quiet(reads: Sequence[Read]) -> tuple[float, float]:
    """Give the reading without a tone (0 where that was not measured) and the noise of one reading."""
    dark = [one.voltage[one.good] for one in reads if one.kind == "no_tone"]
    if dark:
        values = torch.cat(dark)
        return float(values.mean()), float(values.std()) if len(values) > 1 else 0.0
    squares, freedom = 0.0, 0
    for one in reads:
        if one.voltage.shape[1] > 1:
            whole = one.voltage[one.good.all(1)]
            squares += float(whole.var(1).sum()) * (one.voltage.shape[1] - 1)
            freedom += len(whole) * (one.voltage.shape[1] - 1)
    return 0.0, (squares / freedom) ** 0.5 if freedom else 0.0


def windows_of(read: Read, ladder: Ladder, offset: float) -> SweptWindows:
    """Cut a detuning sweep of a whole ladder into windows.

    Args:
        read: The experiment.
        ladder: The chain as designed.
        offset: Reading without a tone, which is taken off.
    """
    count, tones = read.points.tuning.shape[1], int(str(read.experiment["tones"]))
    shape = (-1, count, tones)
    weight = ((read.mean() - offset) / read.points.power).view(shape)
    return SweptWindows(
        ladder.tones_hz(count), read.points.tuning[:: count * tones], read.points.rf_hz.view(shape), weight
    )


def swept_fit(read: Read, ladder: Ladder, offset: float, noise: float = 0.0) -> Fitted:
    """Fit a detuning sweep of a whole ladder.

    Args:
        read: The experiment.
        ladder: The chain as designed.
        offset: Reading without a tone, in units of an output.
        noise: Of one reading, likewise; 0 where it was not measured.
    """
    swept = side_by_side([windows_of(read, ladder, offset)], float(str(read.experiment["reach"])))
    reading = noise / float(read.points.power.mean()) / read.voltage.shape[1] ** 0.5
    return fit_sweeps([swept], ladder, reading or None)[0]


def _fitted(found: SynapseAnalysis, swept: Read, ladder: Ladder) -> SynapseAnalysis:
    power, count = float(swept.points.power.mean()), found.chain.count
    fitted = swept_fit(swept, ladder, found.offset, found.noise)
    expected = (found.noise / power) ** 2 / swept.voltage.shape[1] + (GOOD_ENOUGH * ladder.max_weight) ** 2
    chi2 = fitted.chi2[0] * fitted.noise.reading**2 / expected
    levels = fitted.swept.tuning.shape[1]
    failed = faults(fitted, 0, swept.quality.view(levels, count, -1, swept.voltage.shape[1]), chi2, ladder)
    if len(failed) == count:
        raise nothing_works(failed, found.noise)
    here = fitted.chain.mapped(lambda one: one[0])
    tuned = Tuned(here, fitted.covariance[0], fitted.noise.scatter)
    offset = found.offset + float(fitted.offset[0]) * power
    centres = fitted.centres_hz[0].T
    chain = without_failed(here, failed)
    return replace(found, chain=chain, tuned=tuned, centres_hz=centres, failed=failed, offset=offset, reduced_chi2=chi2)


def without_failed(chain: Chain, failed: dict[int, str]) -> Chain:
    """Let those that failed do what is known of them: they stay where they are, or do nothing."""
    weight, span = chain.max_weight.clone(), chain.tuning_span_hz.clone()
    for number, why in failed.items():
        span[number] = 0.0
        if not keeps_values(why):
            weight[number] = 0.0
    return replace(chain, max_weight=weight, tuning_span_hz=span)


def _changes(read: Read) -> tuple[Tensor, Tensor]:
    """Give the weight at each tone (row) with each resonator (column) up less that with it down, and the mean power."""
    count = read.points.tuning.shape[1]
    weight = (read.mean() / read.points.power).view(count, 2, count)  # (resonator, up or down, tone)
    return (weight[:, 0] - weight[:, 1]).T, read.points.power.mean()


def _crosstalk(read: Read, found: SynapseAnalysis, ladder: Ladder) -> Crosstalk:
    change, power = _changes(read)
    error = found.noise / float(power) * (2 / read.voltage.shape[1]) ** 0.5
    own = change.diagonal()[:, None]
    seen = (own.abs() > _OWN_SEEN * error) & (own.abs() > GOOD_ENOUGH * ladder.max_weight)
    values = torch.where(seen, change / own, torch.nan)
    errors = torch.where(seen, error * (1 + values**2).sqrt() / own.abs(), torch.nan)
    errors.fill_diagonal_(0.0)
    chi2 = None
    if found.tuned is not None and found.chain.count > 1:
        fitted = found.chain.weight(read.points.tuning, read.points.rf_hz).view(len(change), 2, len(change))
        apart = change - (fitted[:, 0] - fitted[:, 1]).T
        others = ~torch.eye(len(change), dtype=torch.bool) & apart.isfinite()
        chi2 = float((apart[others] ** 2).mean() / (error**2 + (GOOD_ENOUGH * ladder.max_weight / 10) ** 2))
    depth = float(str(read.experiment["depth"]))
    return Crosstalk(change, error, values, errors, chi2, depth)


def _refuse_miswired(change: Tensor, ladder: Ladder, depth: float) -> None:
    wrong = miswired(change, ladder, depth)
    if wrong:
        pairs = [f"resonator {number} follows the tuning of {other}" for number, other in wrong.items()]
        raise CalibrationError(
            "the wiring is mixed up: " + ", ".join(pairs),
            allowed="each resonator follows its own tuning",
            todo="exchange these outputs of the controller; the readings are kept",
        )


def nothing_works(failed: dict[Any, str], noise: float) -> CalibrationError:
    """Say that no resonator can be calibrated, and why the first cannot; those that failed by number or name."""
    number, why = next(iter(failed.items()))
    return CalibrationError(
        f"not one of {len(failed)} resonators can be calibrated; resonator {number}: {why}",
        seen=f"noise of a reading {noise:.2g}",
        allowed="resonances near their design, well above the noise",
        todo="check tone, power, meter and design; the readings are kept",
    )
