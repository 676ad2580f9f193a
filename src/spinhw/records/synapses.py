"""Records of synapses: what was measured of a chain of RF resonators, with raw readings beside it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings, build
from spinhw.config.sorts import RECORD
from spinhw.physics import Ladder
from spinhw.records.files import SCHEMA_VERSION, read_record, refuse_other
from spinhw.records.oscillators import (
    IdentityFacts,
    MadeFacts,
    Numbers,
    ParameterTable,
    check_numbers,
    check_rows,
    check_tables,
)
from spinhw.units import FrequencyHz, Quantity

# What is measured of each resonator, in the order of covariances; then what a programming is off by.
SYNAPSE_UNITS = {
    "resonance": "Hz",
    "half_linewidth": "Hz",
    "max_weight": "1",
    "tuning_span": "Hz",
    "repeatability": "1",
    "programming_error": "1",
}
SYNAPSE_MEANINGS = {
    "resonance": "resonance at tuning 0",
    "half_linewidth": "half linewidth G: the weight is largest at this detuning",
    "max_weight": "largest weight, with its sign: voltage over power, in units of the conversion",
    "tuning_span": "shift of the resonance by a tuning of 1",
    "repeatability": "scatter from one programming to the next, over the largest weight",
    "programming_error": "rms difference of measured from requested weight, over the largest weight",
}
MAP = ("resonance", "half_linewidth", "max_weight", "tuning_span")

PowerW = Annotated[float, Quantity("W", positive=True)]
PositiveVoltageV = Annotated[float, Quantity("V", positive=True)]


class ChainFacts(IdentityFacts):
    """Who was measured."""

    resonators: int = Field(ge=1, description="How many.")


class LadderFacts(Settings):
    """The chain as designed, and the conversion: what the measurement took for granted."""

    frequency_hz: FrequencyHz = Field(description="Frequency of the first source.")
    spacing_hz: FrequencyHz = Field(description="From one source to the next.")
    half_linewidth_hz: FrequencyHz = Field(description="Half linewidth.")
    tuning_span_hz: FrequencyHz = Field(description="Shift of a resonance by a tuning of 1.")
    max_weight: float = Field(gt=0.0, description="Largest weight.")
    volts_per_tuning: float = Field(description="Volts of a tuning of 1.")
    volts_per_output: PositiveVoltageV = Field(description="Volts of an output of 1.")
    watts_per_power: PowerW = Field(
        description="Watts of a power of 1. Only a voltage over a power can be measured: both scale the weights."
    )

    def ladder(self) -> Ladder:
        """Give it as the physics has it."""
        return Ladder(self.frequency_hz, self.spacing_hz, self.half_linewidth_hz, self.tuning_span_hz, self.max_weight)


class PointsFacts(Settings):
    """One experiment that was done."""

    kind: str = Field(description="Which.")
    points: int = Field(ge=1, description="Tunings and tones, one after another.")
    readings: int = Field(ge=1, description="Readings of each.")
    programmings: int = Field(ge=0, description="How often the chain was tuned anew.")
    traces: str = Field(description="File with what was read, beside the record.")


class CrosstalkFacts(Settings):
    """What the tuning of one resonator does to the weights of the others."""

    unit: Literal["1"] = Field(description="Unit of the values: '1', a change over a change.")
    depth: float = Field(gt=0.0, description="Each resonator was tuned to plus and minus this, the others to 0.")
    values: tuple[Numbers, ...] = Field(
        description="Change of the weight at the tone of each source (row) by the tuning of each resonator (column), "
        "over the change by the source's own; null where the own is not seen."
    )
    errors: tuple[Numbers, ...] = Field(description="Their standard errors.")
    reduced_chi2: float | None = Field(
        description="Of the changes against those of the resonators as fitted: much above 1, something else couples."
    )


class SynapseRecord(Settings):
    """A record of a chain. Everything in it was measured or is said to be taken for granted."""

    sorts = (RECORD,)

    kind: Literal["synapses"] = Field(description="'synapses'.")
    schema_version: int = Field(ge=1, le=SCHEMA_VERSION, description="Form of this file.")
    device: ChainFacts = Field(description="Who was measured.")
    made: MadeFacts = Field(description="When and how.")
    nominal: LadderFacts = Field(description="What was taken for granted.")
    experiments: tuple[PointsFacts, ...] = Field(description="What was done.")
    quantities: dict[str, ParameterTable] = Field(description="What was found.")
    correlations: tuple[Numbers, ...] = Field(
        default=(), description="Of the first four quantities, by resonator: (first, second), (first, third), ..."
    )
    crosstalk: CrosstalkFacts | None = Field(default=None, description="The crosstalk matrix, where it was measured.")
    noise: float | None = Field(description="Noise of one reading (1 sigma), in units of an output.")
    offset: float | None = Field(description="Reading without a tone, in units of an output.")
    reduced_chi2: Numbers = Field(description="Residuals of the detuning sweep over noise, squared, by resonator.")
    failed: dict[int, str] = Field(
        default={},
        description="Resonators that failed, and why. Of one that is stuck or held the values are given: its tail "
        "counts.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        count = self.device.resonators
        check_tables("quantities", self.quantities, SYNAPSE_UNITS, count, "resonator")
        matrix = () if self.crosstalk is None else (*self.crosstalk.values, *self.crosstalk.errors)
        if any(len(row) != count for row in matrix) or len(matrix) not in (0, 2 * count):
            raise ValueError(f"crosstalk must have {count} rows of {count} values, and as many errors")
        check_rows("correlations", self.correlations, count, len(MAP), "resonator")
        check_numbers({"reduced_chi2": self.reduced_chi2}, self.failed, count, "resonator")
        return self


def load_synapses(path: Path, device_id: str | None = None, anyway: bool = False) -> SynapseRecord:
    """Read a record of synapses.

    Args:
        path: The file.
        device_id: Device that it is for; None for whichever.
        anyway: Whether to take another device's record too.

    Raises:
        ConfigError: It cannot be read, is from a newer version, or lacks something; file and key are named.
        CalibrationError: It is another device's.
    """
    record = build(SynapseRecord, read_record(path, "synapses"), str(path))
    refuse_other(path, record.device.id, device_id, anyway)
    return record
