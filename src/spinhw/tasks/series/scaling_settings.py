"""How numbers of a file become inputs of a network."""

from typing import Literal, Self

from pydantic import Field, model_validator

from spinhw.config import Settings


class RangeScaling(Settings):
    """Each channel's range in the training part becomes a range of inputs."""

    kind: Literal["range"] = Field(default="range", description="From the least and the greatest number.")
    lowest: float = Field(default=-1.0, description="Input that the least number of the training part becomes.")
    highest: float = Field(default=1.0, description="Input that the greatest one becomes; above `lowest`.")
    per_channel: bool = Field(default=True, description="Each channel for itself; false for all by the same numbers.")

    @model_validator(mode="after")
    def _the_right_way_round(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError(f"lowest is {self.lowest:g} and highest {self.highest:g}; write the lower one first")
        return self


class StandardScaling(Settings):
    """Each channel gets the mean 0 and a standard deviation in the training part."""

    kind: Literal["standard"] = Field(default="standard", description="From mean and standard deviation.")
    spread: float = Field(default=0.5, gt=0.0, description="Standard deviation of the inputs, above 0.")
    per_channel: bool = Field(default=True, description="Each channel for itself; false for all by the same numbers.")


class NoScaling(Settings):
    """Numbers are taken as they are."""

    kind: Literal["none"] = Field(default="none", description="Numbers are inputs as they are.")


AnyScaling = RangeScaling | StandardScaling | NoScaling
