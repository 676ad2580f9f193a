"""A task of one's own that is handed over in Python, as a run states it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PrivateAttr

from spinhw.errors import ConfigError
from spinhw.tasks.base import Batch, Classes, Feed, Part, Task, TaskSettings
from spinhw.units import TimeS

if TYPE_CHECKING:
    from torch import Tensor

_PARTS: tuple[Part, ...] = ("validation", "test")


class GivenSettings(TaskSettings):
    """What a run writes down of a task that was handed over in Python; it must be handed over again to go on."""

    kind: Literal["given"] = Field(default="given", description="A task that is handed over in Python.")
    sample_interval_s: TimeS = Field(
        default=1e-9, description="Time for which each sample is held on the device; 1 fs to 1 s."
    )
    channels: int = Field(ge=1, description="Input channels.")
    answer_channels: int = Field(ge=1, description="Classes, or values.")
    length: int = Field(ge=1, description="Samples of a sequence.")
    after: Literal["once", "always"] = Field(
        default="once", description="Whether a network answers 'once', at the end, or 'always', after each sample."
    )
    classes: bool = Field(default=True, description="Whether the answers are classes, and not values.")
    range: tuple[float, float] = Field(description="Lowest and highest input.")
    held_out: tuple[Part, ...] = Field(min_length=1, description="Parts that are held out.")

    _task: Task | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, task: Task, said: "GivenSettings | None" = None) -> "GivenSettings":
        """Look at the first training batch and at what is held out.

        Args:
            task: The task.
            said: What a run stated of it before; None for one that begins.

        Raises:
            ConfigError: It has no held-out part, or is another task than the run's.
        """
        shown = task.train([0], 0, 0)
        parts = _parts_of(task)
        batches = [shown, *(batch for part in parts for batch in task.held_out([0], part))]
        labels = [one.target.labels for one in batches if isinstance(one.target, Classes)]
        values = None if labels else int(_values_of(shown).shape[-1])
        found = cls(
            sample_interval_s=1e-9 if said is None else said.sample_interval_s,
            channels=int(shown.inputs.shape[-1]),
            answer_channels=values or max(int(one.max()) for one in labels) + 1,
            length=max(int(one.inputs.shape[2]) for one in batches),
            after="always" if _is_per_step(shown) else "once",
            classes=bool(labels),
            range=(min(float(one.inputs.min()) for one in batches), max(float(one.inputs.max()) for one in batches)),
            held_out=parts,
        )
        if said is not None and found != said:
            raise ConfigError(
                "task: this is another task than the run was begun with",
                seen=f"{found.channels} inputs, {found.answer_channels} outputs, {found.length} samples",
                allowed=f"{said.channels}, {said.answer_channels}, {said.length}, and the same range and parts",
                todo="hand over that one",
            )
        found._task = task
        return found

    @property
    def answers(self) -> Literal["once", "always"]:
        """Whether a network answers once, at the end of a sequence, or after each sample."""
        return self.after

    @property
    def inputs(self) -> int:
        """Input channels."""
        return self.channels

    @property
    def outputs(self) -> int:
        """Classes, or values."""
        return self.answer_channels

    @property
    def samples(self) -> int:
        """Samples of the longest sequence."""
        return self.length

    @property
    def input_range(self) -> tuple[float, float]:
        """Lowest and highest input of the batches that were looked at."""
        return self.range

    @property
    def parts(self) -> tuple[Part, ...]:
        """Parts that are held out."""
        return self.held_out

    @property
    def headline(self) -> str:
        """Name of the measure that counts."""
        return "accuracy" if self.classes else "nrmse"

    def open(self, feed: Feed) -> Task:
        """Return the task that was handed over.

        Raises:
            ConfigError: It was not.
        """
        if self._task is None:
            raise ConfigError(
                "task: this run was begun with a task from Python",
                seen="no task",
                allowed="the same one",
                todo="hand it over: spinhw.evaluate(folder, task=...), or spinhw.resume(folder, task=...)",
            )
        return self._task


def _parts_of(task: Task) -> tuple[Part, ...]:
    found: Sequence[Part] = [part for part in _PARTS if _has(task, part)]
    if not found:
        raise ConfigError(
            "task: nothing is held out", seen="no sequences", allowed="a part 'validation' or 'test'", todo="add one"
        )
    return tuple(found)


def _has(task: Task, part: Part) -> bool:
    try:
        return task.held_out_sequences(part) > 0
    except (LookupError, ValueError):
        return False


def _values_of(batch: Batch) -> "Tensor":
    if isinstance(batch.target, Classes):
        raise TypeError("these are classes")
    return batch.target.values


def _is_per_step(batch: Batch) -> bool:
    target = batch.target
    return target.labels.ndim == 3 if isinstance(target, Classes) else target.values.ndim == 4
