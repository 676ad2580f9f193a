"""From readings to what is known of a chain; what failed is named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.calibration.synapses.fit import SweptWindows, Tuned, fit_lines, fit_tuning
from spinhw.calibration.synapses.judge import GOOD_ENOUGH, faults, miswired
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


def _fitted(found: SynapseAnalysis, swept: Read, ladder: Ladder) -> SynapseAnalysis:
    windows = SweptWindows.of(swept, found.offset)
    lines = fit_lines(windows, ladder)
    power, count = float(swept.points.power.mean()), found.chain.count
    noise = (found.noise / power) ** 2 / windows.readings + (GOOD_ENOUGH * ladder.max_weight) ** 2
    chi2 = torch.from_numpy(lines.residual**2 / noise)
    # First all count towards the scatter of programmings, then those that do not fail.
    tuned = fit_tuning(windows, lines, torch.ones(count, dtype=torch.bool).numpy(), ladder)
    failed = faults(swept, windows, lines, tuned, chi2, ladder)
    if len(failed) == count:
        raise _nothing_works(failed, found.noise)
    working = torch.tensor([number not in failed for number in range(count)])
    tuned = fit_tuning(windows, lines, working.numpy(), ladder)
    offset = found.offset + lines.offset * power
    centres = torch.from_numpy(lines.centre_hz)
    chain = _without_failed(tuned.chain, failed)
    return replace(found, chain=chain, tuned=tuned, centres_hz=centres, failed=failed, offset=offset, reduced_chi2=chi2)


def _without_failed(chain: Chain, failed: dict[int, str]) -> Chain:
    """Let those that failed do what is known of them: a stuck one stays, the others do nothing."""
    weight, span = chain.max_weight.clone(), chain.tuning_span_hz.clone()
    for number, why in failed.items():
        span[number] = 0.0
        if not why.startswith("it is stuck"):
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


def _nothing_works(failed: dict[int, str], noise: float) -> CalibrationError:
    number, why = next(iter(failed.items()))
    return CalibrationError(
        f"not one of {len(failed)} resonators can be calibrated; resonator {number}: {why}",
        seen=f"noise of a reading {noise:.2g}",
        allowed="resonances near their design, well above the noise",
        todo="check tone, power, meter and design; the readings are kept",
    )
