"""What all tasks whose trials are drawn have in common: as many as asked for, new ones whenever they are shown."""

from typing import ClassVar, Literal

from pydantic import Field

from spinhw.tasks.base import Feed, Part, Task, TaskSettings
from spinhw.units import TimeS

# Trials of the test part: fresh ones, which a run is judged on.
TESTED = 1024
# Trials whose last answer must last, and steps by which they are longer.
HOLD_TRIALS, HOLD_STEPS = 256, 1000


class TrialSettings(TaskSettings):
    """A task whose sequences are drawn; a network answers after each step of it."""

    changes_on_the_way: ClassVar[bool] = True
    sample_interval_s: TimeS = Field(
        default=1e-9, description="Time of one step for a network of oscillators; 1 fs to 1 s. Software has none."
    )
    sequences: int = Field(default=30_050, ge=1, description="Sequences of an epoch, at least 1.")
    fresh: bool = Field(
        default=True, description="Draw new sequences in every epoch; false shows the same ones again, shuffled."
    )
    held_out: int = Field(default=256, ge=1, description="Sequences of the validation part, at least 1.")

    @property
    def answers(self) -> Literal["once", "always"]:
        """After each step."""
        return "always"

    @property
    def parts(self) -> tuple[Part, ...]:
        """Both: all of them are drawn."""
        return ("validation", "test")

    @property
    def headline(self) -> str:
        """The share of trials that end with every output within 1/2 of its target."""
        return "final"

    def open(self, feed: Feed) -> Task:
        """Make the task."""
        from spinhw.tasks.trial_task import TrialTask

        return TrialTask(self, feed)
