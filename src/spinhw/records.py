"""Calibration records: what was measured of one device, as YAML that people read, with raw traces beside it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from spinhw.atomic import write_atomically
from spinhw.config import Settings, build, read_yaml
from spinhw.errors import CalibrationError, ConfigError
from spinhw.units import DurationS, TimeS

SCHEMA_VERSION = 1
# What each parameter is written in, and what it is; the order is that of covariances.
UNITS = {"gamma": "1/s", "sigma": "1", "q": "1", "gain": "1", "offset": "1", "delay": "s", "lag": "s"}
MEANINGS = {
    "gamma": "damping rate, the inverse of the relaxation time",
    "sigma": "drive efficiency over the nominal one",
    "q": "non-linear damping Q",
    "gain": "recorded over true power, 1 where the conversion is right",
    "offset": "recorded power for none, in units of full power",
    "delay": "by how much the record is late, the lag included",
    "lag": "time constant of the path's low-pass, 1 / (2 pi bandwidth); 0 where none is seen",
}
_DIGITS = 7

Numbers = tuple[float | None, ...]


class DeviceFacts(Settings):
    """Who was measured."""

    id: str = Field(min_length=1, description="Device id; of a simulated chip with its member, such as 'chip-0'.")
    kind: str = Field(description="Backend: simulated or visa.")
    seed: int | None = Field(default=None, description="Seed of a simulated device; null for a physical one.")
    oscillators: int = Field(ge=1, description="How many.")


class MadeFacts(Settings):
    """When and how."""

    time: datetime = Field(description="When the first shot was taken, with its time zone.")
    spinhw: str = Field(description="Version of spinhw that made it.")
    plan: str = Field(description="Name of the plan.")
    shots: int = Field(ge=0, description="Shots taken, averages and repeats counted.")
    wall_s: DurationS = Field(description="How long it took.")
    note: str = Field(default="", description="What the experimenter wrote: temperature, field, sample.")


class NominalFacts(Settings):
    """What the measurement took for granted."""

    tau_s: TimeS = Field(description="Relaxation time of the device as designed.")
    sigma: float = Field(gt=0.0, description="Its drive efficiency; the unit of drives.")
    q: float = Field(description="Its Q.")
    bias_over_gamma: float = Field(description="Drive between segments, in units of its gamma.")
    sample_interval_s: TimeS = Field(description="Time for which a drive was held, and between samples.")
    drive_per_ampere: float = Field(
        gt=0.0,
        description="Drive in 1/s of one ampere: fixed, not fitted. Only its product with sigma can be measured.",
    )
    volts_per_power: float = Field(description="Volts of a power of 1 at the digitizer, as assumed.")


class ExperimentFacts(Settings):
    """One experiment that was played."""

    kind: str = Field(description="Which.")
    segments: int = Field(ge=1, description="Segments played one after another.")
    samples: int = Field(ge=1, description="Samples of each.")
    averages: int = Field(ge=1, description="Shots that each sample was averaged over.")
    drive_over_gamma: tuple[float, float] = Field(description="Lowest and highest drive, in units of nominal gamma.")
    traces: str = Field(description="File with what was recorded, beside the record.")


class ParameterTable(Settings):
    """One parameter of all oscillators."""

    unit: str = Field(description="Unit of the values; '1' for none.")
    meaning: str = Field(default="", description="What it is.")
    fitted: bool = Field(description="Whether it was fitted; otherwise it was taken for granted.")
    why: str = Field(default="", description="Why it was not fitted.")
    values: Numbers = Field(description="One for each oscillator; null where it failed.")
    errors: Numbers = Field(description="Standard errors; null where it failed or was not fitted.")


class ResonatorFacts(Settings):
    """What was measured of RF resonators."""

    quantities: dict[str, ParameterTable] = Field(description="Resonance, half linewidth, largest weight and so on.")
    crosstalk: tuple[Numbers, ...] = Field(
        default=(), description="Weight at the tone of each resonator (row) by the tuning of each, over its own."
    )
    failed: dict[int, str] = Field(default={}, description="Resonators that failed, and why.")


class CalibrationRecord(Settings):
    """A record. Everything in it was measured or is said to be taken for granted."""

    kind: Literal["calibration"] = Field(description="'calibration'.")
    schema_version: int = Field(ge=1, le=SCHEMA_VERSION, description="Form of this file.")
    device: DeviceFacts = Field(description="Who was measured.")
    made: MadeFacts = Field(description="When and how.")
    nominal: NominalFacts = Field(description="What was taken for granted.")
    experiments: tuple[ExperimentFacts, ...] = Field(description="What was played.")
    parameters: dict[str, ParameterTable] = Field(description="What was found.")
    correlations: tuple[Numbers, ...] = Field(
        default=(), description="Of the fitted parameters, by oscillator: (first, second), (first, third), ..."
    )
    noise: Numbers = Field(description="Noise of one shot's sample (1 sigma), in units of full power.")
    residual_rms: Numbers = Field(description="Rms difference between data and fit, in units of full power.")
    reduced_chi2: Numbers = Field(description="Residuals over noise, squared; 1 for a perfect model.")
    failed: dict[int, str] = Field(default={}, description="Oscillators that failed, and why.")
    cutoff: ParameterTable | None = Field(default=None, description="Corner of the high-pass behind each oscillator.")
    resonators: ResonatorFacts | None = Field(default=None, description="RF resonators, where they were measured.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        missing = [name for name in UNITS if name not in self.parameters]
        unknown = [name for name in self.parameters if name not in UNITS]
        if missing or unknown:
            raise ValueError(f"parameters are missing: {missing}, or unknown: {unknown}")
        count = self.device.oscillators
        for name, table in self.parameters.items():
            if table.unit != UNITS[name]:
                raise ValueError(f"parameters.{name}.unit is {table.unit!r}; it must be {UNITS[name]!r}")
            if len(table.values) != count or len(table.errors) != count:
                raise ValueError(f"parameters.{name} must have {count} values and errors, one for each oscillator")
        return self

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the fitted parameters."""
        return tuple(name for name in UNITS if self.parameters[name].fitted)


