"""Between what was found of a chain and the record that people read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import torch
from torch import Tensor

from spinhw import __version__
from spinhw.calibration.record import numbers
from spinhw.calibration.synapses.analyse import SynapseAnalysis
from spinhw.calibration.synapses.readings import Read, ladder_of
from spinhw.calibration.synapses.settings import SynapsePlanSettings
from spinhw.calibration.uncertainty import correlations
from spinhw.conversion import Conversion, Scaling
from spinhw.device import SynapseBank
from spinhw.physics import Ladder
from spinhw.records import (
    SCHEMA_VERSION,
    SYNAPSE_UNITS,
    ChainFacts,
    CrosstalkFacts,
    LadderFacts,
    MadeFacts,
    ParameterTable,
    PointsFacts,
    SynapseRecord,
)
from spinhw.records.synapses import MAP, SYNAPSE_MEANINGS


@dataclass(frozen=True)
class SynapseCircumstances:
    """What a record tells beside the numbers.

    Args:
        plan: The plan.
        wall_s: How long all of it took, in seconds.
        note: What the experimenter wrote.
        files: Names of the files with readings, in the order of the experiments.
    """

    plan: SynapsePlanSettings
    wall_s: float
    note: str
    files: Sequence[str]


def make_synapse_record(
    bank: SynapseBank, reads: Sequence[Read], found: SynapseAnalysis, around: SynapseCircumstances
) -> SynapseRecord:
    """Write down what was found."""
    about, ladder, lines = bank.describe(), ladder_of(bank), bank.conversion
    return SynapseRecord(
        kind="synapses",
        schema_version=SCHEMA_VERSION,
        device=ChainFacts(id=about.device_ids[0], kind=about.kind, seed=about.seed, resonators=about.neurons),
        made=MadeFacts(
            time=datetime.fromtimestamp(reads[0].started_unix_s, UTC).replace(microsecond=0),
            spinhw=__version__,
            plan=around.plan.name,
            shots=sum(one.voltage.numel() for one in reads),
            wall=f"{around.wall_s} s",
            note=around.note,
        ),
        nominal=ladder_facts(ladder, lines),
        experiments=tuple(_experiment(one, name) for one, name in zip(reads, around.files, strict=True)),
        quantities=_quantities(found, around.plan),
        correlations=_correlations(found),
        crosstalk=_crosstalk(found),
        noise=found.noise,
        offset=found.offset,
        reduced_chi2=numbers(found.reduced_chi2),
        failed=found.failed,
    )


def ladder_facts(ladder: Ladder, lines: Conversion) -> LadderFacts:
    """Write down a ladder as designed, and the conversion that a measurement took for granted."""
    return LadderFacts(
        frequency=f"{ladder.frequency_hz!r} Hz",
        spacing=f"{ladder.spacing_hz!r} Hz",
        half_linewidth=f"{ladder.half_linewidth_hz!r} Hz",
        tuning_span=f"{ladder.tuning_span_hz!r} Hz",
        max_weight=ladder.max_weight,
        volts_per_tuning=_factor(lines.weight),
        volts_per_output=f"{_factor(lines.output)!r} V",
        watts_per_power=f"{_factor(lines.rf_power)!r} W",
    )


def _factor(line: Scaling) -> float:
    return sum(line.per_unit) / len(line.per_unit) if isinstance(line.per_unit, tuple) else line.per_unit


def _experiment(read: Read, file: str) -> PointsFacts:
    return PointsFacts(
        kind=read.kind,
        points=len(read.points.rf_hz),
        readings=read.voltage.shape[1],
        programmings=read.points.programmings,
        traces=file,
    )


def _quantities(found: SynapseAnalysis, plan: SynapsePlanSettings) -> dict[str, ParameterTable]:
    tables = _map(found, plan)
    nothing = torch.full((found.chain.count,), torch.nan, dtype=torch.float64)
    scatter, done = nothing, found.programmed
    why = f"plan {plan.name} programs nothing again and again"
    for name in ("repeatability", "programming_error"):
        values, errors = nothing, nothing
        if done is not None:
            values, errors = (
                (done.repeatability, done.repeatability_error)
                if name == "repeatability"
                else (done.error, done.error_error)
            )
        tables[name] = _table(name, values, errors, found.failed, "" if done is not None else why)
    if done is None and found.tuned is not None and found.centres_hz is not None and found.centres_hz.shape[1] > 2:
        # Pooled over the chain: one number for all of them.
        freedom = (found.chain.count - len(found.failed)) * (found.centres_hz.shape[1] - 2)
        scatter = torch.full_like(nothing, found.tuned.scatter)
        error = torch.full_like(nothing, found.tuned.scatter / (2 * max(1, freedom)) ** 0.5)
        tables["repeatability"] = _table("repeatability", scatter, error, found.failed, "")
    return tables


def _map(found: SynapseAnalysis, plan: SynapsePlanSettings) -> dict[str, ParameterTable]:
    """Give resonance, G, K and span; values of a stuck resonator too, for its tail counts."""
    tables: dict[str, ParameterTable] = {}
    chain = found.chain
    values = (chain.resonance_hz, chain.half_linewidth_hz, chain.max_weight, chain.tuning_span_hz)
    lost = {number: why for number, why in found.failed.items() if float(chain.max_weight[number]) == 0}
    levels = 0 if found.centres_hz is None else found.centres_hz.shape[1]
    for row, (name, one) in enumerate(zip(MAP, values, strict=True)):
        why = "" if levels else f"plan {plan.name} has no detuning sweep"
        if levels == 1 and name == "tuning_span":
            why = "the detuning sweep has one tuning only"
        errors = torch.full_like(one, torch.nan)
        if found.tuned is not None and not why:
            errors = found.tuned.covariance[:, row, row].clamp_min(0).sqrt()
        tables[name] = _table(name, one, errors, lost, why)
    return tables


def _table(name: str, values: Tensor, errors: Tensor, lost: dict[int, str], why: str) -> ParameterTable:
    return ParameterTable(
        unit=SYNAPSE_UNITS[name],
        meaning=SYNAPSE_MEANINGS[name],
        fitted=not why,
        why=why,
        values=numbers(values, lost),
        errors=numbers(errors, lost),
    )


def _correlations(found: SynapseAnalysis) -> tuple[tuple[float | None, ...], ...]:
    return () if found.tuned is None else correlation_rows(found.tuned.covariance, found.failed)


def correlation_rows(covariance: Tensor, failed: Collection[int]) -> tuple[tuple[float | None, ...], ...]:
    """Return the correlations of each pair of quantities, by resonator; None for those that failed.

    Args:
        covariance: (resonator, quantity, quantity).
        failed: Numbers of resonators.
    """
    first, second = torch.triu_indices(len(MAP), len(MAP), offset=1)
    return tuple(
        tuple(None if number in failed else round(one, 4) for one in row)
        for number, row in enumerate(correlations(covariance)[:, first, second].tolist())
    )


def _crosstalk(found: SynapseAnalysis) -> CrosstalkFacts | None:
    if found.crosstalk is None:
        return None
    return CrosstalkFacts(
        unit="1",
        depth=found.crosstalk.depth,
        values=tuple(numbers(row) for row in found.crosstalk.values),
        errors=tuple(numbers(row) for row in found.crosstalk.errors),
        reduced_chi2=found.crosstalk.reduced_chi2,
    )
