"""What the measures of tasks are called, which of them are shares, and which way is better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spinhw.tasks import TaskSettings

_SHARES = {
    "accuracy": "accuracy",
    "final": "trials that end within 1/2",
    "bits_right": "trials that end with the right signs",
    "settled": "settled within 1/2",
    "signs": "right signs",
    "held": "trials that hold for 1000 steps more",
}
_ERRORS = {"nrmse": "NRMSE", "rmse": "RMSE", "mse": "mean squared error", "distance": "distance at the end"}


@dataclass(frozen=True)
class Measure:
    """How a measure of a task is told.

    Args:
        name: Its key in metrics and summaries.
        higher_is_better: Its direction.
    """

    name: str
    higher_is_better: bool = True

    @property
    def called(self) -> str:
        """Its name for people."""
        return _SHARES.get(self.name) or _ERRORS.get(self.name, self.name)

    @property
    def is_share(self) -> bool:
        """Whether it is a share of something, told in percent."""
        return self.name in _SHARES

    @property
    def scale(self) -> float:
        """What values are multiplied by before they are told."""
        return 100.0 if self.is_share else 1.0

    @property
    def unit(self) -> str:
        """What stands behind a value, with a space in front; nothing behind a plain number."""
        return " %" if self.is_share else ""

    @property
    def axis(self) -> str:
        """Label of an axis."""
        return f"{self.called} (%)" if self.is_share else self.called

    @property
    def worst(self) -> float:
        """The value of what has failed altogether."""
        return 0.0 if self.higher_is_better else float("inf")

    def text(self, value: float, digits: int = 2) -> str:
        """Write a value: "97.12 %", or "0.0312" with two digits more; of a small error two figures that count."""
        if self.is_share:
            return f"{100 * value:.{digits}f} %"
        small = 0 < abs(value) < 10.0 ** -(digits + 1)
        return f"{value:.2g}" if small else f"{value:.{digits + 2}f}"

    def better(self, one: float, other: float) -> bool:
        """Tell whether one value is better than another."""
        return one > other if self.higher_is_better else one < other

    def best(self, values: Sequence[float]) -> int:
        """Return the place of the best value; of the first one where several are."""
        chosen = max if self.higher_is_better else min
        return values.index(chosen(values))


def measure_named(name: str) -> Measure:
    """Return a measure by its key alone; an error is better the smaller it is."""
    return Measure(name, name not in _ERRORS)


def headline_of(task: TaskSettings) -> Measure:
    """Return the measure that counts for a task."""
    return Measure(task.headline, task.higher_is_better)


def measure_of(found: Mapping[str, Any]) -> Measure:
    """Return the measure that counts, of a summary or an evaluation."""
    named = measure_named(found.get("measure", "accuracy"))
    return Measure(named.name, found.get("higher_is_better", named.higher_is_better))


def noun_of(found: Mapping[str, Any]) -> str:
    """Return what a sequence is called in a summary or an evaluation, such as "image"."""
    noun: str = found.get("noun") or ("image" if measure_of(found).name == "accuracy" else "sequence")
    return noun
