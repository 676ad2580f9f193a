"""A study of chips in the loop from settings to a page."""

from collections.abc import Sequence
from pathlib import Path

from spinhw.studies.claim import Claim
from spinhw.studies.execute import StudyProgress
from spinhw.studies.in_loop.catalogue import LoopStudy
from spinhw.studies.in_loop.claims import judge_loop
from spinhw.studies.in_loop.figures import draw_loop
from spinhw.studies.in_loop.forecast import forecast_in_loop_s
from spinhw.studies.in_loop.measured import LoopFound
from spinhw.studies.in_loop.settings import LoopGridSettings
from spinhw.studies.in_loop.tables import loop_csv, loop_page
from spinhw.studies.run import Outlook, run_compared, write_compared
from spinhw.studies.store import PointStore
from spinhw.studies.study import AnyStudy


def look_ahead_in_loop(studies: Sequence[AnyStudy], store: PointStore) -> Outlook:
    """Count the runs, and time what is missing of them; the most telling come first."""
    return Outlook.of((point for study in studies for point in study.points), store, forecast_in_loop_s)


def run_loop_study(
    study: LoopStudy,
    grid: LoopGridSettings,
    outlook: Outlook,
    folder: Path,
    progress: StudyProgress,
    *,
    jobs: int | None = None,
    cluster: str | None = None,
) -> list[Claim]:
    """Do what is missing, then write table, picture, claims and page into the folder.

    A study that is interrupted, or of which a run fails, leaves the page of what is done.

    Args:
        study: The study.
        grid: Its settings, which are kept beside the results.
        outlook: What is to be done.
        folder: Where everything goes.
        progress: Told of every run that is done.
        jobs: Processes on this machine; None for one on each core.
        cluster: Address of a Dask scheduler; None for this machine.

    Raises:
        ConfigError: A run failed, the disk is full, or the scheduler does not answer.
    """
    return run_compared(
        study.name,
        grid,
        outlook,
        folder,
        progress,
        lambda store: write_loop_study(study, grid, store, folder),
        jobs=jobs,
        cluster=cluster,
    )


def write_loop_study(study: LoopStudy, grid: LoopGridSettings, store: PointStore, folder: Path) -> list[Claim]:
    """Write ``NAME.csv``, ``NAME.png`` and ``NAME.md`` of what is done; return the claims."""
    found = LoopFound(study, store.outcomes(study.points))
    claims = judge_loop(found, grid)
    page = loop_page(found, grid, claims)
    write_compared(folder, study.name, loop_csv(found), lambda picture: draw_loop(found, grid, picture), page)
    return claims
