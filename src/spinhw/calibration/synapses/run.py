"""A whole calibration of a bank of synapses: measure, look, fit, write down."""

import math
import time
from pathlib import Path

from spinhw.calibration.run import traces_folder
from spinhw.calibration.synapses.analyse import SynapseAnalysis, analyse_synapses
from spinhw.calibration.synapses.points import points_of
from spinhw.calibration.synapses.readings import Read, Told, ladder_of, read_all, trace_name
from spinhw.calibration.synapses.record import SynapseCircumstances, make_synapse_record
from spinhw.calibration.synapses.settings import CrosstalkExperiment, NoTone, SynapseExperiment, SynapsePlanSettings
from spinhw.device import SynapseBank
from spinhw.records import SynapseRecord, write_record


def calibrate_synapses(
    bank: SynapseBank,
    plan: SynapsePlanSettings,
    out: Path,
    note: str = "",
    told: Told = lambda kind, place, count: None,
) -> tuple[SynapseRecord, SynapseAnalysis, list[Read]]:
    """Calibrate a bank of synapses and write the record; readings go beside it and are used again by another attempt.

    Args:
        bank: Open.
        plan: What to measure.
        out: File of the record.
        note: What the experimenter writes: temperature, field, sample.
        told: Told after each experiment.

    Raises:
        LimitError: The plan goes beyond a limit of the device; nothing was sent.
        DeviceError: The device failed; what was read is kept.
        CalibrationError: Nothing could be fitted; what was read is kept.
    """
    started, folder = time.perf_counter(), traces_folder(out)
    plan = synapses_within_limits(plan, bank)
    reads = read_all(bank, plan, folder, told)
    found = analyse_synapses(reads, ladder_of(bank))
    files = [f"{folder.name}/{trace_name(place, one)}" for place, one in enumerate(plan.experiments)]
    around = SynapseCircumstances(plan, time.perf_counter() - started, note, files)
    record = make_synapse_record(bank, reads, found, around)
    write_record(record, out)
    return record, found, reads


def synapses_within_limits(plan: SynapsePlanSettings, bank: SynapseBank) -> SynapsePlanSettings:
    """Narrow the tunings to what the device allows."""
    most = highest_tuning(bank)
    if math.isinf(most):
        return plan
    return plan.model_copy(update={"experiments": tuple(_narrowed(one, most) for one in plan.experiments)})


def highest_tuning(bank: SynapseBank) -> float:
    """Return the largest tuning in size that a bank allows; infinite without a limit."""
    limit = bank.describe().limits.get("tuning")
    if limit is None:
        return math.inf
    line = bank.conversion.weight
    return min(abs(line.to_model(limit.lowest)), abs(line.to_model(limit.highest)))


def _narrowed(experiment: SynapseExperiment, most: float) -> SynapseExperiment:
    if isinstance(experiment, NoTone):
        return experiment
    if isinstance(experiment, CrosstalkExperiment):
        return experiment.model_copy(update={"depth": min(experiment.depth, most)})
    return experiment.model_copy(update={"range": min(experiment.range, most)})


def readings_of(plan: SynapsePlanSettings, bank: SynapseBank) -> tuple[int, int]:
    """Count the readings of a plan, and how often it programs the chain."""
    ladder, count = ladder_of(bank), bank.describe().neurons
    points = [points_of(one, plan, ladder, count) for one in plan.experiments]
    readings = sum(len(one.rf_hz) * asked.readings for one, asked in zip(points, plan.experiments, strict=True))
    return readings, sum(one.programmings for one in points)
