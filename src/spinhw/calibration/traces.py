"""Raw traces of a calibration as NetCDF: one file for each experiment, written whole or not at all."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray

from spinhw.calibration.dataset import STATE, read_dataset, state_read, state_written, write_dataset
from spinhw.device import Quality
from spinhw.errors import ConfigError
from spinhw.hdf5 import UNREADABLE
from spinhw.surrogate import Played


@dataclass(frozen=True)
class Taken:
    """What one experiment gave.

    Args:
        experiment: Its settings as plain data.
        played: Drives and powers.
        quality: A `Quality` for each sample of the power, (segment, time + 1, oscillator).
        shots: Shots it took.
        filtered: y behind the high-pass, (segment, time, oscillator); None where the bank does not show it.
        device_id: Who was measured.
        started_unix_s: When it began, seconds since 1970.
        state: Of the bank afterwards, as its `state` gave it; empty where nothing can be replayed.
    """

    experiment: dict[str, object]
    played: Played
    quality: torch.Tensor
    shots: int
    filtered: torch.Tensor | None
    device_id: str
    started_unix_s: float
    state: dict[str, Any] = field(default_factory=dict)

    def share(self, quality: Quality) -> torch.Tensor:
        """Give the share of samples of a quality, 0 to 1, (oscillator,)."""
        return (self.quality == quality).double().mean((0, 1))


def save_taken(taken: Taken, path: Path) -> None:
    """Write one experiment; axes (segment, time, oscillator), units in the attributes.

    Raises:
        ConfigError: The file cannot be written.
    """
    played = taken.played
    where, ends = ("segment", "interval", "oscillator"), ("segment", "sample", "oscillator")
    variables = {
        "drive": (where, played.drive.numpy(), {"units": "1/s", "long_name": "drive I as played"}),
        "power": (ends, played.power.numpy(), {"units": "1", "long_name": "power as recorded, in units of full power"}),
        "quality": (ends, taken.quality.numpy(), {"long_name": "0 good, 1 clipped, 2 missing, 3 unobserved, 4 faulty"}),
    }
    if taken.filtered is not None:
        variables["filtered"] = (where, taken.filtered.numpy(), {"units": "1", "long_name": "y behind the high-pass"})
    variables |= state_written(taken.state)
    data = xarray.Dataset(
        variables,
        coords={
            "interval": ("interval", np.arange(played.drive.shape[1]) * played.interval_s, {"units": "s"}),
            "sample": ("sample", np.arange(played.power.shape[1]) * played.interval_s, {"units": "s"}),
        },
        attrs={
            "experiment": json.dumps(taken.experiment),
            "device_id": taken.device_id,
            "interval_s": played.interval_s,
            "bias_drive": played.bias_drive,
            "averages": played.averages,
            "shots": taken.shots,
            "started_unix_s": taken.started_unix_s,
        },
    )
    write_dataset(data, path, "traces")


def load_taken(path: Path) -> Taken:
    """Read one experiment.

    Raises:
        ConfigError: The file is not one of ours, or is damaged.
    """
    try:
        data, facts = read_dataset(path, ("drive", "power", "quality"), ("filtered", STATE))
        quality = torch.from_numpy(data["quality"].astype(np.uint8))
        played = Played(
            torch.from_numpy(data["drive"]),
            torch.from_numpy(data["power"]),
            quality == Quality.GOOD,
            float(facts["interval_s"]),
            float(facts["bias_drive"]),
            int(facts["averages"]),
        )
        return Taken(
            json.loads(facts["experiment"]),
            played,
            quality,
            int(facts["shots"]),
            torch.from_numpy(data["filtered"]) if "filtered" in data else None,
            str(facts["device_id"]),
            float(facts["started_unix_s"]),
            state_read(data),
        )
    except UNREADABLE as error:
        raise ConfigError(
            f"{path}: these traces are damaged, or they are none",
            seen=error,
            todo="restore the file from a copy; or remove it, and the experiment is played again",
        ) from error
