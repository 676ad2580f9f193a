"""The decision tasks as a run asks for them; `decisions` draws them."""

from typing import Literal

from pydantic import Field

from spinhw.tasks.trial_settings import TrialSettings

DecisionKind = Literal["perceptual", "context", "match", "parametric"]

# Periods in ms: fixation, then stimuli and delays in turn, then the time to answer.
_PERIODS: dict[str, tuple[float, ...]] = {
    "perceptual": (100, 2000, 100),
    "context": (300, 750, 3000, 100),  # The delay is drawn: exponential of mean 600 ms, within 300 to 3000 ms.
    "match": (300, 500, 1000, 500, 900),
    "parametric": (500, 500, 1000, 500, 100),
}
_INPUTS = {"perceptual": 3, "context": 7, "match": 3, "parametric": 2}


class DecisionSettings(TrialSettings):
    """One of the four tasks."""

    kind: DecisionKind = Field(
        description="'perceptual' or 'context' (decision making), 'match' (delayed match to sample), 'parametric' "
        "(working memory)."
    )
    step_ms: float = Field(default=20.0, gt=0.0, le=100.0, description="Milliseconds of a step, above 0, to 100.")
    noise: float = Field(
        default=1.0,
        ge=0.0,
        description="Noise of the stimuli: its standard deviation per sample is this / sqrt(step_ms); 0 or above.",
    )

    @property
    def inputs(self) -> int:
        """Input channels, the fixation cue included."""
        return _INPUTS[self.kind]

    @property
    def outputs(self) -> int:
        """Output channels."""
        return 1

    @property
    def samples(self) -> int:
        """Samples of a sequence."""
        return self.steps

    @property
    def input_range(self) -> tuple[float, float]:
        """Inputs of cue and stimuli, and what noise adds to them."""
        spread = 4.0 * self.noise / self.step_ms**0.5
        return -spread, 1.0 + spread

    @property
    def steps(self) -> int:
        """Length of a sequence."""
        return sum(self.periods)

    @property
    def periods(self) -> tuple[int, ...]:
        """Steps of each period, at least 1; a delay that is drawn counts with its longest."""
        return tuple(max(1, round(period / self.step_ms)) for period in _PERIODS[self.kind])
