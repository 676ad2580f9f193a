"""Measures the experiments of a plan on a chain, one after another; what was read before is not read again."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from torch import Tensor

from spinhw.atomic import make_folder
from spinhw.calibration.dataset import STATE, follow, read_dataset, state_read, state_written, write_dataset
from spinhw.calibration.synapses.points import Points, points_of
from spinhw.calibration.synapses.settings import SynapseExperiment, SynapsePlanSettings
from spinhw.device import Quality, SynapseBank
from spinhw.errors import CalibrationError, ConfigError
from spinhw.hdf5 import UNREADABLE
from spinhw.physics import Ladder

_log = logging.getLogger(__name__)

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Read:
    """What one experiment gave.

    Args:
        experiment: Its settings as plain data.
        points: What was set, each point once.
        voltage: In units of an output, (point, reading).
        quality: A `Quality` for each, same shape.
        device_id: Who was measured.
        started_unix_s: When it began, seconds since 1970.
        state: Of the bank afterwards, as its `state` gave it; empty where nothing can be replayed.
    """

    experiment: dict[str, object]
    points: Points
    voltage: Tensor
    quality: Tensor
    device_id: str
    started_unix_s: float
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Which experiment."""
        return str(self.experiment["kind"])

    @property
    def good(self) -> Tensor:
        """Which readings count, (point, reading)."""
        return self.quality == Quality.GOOD

    def mean(self) -> Tensor:
        """Give the mean of the good readings of each point, (point,); NaN without one."""
        return torch.where(self.good, self.voltage, torch.nan).nanmean(1)


def trace_name(place: int, experiment: SynapseExperiment) -> str:
    """Name the file of an experiment."""
    return f"{place:02d}-{experiment.kind}.nc"


def ladder_of(bank: SynapseBank) -> Ladder:
    """Give the chain as designed.

    Raises:
        CalibrationError: The bank does not say.
    """
    ladder = bank.describe().ladder
    if ladder is None:
        raise CalibrationError(f"{bank.name}: this bank does not say how its resonators were designed")
    return ladder


def read_all(
    bank: SynapseBank, plan: SynapsePlanSettings, folder: Path, told: Told = lambda kind, place, count: None
) -> list[Read]:
    """Measure every experiment that is not in the folder yet.

    Raises:
        LimitError: A tuning, tone or power is beyond a limit of the device; nothing was sent.
        DeviceError: The device failed; what was read before is kept.
        CalibrationError: The folder belongs to another device or plan.
        ConfigError: What was measured before is damaged.
    """
    make_folder(folder)
    ladder, count, found = ladder_of(bank), bank.describe().neurons, []
    for place, experiment in enumerate(plan.experiments):
        points, said = points_of(experiment, plan, ladder, count), experiment.model_dump(mode="json", by_alias=True)
        found.append(read_once(bank, said, points, experiment.readings, folder / trace_name(place, experiment)))
        told(experiment.kind, place + 1, len(plan.experiments))
    return found


def read_once(bank: SynapseBank, experiment: dict[str, object], points: Points, readings: int, path: Path) -> Read:
    """Measure an experiment and write it down, or take what was written before.

    Args:
        bank: Open.
        experiment: Its settings as plain data.
        points: What is set, each point once.
        readings: Of each point, one after another.
        path: File of what is read.

    Raises:
        As `read_all`.
    """
    if path.exists():
        read = load_read(path)
        _refuse_other(path, read, experiment, points, bank)
        follow(bank, path, read.state)
        _log.info("%s: measured before, taken from there", path)
        return read
    asked, started = points.repeated(readings), time.time()
    signal = bank.measure(asked.tuning, asked.rf_hz, asked.power)
    shape = (len(points.rf_hz), readings)
    values, quality = signal.values.double().view(shape), signal.quality.view(shape)
    read = Read(experiment, points, values, quality, bank.describe().device_ids[0], started, bank.state())
    save_read(read, path)
    return read


def _refuse_other(path: Path, read: Read, experiment: dict[str, object], points: Points, bank: SynapseBank) -> None:
    wanted = (bank.describe().device_ids[0], experiment)
    same = read.points.tuning.shape == points.tuning.shape and torch.allclose(read.points.rf_hz, points.rf_hz)
    if (read.device_id, read.experiment) != wanted or not same or not torch.equal(read.points.power, points.power):
        raise CalibrationError(
            f"{path}: these readings are of another device, design or experiment",
            seen=f"{read.device_id}, {read.experiment}",
            allowed=f"{wanted[0]}, {wanted[1]}",
            todo="write the record elsewhere (--out), or remove the folder of its traces",
        )


def save_read(read: Read, path: Path) -> None:
    """Write one experiment as NetCDF; axes (point, resonator) and (point, reading), units in the attributes.

    Raises:
        ConfigError: The file cannot be written.
    """
    both = ("point", "reading")
    data = xarray.Dataset(
        {
            "tuning": (("point", "resonator"), read.points.tuning.numpy(), {"units": "1"}),
            "rf": ("point", read.points.rf_hz.numpy(), {"units": "Hz", "long_name": "frequency of the tone"}),
            "power": ("point", read.points.power.numpy(), {"units": "1", "long_name": "in units of full power"}),
            "voltage": (both, read.voltage.numpy(), {"units": "1", "long_name": "in units of an output"}),
            "quality": (
                both,
                read.quality.numpy(),
                {"long_name": "0 good, 1 clipped, 2 missing, 3 unobserved, 4 faulty"},
            ),
            **state_written(read.state),
        },
        attrs={
            "experiment": json.dumps(read.experiment),
            "device_id": read.device_id,
            "started_unix_s": read.started_unix_s,
        },
    )
    write_dataset(data, path, "readings")


def load_read(path: Path) -> Read:
    """Read one experiment.

    Raises:
        ConfigError: The file is not one of ours, or is damaged.
    """
    try:
        data, facts = read_dataset(path, ("tuning", "rf", "power", "voltage", "quality"), (STATE,))
        return Read(
            json.loads(facts["experiment"]),
            Points(*(torch.from_numpy(data[name]) for name in ("tuning", "rf", "power"))),
            torch.from_numpy(data["voltage"]),
            torch.from_numpy(data["quality"].astype(np.uint8)),
            str(facts["device_id"]),
            float(facts["started_unix_s"]),
            state_read(data),
        )
    except UNREADABLE as error:
        raise ConfigError(
            f"{path}: these readings are damaged, or they are none",
            seen=error,
            todo="restore the file from a copy; or remove it, and the experiment is done again",
        ) from error
