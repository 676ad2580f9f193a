"""Records of oscillators: what was measured of one device, as YAML that people read, with raw traces beside it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings, build
from spinhw.config.sorts import RECORD
from spinhw.records.files import SCHEMA_VERSION, read_record, refuse_other
from spinhw.units import DurationS, TimeS

# What each parameter is written in, and what it is; the order is that of covariances.
UNITS = {"gamma": "1/s", "sigma": "1", "q": "1", "gain": "1", "offset": "1", "delay": "s", "lag": "s"}
CUTOFF_UNIT = "Hz"
MEANINGS = {
    "gamma": "damping rate, the inverse of the relaxation time",
    "sigma": "drive efficiency over the nominal one",
    "q": "non-linear damping Q",
    "gain": "recorded over true power, 1 where the conversion is right",
    "offset": "recorded power for none, in units of full power",
    "delay": "by how much the record is late, the lag included",
    "lag": "time constant of the path's low-pass, 1 / (2 pi bandwidth); 0 where none is seen",
}

Numbers = tuple[float | None, ...]


class IdentityFacts(Settings):
    """Which device was measured."""

    id: str = Field(min_length=1, description="Device id; of a simulated chip with its member, such as 'chip-0'.")
    kind: str = Field(description="Backend: simulated or visa.")
    seed: int | None = Field(default=None, description="Seed of a simulated device; null for a physical one.")


class DeviceFacts(IdentityFacts):
    """Who was measured."""

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
    latency_s: DurationS | None = Field(
        default=None, description="Taken off every record before; `delay` comes on top. Null: not written down."
    )


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


def check_tables(name: str, tables: dict[str, ParameterTable], units: dict[str, str], count: int, each: str) -> None:
    """Refuse tables of which one is missing or too many, has another unit, or is not for so many devices.

    Args:
        name: Key of the tables.
        tables: What was found, by quantity.
        units: What there must be, and in which unit.
        count: Values of each.
        each: What a value is of, for the message.

    Raises:
        ValueError: For pydantic, which adds the file.
    """
    missing = [one for one in units if one not in tables]
    unknown = [one for one in tables if one not in units]
    if missing or unknown:
        raise ValueError(f"{name} are missing: {missing}, or unknown: {unknown}")
    for one, table in tables.items():
        if table.unit != units[one]:
            raise ValueError(f"{name}.{one}.unit is {table.unit!r}; it must be {units[one]!r}")
        if len(table.values) != count or len(table.errors) != count:
            raise ValueError(f"{name}.{one} must have {count} values and errors, one for each {each}")


def check_rows(name: str, rows: Sequence[Numbers], count: int, tied: int, each: str) -> None:
    """Refuse correlations that are not of every pair of so many quantities, for each of so many devices.

    Raises:
        ValueError: For pydantic, which adds the file.
    """
    pairs = tied * (tied - 1) // 2
    if rows and (len(rows) != count or any(len(row) != pairs for row in rows)):
        raise ValueError(f"{name} must have {count} rows of {pairs} values, a row for each {each}")


def check_numbers(lists: Mapping[str, Numbers], failed: Iterable[int], count: int, each: str) -> None:
    """Refuse lists that are not for so many devices, and those that failed and are none of these.

    Raises:
        ValueError: For pydantic, which adds the file.
    """
    for name, numbers in lists.items():
        if len(numbers) not in (0, count):
            raise ValueError(f"{name} must have {count} values, one for each {each}")
    beyond = [number for number in failed if not 0 <= number < count]
    if beyond:
        raise ValueError(f"failed names {each} {beyond[0]}; there are {count}, counted from 0")


class ReadoutFacts(Settings):
    """What the read-out can record, and what of it was used."""

    unit: Literal["1"] = Field(description="Unit of the values: '1', full power.")
    lowest: Numbers = Field(description="Lower end of its range as the device tells; null where it does not.")
    highest: Numbers = Field(description="Upper end: the level at which it saturates.")
    step: Numbers = Field(description="Step of the converter, where records show one; else null.")
    clipped: Numbers = Field(description="Share of samples beyond the range, 0 to 1.")


class CalibrationRecord(Settings):
    """A record. Everything in it was measured or is said to be taken for granted."""

    sorts = (RECORD,)

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
    left_out: dict[int, int] = Field(
        default={},
        description="Segments that do not count because an oscillator had not come to rest before them, by its number.",
    )
    readout: ReadoutFacts | None = Field(default=None, description="Range and step of the read-out.")
    cutoff: ParameterTable | None = Field(default=None, description="Corner of the high-pass behind each oscillator.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        count = self.device.oscillators
        check_tables("parameters", self.parameters, UNITS, count, "oscillator")
        if self.cutoff is not None and self.cutoff.unit != CUTOFF_UNIT:
            raise ValueError(f"cutoff.unit is {self.cutoff.unit!r}; it must be {CUTOFF_UNIT!r}")
        if self.cutoff is not None and {len(self.cutoff.values), len(self.cutoff.errors)} != {count}:
            raise ValueError(f"cutoff must have {count} values and errors, one for each oscillator")
        check_rows("correlations", self.correlations, count, len(self.free), "oscillator")
        lists = {name: getattr(self, name) for name in ("noise", "residual_rms", "reduced_chi2")}
        if self.readout is not None:
            ends = ("lowest", "highest", "step", "clipped")
            lists |= {f"readout.{name}": getattr(self.readout, name) for name in ends}
        check_numbers(lists, (*self.failed, *self.left_out), count, "oscillator")
        return self

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the fitted parameters."""
        return tuple(name for name in UNITS if self.parameters[name].fitted)


def load_record(path: Path, device_id: str | None = None, anyway: bool = False) -> CalibrationRecord:
    """Read a record of oscillators.

    Args:
        path: The file.
        device_id: Device that it is for; None for whichever.
        anyway: Whether to take another device's record too.

    Raises:
        ConfigError: It cannot be read, is from a newer version, or lacks something; file and key are named.
        CalibrationError: It is another device's.
    """
    record = build(CalibrationRecord, read_record(path, "calibration"), str(path))
    refuse_other(path, record.device.id, device_id, anyway)
    return record


RecordPath = Annotated[Path, Field(description="A calibration record, or a folder with one for each device.")]
