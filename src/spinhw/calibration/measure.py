"""Plays the experiments of a plan to a bank, one after another; what was recorded before is not played again."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from spinhw.atomic import make_folder
from spinhw.calibration.dataset import follow
from spinhw.calibration.experiments import drives
from spinhw.calibration.settings import Experiment, PlanSettings
from spinhw.calibration.settling import usual_rest_s
from spinhw.calibration.traces import Taken, load_taken, save_taken
from spinhw.device import OscillatorBank, Signal
from spinhw.errors import CalibrationError
from spinhw.physics import BIAS_OVER_GAMMA
from spinhw.surrogate import Played

_log = logging.getLogger(__name__)

# Told after each experiment: its kind, its place from 1, how many there are.
Told = Callable[[str, int, int], None]


def measure(
    bank: OscillatorBank,
    plan: PlanSettings,
    gamma_per_s: float,
    folder: Path,
    told: Told = lambda kind, place, count: None,
) -> list[Taken]:
    """Play every experiment that is not in the folder yet.

    Args:
        bank: Open.
        plan: What to play.
        gamma_per_s: Nominal damping rate, the unit of the drives.
        folder: For the traces, one file for each experiment.
        told: Told what was done.

    Raises:
        LimitError: A drive is beyond a limit of the device; nothing was sent.
        DeviceError: The device failed; what was measured before is kept.
        CalibrationError: The folder belongs to another device or plan.
        ConfigError: What was measured before is damaged.
    """
    make_folder(folder)
    count, found = len(plan.experiments), []
    for place, experiment in enumerate(plan.experiments):
        path = folder / trace_name(place, experiment)
        if path.exists():
            taken = load_taken(path)
            _refuse_other(path, taken, experiment, bank)
            follow(bank, path, taken.state)
            _log.info("%s: measured before, taken from there", path)
        else:
            taken = play(bank, experiment, plan, gamma_per_s, place)
            save_taken(taken, path)
        found.append(taken)
        told(experiment.kind, place + 1, count)
    return found


def trace_name(place: int, experiment: Experiment) -> str:
    """Name the file of an experiment."""
    return f"{place:02d}-{experiment.kind}.nc"


def play(bank: OscillatorBank, experiment: Experiment, plan: PlanSettings, gamma_per_s: float, place: int) -> Taken:
    """Play one experiment.

    Args:
        bank: Open, of one device.
        experiment: Which.
        plan: Gives the range of drives.
        gamma_per_s: Nominal damping rate.
        place: In the plan; the key of what is random.
    """
    about = bank.describe()
    wanted = drives(experiment, plan, about.neurons, place) * gamma_per_s
    trace = bank.play(wanted, averages=experiment.averages, rest_s=rest_of(plan, gamma_per_s))
    power, power0 = trace.power, trace.power0
    if power is None or power0 is None:
        raise CalibrationError(f"{bank.name}: this bank records no power", todo="wire the power of the oscillators")
    quality = torch.cat([power0.quality[:, None], power.quality], dim=1)
    played = Played(
        (wanted if trace.drive_applied is None else trace.drive_applied.values).double(),
        torch.cat([power0.values[:, None], power.values], dim=1).double(),
        quality == 0,
        about.sample_interval_s,
        BIAS_OVER_GAMMA * gamma_per_s,
        experiment.averages,
    )
    return Taken(
        experiment.model_dump(mode="json", by_alias=True),
        played,
        quality,
        trace.shots[1] - trace.shots[0],
        _values(trace.filtered),
        about.device_ids[0],
        trace.started_unix_s,
        bank.state(),
    )


def rest_of(plan: PlanSettings, gamma_per_s: float) -> float:
    """Give the rest before each segment that a plan asks for, in seconds; a device may keep a longer one."""
    return usual_rest_s(gamma_per_s) if plan.rest_s is None else plan.rest_s


def segments_of(plan: PlanSettings) -> int:
    """Count the segments of all shots together: what a plan costs a bench, before repeats for few channels."""
    return sum(len(drives(one, plan, 1)) * one.averages for one in plan.experiments)


def device_time_s(plan: PlanSettings, interval_s: float, rest_s: float, repeats: int) -> float:
    """Give the time for which a plan drives the device, in seconds, rests included; instruments take longer.

    Args:
        plan: What is played.
        interval_s: Of a sample.
        rest_s: Before each segment.
        repeats: Times that all is played again because there are few channels.
    """
    lengths = [(len(drives(one, plan, 1)) * one.averages, one.samples) for one in plan.experiments]
    return repeats * sum(segments * (samples * interval_s + rest_s) for segments, samples in lengths)


def _values(signal: Signal | None) -> torch.Tensor | None:
    """Give a signal with NaN where a sample is not good; None where there is none."""
    return None if signal is None else torch.where(signal.good, signal.values.double(), torch.nan)


def _refuse_other(path: Path, taken: Taken, experiment: Experiment, bank: OscillatorBank) -> None:
    about = bank.describe()
    seen = (taken.device_id, taken.experiment, taken.played.oscillators)
    wanted = (about.device_ids[0], experiment.model_dump(mode="json", by_alias=True), about.neurons)
    if seen != wanted:
        raise CalibrationError(
            f"{path}: these traces are of another device or experiment",
            seen=f"{seen[0]}, {seen[1]}",
            allowed=f"{wanted[0]}, {wanted[1]}",
            todo="write the record elsewhere (--out), or remove the folder of its traces",
        )


def joined(taken: Sequence[Taken]) -> list[Played]:
    """Give what all experiments played."""
    return [one.played for one in taken]
