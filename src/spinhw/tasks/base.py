"""What a task is: sequences by seed, with what a network should answer to them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from spinhw.config import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from spinhw.tasks.augmentation_settings import AugmentationSettings
    from spinhw.tasks.objective import Metric

Part = Literal["validation", "test", "held"]


@dataclass(frozen=True, eq=False)
class Classes:
    """Right classes.

    Args:
        labels: Whole numbers from 0, (member, batch) for one answer at the end of each sequence, or (member, batch,
            time) for one after each sample.
    """

    labels: "Tensor"

    @property
    def per_step(self) -> bool:
        """Whether there is one after each sample."""
        return self.labels.ndim == 3


@dataclass(frozen=True, eq=False)
class Values:
    """Right values.

    Args:
        values: (member, batch, output) for one answer at the end of each sequence, or (member, batch, time, output) for
            one after each sample.
    """

    values: "Tensor"

    @property
    def per_step(self) -> bool:
        """Whether there is one after each sample."""
        return self.values.ndim == 4


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of all members, and what should be answered to them. Every sequence starts from the initial state.

    What is handed in after a sequence's own end is seen by nobody: from there on its inputs hold its last sample, and
    what is right there, or in the washout, is that of the nearest sample that counts. It counts for nothing.

    Args:
        inputs: u, (member, batch, time, input).
        target: What is right.
        lengths: Samples of each sequence, (member, batch); None where all end with the time axis.
        weight: How much each answer counts, (member, batch, answer, 1), where there is one answer at the end of each
            sequence, or one after each sample; None where all count the same.
        washout: Samples at the beginning whose answers do not count, 0 or above.
    """

    inputs: "Tensor"
    target: Classes | Values
    lengths: "Tensor | None" = None
    weight: "Tensor | None" = None
    washout: int = 0

    def __post_init__(self) -> None:
        self._check()
        if self.lengths is None and (self.washout == 0 or not self.target.per_step):
            return
        from spinhw.sequences import held

        seen: dict[str, Tensor | Classes | Values | None] = {"inputs": held(self.inputs, self.lengths)}
        if isinstance(self.target, Classes):
            labels = self.target.labels
            if self.target.per_step:
                seen["target"] = Classes(held(labels[..., None], self.lengths, self.washout)[..., 0])
        elif self.target.per_step:
            seen["target"] = Values(held(self.target.values, self.lengths, self.washout))
        if self.weight is not None and self.target.per_step:
            seen["weight"] = held(self.weight, self.lengths, self.washout)
        for name, one in seen.items():
            object.__setattr__(self, name, one)

    def _check(self) -> None:
        """Check that everything is of the same sequences: a shape that is not would be spread out without a word.

        Raises:
            ValueError: Names what is of another shape.
        """
        right = self.target.labels if isinstance(self.target, Classes) else self.target.values
        answers = self.inputs.shape[:3] if self.target.per_step else (*self.inputs.shape[:2], 1)
        wanted = {
            "target": (right.shape[: 3 if self.target.per_step else 2], answers[: 3 if self.target.per_step else 2]),
            "lengths": (None if self.lengths is None else self.lengths.shape, self.inputs.shape[:2]),
            "weight": (None if self.weight is None else self.weight.shape, (*answers, 1)),
        }
        for name, (seen, shape) in wanted.items():
            if seen is not None and tuple(seen) != tuple(shape):
                raise ValueError(f"{name} of a batch begins with the axes {tuple(seen)}; they must be {tuple(shape)}")

    @property
    def size(self) -> int:
        """Sequences of each member."""
        return int(self.inputs.shape[1])


@dataclass(frozen=True)
class Feed:
    """How sequences are shown while a network is trained.

    Args:
        batch_size: Sequences of each member in a batch, at least 1; held-out ones come as many at a time.
        input_noise: Standard deviation of Gaussian noise on the scaled inputs, 0 or above.
        augmentation: Random maps of images; None for none. Tasks without images do not look at it.
        epochs: Of the whole training: for tasks that change on the way.
    """

    batch_size: int
    input_noise: float = 0.0
    augmentation: "AugmentationSettings | None" = None
    epochs: int = 0


