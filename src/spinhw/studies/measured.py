"""Curves as measured: plain arrays for claims, tables and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spinhw.studies.outcome import Outcome, cumulative_drive
from spinhw.studies.study import Curve, Study
from spinhw.training.measures import Measure

Floats = NDArray[np.float64]

# At which time grid networks are measured: at 16 steps per ns, or at that of their training.
Grid = Literal["converged", "training step"]


@dataclass(frozen=True)
class MeasuredCurve:
    """A curve and what came out at its points.

    Args:
        curve: The curve.
        outcomes: One for each point.
        grid: Time grid of the scores.
    """

    curve: Curve
    outcomes: tuple[Outcome, ...]
    grid: Grid = "converged"

    @property
    def x(self) -> Floats:
        """Where the points stand on the axis, (point,), in SI."""
        return np.array(self.curve.x)

    @property
    def measure(self) -> Measure:
        """What is measured: the headline of the task."""
        return self.curve.measure

    @property
    def score(self) -> Floats:
        """The headline, (point, seed), such as accuracy (0 to 1); the worst there is for a network that diverged."""
        chosen = Outcome.converged if self.grid == "converged" else Outcome.at_training_step
        return np.stack([chosen(outcome, self.measure.worst) for outcome in self.outcomes])

    @property
    def weight(self) -> Floats:
        """Mean size of the weights <|W|>, median over the seeds that did not diverge, (point,); NaN where all did."""
        return _medians([outcome.mean_weight for outcome in self.outcomes])

    @property
    def rising(self) -> NDArray[np.bool_]:
        """Whether training still had not got as far as it gets, (point,); never where nobody asked."""
        return np.array([outcome.on_plateau is False for outcome in self.outcomes])

    @property
    def median(self) -> Floats:
        """Median over seeds, (point,), as in the paper's figures."""
        return np.median(self.score, axis=1)

    @property
    def drive(self) -> Floats:
        """Cumulative drive I dt, median over the seeds that did not diverge, (point,); NaN where all did."""
        drives = [
            cumulative_drive(point.settings, outcome.mean_weight)
            for point, outcome in zip(self.curve.points, self.outcomes, strict=True)
        ]
        return _medians(drives)

    @property
    def remembers(self) -> NDArray[np.bool_]:
        """Whether the relaxation time of each point is longer than its sample interval, (point,)."""
        settings = [point.settings for point in self.curve.points]
        return np.array([each.network.tau_s > each.task.sample_interval_s for each in settings])


def _medians(rows: Sequence[Sequence[float | None]]) -> Floats:
    """Take the median of each row over what is known of it, (row,); NaN where nothing is."""
    known = [[value for value in row if value is not None] for row in rows]
    return np.array([np.median(values) if values else np.nan for values in known])


def measure(study: Study, outcomes: Mapping[str, Outcome]) -> list[MeasuredCurve]:
    """Put the outcomes, by key, to the curves of a study."""
    return [MeasuredCurve(curve, tuple(outcomes[point.key] for point in curve.points)) for curve in study.curves]


@dataclass(frozen=True)
class Scatter:
    """Points of several curves, each once, over their cumulative drive.

    Args:
        drive: Cumulative drive I dt, (point,).
        median: Median score over seeds, (point,).
        remembers: Whether the relaxation time is longer than the sample interval, (point,).
    """

    drive: Floats
    median: Floats
    remembers: NDArray[np.bool_]


def scatter(curves: Sequence[MeasuredCurve]) -> Scatter:
    """Put the points of curves together; one that several curves share counts once, one that always diverged not."""
    seen: set[str] = set()
    rows: list[tuple[float, float, bool]] = []
    for each in curves:
        columns = zip(each.curve.points, each.drive, each.median, each.remembers, strict=True)
        for point, drive, median, remembers in columns:
            if point.key not in seen and np.isfinite(drive):
                seen.add(point.key)
                rows.append((float(drive), float(median), bool(remembers)))
    drives, medians, remembered = zip(*rows, strict=True) if rows else ((), (), ())
    return Scatter(np.array(drives), np.array(medians), np.array(remembered, dtype=bool))
