"""Methods that are compared on chips: the runs of a study, and what came out of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from spinhw.studies.measured import Floats
from spinhw.studies.outcome import Outcome
from spinhw.studies.point import Point
from spinhw.training.statistics import bootstrap_interval

Chips = TypeVar("Chips")  # What tells one kind of chips from another.


@dataclass(frozen=True)
class Entry(Generic[Chips]):
    """One run: a method on chips of one kind.

    Args:
        chips: The chips.
        method: Name of the method.
        point: The run.
        averages: Shots over which each batch is averaged.
        ideal: Whether the chips are there to be compared with: they have no imperfection that is studied.
    """

    chips: Chips
    method: str
    point: Point
    averages: int = 1
    ideal: bool = False


@dataclass(frozen=True)
class ComparedRuns(Generic[Chips]):
    """A study of runs that are compared.

    Args:
        name: As on the command line.
        title: What it shows.
        bases: The runs on the simulator that all others start from.
        entries: All others, the most telling first.
    """

    name: str
    title: str
    bases: tuple[Point, ...]
    entries: tuple[Entry[Chips], ...]

    @property
    def points(self) -> list[Point]:
        """Every run, those on the simulator first."""
        return [*self.bases, *(entry.point for entry in self.entries)]


@dataclass(frozen=True)
class Found(Generic[Chips]):
    """A study and the outcomes that are there.

    Args:
        study: The study.
        outcomes: By key of the point; those that are missing are not done yet.
    """

    study: ComparedRuns[Chips]
    outcomes: Mapping[str, Outcome]

    @property
    def done(self) -> list[tuple[Entry[Chips], Outcome]]:
        """Runs that are done, in the order of the study."""
        return [(each, self.outcomes[each.point.key]) for each in self.study.entries if each.point.key in self.outcomes]

    @property
    def missing(self) -> list[Entry[Chips]]:
        """Runs that are not done yet."""
        return [each for each in self.study.entries if each.point.key not in self.outcomes]

    def accuracy(self, chips: Chips, method: str) -> Floats | None:
        """Return the accuracy on such chips, (seed,), 0 to 1; None where it was not measured yet."""
        for entry, outcome in self.done:
            if entry.chips == chips and entry.method == method:
                return outcome.shown()
        return None


def in_points(values: Floats | Sequence[float]) -> str:
    """Write a paired difference: its mean in points and the bootstrap interval over pairs."""
    low, high = bootstrap_interval([float(value) for value in values])
    return f"{100 * np.mean(values):+.2f} points, 95 % interval {100 * low:+.2f} to {100 * high:+.2f}"
