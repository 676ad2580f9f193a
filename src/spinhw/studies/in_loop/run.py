"""A study of chips in the loop: what is to be done, and its page."""

from collections.abc import Sequence
from pathlib import Path

from spinhw.studies.claim import Claim
from spinhw.studies.in_loop.catalogue import LoopStudy
from spinhw.studies.in_loop.claims import judge_loop
from spinhw.studies.in_loop.figures import draw_loop
from spinhw.studies.in_loop.forecast import forecast_in_loop_s
from spinhw.studies.in_loop.measured import LoopFound
from spinhw.studies.in_loop.settings import LoopGridSettings
from spinhw.studies.in_loop.tables import loop_csv, loop_page
from spinhw.studies.run import Outlook, write_compared
from spinhw.studies.store import PointStore
from spinhw.studies.study import AnyStudy


def look_ahead_in_loop(studies: Sequence[AnyStudy], store: PointStore) -> Outlook:
    """Count the runs, and time what is missing of them; the most telling come first."""
    return Outlook.of((point for study in studies for point in study.points), store, forecast_in_loop_s)


def write_loop_study(study: LoopStudy, grid: LoopGridSettings, store: PointStore, folder: Path) -> list[Claim]:
    """Write ``NAME.csv``, ``NAME.png`` and ``NAME.md`` of what is done; return the claims."""
    found = LoopFound(study, store.outcomes(study.points))
    claims = judge_loop(found, grid)
    page = loop_page(found, grid, claims)
    write_compared(folder, study.name, loop_csv(found), lambda picture: draw_loop(found, grid, picture), page)
    return claims
