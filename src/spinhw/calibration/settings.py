"""Plans for oscillators: which experiments are played, and which parameters are fitted to what they give."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.config.sorts import PLAN
from spinhw.units import DurationS

Segments = Annotated[int, Field(ge=1, le=10_000)]
Samples = Annotated[int, Field(ge=8, le=100_000)]
ParameterName = Literal["gamma", "sigma", "q", "gain", "offset", "delay", "lag"]


class _Experiment(Settings):
    samples: Samples = Field(default=64, description="Samples of each segment, 8 to 100 000.")
    averages: int = Field(default=1, ge=1, le=100_000, description="Shots that are averaged, at least 1.")


class NoiseExperiment(_Experiment):
    """The bias drive, held: what is recorded then is noise. Yields read-out noise and the step of the converter."""

    kind: Literal["noise"] = Field(description="'noise': the bias drive, held.")
    segments: Segments = Field(default=4, description="Segments, at least 1.")


class DriveSweep(_Experiment):
    """One drive for each segment, from lowest to highest: the power curve. Yields threshold, sigma, Q, gain, offset."""

    kind: Literal["drive_sweep"] = Field(description="'drive_sweep': power against dc current.")
    levels: int = Field(default=17, ge=3, le=1000, description="Drives, 3 to 1000.")


class StepResponse(_Experiment):
    """Bias, a step up or down, and halfway a step to the opposite drive. Yields gamma, bandwidth, delay."""

    kind: Literal["step_response"] = Field(description="'step_response': steps at several drives.")
    levels: int = Field(default=8, ge=2, le=1000, description="Drives that are stepped to, 2 to 1000.")


class PseudoRandom(_Experiment):
    """Random drives held for random times, of each oscillator its own. Yields everything at once, and the wiring."""

    kind: Literal["pseudo_random"] = Field(description="'pseudo_random': random drives, of each oscillator its own.")
    segments: Segments = Field(default=24, description="Segments, at least 1.")
    longest_hold: int = Field(default=8, ge=1, le=1000, description="Most samples for which a drive is held.")


class HighPass(_Experiment):
    """Steps as in `step_response`, with the signal behind the high-pass recorded too. Yields its corner."""

    kind: Literal["highpass"] = Field(description="'highpass': steps, and the signal behind the high-pass.")
    levels: int = Field(default=12, ge=2, le=1000, description="Drives that are stepped to, 2 to 1000.")


Experiment = Annotated[
    NoiseExperiment | DriveSweep | StepResponse | PseudoRandom | HighPass,
    Field(discriminator="kind"),
]


class PlanSettings(Settings):
    """A plan. It tells apart what `free` lists and fixes the rest, and says so in the record.

    Never fitted: `drive_per_ampere` (only its product with sigma shows), an offset of the drive (it acts as a change of
    gamma and Q), the gain S of a network's layer (a bank has none). The corner of a high-pass is fitted by itself,
    where a `highpass` experiment recorded the signal behind it. Q and gain trade off unless the drive reaches well
    above threshold.
    """

    sorts = (PLAN,)

    kind: Literal["oscillators"] = Field(default="oscillators", description="'oscillators': for a bank of those.")
    name: str = Field(min_length=1, description="Name of the plan.")
    free: tuple[ParameterName, ...] = Field(
        default=("gamma", "sigma", "q"), min_length=1, description="Parameters that are fitted."
    )
    lowest_over_gamma: float = Field(default=0.0, ge=0.0, description="Lowest drive, in units of nominal gamma.")
    highest_over_gamma: float = Field(default=4.0, gt=0.0, description="Highest drive, in units of nominal gamma.")
    rest_s: DurationS | None = Field(
        default=None,
        description="Rest under the bias before each segment, at least; null for what a slow oscillator needs. "
        "The device's own rest counts where it is longer.",
    )
    experiments: tuple[Experiment, ...] = Field(min_length=1, description="What is played, in this order.")

    @model_validator(mode="after")
    def _sensible(self) -> "PlanSettings":
        if self.lowest_over_gamma >= self.highest_over_gamma:
            raise ValueError("lowest_over_gamma must be below highest_over_gamma")
        if len(set(self.free)) != len(self.free) or not {"gamma", "sigma"} <= set(self.free):
            raise ValueError("free must name gamma and sigma, and nothing twice")
        return self

    @property
    def ordered_free(self) -> tuple[str, ...]:
        """The free parameters in their usual order."""
        from spinhw.surrogate import PARAMETERS

        return tuple(name for name in PARAMETERS if name in self.free)
