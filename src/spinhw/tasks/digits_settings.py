"""Sequential digits as a run asks for them."""

from typing import Literal

from pydantic import Field

from spinhw.tasks.base import Feed, Part, Task, TaskSettings
from spinhw.units import TimeS

CLASSES = 10
SIDE = 8  # Pixels.


class DigitsSettings(TaskSettings):
    """The sequential digits task."""

    split_keys = ("train_fraction", "held_out")
    noun = "image"
    scale_key = "task.input_scale"
    augmented = True
    for_choosing = ("held_out=validation",)

    kind: Literal["sequential_digits"] = Field(default="sequential_digits", description="The task.")
    read_by: Literal["pixel", "row"] = Field(
        default="pixel",
        description="What a sample is: a 'pixel' (64 samples of one channel, as in the paper) or a 'row' (8 samples of "
        "8 channels, a pixel each).",
    )
    sample_interval_s: TimeS = Field(
        default=1e-9, description="Time for which each pixel, or row, is held; 1 fs to 1 s."
    )
    train_fraction: float = Field(
        default=0.5, ge=0.01, le=0.99, description="Share of the images used for training, 0.01 to 0.99."
    )
    input_offset: float = Field(default=0.3, description="Subtracted from each pixel, which lies in 0 to 1.")
    input_scale: float = Field(default=4.0, gt=0.0, description="Then multiplies it: u = scale (pixel - offset).")
    held_out: Literal["test", "validation"] = Field(
        default="test",
        description="What accuracy is measured on: the test half, or a fifth of the training half taken out of it "
        "(for choosing hyper-parameters; the test half is then not looked at).",
    )

    @property
    def inputs(self) -> int:
        """Input channels."""
        return 1 if self.read_by == "pixel" else SIDE

    @property
    def outputs(self) -> int:
        """Classes."""
        return CLASSES

    @property
    def samples(self) -> int:
        """Samples of a sequence."""
        return SIDE * SIDE if self.read_by == "pixel" else SIDE

    @property
    def input_range(self) -> tuple[float, float]:
        """Inputs of a black and of a white pixel."""
        return self.input_scale * (0.0 - self.input_offset), self.input_scale * (1.0 - self.input_offset)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The one part that `held_out` names."""
        return (self.held_out,)

    def open(self, feed: Feed) -> Task:
        """Make the task."""
        from spinhw.tasks.digits import DigitsTask

        return DigitsTask(self, feed)