class Task(ABC):
    """Sequences of any number of seeds. Every number is keyed by seed, epoch and batch: resuming needs no more."""

    @property
    @abstractmethod
    def batches(self) -> int:
        """Batches of an epoch, at least 1; the last one may be smaller."""

    @property
    @abstractmethod
    def sequences(self) -> int:
        """Sequences of an epoch, of each seed."""

    @abstractmethod
    def held_out_sequences(self, part: Part) -> int:
        """Count the sequences of a part, of each seed."""

    @abstractmethod
    def train(self, seeds: Sequence[int], epoch: int, batch: int) -> Batch:
        """Make a training batch of all members; a member's does not depend on who stands beside it.

        Args:
            seeds: One for each member.
            epoch: Counted from 0.
            batch: Of the epoch, counted from 0, below `batches`.
        """

    @abstractmethod
    def held_out(self, seeds: Sequence[int], part: Part) -> Iterator[Batch]:
        """Go through the sequences of a part, which nothing was trained on; the same every time.

        Args:
            seeds: One for each member.
            part: One of the task's parts.
        """

    def as_inputs(self, values: "Tensor") -> "Tensor":
        """Return answers as the inputs that show them, where a network foretells its own inputs, (..., channel).

        Args:
            values: Answers, (..., output).
        """
        return values

    def metrics(self, answers: "Tensor", batch: Batch) -> "list[Metric]":
        """Say how good answers are, each member for itself; the first measure is the headline.

        Args:
            answers: (member, batch, answer, output).
            batch: What they answer.
        """
        from spinhw.tasks.objective import metrics

        return metrics(answers, batch)


class TaskSettings(Settings, ABC):
    """A task as written in YAML, under ``task``. Other packages add theirs to the entry points ``spinhw.tasks``."""

    kind: str
    # Keys that decide which sequences a network was trained with: another choice would show some of the held-out ones.
    split_keys: ClassVar[tuple[str, ...]] = ()
    # What a sequence is called where people read of one.
    noun: ClassVar[str] = "sequence"
    # Keys and values, as KEY=VALUE, that give the task a validation part of its own to choose hyper-parameters by.
    for_choosing: ClassVar[tuple[str, ...]] = ()
    # Keys that name files, whole or beside the YAML file.
    file_keys: ClassVar[tuple[str, ...]] = ()
    # Keys that follow from the task's data, and are written down in a run folder.
    derived_keys: ClassVar[tuple[str, ...]] = ()
    # The key that brings inputs into the range that a device plays, or what to call them where there is none.
    scale_key: ClassVar[str] = "the inputs of the task"
    # Whether training.augmentation, which moves images, has any effect.
    augmented: ClassVar[bool] = False
    # Whether what is shown in an epoch depends on how many epochs there are.
    changes_on_the_way: ClassVar[bool] = False
    sample_interval_s: Any

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Input channels."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Output channels: classes, or values."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """Samples of the longest sequence."""

    @property
    @abstractmethod
    def input_range(self) -> tuple[float, float]:
        """Lowest and highest input without noise."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """Held-out parts that there are, at least one."""

    @property
    def further_parts(self) -> tuple[Part, ...]:
        """Parts that are judged apart in the end, by the headline alone: such as long holds."""
        return ()

    def samples_of(self, part: Part) -> int:
        """Samples of the longest sequence of a part."""
        return self.samples

    @property
    def mean_samples(self) -> float:
        """Samples of a sequence in the mean: how long an inference takes, where sequences are not equally long."""
        return float(self.samples)

    @property
    def shortest(self) -> int:
        """Samples of the shortest sequence."""
        return self.samples

    @property
    def answers(self) -> Literal["once", "always"]:
        """Whether a network answers once, at the end of a sequence, or after each sample."""
        return "once"

    @property
    def per_step(self) -> bool:
        """Whether a network answers after each sample."""
        return self.answers == "always"

    @property
    def forecast_samples(self) -> int | None:
        """Samples by which the right values are the inputs to come, 1 and above; None where they are something else."""
        return None

    @property
    def headline(self) -> str:
        """Name of the measure that counts: that which `metrics` gives first; "nrmse" where answers are values."""
        return "accuracy"

    @property
    def higher_is_better(self) -> bool:
        """Direction of the headline."""
        return self.headline != "nrmse"

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, in order; None for numbers, and where answers are values."""
        return None

    @property
    def final_part(self) -> Part:
        """The part that is measured in the end: the test part, or where there is none the validation part."""
        return "test" if "test" in self.parts else "validation"

    def resolved(self) -> Self:
        """Return these settings with what follows from the task's data written down; most have none.

        Raises:
            ConfigError: The data are wrong.
        """
        return self

    def facts(self) -> dict[str, Any]:
        """Return what a run folder states of the task's data, as plain data; nothing of tasks that are drawn."""
        return {}

    @property
    def fingerprints(self) -> list[str]:
        """Texts that only equal data share; none of tasks that are drawn."""
        found: list[str] = self.facts().get("fingerprints", [])
        return found

    @abstractmethod
    def open(self, feed: Feed) -> Task:
        """Make the task.

        Args:
            feed: How its sequences are shown.
        """
