"""Spread points over cores or machines; what is done already is not done again."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import Protocol

from joblib import Parallel, delayed, parallel_config

from spinhw.cores import usable_cores
from spinhw.errors import ConfigError
from spinhw.studies.outcome import Outcome
from spinhw.studies.point import Point
from spinhw.studies.store import PointStore
from spinhw.studies.work import work
from spinhw.training.interrupt import signals_interrupt

ANSWERS_WITHIN = "5 s"  # A scheduler that is there.


class StudyProgress(Protocol):
    """Looks on from the side; must not raise and must not change anything."""

    def on_point(self, point: Point, predicted_s: float, outcome: Outcome) -> None:
        """A point is done, of which this much time was expected."""


def missing_of(points: Sequence[Point], store: PointStore) -> list[Point]:
    """Return the points that are to be trained: those without an outcome, and those whose networks they start from.

    Outcomes are kept in a table, and trained networks in run folders, which may have been thrown away.
    """
    todo = [point for point in points if store.outcome(point) is None]
    needed = {point.start.key for point in todo if point.start is not None}
    again = {point.key for point in points if point.key in needed and not store.has_run(point)}
    return [point for point in points if point.key in again or store.outcome(point) is None]


def run_points(
    points: Sequence[Point],
    store: PointStore,
    predicted_s: Mapping[str, float],
    progress: StudyProgress,
    *,
    jobs: int | None = None,
    cluster: str | None = None,
) -> None:
    """Train every point that is missing (`missing_of`), in the order given, those that others start from first.

    Args:
        points: The points.
        store: Where outcomes are and go.
        predicted_s: Time expected for each point, by key.
        progress: Told of every point that is done.
        jobs: Processes on this machine; None for one on each core.
        cluster: Address of a Dask scheduler, whose workers then do the work; they need spinhw and the same folder.

    Raises:
        ConfigError: A point failed (the others are kept), a process that trained one was killed, or the scheduler
            does not answer.
    """
    todo = missing_of(points, store)
    starts = {other.key for point in todo for other in (point.start, point.shorter) if other is not None}
    stages = [[p for p in todo if p.key in starts], [p for p in todo if p.key not in starts]]
    failures: list[str] = []
    with _workers(cluster), signals_interrupt():
        # An explicit batch size: joblib would otherwise hand several short points to one worker.
        parallel = Parallel(
            n_jobs=-1 if cluster else jobs or usable_cores(), return_as="generator_unordered", batch_size=1
        )
        for stage in stages:
            by_key = {point.key: point for point in stage}
            for done in parallel(delayed(work)(point, store.place(point), os.getpid()) for point in stage):
                point = by_key[done.key]
                if done.outcome is None:
                    failures.append(f"{point.command}: {done.failure}")
                    continue
                store.save(point, done.outcome)
                progress.on_point(point, predicted_s[point.key], done.outcome)
    if failures:
        raise ConfigError(
            f"{len(failures)} of {len(todo)} points failed; the others are kept",
            seen=failures[0],
            todo="mend what is wrong there, then give the same command again: it goes on with what is missing",
        )


@contextmanager
def _workers(cluster: str | None) -> Iterator[None]:
    """Choose where the work is done: processes of this machine, or the workers of a Dask scheduler."""
    if cluster is None:
        try:
            yield
        except BrokenExecutor as error:
            raise _killed(_codes(error), "where memory is short, use fewer processes (--jobs)") from error
        return
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise ConfigError(
            "--cluster needs the package distributed, which is not installed", todo='pip install "spinhw[cluster]"'
        ) from error
    try:
        client = Client(cluster, timeout=ANSWERS_WITHIN)
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigError(
            "--cluster: the Dask scheduler does not answer",
            seen=f"{cluster} ({type(error).__name__})",
            allowed="the address that `dask scheduler` prints, such as tcp://10.0.0.5:8786",
            todo="start the scheduler and its workers, then give the same command again",
        ) from error
    try:
        with client, parallel_config("dask"):
            yield
    except KilledWorker as error:
        raise _killed(str(error), "look at the logs of the workers, which may lack memory") from error


def _codes(error: BrokenExecutor) -> str:
    """Say how processes ended: joblib's own words end in how to look for more."""
    found = re.search(r"exit codes of the workers are \{(.*?)\}", str(error))
    return str(error).splitlines()[0] if found is None else f"ended with {found.group(1)}"


def _killed(seen: str, todo: str) -> ConfigError:
    """Say that a process was killed; what else was on its way is no more lost than a run that is killed."""
    return ConfigError(
        "a process that trained a point ended before it was done; the points that are done are kept",
        seen=seen,
        allowed="processes that the system lets live; it kills one where memory runs out",
        todo=f"{todo}; then give the same command again: it goes on with what is missing",
    )
