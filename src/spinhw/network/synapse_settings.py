"""What the weights of a network are: numbers, or resonators that are tuned."""

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.errors import MisfitError
from spinhw.physics import TuningCurve, inner_branch
from spinhw.units import FrequencyHz, format_quantity, parse_quantity, show_quantity

# A number of half-linewidths, such as "16 half-linewidths".
_HALF_LINEWIDTHS = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*half-linewidths?")
# Keys that may be written so, and what they are when they are left out.
_IN_LINEWIDTHS = {"spacing": 16.0, "span": 8.0}
# No source, cable or oscillator of this field is wired for more.
HIGHEST_TONE_HZ = 20e9


class WeightSynapses(Settings):
    """Weights that are numbers: a device is told them as they shall act."""

    kind: Literal["weights"] = Field(default="weights", description="'weights': numbers, trained as they act.")


class LineCurve(Settings):
    """A resonance that moves in proportion to its tuning."""

    kind: Literal["line"] = Field(default="line", description="Shift = span t.")

    def curve(self) -> TuningCurve:
        """Return it as a function."""
        return TuningCurve()


class ParabolaCurve(Settings):
    """A resonance that moves along a parabola."""

    kind: Literal["parabola"] = Field(description="Shift = span (t + bend t^2).")
    bend: float = Field(gt=-0.5, lt=0.5, description="b, between -0.5 and 0.5.")

    def curve(self) -> TuningCurve:
        """Return it as a function."""
        return TuningCurve(bend=self.bend)


class SaturationCurve(Settings):
    """A resonance that moves less and less."""

    kind: Literal["saturation"] = Field(description="Shift = span tanh(strength t) / strength.")
    strength: float = Field(gt=0.0, le=5.0, description="s, above 0, at most 5.")

    def curve(self) -> TuningCurve:
        """Return it as a function."""
        return TuningCurve(saturation=self.strength)


class ResonatorSynapses(Settings):
    """Weights that are resonators beside the tones of neurons; `weight_limit` is the largest, w_max."""

    kind: Literal["resonators"] = Field(description="'resonators': trained through their tunings.")
    half_linewidth_hz: FrequencyHz = Field(
        default=10e6, description="Half-linewidth G of every resonator, the same over the whole band; above zero."
    )
    first_tone_hz: FrequencyHz = Field(default=2e9, description="Frequency of the first neuron of each layer.")
    spacing_hz: FrequencyHz = Field(
        default=16 * 10e6,
        description="From the tone of a neuron to that of the next; above zero. '16 half-linewidths', the default, "
        "moves with half_linewidth.",
    )
    span_hz: FrequencyHz = Field(
        default=8 * 10e6,
        description="By how much a tuning of 1 shifts a resonance; above zero. '8 half-linewidths', the default, moves "
        "with half_linewidth.",
    )
    crosstalk: bool = Field(
        default=True, description="Whether a resonator also answers to the tones of its neighbours, as a real one does."
    )
    angle_rad: float = Field(
        default=0.0,
        ge=-math.pi / 4,
        le=math.pi / 4,
        description="Share of the symmetric Lorentzian as an angle in radians, -pi/4 to pi/4; 0 for none.",
    )
    loss_db: float = Field(
        default=0.0, ge=0.0, le=10.0, description="Loss of power in each resonator of a chain in dB, 0 to 10."
    )
    curve: Annotated[LineCurve | ParabolaCurve | SaturationCurve, Field(discriminator="kind")] = Field(
        default=LineCurve(), description="How a resonance follows its tuning t."
    )

    @model_validator(mode="before")
    @classmethod
    def _in_half_linewidths(cls, data: Any) -> Any:
        """Put spacing and span that are written in half-linewidths, or left out, into hertz."""
        if not isinstance(data, dict):
            return data
        width: Any = data.get("half_linewidth", data.get("half_linewidth_hz", 10e6))
        try:
            width_hz = parse_quantity(width, "Hz") if isinstance(width, str) else float(width)
            found = {key: _in_hertz(data, key, width_hz) for key in _IN_LINEWIDTHS}
        except (ValueError, TypeError):
            return data  # Something is wrong with the half-linewidth, which is said of it.
        return data | {key: text for key, text in found.items() if text is not None}

    @model_validator(mode="after")
    def _tuning_reaches_both_extremes(self) -> Self:
        low, high = (end * self.span_hz for end in self.curve.curve().ends())
        needed = max(map(abs, inner_branch(self.angle_rad))) * self.half_linewidth_hz
        if min(-low, high) < needed * (1 - 1e-9):
            raise MisfitError(
                "network.synapses.span: no tuning reaches the largest weight",
                seen=f"{show_quantity(low, 'Hz')} to {show_quantity(high, 'Hz')}",
                allowed=f"at least {show_quantity(needed, 'Hz')} to either side, where the weight is largest",
                todo="make span larger, or half_linewidth smaller",
            )
        return self

    def refuse_ladder(self, size: int, whose: str) -> None:
        """Refuse a layer whose tones leave the band.

        Args:
            size: Its neurons, or the inputs.
            whose: For the message, such as "layer 2".

        Raises:
            MisfitError: The last tone is beyond the highest.
        """
        last_hz = self.first_tone_hz + (size - 1) * self.spacing_hz
        if last_hz > HIGHEST_TONE_HZ:
            fit = max(1, 1 + int((HIGHEST_TONE_HZ - self.first_tone_hz) / self.spacing_hz))
            raise MisfitError(
                f"network.synapses.spacing: the tones of {whose}, {size} of them, leave the band",
                seen=f"the last at {show_quantity(last_hz, 'Hz')}",
                allowed=f"at most {show_quantity(HIGHEST_TONE_HZ, 'Hz')}",
                todo=f"make spacing or half_linewidth smaller, or take at most {fit} of them",
            )

    def refuse_initial(self, sources: int, largest: float, max_weight: float) -> None:
        """Refuse initial weights that a resonator by itself does not reach.

        Args:
            sources: Of a chain, each with a resonator at most.
            largest: Largest initial weight in size.
            max_weight: w_max.

        Raises:
            MisfitError: The last resonator of a chain does not reach that to either side.
        """
        last = 10 ** (-self.loss_db / 10 * (sources - 1))
        reach = max_weight * (1 - abs(math.sin(self.angle_rad))) * last
        if largest > reach * 0.999:
            raise MisfitError(
                f"network.synapses: the last resonator of a chain of {sources} cannot have every initial weight",
                seen=f"initial weights up to {largest:.4g}",
                allowed=f"below {reach:.4g} = weight_limit (1 - |sin angle|) and the loss of those before",
                todo="raise network.weight_limit, or lower weight_scale, angle or loss",
            )


def _in_hertz(data: dict[str, Any], key: str, width_hz: float) -> str | None:
    """Return a key in hertz where it is counted in half-linewidths, by itself or by default; else None."""
    if key not in data and f"{key}_hz" in data:
        return None
    written = data.get(key, f"{_IN_LINEWIDTHS[key]} half-linewidths")
    found = _HALF_LINEWIDTHS.fullmatch(written.strip()) if isinstance(written, str) else None
    return None if found is None else format_quantity(float(found[1]) * width_hz, "Hz")
