"""A whole calibration of a bank: play, look, fit, write down."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from spinhw.calibration.analysis import CalibrationAnalysis, analyse, single_threaded
from spinhw.calibration.highpass import corners, require_filtered
from spinhw.calibration.measure import measure, rest_of, trace_name
from spinhw.calibration.record import Circumstances, make_record
from spinhw.calibration.settings import PlanSettings
from spinhw.calibration.traces import Taken
from spinhw.device import OscillatorBank
from spinhw.errors import CalibrationError, ConfigError
from spinhw.network import NetworkSettings
from spinhw.records import CalibrationRecord, write_record
from spinhw.rollout import Neurons
from spinhw.surrogate import Oscillators

Told = Callable[[str, int, int], None]


def traces_folder(record: Path) -> Path:
    """Give the folder of the raw traces of a record, beside it."""
    return record.with_suffix(".traces")


def calibrate_bank(
    bank: OscillatorBank,
    plan: PlanSettings,
    network: NetworkSettings,
    out: Path,
    note: str = "",
    told: Told = lambda kind, place, count: None,
) -> tuple[CalibrationRecord, CalibrationAnalysis, list[Taken]]:
    """Calibrate a bank and write the record; traces go beside it and are used again by another attempt.

    Args:
        bank: Open, of one device.
        plan: What to play and to fit.
        network: Gives the nominal oscillator.
        out: File of the record.
        note: What the experimenter writes: temperature, field, sample.
        told: Told after each experiment.

    Raises:
        ConfigError: The network has another rate than the logistic one, which is what a calibration fits.
        LimitError: The plan goes beyond a limit of the device; nothing was sent.
        DeviceError: The device failed; what was measured is kept.
        CalibrationError: Nothing could be fitted; what was measured is kept.
    """
    refuse_other_rates(network)
    started = time.perf_counter()
    about, folder = bank.describe(), traces_folder(out)
    if about.members != 1:
        raise CalibrationError(f"{bank.name}: one device at a time is calibrated", seen=f"{about.members} members")
    require_filtered(bank, [one.kind for one in plan.experiments])
    gamma = 1 / network.tau_s
    taken = measure(bank, within_limits(plan, bank, gamma), gamma, folder, told)
    rest_s = max(rest_of(plan, gamma), about.least_rest_s)
    found = analyse(taken, nominal_oscillators(network, about.neurons), plan.ordered_free, rest_s)
    with single_threaded():
        behind = corners(taken, found.fit.oscillators, _neurons(network, about.neurons))
    files = [f"{folder.name}/{trace_name(place, one)}" for place, one in enumerate(plan.experiments)]
    around = Circumstances(plan, network, time.perf_counter() - started, note, files)
    record = make_record(bank, taken, found, around, behind)
    write_record(record, out)
    return record, found, taken


def refuse_other_rates(network: NetworkSettings) -> None:
    """Refuse a network whose neurons no calibration can fit.

    Raises:
        ConfigError: Its rate is not the logistic one.
    """
    if network.rate.kind != "logistic":
        raise ConfigError(
            "network.rate: a calibration fits the logistic rate alone",
            seen=network.rate.kind,
            allowed="logistic",
            todo="calibrate with a recipe that has no network.rate",
        )


def nominal_oscillators(network: NetworkSettings, count: int) -> Oscillators:
    """Give oscillators as designed, measured by an ideal read-out."""
    return Oscillators.nominal(network.neurons(torch.float64), count)


def _neurons(network: NetworkSettings, count: int) -> Neurons:
    """Give neurons as designed, as many as there are oscillators, (1, oscillator)."""
    return network.model_copy(update={"layers": (count,)}).neurons(torch.float64)


def within_limits(plan: PlanSettings, bank: OscillatorBank, gamma_per_s: float) -> PlanSettings:
    """Narrow the range of drives to what the device allows; refuse a range that does not pass the threshold.

    Raises:
        CalibrationError: The highest drive is below the nominal threshold.
    """
    limit = bank.describe().limits.get("drive")
    low, high = plan.lowest_over_gamma, plan.highest_over_gamma
    if limit is not None:
        line = bank.conversion.drive
        low = max(low, line.to_model(limit.lowest) / gamma_per_s)
        high = min(high, line.to_model(limit.highest) / gamma_per_s)
    if high <= 1.0:
        raise CalibrationError(
            f"{bank.name}: the drives stay below the threshold, where nothing oscillates",
            seen=f"at most {high:.3g} gamma",
            allowed="above 1 gamma, better 4",
            todo="raise highest_over_gamma of the plan, or the limits of the bench if the device allows it",
        )
    return plan.model_copy(update={"lowest_over_gamma": low, "highest_over_gamma": high})
