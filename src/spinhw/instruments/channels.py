"""Settings of a channel of an instrument on the bench: its limits above all."""

from typing import Annotated

from pydantic import Field, model_validator

from spinhw.config import Settings, SettingsT
from spinhw.units import (
    CurrentA,
    DurationS,
    FrequencyHz,
    PowerW,
    Quantity,
    ResistanceOhm,
    VoltageV,
)

PositiveVoltageV = Annotated[float, Quantity("V", positive=True)]
PositiveCurrentA = Annotated[float, Quantity("A", positive=True)]


class VoltageOutput(Settings):
    """An output of a waveform source. Its amplitude range is set from these limits: no sample can exceed them."""

    lowest_v: VoltageV = Field(description="Lowest voltage that may ever leave this output, into `load`.")
    highest_v: VoltageV = Field(description="Highest voltage.")
    load_ohm: ResistanceOhm | None = Field(default=50.0, description="What hangs on it: 50 ohm, or null for open.")
    settle_s: DurationS = Field(default=0.0, description="Wait after switching on or off.")
    ramp_step_v: PositiveVoltageV | None = Field(
        default=None, description="Largest step of amplitude and offset on the way down; null for 100 equal ones."
    )
    ramp_delay_s: DurationS = Field(default=0.0, description="Wait after each step of the way down.")
    by_hand: bool = Field(
        default=False,
        description="Set by hand and perhaps on for days, such as a magnet: only ever measured, never switched.",
    )

    @property
    def span_v(self) -> float:
        """Get the largest amplitude that fits between the limits, peak to peak, in volts."""
        return self.highest_v - self.lowest_v

    @model_validator(mode="after")
    def _is_a_range(self) -> "VoltageOutput":
        return _ordered(self, self.lowest_v, self.highest_v)


class CurrentOutput(Settings):
    """An output of a current source. It is ramped: to each new value, and to zero before it is switched off."""

    lowest_a: CurrentA = Field(description="Lowest current that may ever leave this output.")
    highest_a: CurrentA = Field(description="Highest current.")
    compliance_v: PositiveVoltageV = Field(description="Voltage at which the source gives up on the current.")
    ramp_step_a: PositiveCurrentA = Field(description="Largest step of a ramp.")
    ramp_delay_s: DurationS = Field(default=0.01, description="Wait after each step of a ramp.")
    settle_s: DurationS = Field(default=0.0, description="Wait after a ramp.")
    by_hand: bool = Field(
        default=False,
        description="Set by hand and perhaps on for days, such as a magnet: only ever measured, never switched.",
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> "CurrentOutput":
        return _ordered(self, self.lowest_a, self.highest_a)


class RFOutput(Settings):
    """An RF output."""

    highest_power_w: PowerW = Field(
        description="Highest power that may ever leave this output, such as '-10 dBm' or '1 uW'."
    )
    lowest_frequency_hz: FrequencyHz = Field(description="Lowest frequency.")
    highest_frequency_hz: FrequencyHz = Field(description="Highest frequency.")
    settle_s: DurationS = Field(default=0.0, description="Wait after a change.")
    ramp_step_db: float | None = Field(
        default=None, gt=0, description="Largest step in dB on the way down; null for 100 equal ones."
    )
    ramp_delay_s: DurationS = Field(default=0.0, description="Wait after each step of the way down.")
    by_hand: bool = Field(
        default=False,
        description="Set by hand and perhaps on for days, such as a magnet: only ever measured, never switched.",
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> "RFOutput":
        return _ordered(self, self.lowest_frequency_hz, self.highest_frequency_hz)


class TuningOutputs(Settings):
    """All outputs of a synapse controller together."""

    lowest_v: VoltageV = Field(description="Lowest voltage that may ever leave any of the outputs.")
    highest_v: VoltageV = Field(description="Highest voltage.")
    ramp_step_v: PositiveVoltageV | None = Field(
        default=None,
        description="Largest step of an output from one programming to the next; null for one step. "
        "The way down then has 100 equal ones.",
    )
    ramp_delay_s: DurationS = Field(default=0.0, description="Wait after each step.")
    by_hand: bool = Field(
        default=False,
        description="Set by hand and perhaps on for days, such as a magnet: only ever measured, never switched.",
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> "TuningOutputs":
        return _ordered(self, self.lowest_v, self.highest_v)


class DigitizerInput(Settings):
    """An input of a digitizer."""

    lowest_v: VoltageV = Field(description="Lowest voltage that must fit on the screen.")
    highest_v: VoltageV = Field(description="Highest voltage.")

    @model_validator(mode="after")
    def _is_a_range(self) -> "DigitizerInput":
        return _ordered(self, self.lowest_v, self.highest_v)


class VoltmeterInput(Settings):
    """An input of a voltmeter."""

    range_v: PositiveVoltageV | None = Field(default=None, description="Largest voltage expected; null for automatic.")
    power_line_cycles: float = Field(default=1.0, gt=0, le=60, description="Integration time, 0.01 to 60 cycles.")


class PowerInput(Settings):
    """An input of a power meter or spectrum analyser."""

    reference_w: PowerW = Field(default=1e-3, description="Largest power expected, such as '0 dBm'.")


class Routes(Settings):
    """Crosspoints of a switch that may be closed; one channel, called 'matrix'."""

    allowed: tuple[str, ...] = Field(min_length=1, description="Names of the crosspoints, as the switch has them.")
    most_closed: int = Field(default=1024, ge=1, description="How many may be closed at a time.")
    settle_s: DurationS = Field(default=0.0, description="Wait after each change.")
    by_hand: tuple[str, ...] = Field(
        default=(), description="Crosspoints that are set by hand and may be closed: never moved."
    )

    @model_validator(mode="after")
    def _are_apart(self) -> "Routes":
        both = [route for route in self.by_hand if route in self.allowed]
        if both:
            raise ValueError(f"crosspoint {both[0]} cannot be both 'allowed' and 'by_hand'")
        return self


def _ordered(settings: SettingsT, lowest: float, highest: float) -> SettingsT:
    if not lowest < highest:
        raise ValueError(f"lowest must be below highest, not {lowest:g} and {highest:g}")
    return settings
