"""Tasks whose series come from a formula, as a run asks for them."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from spinhw.errors import MisfitError
from spinhw.tasks.base import Classes, Feed, Part, Task, TaskSettings, Values
from spinhw.units import TimeS

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Delay = Annotated[int, Field(ge=0, le=10_000)]


class GeneratedSettings(TaskSettings):
    """A task whose series come from a formula; a network answers after each sample, those of the washout apart."""

    scale_key = "task.input_low and input_high"

    sample_interval_s: TimeS = Field(default=1e-9, description="Time for which a sample is held; 1 fs to 1 s.")
    length: int = Field(
        default=250, ge=1, le=1_000_000, description="Samples of each sequence, those of the washout counted."
    )
    washout: int = Field(
        default=50,
        ge=0,
        description="Samples at the beginning of each sequence whose answers do not count; below `length`.",
    )
    sequences: int = Field(default=40, ge=1, description="Sequences of the training part, at least 1.")
    held_out: int = Field(default=10, ge=1, description="Sequences of the validation part, at least 1.")
    tested: int = Field(default=20, ge=1, description="Sequences of the test part, at least 1.")
    fresh: bool = Field(
        default=False,
        description="Draw new training sequences in every epoch; false shows the same ones again, shuffled.",
    )
    input_low: float = Field(default=-1.0, description="What the lowest value of the series is played as.")
    input_high: float = Field(
        default=1.0, description="What its highest value is played as; the other values lie between, in proportion."
    )

    @model_validator(mode="after")
    def _some_answers_count(self) -> Self:
        if self.washout >= self.length:
            raise MisfitError(
                "task.washout leaves no sample whose answer counts",
                seen=f"a washout of {self.washout} in sequences of {self.length} samples",
                allowed=f"below task.length, {self.length}",
                todo="lower task.washout or raise task.length",
            )
        if self.input_low >= self.input_high:
            raise MisfitError(
                "task.input_low and task.input_high are the wrong way round, or equal",
                seen=f"{self.input_low:g} and {self.input_high:g}",
                allowed="input_low below input_high",
                todo="exchange them",
            )
        return self

    @property
    def answers(self) -> Literal["once", "always"]:
        """After each sample."""
        return "always"

    @property
    def inputs(self) -> int:
        """Input channels."""
        return 1

    @property
    def outputs(self) -> int:
        """Output channels."""
        return 1

    @property
    def samples(self) -> int:
        """Samples of a sequence."""
        return self.length

    @property
    def input_range(self) -> tuple[float, float]:
        """What the lowest and the highest value of the series are played as."""
        return self.input_low, self.input_high

    @property
    def parts(self) -> tuple[Part, ...]:
        """Both: all sequences are drawn."""
        return ("validation", "test")

    @property
    def headline(self) -> str:
        """The root of the mean squared error over the standard deviation of what is right."""
        return "nrmse"

    @property
    @abstractmethod
    def series_range(self) -> tuple[float, float]:
        """Lowest and highest value that a series can have."""

    @abstractmethod
    def draw(self, count: int, generator: "torch.Generator") -> "tuple[Tensor, Classes | Values]":
        """Draw sequences and what is right.

        Args:
            count: How many.
            generator: Where the numbers come from.

        Returns:
            The series, (sequence, time), float64, and what is right, with one member in front.
        """

    def open(self, feed: Feed) -> Task:
        """Make the task."""
        from spinhw.tasks.generated.task import GeneratedTask

        return GeneratedTask(self, feed)


class Narma10Settings(GeneratedSettings):
    """NARMA-10: foretell a system of order ten from its input."""

    kind: Literal["narma10"] = Field(default="narma10", description="The task.")

    @property
    def series_range(self) -> tuple[float, float]:
        """Of the input, uniform between 0 and 1/2."""
        return 0.0, 0.5

    def draw(self, count: int, generator: "torch.Generator") -> "tuple[Tensor, Classes | Values]":
        """Draw inputs; right is what the system does next."""
        from spinhw.tasks.generated.narma import draw_narma10

        inputs, answers = draw_narma10(count, self.length, generator)
        return inputs, Values(answers[None, ..., None].float())


class MackeyGlassSettings(GeneratedSettings):
    """Mackey-Glass: foretell a chaotic series from its past."""

    kind: Literal["mackey_glass"] = Field(default="mackey_glass", description="The task.")
    tau: int = Field(default=17, ge=1, le=1000, description="Delay of the equation in samples, 1 to 1000.")
    horizon: int = Field(default=1, ge=1, le=10_000, description="Samples ahead that are foretold, at least 1.")

    @property
    def series_range(self) -> tuple[float, float]:
        """What no series leaves."""
        from spinhw.tasks.generated.chaos import bounds

        return bounds()

    @property
    def forecast_samples(self) -> int:
        """Samples by which the right values are the series to come."""
        return self.horizon

    def draw(self, count: int, generator: "torch.Generator") -> "tuple[Tensor, Classes | Values]":
        """Draw stretches of series; right is what comes `horizon` samples later."""
        from spinhw.tasks.generated.chaos import draw_mackey_glass

        series = draw_mackey_glass(count, self.length, self.horizon, self.tau, generator)
        return series[:, : self.length], Values(series[None, :, self.horizon :, None].float())


class MemorySettings(GeneratedSettings):
    """Memory: say again what was played some samples ago, or the parity of the last few bits."""

    kind: Literal["memory"] = Field(default="memory", description="The task.")
    recall: Literal["copy", "parity"] = Field(
        default="copy",
        description="'copy' (numbers between -1 and 1, each said again after every delay) or 'parity' (bits +1 and -1; "
        "the product of the present one and so many before it as each delay says).",
    )
    delays: tuple[Delay, ...] = Field(
        default=(1, 2, 3, 4, 5), min_length=1, description="Samples, 0 and above; one output for each."
    )

    @model_validator(mode="after")
    def _what_is_asked_for_was_played(self) -> Self:
        if max(self.delays) > self.washout:
            raise MisfitError(
                "task.delays asks for what was played before the sequence began",
                seen=f"a delay of {max(self.delays)} with a washout of {self.washout}",
                allowed=f"delays up to task.washout, {self.washout}",
                todo="raise task.washout",
            )
        return self

    @property
    def outputs(self) -> int:
        """One for each delay."""
        return len(self.delays)

    @property
    def series_range(self) -> tuple[float, float]:
        """Of numbers and of bits."""
        return -1.0, 1.0

    def draw(self, count: int, generator: "torch.Generator") -> "tuple[Tensor, Classes | Values]":
        """Draw numbers or bits; right is what is to be recalled of them."""
        from spinhw.tasks.generated.memory import delayed, draw_bits, draw_uniform, parities

        draw, recalled = (draw_uniform, delayed) if self.recall == "copy" else (draw_bits, parities)
        inputs = draw(count, self.length, generator)
        return inputs, Values(recalled(inputs, self.delays)[None].float())


class SineSquareSettings(GeneratedSettings):
    """Sine and square waves in random order: say after each sample which of them it belongs to."""

    kind: Literal["sine_square"] = Field(default="sine_square", description="The task.")
    period: int = Field(default=8, ge=2, le=10_000, description="Samples of a wave, at least 2.")

    @property
    def outputs(self) -> int:
        """Classes: sine and square."""
        return 2

    @property
    def headline(self) -> str:
        """The share of right answers."""
        return "accuracy"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The two kinds of wave."""
        return "sine", "square"

    @property
    def series_range(self) -> tuple[float, float]:
        """Of both waves."""
        return -1.0, 1.0

    def draw(self, count: int, generator: "torch.Generator") -> "tuple[Tensor, Classes | Values]":
        """Draw waves; right is the kind of each."""
        from spinhw.tasks.generated.waves import draw_sine_square

        inputs, kinds = draw_sine_square(count, self.length, self.period, generator)
        return inputs, Classes(kinds[None])
