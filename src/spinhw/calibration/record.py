"""Between what was found and the record that people read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import torch
from torch import Tensor

from spinhw import __version__
from spinhw.calibration.analysis import CalibrationAnalysis
from spinhw.calibration.highpass import Corners
from spinhw.calibration.judge import clipped_share, converter_steps
from spinhw.calibration.settings import PlanSettings
from spinhw.calibration.traces import Taken
from spinhw.calibration.uncertainty import correlations
from spinhw.device import OscillatorBank
from spinhw.network import NetworkSettings
from spinhw.physics import BIAS_OVER_GAMMA
from spinhw.records import (
    CUTOFF_UNIT,
    MEANINGS,
    SCHEMA_VERSION,
    UNITS,
    CalibrationRecord,
    DeviceFacts,
    ExperimentFacts,
    MadeFacts,
    NominalFacts,
    ParameterTable,
    ReadoutFacts,
)
from spinhw.surrogate import PARAMETERS, columns


@dataclass(frozen=True)
class Circumstances:
    """What a record tells beside the numbers.

    Args:
        plan: The plan.
        network: Gives the nominal device.
        wall_s: How long all of it took, in seconds.
        note: What the experimenter wrote.
        files: Names of the trace files, in the order of the experiments.
    """

    plan: PlanSettings
    network: NetworkSettings
    wall_s: float
    note: str
    files: Sequence[str]


def make_record(
    bank: OscillatorBank,
    taken: Sequence[Taken],
    found: CalibrationAnalysis,
    around: Circumstances,
    behind: Corners | None = None,
) -> CalibrationRecord:
    """Write down what was found; `behind` are the corners of high-passes, where they were measured."""
    about, network = bank.describe(), around.network
    return CalibrationRecord(
        kind="calibration",
        schema_version=SCHEMA_VERSION,
        device=DeviceFacts(id=about.device_ids[0], kind=about.kind, seed=about.seed, oscillators=about.neurons),
        made=MadeFacts(
            time=datetime.fromtimestamp(taken[0].started_unix_s, UTC).replace(microsecond=0),
            spinhw=__version__,
            plan=around.plan.name,
            shots=sum(one.shots for one in taken),
            wall=f"{around.wall_s} s",
            note=around.note,
        ),
        nominal=NominalFacts(
            tau=f"{network.tau_s!r} s",
            sigma=network.sigma,
            q=network.q,
            bias_over_gamma=BIAS_OVER_GAMMA,
            sample_interval=f"{about.sample_interval_s!r} s",
            drive_per_ampere=bank.conversion.drive_per_ampere,
            volts_per_power=_mean_factor(bank.conversion.power.per_unit),
            latency=f"{about.latency_s!r} s",
        ),
        experiments=tuple(_experiment(one, name, network.tau_s) for one, name in zip(taken, around.files, strict=True)),
        parameters=_parameters(found, around.plan),
        correlations=_correlations(found),
        noise=numbers(found.noise),
        residual_rms=numbers(found.residual_rms),
        reduced_chi2=numbers(found.reduced_chi2),
        failed=found.failed,
        left_out=found.left_out,
        readout=_readout(bank, taken),
        cutoff=None if behind is None else _cutoff(behind, found.failed),
    )


def _readout(bank: OscillatorBank, taken: Sequence[Taken]) -> ReadoutFacts:
    ranges, line = bank.describe().power_ranges, bank.conversion.power
    unknown = torch.full((bank.describe().neurons,), torch.nan, dtype=torch.float64)
    ends = [[one.lowest, one.highest] for one in ranges]
    low, high = line.to_model(torch.tensor(ends, dtype=torch.float64).T) if ends else (unknown, unknown)
    return ReadoutFacts(
        unit="1",
        lowest=numbers(low),
        highest=numbers(high),
        step=numbers(converter_steps(taken)),
        clipped=numbers(clipped_share(taken)),
    )


def _cutoff(behind: Corners, failed: dict[int, str]) -> ParameterTable:
    return ParameterTable(
        unit=CUTOFF_UNIT,
        meaning="corner of the high-pass behind the oscillator",
        fitted=True,
        values=numbers(behind.cutoff_hz, failed),
        errors=numbers(behind.error_hz, failed),
    )


def _mean_factor(per_unit: float | tuple[float, ...]) -> float:
    return sum(per_unit) / len(per_unit) if isinstance(per_unit, tuple) else per_unit


def _experiment(taken: Taken, file: str, tau_s: float) -> ExperimentFacts:
    drive = taken.played.drive * tau_s
    return ExperimentFacts(
        kind=str(taken.experiment["kind"]),
        segments=drive.shape[0],
        samples=drive.shape[1],
        averages=taken.played.averages,
        drive_over_gamma=(float(drive.min()), float(drive.max())),
        traces=file,
    )


def _parameters(found: CalibrationAnalysis, plan: PlanSettings) -> dict[str, ParameterTable]:
    values, errors = found.fit.oscillators.table(), found.fit.errors()
    tables = {}
    for row, name in enumerate(PARAMETERS):
        fitted = name in found.fit.free
        why = "" if fitted else found.fixed.get(name, f"plan {plan.name} takes it for granted")
        nothing = torch.full_like(errors[row], torch.nan)
        tables[name] = ParameterTable(
            unit=UNITS[name],
            meaning=MEANINGS[name],
            fitted=fitted,
            why=why,
            values=numbers(values[row], found.failed),
            errors=numbers(errors[row] if fitted else nothing, found.failed),
        )
    return tables


def _correlations(found: CalibrationAnalysis) -> tuple[tuple[float | None, ...], ...]:
    wanted = columns(found.fit.free)
    table = correlations(found.fit.covariance)[:, wanted][:, :, wanted]
    first, second = torch.triu_indices(len(wanted), len(wanted), offset=1)
    return tuple(tuple(round(float(one), 4) for one in row) for row in table[:, first, second])


def numbers(values: Tensor, failed: dict[int, str] | None = None) -> tuple[float | None, ...]:
    """Give values as a record has them: None where there is none, and for those that failed."""
    lost = failed or {}
    return tuple(
        float(value) if number not in lost and bool(value.isfinite()) else None for number, value in enumerate(values)
    )
