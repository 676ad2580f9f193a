"""The flip-flop task as a run asks for it; `task` draws it."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from spinhw.tasks.base import Part
from spinhw.tasks.trial_settings import HOLD_STEPS, TrialSettings

# A sample of the noise passes this many standard deviations once in 16 000 samples.
FOUR_SIGMA = 4.0
Steps = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Range = tuple[Steps, Steps]


class FlipFlopSettings(TrialSettings):
    """Every number of the generator; the defaults are the corrected task."""

    kind: Literal["flipflop"] = Field(default="flipflop", description="The task.")
    bits: int = Field(default=3, ge=1, le=8, description="Channels, each one bit, 1 to 8.")
    steps: int = Field(default=420, ge=1, description="Length of a sequence in steps, at least 1.")
    pulse_steps: int = Field(default=20, ge=1, description="Width of a pulse in steps, at least 1.")
    amplitude: float = Field(default=1.0, gt=0.0, description="Height of a pulse; above 0.")
    delay_steps: int = Field(
        default=20, ge=0, description="Steps between the end of a pulse and the change of the target; 0 or above."
    )
    onsets: tuple[Range, ...] = Field(
        default=((10, 99), (71, 120), (71, 120)),
        min_length=1,
        description="For each pulse of a channel the least and the most steps to its start, equally likely: the first "
        "from the start of the sequence, the others from the start of the pulse before.",
    )
    absent: tuple[Share, ...] = Field(
        default=(1 / 3, 0.0, 0.0), description="Probability that a pulse is left out, one for each pulse, 0 to 1."
    )
    noise: float = Field(
        default=0.1, ge=0.0, description="Standard deviation of Gaussian noise on every input sample; 0 or above."
    )
    cut_pulses: bool = Field(
        default=False,
        description="Let pulses and their answers run over the end of the sequence, as the published code does.",
    )
    last_target_zero: bool = Field(
        default=False, description="Set the target to 0 at the last step, as the published code does by mistake."
    )

    long_steps: int | None = Field(
        default=None,
        ge=1,
        description="From the middle of the training on, every other batch has sequences of so many steps, which end "
        "with a long hold: what a network never saw it need not do. Held-out sequences are as long. Null for none.",
    )

    @classmethod
    def published(cls, **changes: Any) -> Self:
        """Give the task as the published code draws it.

        Its defects, each a key of its own: sequences of 340 steps cut a tenth of the third pulses short and a quarter
        of their answers off (`cut_pulses`); the third pulse comes 101 to 150 steps after the second, not 71 to 120
        (`onsets`); the target is 0 at the last step (`last_target_zero`), which adds 0.0029 to every mean squared
        error.
        """
        keys: dict[str, Any] = {
            "steps": 340,
            "onsets": ((10, 99), (71, 120), (101, 150)),
            "cut_pulses": True,
            "last_target_zero": True,
        }
        return cls.model_validate(keys | changes)

    @model_validator(mode="after")
    def _one_probability_per_pulse(self) -> Self:
        if len(self.absent) != len(self.onsets):
            raise ValueError(f"absent lists {len(self.absent)} probabilities for {len(self.onsets)} pulses in onsets")
        for low, high in self.onsets:
            if low > high:
                raise ValueError(f"onsets: [{low}, {high}] is the wrong way round; write the least first")
        return self

    @model_validator(mode="after")
    def _pulses_are_apart(self) -> Self:
        closest = min((low for low, _ in self.onsets[1:]), default=self.pulse_steps)
        if closest < self.pulse_steps:
            raise ValueError(
                f"pulses overlap: one may start {closest} steps after the start of another, which lasts "
                f"{self.pulse_steps}; raise onsets or lower pulse_steps"
            )
        return self

    @model_validator(mode="after")
    def _sequence_holds_its_pulses(self) -> Self:
        needed = self.pulse_steps + self.delay_steps + 1
        if self.steps < needed:
            raise ValueError(
                f"a sequence of {self.steps} steps is shorter than a pulse and its delay; make it at least {needed}"
            )
        needed += self.last_onset
        if self.steps < needed and not self.cut_pulses:
            raise ValueError(
                f"the last pulse may start at step {self.last_onset}, and its answer would come after the {self.steps} "
                f"steps of a sequence; raise steps to {needed}, or write 'cut_pulses: true'"
            )
        return self

    @model_validator(mode="after")
    def _long_sequences_are_longer(self) -> Self:
        if self.long_steps is not None and (self.long_steps <= self.steps or not self.fresh):
            raise ValueError(
                f"long_steps is {self.long_steps}; it must be above the {self.steps} steps of other sequences, and the "
                "sequences fresh"
            )
        return self

    @property
    def last_onset(self) -> int:
        """Latest step at which a pulse may start."""
        return sum(high for _, high in self.onsets)

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.bits

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.bits

    @property
    def further_parts(self) -> tuple[Part, ...]:
        """Trials that end with a long hold."""
        return ("held",)

    def samples_of(self, part: Part) -> int:
        """Samples of a sequence of a part."""
        if part == "held":
            return self.last_onset + self.pulse_steps + self.delay_steps + HOLD_STEPS
        return self.long_steps or self.steps if part == "validation" else self.steps

    @property
    def samples(self) -> int:
        """Samples of a sequence."""
        return self.steps

    @property
    def input_range(self) -> tuple[float, float]:
        """Inputs of the two pulses, and what noise adds to them."""
        highest = self.amplitude + FOUR_SIGMA * self.noise
        return -highest, highest
