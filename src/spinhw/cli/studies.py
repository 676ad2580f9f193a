"""The command that repeats the paper's figures."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from spinhw.cli.terminal import make_console
from spinhw.config import load, shipped
from spinhw.errors import ConfigError
from spinhw.report.study import StudyBar, print_claims, print_grid, show_time
from spinhw.studies import GridSettings, Outcome, Outlook, Point, PointStore, Study, look_ahead, run_studies
from spinhw.studies.catalogue import studies_named
from spinhw.train import Interrupted

GRID = Path("studies") / "paper.yaml"


def study_figures(
    name: str, out: Path, grid: Path | None, overrides: Sequence[str], jobs: int | None, cluster: str | None
) -> None:
    """Train the points of a study that are missing, and write its table, picture and claims.

    Raises:
        ConfigError: There is no such study, something is wrong with the grid, or a point failed.
        Interrupted: The user asked to stop; what is done is kept.
    """
    settings = load(GridSettings, grid or shipped("examples") / GRID, overrides)
    studies, console = studies_named(name, settings), make_console()
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: this is a file", todo="name a folder")
    print_grid(console, [_line(study) for study in studies])
    with console.status("timing one training step of each kind of network (compiles once on a new machine)"):
        outlook = look_ahead(studies, PointStore(out))
    workers = jobs or os.cpu_count() or 1
    console.print(_expected(outlook, workers, cluster, out), soft_wrap=True)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with StudyBar(console, len(outlook.missing), outlook.total_s, workers) as bar:
            claims = run_studies(studies, settings, outlook, out, _Progress(bar), jobs=jobs, cluster=cluster)
    except KeyboardInterrupt as error:
        raise Interrupted(
            "the study was interrupted; every point that is done is kept, the others are saved where they were",
            todo="give the same command again to go on",
        ) from error
    rows = [(each.verdict, f"{each.study}, {each.protocol}", each.says, each.measured) for each in claims]
    print_claims(console, rows)
    console.print(f"pictures, tables and claims: {escape(str(out / 'README.md'))}", soft_wrap=True)


class _Progress:
    def __init__(self, bar: StudyBar) -> None:
        self._bar = bar

    def on_point(self, point: Point, predicted_s: float, outcome: Outcome) -> None:
        median = sorted(outcome.converged())[len(outcome.seeds) // 2]
        what = f"{point.settings.network.kind}, {1e9 * point.settings.task.sample_interval_s:g} ns"
        self._bar.advance(f"{what}: {100 * median:.1f} %", predicted_s, outcome.wall_s)


def _line(study: Study) -> tuple[str, str, int, int]:
    points = study.points
    networks = sum(len(point.settings.training.seeds) for point in points)
    return study.name, ", ".join(study.protocols), len(points), networks


def _expected(outlook: Outlook, workers: int, cluster: str | None, out: Path) -> str:
    done = len(outlook.points) - len(outlook.missing)
    kept = f", {done} of them done already" if done else ""
    where = "on the cluster" if cluster else f"with {workers} process{'es' if workers > 1 else ''}"
    time = show_time(outlook.total_s) if cluster else show_time(outlook.total_s / workers)
    total = " of processor time" if cluster else ""
    return (
        f"{len(outlook.points)} different points, {outlook.networks} networks{kept}; "
        f"expected: about {time}{total} {where}; into {escape(str(out))}"
    )
