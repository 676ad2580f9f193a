"""Settings of a simulated chip. The defaults are the ideal chip: every part equal, nothing lost, nothing rounded."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.physics import Ladder
from spinhw.units import DurationS, FrequencyHz

Spread = Annotated[float, Field(ge=0.0, le=1.0)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Index = Annotated[int, Field(ge=0)]


class ConverterSettings(Settings):
    """A converter between numbers and voltages (DAC or ADC): its range and its bits. Ideal without either."""

    bits: int | None = Field(
        default=None, ge=1, le=24, description="Resolution in bits, 1 to 24; null for no rounding."
    )
    lowest: float | None = Field(default=None, description="Lower end of the range, in model units; null for none.")
    highest: float | None = Field(default=None, description="Upper end of the range, in model units; null for none.")

    @model_validator(mode="after")
    def _range_is_whole(self) -> Self:
        if (self.lowest is None) != (self.highest is None):
            raise ValueError("lowest and highest belong together; write both or neither")
        if self.bits is not None and self.lowest is None:
            raise ValueError("bits need a range; write lowest and highest too")
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError("lowest must be below highest")
        return self

    @property
    def limits(self) -> tuple[float, float] | None:
        """Both ends of the range in model units; None without one."""
        return None if self.lowest is None or self.highest is None else (self.lowest, self.highest)


class SpreadSettings(Settings):
    """How much the oscillators of a chip differ from the nominal one.

    Positive parameters are log-normal with the nominal value as their mean, so that they stay positive whatever the
    spread. Q is normal, drawn again below -0.9: at Q <= -1 the damping of a large power would be negative.
    """

    gamma: Spread = Field(default=0.0, description="Relative standard deviation of gamma = 1/tau, 0 to 1.")
    sigma: Spread = Field(default=0.0, description="Relative standard deviation of sigma, 0 to 1.")
    q: Spread = Field(default=0.0, description="Standard deviation of Q (absolute, for Q is 0 nominally), 0 to 1.")
    cutoff: Spread = Field(default=0.0, description="Relative standard deviation of the high-pass corner, 0 to 1.")
    gain: Spread = Field(default=0.0, description="Relative standard deviation of the gain S, 0 to 1.")


class DefectSettings(Settings):
    """Oscillators that do not work. A dead one never oscillates; a stuck one keeps its power whatever drives it.

    Neither sends anything through its high-pass. The numbers given are added to the fraction, which is drawn once per
    chip.
    """

    dead_fraction: Fraction = Field(default=0.0, description="Share of dead oscillators, 0 to 1.")
    dead: tuple[Index, ...] = Field(default=(), description="Numbers of dead oscillators, counted from 0.")
    stuck_fraction: Fraction = Field(default=0.0, description="Share of stuck oscillators, 0 to 1.")
    stuck: tuple[Index, ...] = Field(default=(), description="Numbers of stuck oscillators, counted from 0.")
    stuck_power: float = Field(default=0.5, ge=0.0, le=1.0, description="Power at which they are stuck, 0 to 1.")


class RFSettings(Settings):
    """The resonators behind the weights: chains in series, one for each source, equally spaced in frequency."""

    frequency_hz: FrequencyHz = Field(default=2e9, description="Resonance of the first resonator; above zero.")
    spacing_hz: FrequencyHz = Field(default=400e6, description="Distance between neighbours; above zero.")
    half_linewidth_hz: FrequencyHz = Field(default=10e6, description="Half linewidth, alpha f_res; above zero.")
    tuning_span_hz: FrequencyHz = Field(default=20e6, description="Shift of a resonance by a tuning of 1; above zero.")
    frequency_spread: Spread = Field(default=0.0, description="Relative standard deviation of the resonances, 0 to 1.")
    linewidth_spread: Spread = Field(default=0.0, description="Relative standard deviation of the linewidths, 0 to 1.")

    def ladder(self, max_weight: float) -> Ladder:
        """Return the chain as designed; max_weight is w_max, above 0."""
        return Ladder(self.frequency_hz, self.spacing_hz, self.half_linewidth_hz, self.tuning_span_hz, max_weight)


class SynapseSettings(Settings):
    """The synapses: what of a requested weight, or of a requested tuning, arrives.

    All errors belong to the chip: they are drawn once, except `repeatability`, which is drawn at each programming.
    """

    takes: Literal["weights", "tunings"] = Field(
        default="weights",
        description="What is programmed: 'weights', or 'tunings' of the resonators of `rf`, -1 to 1, whose chains hear "
        "all tones of their layer.",
    )
    limit: float | None = Field(default=None, gt=0.0, description="Largest weight in size, w_max; null for none.")
    bits: int | None = Field(
        default=None, ge=2, le=24, description="Resolution of the programming, over +-limit or tunings of +-1; 2 to 24."
    )
    scale_spread: Spread = Field(default=0.0, description="Relative standard deviation of w_max (log-normal), 0 to 1.")
    programming_error: Spread = Field(
        default=0.0, description="Standard deviation of a fixed offset, over limit, 0 to 1."
    )
    repeatability: Spread = Field(
        default=0.0, description="Standard deviation at each programming, over limit, 0 to 1."
    )
    dead_fraction: Fraction = Field(default=0.0, description="Share of synapses that do nothing, 0 to 1.")
    stuck_fraction: Fraction = Field(
        default=0.0, description="Share stuck at a weight uniform in +-limit, or a tuning uniform in +-1; 0 to 1."
    )
    crosstalk: bool = Field(
        default=False,
        description="Whether each resonator also sees its neighbours' frequencies; with tunings it always does.",
    )
    rf: RFSettings = Field(default=RFSettings(), description="The resonators; for crosstalk and for the synapse bank.")

    @model_validator(mode="after")
    def _limit_where_needed(self) -> Self:
        parts = ("bits", "programming_error", "repeatability", "stuck_fraction", "crosstalk")
        needing = [name for name in parts if getattr(self, name)]
        if needing and self.limit is None:
            raise ValueError(f"{', '.join(needing)} need a limit; write limit too")
        return self

    @model_validator(mode="after")
    def _tunings_have_crosstalk_and_a_limit(self) -> Self:
        if self.takes == "tunings" and self.limit is None:
            raise ValueError("takes: tunings needs the largest weight of a resonator; write limit too")
        if self.takes == "tunings" and self.crosstalk:
            raise ValueError("takes: tunings always has crosstalk; leave crosstalk out")
        return self


class ReadoutSettings(Settings):
    """Electronics that measure one kind of signal, in the model units of that signal."""

    gain_spread: Spread = Field(
        default=0.0, description="Relative standard deviation of the gain (log-normal), 0 to 1."
    )
    offset_spread: Spread = Field(default=0.0, description="Standard deviation of the offset, 0 to 1.")
    noise: Spread = Field(default=0.0, description="Noise of one sample of one shot (1 sigma), 0 to 1.")
    adc: ConverterSettings = Field(default=ConverterSettings(), description="Bits and range of the digitizer.")


class DriftSettings(Settings):
    """Slow change of gamma, sigma and read-out gain, random walks of their logarithms by shot, and of chains.

    A shot is one presentation of a whole batch. Within one run, its repeats and averages, the chip does not move.
    """

    common_per_1000_shots: Spread = Field(
        default=0.0, description="Relative standard deviation after 1000 shots, alike for all oscillators, 0 to 1."
    )
    individual_per_1000_shots: Spread = Field(
        default=0.0, description="Relative standard deviation after 1000 shots, each oscillator its own, 0 to 1."
    )
    chains_per_1000_shots: Spread = Field(
        default=0.0,
        description="By how many half-linewidths the resonances of a chain have moved after 1000 shots (1 sigma), all "
        "of one chain alike, each chain at a steady rate of its own, as its temperature does; it acts at the next "
        "programming. Of chips that take tunings, 0 to 1.",
    )
    aged_shots: int = Field(
        default=0, ge=0, description="Shots for which the chip has drifted before its first one, 0 or above."
    )

    @property
    def active(self) -> bool:
        """Whether anything of the oscillators or their read-out drifts."""
        return self.common_per_1000_shots > 0 or self.individual_per_1000_shots > 0


class ChipSettings(Settings):
    """A simulated chip, from ideal (the defaults) to imperfect."""

    steps_per_ns: int = Field(
        default=16, ge=16, le=1000, description="Least integration steps per nanosecond, 16 to 1000."
    )
    spread: SpreadSettings = Field(default=SpreadSettings(), description="Differences between the oscillators.")
    defects: DefectSettings = Field(default=DefectSettings(), description="Oscillators that do not work.")
    synapses: SynapseSettings = Field(default=SynapseSettings(), description="Errors of the weights.")
    input_dac: ConverterSettings = Field(
        default=ConverterSettings(), description="Converter of the network's inputs u."
    )
    bias_dac: ConverterSettings = Field(default=ConverterSettings(), description="Converter of the trainable biases.")
    drive_dac: ConverterSettings = Field(
        default=ConverterSettings(), description="Converter of drives played to an oscillator bank, in units of gamma."
    )
    power_readout: ReadoutSettings = Field(
        default=ReadoutSettings(), description="Measures the power x, and y with the same noise and bits but no offset."
    )
    output_readout: ReadoutSettings = Field(
        default=ReadoutSettings(), description="Measures the outputs W_out y of a hardware read-out."
    )
    thermal_power: float = Field(
        default=0.0, ge=0.0, le=0.1, description="Thermal power p_T, 0 to 0.1; 0 is noise-free."
    )
    drift: DriftSettings = Field(default=DriftSettings(), description="Slow change with the number of shots.")
    loop_delay_s: DurationS = Field(default=0.0, description="Delay of every y on its way to a drive; 0 or above.")

    @model_validator(mode="after")
    def _chains_that_drift_are_there(self) -> Self:
        if self.drift.chains_per_1000_shots > 0 and self.synapses.takes != "tunings":
            raise ValueError(
                "drift.chains_per_1000_shots moves resonances, and this chip has none; leave it out, or write "
                "synapses.takes: tunings"
            )
        return self

    @model_validator(mode="after")
    def _one_corner_behind_chains(self) -> Self:
        if self.synapses.takes == "tunings" and self.spread.cutoff > 0:
            raise ValueError(
                "spread.cutoff: with tunings the high-pass stands behind the chains, all with one corner; leave it out"
            )
        return self