def save_record(record: CalibrationRecord, path: Path) -> None:
    """Write a record.

    Raises:
        ConfigError: The file cannot be written.
    """
    text = yaml.dump(
        _rounded(record.model_dump(mode="json", by_alias=True)),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=120,
    )
    write_atomically(path, text.encode("utf-8"))


def load_record(path: Path, device_id: str | None = None, anyway: bool = False) -> CalibrationRecord:
    """Read a record.

    Args:
        path: The file.
        device_id: Device that it is for; None for whichever.
        anyway: Whether to take another device's record too.

    Raises:
        ConfigError: It cannot be read, is from a newer version, or lacks something; file and key are named.
        CalibrationError: It is another device's.
    """
    data = read_yaml(path)
    version = data.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path}: schema_version: this record was made by a newer spinhw",
            seen=version,
            allowed=f"at most {SCHEMA_VERSION}",
            todo="update spinhw, or calibrate again",
        )
    record = build(CalibrationRecord, data, str(path))
    if device_id is not None and record.device.id != device_id and not anyway:
        raise CalibrationError(
            f"{path}: this record is another device's",
            seen=record.device.id,
            allowed=device_id,
            todo="calibrate this device, or say that another's record will do",
        )
    return record


def find_record(path: Path, device_id: str) -> Path:
    """Find a device's record: the file itself, or DEVICE_ID.yaml in a folder.

    Raises:
        ConfigError: There is none.
    """
    found = path / f"{device_id}.yaml" if path.is_dir() else path
    if not found.is_file():
        raise ConfigError(
            f"{found}: there is no such record", todo="make one: spinhw calibrate --device FILE --out RECORD"
        )
    return found


class _Dumper(yaml.SafeDumper):
    """Writes lists of numbers on few lines."""


def _list(dumper: yaml.SafeDumper, data: Sequence[Any]) -> yaml.Node:
    plain = all(one is None or isinstance(one, int | float | str) for one in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


_Dumper.add_representer(list, _list)
_Dumper.add_representer(tuple, _list)


def _rounded(data: Any) -> Any:
    if isinstance(data, float):
        return float(f"{data:.{_DIGITS}g}")
    if isinstance(data, Mapping):
        return {key: _rounded(value) for key, value in data.items()}
    return [_rounded(one) for one in data] if isinstance(data, list) else data


RecordPath = Annotated[Path, Field(description="A calibration record, or a folder with one for each device.")]
