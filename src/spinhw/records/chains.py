"""Records of whole chips: what was measured of the resonators of every chain, with raw readings beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from spinhw.config import Settings, build
from spinhw.config.sorts import RECORD
from spinhw.records.files import SCHEMA_VERSION, read_record, refuse_other
from spinhw.records.oscillators import IdentityFacts, MadeFacts, Numbers, check_numbers
from spinhw.records.synapses import MAP, LadderFacts
from spinhw.units import FrequencyHz

PAIRS = len(MAP) * (len(MAP) - 1) // 2


class ChipFacts(IdentityFacts):
    """Who was measured."""

    masks_seed: int = Field(description="Seed of the network whose masks say which resonators there are.")
    chains: int = Field(ge=1, description="How many chains.")
    resonators: int = Field(ge=1, description="How many, in all chains together.")


class SweepFacts(Settings):
    """What was done to every chain."""

    levels: int = Field(ge=1, description="Programmings of each chain.")
    readings: int = Field(ge=1, description="Readings in all, those without a tone included.")
    reach_hz: FrequencyHz = Field(description="How far from each resonance as designed tones were played.")
    traces: str = Field(description="Folder with what was read, a file for each chain, beside the record.")


def _split(value: Any) -> Any:
    """Take numbers that are written in one string apart; "-" for none."""
    return [None if one == "-" else one for one in value.split()] if isinstance(value, str) else value


def _joined(values: Sequence[float | None]) -> str:
    return " ".join("-" if one is None else f"{one:.8g}" for one in values)


# Lists of thousands of numbers: as strings they load in a hundredth of the time.
_Row = Annotated[
    Numbers,
    BeforeValidator(_split),
    PlainSerializer(_joined, return_type=str),
]
_Places = Annotated[tuple[int, ...], BeforeValidator(_split), PlainSerializer(_joined, return_type=str)]


class ChainTable(Settings):
    """The resonators of one weight matrix, row by row. Lists are strings of numbers, "-" where there is none."""

    shape: tuple[int, int] = Field(description="Destinations and sources of the matrix.")
    destinations: _Places = Field(description="Row of each resonator, counted from 0.")
    sources: _Places = Field(description="Column of each resonator: whose tone it answers to.")
    values: dict[str, _Row] = Field(
        description="resonance at tuning 0 in Hz, half_linewidth G in Hz, max_weight with its sign, tuning_span in Hz "
        "(0 of one that is stuck, or held at a tuning of 0); none where nothing was found."
    )
    errors: dict[str, _Row] = Field(description="Standard errors of these four.")
    correlations: _Row = Field(
        description="Of these four, resonator by resonator: (first, second), (first, third), ..., (third, fourth)."
    )
    reduced_chi2: _Row = Field(description="Residuals around each resonance over the noise, squared.")
    failed: dict[int, str] = Field(default={}, description="Which failed, by their place in these lists, and why.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        count = len(self.destinations)
        for what in ("values", "errors"):
            if set(getattr(self, what)) != set(MAP):
                raise ValueError(f"{what} must be of {', '.join(MAP)}")
        lists = {"sources": self.sources, "reduced_chi2": self.reduced_chi2}
        lists |= {f"{what}.{name}": getattr(self, what)[name] for what in ("values", "errors") for name in MAP}
        for name, numbers in lists.items():
            if len(numbers) != count:
                raise ValueError(f"{name} must have {count} values, one for each resonator")
        check_numbers({}, self.failed, count, "resonator")
        if len(self.correlations) != count * PAIRS:
            raise ValueError(f"correlations must have {count * PAIRS} values, {PAIRS} for each resonator")
        for name, places, size in (
            ("destinations", self.destinations, self.shape[0]),
            ("sources", self.sources, self.shape[1]),
        ):
            if any(not 0 <= one < size for one in places):
                raise ValueError(f"{name} must lie within 0 to {size - 1}, the shape of the matrix")
        return self


class ChainsRecord(Settings):
    """A record of all chains of a chip. Everything in it was measured or is said to be taken for granted."""

    sorts = (RECORD,)

    kind: Literal["chains"] = Field(description="'chains'.")
    schema_version: int = Field(ge=1, le=SCHEMA_VERSION, description="Form of this file.")
    device: ChipFacts = Field(description="Who was measured.")
    made: MadeFacts = Field(description="When and how.")
    nominal: LadderFacts = Field(description="What was taken for granted.")
    sweep: SweepFacts = Field(description="What was done.")
    priors: dict[str, float] = Field(
        description="What was taken to be known beforehand, 1 sigma around the design: resonance over the reach of the "
        "windows, the logarithm of the half linewidth, largest weight and span over the designed ones."
    )
    repeatability: float = Field(description="Scatter of a programming over the largest weight, of all resonators.")
    noise: float = Field(description="Noise of one reading (1 sigma), in units of an output.")
    matrices: dict[str, ChainTable] = Field(description="What was found, by the name of each weight matrix.")

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        count = sum(len(one.sources) for one in self.matrices.values())
        if count != self.device.resonators:
            raise ValueError(f"device.resonators is {self.device.resonators}; the matrices have {count}")
        return self

    def failed(self) -> dict[str, str]:
        """Return which resonators failed, such as "w_int.0[3, 7]" for row 3 and column 7, and why."""
        return {
            f"{name}[{table.destinations[place]}, {table.sources[place]}]": why
            for name, table in self.matrices.items()
            for place, why in table.failed.items()
        }


def load_chains(path: Path, device_id: str | None = None, anyway: bool = False) -> ChainsRecord:
    """Read a record of a whole chip's chains.

    Args:
        path: The file.
        device_id: Device that it is for; None for whichever.
        anyway: Whether to take another device's record too.

    Raises:
        ConfigError: It cannot be read, is from a newer version, or lacks something; file and key are named.
        CalibrationError: It is another device's.
    """
    record = build(ChainsRecord, read_record(path, "chains"), str(path))
    refuse_other(path, record.device.id, device_id, anyway)
    return record
