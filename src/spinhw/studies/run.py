"""A study from grid to pictures."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from spinhw.atomic import write_atomically
from spinhw.config import Settings
from spinhw.plots.canvas import attempted
from spinhw.studies.catalogue import STUDIES, in_order
from spinhw.studies.claim import Claim
from spinhw.studies.claims import judge
from spinhw.studies.compared import ComparedRuns
from spinhw.studies.execute import StudyProgress, missing_of, run_points
from spinhw.studies.figures import draw
from spinhw.studies.forecast import forecast_s
from spinhw.studies.measured import MeasuredCurve, measure
from spinhw.studies.point import Point
from spinhw.studies.settings import GridSettings
from spinhw.studies.store import PointStore
from spinhw.studies.study import Study, distinct
from spinhw.studies.tables import as_csv, as_page

StudyT = TypeVar("StudyT", bound=ComparedRuns[Any])
GridT = TypeVar("GridT", bound=Settings)


@dataclass(frozen=True)
class Outlook:
    """What is to be done.

    Args:
        points: Every distinct point of the studies.
        missing: Those without an outcome yet, and those whose networks they start from, where these are gone.
        predicted_s: Processor time that each of them will take, by key, in seconds.
    """

    points: list[Point]
    missing: list[Point]
    predicted_s: dict[str, float]

    @classmethod
    def of(
        cls, points: Iterable[Point], store: PointStore, forecast: Callable[[Sequence[Point]], dict[str, float]]
    ) -> "Outlook":
        """Count points, and time what is missing of them.

        Args:
            points: Of the studies; equal ones count once.
            store: Where outcomes are.
            forecast: Gives the time of points by key, in seconds.
        """
        counted = distinct(points)
        missing = missing_of(counted, store)
        return cls(counted, missing, forecast(missing))

    @property
    def networks(self) -> int:
        """How many networks all points train."""
        return networks_of(self.points)

    @property
    def total_s(self) -> float:
        """Processor time still to come, in seconds."""
        return sum(self.predicted_s.values())


def networks_of(points: Iterable[Point]) -> int:
    """Count the networks that points train."""
    return sum(len(point.settings.training.seeds) for point in points)


def look_ahead(studies: Sequence[Study], store: PointStore) -> Outlook:
    """Count the points, and time what is missing of them."""
    found = Outlook.of((point for study in studies for point in study.points), store, forecast_s)
    # The longest first, so that no core waits at the end.
    return replace(found, missing=sorted(found.missing, key=lambda point: -found.predicted_s[point.key]))


def run_studies(
    studies: Sequence[Study],
    grid: GridSettings,
    outlook: Outlook,
    folder: Path,
    progress: StudyProgress,
    *,
    jobs: int | None = None,
    cluster: str | None = None,
) -> list[Claim]:
    """Train what is missing, then write table, picture and claims of every study into the folder.

    The page shows what earlier commands have left in the folder too, where the same grid has all of its points.

    Args:
        studies: The studies.
        grid: Their grid, which is kept beside the results.
        outlook: What is to be done.
        folder: Where everything goes.
        progress: Told of every point that is done.
        jobs: Processes on this machine; None for one on each core.
        cluster: Address of a Dask scheduler; None for this machine.

    Raises:
        ConfigError: A point failed, the disk is full, or the scheduler does not answer.
    """
    store = PointStore(folder)
    write_atomically(folder / "grid.yaml", grid.to_yaml().encode())
    run_points(outlook.missing, store, outlook.predicted_s, progress, jobs=jobs, cluster=cluster)
    shown = in_order([*studies, *_earlier(studies, grid, store, folder)])
    points = distinct(point for study in shown for point in study.points)
    outcomes = store.outcomes(points)
    curves = {study.name: measure(study, outcomes) for study in shown}
    claims = {name: judge(name, found, _reasons(name, grid)) for name, found in curves.items()}
    for study in studies:
        write_study(study, curves[study.name], folder)
    took_s = sum(outcome.wall_s if outcome.cpu_s is None else outcome.cpu_s for outcome in outcomes.values())
    every = [one for each in claims.values() for one in each]
    page = as_page(shown, every, len(points), networks_of(points), took_s)
    write_atomically(folder / "README.md", page.encode())
    return [claim for study in studies for claim in claims[study.name]]


def run_compared(
    study: StudyT,
    grid: GridT,
    outlook: Outlook,
    folder: Path,
    progress: StudyProgress,
    write: Callable[[StudyT, GridT, PointStore, Path], list[Claim]],
    *,
    jobs: int | None = None,
    cluster: str | None = None,
) -> list[Claim]:
    """Do what is missing of runs that are compared, then write table, picture, claims and page into the folder.

    A study that is interrupted, or of which a run fails, leaves the page of what is done.

    Args:
        study: The study.
        grid: Its settings, which are kept beside the results as ``NAME.yaml``.
        outlook: What is to be done.
        folder: Where everything goes.
        progress: Told of every run that is done.
        write: Writes what is done, and returns the claims: `write_loop_study`, `write_synapse_study`.
        jobs: Processes on this machine; None for one on each core.
        cluster: Address of a Dask scheduler; None for this machine.

    Raises:
        ConfigError: A run failed, the disk is full, or the scheduler does not answer.
    """
    store = PointStore(folder)
    write_atomically(folder / f"{study.name}.yaml", grid.to_yaml().encode())
    try:
        run_points(outlook.missing, store, outlook.predicted_s, progress, jobs=jobs, cluster=cluster)
    finally:
        claims = write(study, grid, store, folder)
    return claims


def write_compared(folder: Path, name: str, table: str, draw: Callable[[Path], None], page: str) -> None:
    """Write ``NAME.csv``, ``NAME.png`` and ``NAME.md``; ``draw`` makes the picture."""
    write_atomically(folder / f"{name}.csv", table.encode())
    picture = folder / f"{name}.png"
    with attempted(picture):
        draw(picture)
    write_atomically(folder / f"{name}.md", page.encode())


def _earlier(studies: Sequence[Study], grid: GridSettings, store: PointStore, folder: Path) -> list[Study]:
    """List other studies whose table lies in the folder and whose points, by this grid, are all there."""
    named = {study.name for study in studies}
    names = [name for name in STUDIES if name not in named and (folder / f"{name}.csv").is_file()]
    found = [STUDIES[name](grid) for name in names]
    return [each for each in found if each.curves and all(store.outcome(point) for point in each.points)]


def _reasons(study: str, grid: GridSettings) -> dict[str, str]:
    return {name: each.no_tests.get(study, "") for name, each in grid.protocols.items()}


def write_study(study: Study, curves: Sequence[MeasuredCurve], folder: Path) -> None:
    """Write ``NAME.csv`` and ``NAME.png`` of one figure."""
    write_atomically(folder / f"{study.name}.csv", as_csv(study.name, curves).encode())
    picture = folder / f"{study.name}.png"
    with attempted(picture):
        draw(study, curves, picture)
