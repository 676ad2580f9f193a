"""One's own series as a run asks for them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from spinhw.config import Settings
from spinhw.errors import ConfigError, MisfitError
from spinhw.tasks.base import Feed, Part, Task, TaskSettings
from spinhw.tasks.series.column_settings import ColumnSettings
from spinhw.tasks.series.packages import is_packaged
from spinhw.tasks.series.scaling_settings import AnyScaling, RangeScaling
from spinhw.tasks.series.split_settings import SplitSettings, WindowSettings
from spinhw.units import TimeS

if TYPE_CHECKING:
    from spinhw.tasks.series.prepared import Prepared
    from spinhw.tasks.series.series import Series

AnswerKind = Literal["class", "class_per_step", "values", "values_per_step"]


class ShapeSettings(Settings):
    """What follows from the data; a run writes it down, so that its folder can be read without them."""

    inputs: int = Field(ge=1, description="Input channels.")
    outputs: int = Field(ge=1, description="Classes, or values.")
    samples: int = Field(ge=1, description="Samples of the longest sequence or window.")
    shortest: int = Field(ge=1, description="Samples of the shortest one.")
    mean_samples: float = Field(gt=0.0, description="Samples of one in the mean, of the part that is measured.")
    classes: tuple[str, ...] | None = Field(default=None, description="Names of the classes; null for values.")
    forecasts: bool = Field(default=False, description="Whether the values to be answered are the inputs to come.")
    input_range: tuple[float, float] = Field(description="Lowest and highest scaled input, of all parts.")


class SeriesSettings(TaskSettings):
    """Sequences from a file of one's own, or from arrays that are handed over in Python."""

    split_keys = ("file", "test_file", "labels", "columns", "resample", "split", "window")
    file_keys = ("file", "test_file", "labels")
    derived_keys = ("shape",)
    scale_key = "task.scaling"

    kind: Literal["series"] = Field(default="series", description="Sequences of one's own.")
    file: str | None = Field(
        default=None,
        min_length=1,
        description="NPZ, CSV, Parquet, .ts, NetCDF, or a folder of WAV; beside the YAML file, or a whole path. Or a "
        "data set of an installed package, aeon:NAME. Null where arrays are handed over in Python.",
    )
    test_file: str | None = Field(
        default=None,
        min_length=1,
        description="The test part, of the same form; null to split it off `file`, or for that of the package.",
    )
    labels: str | None = Field(
        default=None,
        min_length=1,
        description="CSV with the label of each file in a folder of WAV; null where each class has a folder.",
    )
    layout: Literal["samples", "sequences"] | None = Field(
        default=None,
        description="What a row is: one of the 'samples', or one of the 'sequences', whole. Null: in a table samples, "
        "of arrays what their axes tell.",
    )
    columns: ColumnSettings = Field(default=ColumnSettings(), description="What is what in the file.")
    answers_with: AnswerKind = Field(
        default="class",
        alias="answers",
        description="'class' (of each sequence), 'class_per_step', 'values' (of each sequence) or 'values_per_step'.",
    )
    sample_interval_s: TimeS = Field(
        default=1e-9, description="Time for which each sample is held on the device; 1 fs to 1 s."
    )
    resample: float | None = Field(
        default=None,
        gt=0.0,
        description="Spacing of an even grid that samples are interpolated onto, linearly, in the unit of their times "
        "(WAV: seconds; dates: seconds); above 0. Null to take them as they are, which need be evenly spaced.",
    )
    split: SplitSettings = Field(default=SplitSettings(), description="How the held-out parts are taken out.")
    scaling: AnyScaling = Field(
        default=RangeScaling(),
        discriminator="kind",
        description="From numbers of the file to inputs that a device can play; fitted on the training part alone.",
    )
    scale_targets: bool = Field(
        default=True,
        description="Whether values to be answered get the mean 0 and the standard deviation 1 in the training part, "
        "or, where they are the inputs to come, the scaling of these.",
    )
    window: WindowSettings = Field(
        default=WindowSettings(), description="How long series are cut, and how far ahead answers lie."
    )
    shape: ShapeSettings | None = Field(
        default=None,
        description="What follows from the data, written in a run folder and found anew for every run: leave it out.",
    )

    _given: "Series | None" = PrivateAttr(default=None)
    _given_test: "Series | None" = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _keys_fit(self) -> Self:
        split, window, per_step = self.split, self.window, self.answers == "always"
        if self.columns.channel is not None and (self.layout != "sequences" or self.columns.sequence is None):
            raise MisfitError(
                "columns.channel says which channel of its sequence a row holds",
                seen=f"layout {self.layout or 'samples'}, columns.sequence {self.columns.sequence or 'null'}",
                allowed="layout: sequences, and columns.sequence, which tells the sequences apart",
                todo="write both, or leave columns.channel out",
            )
        if self.test_file is not None and split.test is not None:
            raise MisfitError(
                "test_file and split.test both say what the test part is",
                seen=f"test_file {self.test_file}, split.test {split.test:g}",
                allowed="one of the two",
                todo="leave one of them out",
            )
        if split.kind == "time" and window.samples is None:
            raise MisfitError(
                "split.kind 'time' cuts long series into parts and these into windows, and window.samples is missing",
                seen="null",
                allowed="a whole number of samples, 2 and above",
                todo="write window: {samples: ...}, or split by fraction or group",
            )
        if window.washout and not per_step:
            raise MisfitError(
                "window.washout leaves out answers at the beginning, and there is one answer, at the end",
                seen=f"washout {window.washout}, answers {self.answers_with}",
                allowed="0, or an answer after each sample",
                todo="leave washout out, or write answers: class_per_step or values_per_step",
            )
        if window.horizon and not per_step:
            raise MisfitError(
                "window.horizon says how far ahead the answers lie, and there is one answer for each sequence",
                seen=f"horizon {window.horizon}, answers {self.answers_with}",
                allowed="0, or an answer after each sample",
                todo="leave horizon out, or write answers: values_per_step",
            )
        window.refuse_reach(split)
        if not self.parts:
            raise MisfitError(
                "nothing is held out",
                seen=f"split.test {split.test}, split.validation {split.validation}",
                allowed="a share above 0 for one of them, or a test_file",
                todo="raise split.test or split.validation",
            )
        return self

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, in order; None where answers are values."""
        return self._shape.classes

    @property
    def forecast_samples(self) -> int | None:
        """Samples by which the right values are the inputs to come, 1 and above; None where they are something else."""
        return self.window.horizon if self._shape.forecasts else None

    @property
    def mean_samples(self) -> float:
        """Samples of a sequence in the mean."""
        return self._shape.mean_samples

    @property
    def answers(self) -> Literal["once", "always"]:
        """Whether a network answers once, at the end of a sequence, or after each sample."""
        return "always" if self.answers_with.endswith("per_step") else "once"

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self._shape.inputs

    @property
    def outputs(self) -> int:
        """Classes, or values."""
        return self._shape.outputs

    @property
    def samples(self) -> int:
        """Samples of the longest sequence."""
        return self._shape.samples

    @property
    def shortest(self) -> int:
        """Samples of the shortest sequence."""
        return self._shape.shortest

    @property
    def input_range(self) -> tuple[float, float]:
        """Lowest and highest scaled input of all parts."""
        return self._shape.input_range

    @property
    def parts(self) -> tuple[Part, ...]:
        """Validation and test, as far as the split has them."""
        tested = self.test_file is not None or self._given_test is not None or self.split.test != 0
        found: list[Part] = ["validation"] if self.split.validation else []
        return (*found, "test") if tested else tuple(found)

    @property
    def headline(self) -> str:
        """Name of the measure that counts."""
        return "accuracy" if self.answers_with.startswith("class") else "nrmse"

    @property
    def _shape(self) -> ShapeSettings:
        return self.prepared().shape if self.shape is None else self.shape

    @property
    def given(self) -> "tuple[Series | None, Series | None]":
        """Series that were handed over in Python: training and held out, and test."""
        return self._given, self._given_test

    def holding(self, series: "Series", test: "Series | None" = None) -> "SeriesSettings":
        """Return these settings with series in memory in place of files.

        Args:
            series: What is trained on and split.
            test: The test part; None to split it off.

        Raises:
            ConfigError: Files are named too, or the series are answered with something else.
        """
        if self.file is not None or self.test_file is not None:
            raise ConfigError(
                "task.file: series are handed over, and a file is named too",
                seen=self.file or self.test_file,
                todo="leave out task.file and task.test_file, or hand no series over",
            )
        if test is not None and self.split.test is not None:
            raise ConfigError(
                "task.split.test: a test part is handed over too", seen=self.split.test, todo="leave split.test out"
            )
        if "answers_with" in self.model_fields_set and self.answers_with != series.answers:
            raise ConfigError(
                "task.answers: the series that are handed over are answered with something else",
                seen=self.answers_with,
                allowed=series.answers,
                todo="leave task.answers out, or name it where the series are made",
            )
        return self._holding(self.model_dump(exclude={"shape"}) | {"answers_with": series.answers}, series, test)

    @classmethod
    def _holding(cls, keys: dict[str, Any], series: "Series", test: "Series | None") -> "SeriesSettings":
        held = cls(**keys)
        held._given, held._given_test = series, test
        return held

    def resolved(self) -> "SeriesSettings":
        """Return these settings with whole paths and with what follows from the data written down.

        Raises:
            ConfigError: The data are wrong; says where.
        """
        if self.shape is not None:
            return self
        found = self.model_copy(update={"shape": self.prepared().shape})
        named = {key: name for key in self.file_keys if (name := getattr(self, key)) is not None}
        whole = {key: str(Path(name).absolute()) for key, name in named.items() if not is_packaged(name)}
        return found.model_copy(update=whole)

    def prepared(self) -> "Prepared":
        """Read, split and scale the data, or return them where that was just done.

        Raises:
            ConfigError: They are wrong, or not there; says where.
        """
        from spinhw.tasks.series.prepared import prepare

        return prepare(self)

    def facts(self) -> dict[str, Any]:
        """Return what a run folder states of the data: classes, channels, counts, scaling, split."""
        return self.prepared().facts()

    def open(self, feed: Feed) -> Task:
        """Make the task."""
        from spinhw.tasks.series.task import SeriesTask

        data = self.prepared()
        if self.shape is not None and data.shape != self.shape:
            raise ConfigError(
                "task.shape: the data are others than those that it was written for",
                seen=data.shape.model_dump(),
                allowed=str(self.shape.model_dump()),
                todo="bring the data back as they were, or leave task.shape out",
            )
        return SeriesTask(self, data, feed)
