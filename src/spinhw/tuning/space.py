"""What a search varies: keys of a run, each with a range or a list of choices, as written in one YAML file."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings
from spinhw.config.sorts import SPACE


class RangeSettings(Settings):
    """A number between two bounds, both included."""

    kind: Literal["range"] = Field(default="range", description="A number between two bounds.")
    lowest: float = Field(description="Lowest value, in `unit` where there is one.")
    highest: float = Field(description="Highest value, in `unit` where there is one.")
    log: bool = Field(
        default=False, description="Whether orders of magnitude are equally likely; lowest is above 0 then."
    )
    whole: bool = Field(default=False, description="Whether only whole numbers are tried.")
    unit: str = Field(default="", description="Unit of the key, such as ns; empty for a plain number.")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if not self.lowest < self.highest:
            raise ValueError(f"lowest is {self.lowest:g} and highest {self.highest:g}; lowest must be the smaller one")
        if self.log and self.lowest <= 0:
            raise ValueError(f"lowest is {self.lowest:g}; with log it must be above 0")
        return self


class ChoiceSettings(Settings):
    """One of a list of values, as they would stand in YAML."""

    kind: Literal["choice"] = Field(default="choice", description="One of a list.")
    values: tuple[str, ...] = Field(min_length=2, description='The values as text, such as ["1", "2", "4"].')


AxisSettings = Annotated[RangeSettings | ChoiceSettings, Field(discriminator="kind")]


class SpaceSettings(Settings):
    """A search: what is varied, and on which networks a trial is judged."""

    sorts = (SPACE,)

    axes: dict[str, AxisSettings] = Field(
        min_length=1, description="Keys of the run, such as training.optimiser.learning_rate."
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(100, 101, 102, 103),
        min_length=1,
        description="Networks of each trial. They are judged on the validation part; the seeds that are reported in "
        "the end (0 to 9) should not be among them.",
    )
    overrides: tuple[str, ...] = Field(default=(), description="Overrides of every trial, as KEY=VALUE.")
