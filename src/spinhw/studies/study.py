"""What a study compares: curves of points over one axis."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from spinhw.studies.point import Point
from spinhw.training.measures import Measure, headline_of

# When the points of a curve are measured: after the epochs of the recipe, or at the plateau of each.
Look = Literal["recipe", "plateau"]


class AnyStudy(Protocol):
    """A study whatever it compares: runs under a name."""

    @property
    def name(self) -> str:
        """As on the command line."""

    @property
    def points(self) -> "list[Point]":
        """Every run, those that others start from first."""


@dataclass(frozen=True)
class Curve:
    """Points over the axis of a study.

    Args:
        protocol: How they are trained, by name.
        label: What tells this curve from the others, for legends and tables.
        kind: "spintronic" or "ctrnn".
        x: Where each point stands on the axis, in SI.
        points: The points.
        look: When they are measured.
    """

    protocol: str
    label: str
    kind: str
    x: tuple[float, ...]
    points: tuple[Point, ...]
    look: Look = "recipe"

    @property
    def measure(self) -> Measure:
        """What its points are measured by: the headline of their task."""
        return headline_of(self.points[0].settings.task)

    @property
    def of_the_paper(self) -> bool:
        """Whether the networks do what those of the paper do: it claims nothing of other tasks."""
        return all(point.settings.task.kind == "sequential_digits" for point in self.points)


@dataclass(frozen=True)
class Study:
    """A figure of the paper as a set of curves.

    Args:
        name: As on the command line.
        title: What it shows.
        curves: Its curves; those of one protocol belong into one picture.
    """

    name: str
    title: str
    curves: tuple[Curve, ...]

    @property
    def points(self) -> list[Point]:
        """Every point, once; one that any curve wants traced is."""
        return distinct(point for curve in self.curves for point in curve.points)

    @property
    def nouns(self) -> str:
        """What is recognised, for text: "images"; of tasks of several kinds "sequences"."""
        found = {point.settings.task.noun for point in self.points}
        return f"{found.pop()}s" if len(found) == 1 else "sequences"

    @property
    def protocols(self) -> list[str]:
        """Protocols in the order of the curves."""
        return list(dict.fromkeys(curve.protocol for curve in self.curves))

    @property
    def last_look(self) -> Look:
        """When the points are measured that count: at the plateau, where they are."""
        return "plateau" if any(curve.look == "plateau" for curve in self.curves) else "recipe"


def distinct(points: Iterable[Point]) -> list[Point]:
    """Return points with equal settings once, the first of them, or the first that is traced."""
    found: dict[str, Point] = {}
    for point in points:
        if point.key not in found or (point.traced and not found[point.key].traced):
            found[point.key] = point
    return list(found.values())
