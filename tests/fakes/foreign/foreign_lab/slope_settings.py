"""A task: tell rising from falling sequences."""

from typing import ClassVar, Literal

from pydantic import Field

from spinhw.tasks import Feed, TaskSettings
from spinhw.units import TimeS


class SlopeSettings(TaskSettings):
    """Rising and falling ramps in noise."""

    kind: Literal["slope"] = Field(default="slope", description="Ramps.")
    sample_interval_s: TimeS = Field(default=1e-9, description="Time for which each sample is held.")
    noise: float = Field(default=0.3, ge=0.0, description="Standard deviation of the noise, 0 or above.")

    inputs: ClassVar[int] = 1
    outputs: ClassVar[int] = 2
    samples: ClassVar[int] = 8
    input_range: ClassVar[tuple[float, float]] = (-2.0, 2.0)
    parts: ClassVar[tuple[str, ...]] = ("test",)

    def open(self, feed: Feed):
        from foreign_lab.slope import SlopeTask

        return SlopeTask(self, feed)
