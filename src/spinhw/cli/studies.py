"""The command that repeats the paper's figures, and that compares ways to train with chips in the loop."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spinhw.atomic import make_folder, refuse_unwritable
from spinhw.cli.terminal import make_console
from spinhw.config import find_example, load
from spinhw.cores import usable_cores
from spinhw.errors import ConfigError
from spinhw.studies import GridSettings
from spinhw.studies.in_loop import LoopGridSettings
from spinhw.studies.names import LOOPS, SYNAPSES, refuse_unknown_study
from spinhw.studies.synapses import SynapseGridSettings
from spinhw.training import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from spinhw.report.study import StudyBar
    from spinhw.studies import Claim, Outcome, Outlook, Point, PointStore, StudyProgress
    from spinhw.studies.run import GridT, StudyT

GRID, LOOP_GRID, SYNAPSE_GRID = (
    Path("examples") / "studies" / name for name in ("paper.yaml", "chip_in_the_loop.yaml", "rf_synapses.yaml")
)

# What is left to do, once it is known what there is: (progress) -> claims.
_Work = Callable[["StudyProgress"], "list[Claim]"]


@dataclass(frozen=True)
class _Workers:
    """Who does the work: processes of this machine (None: one for each core), or a Dask scheduler's."""

    jobs: int | None
    cluster: str | None

    @property
    def count(self) -> int:
        return self.jobs or usable_cores()


def run_study(
    name: str, out: Path, grid: Path | None, overrides: Sequence[str], jobs: int | None, cluster: str | None
) -> None:
    """Train the points of a study that are missing, and write its table, picture and claims.

    Raises:
        ConfigError: There is no such study, something is wrong with the grid, or a point failed.
        Interrupted: The user asked to stop; what is done is kept.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: this is a file", todo="name a folder")
    refuse_unknown_study(name)
    refuse_unwritable(out / "README.md", "--out")
    workers = _Workers(jobs, cluster)
    if name in LOOPS:
        _run_in_loop(name, load(LoopGridSettings, find_example(grid or LOOP_GRID), overrides), out, workers)
    elif name in SYNAPSES:
        _run_synapses(name, load(SynapseGridSettings, find_example(grid or SYNAPSE_GRID), overrides), out, workers)
    else:
        _run_figures(name, load(GridSettings, find_example(grid or GRID), overrides), out, workers)


def _run_figures(name: str, grid: GridSettings, out: Path, workers: _Workers) -> None:
    from spinhw.studies import PointStore, look_ahead, run_studies, studies_named

    studies, console = studies_named(name, grid), make_console()

    lines = [(study.name, ", ".join(study.protocols), study.points) for study in studies]
    with _timing(console, lines):
        outlook = look_ahead(studies, PointStore(out))

    def work(progress: "StudyProgress") -> "list[Claim]":
        return run_studies(studies, grid, outlook, out, progress, jobs=workers.jobs, cluster=workers.cluster)

    _work(console, outlook, out, workers, work)
    _show_page(console, out / "README.md")


def _run_in_loop(name: str, grid: LoopGridSettings, out: Path, workers: _Workers) -> None:
    from spinhw.studies.in_loop import LOOP_STUDIES, write_loop_study

    _run_compared(LOOP_STUDIES[name](grid), grid, "chips in the loop", out, workers, write_loop_study)


def _run_synapses(name: str, grid: SynapseGridSettings, out: Path, workers: _Workers) -> None:
    from spinhw.studies.synapses import SYNAPSE_STUDIES, write_synapse_study

    _run_compared(SYNAPSE_STUDIES[name](grid), grid, "chips of resonators", out, workers, write_synapse_study)


def _run_compared(
    study: "StudyT",
    grid: "GridT",
    how: str,
    out: Path,
    workers: _Workers,
    write: "Callable[[StudyT, GridT, PointStore, Path], list[Claim]]",
) -> None:
    console = make_console()
    from spinhw.studies import PointStore, run_compared
    from spinhw.studies.in_loop import look_ahead_in_loop

    with _timing(console, [(study.name, how, study.points)]):
        outlook = look_ahead_in_loop([study], PointStore(out))

    def work(progress: "StudyProgress") -> "list[Claim]":
        return run_compared(study, grid, outlook, out, progress, write, jobs=workers.jobs, cluster=workers.cluster)

    _work(console, outlook, out, workers, work)
    _show_page(console, out / f"{study.name}.md")


@contextmanager
def _timing(console: "Console", studies: "Sequence[tuple[str, str, Sequence[Point]]]") -> Iterator[None]:
    from spinhw.report.study import print_grid

    rows = [(name, how, len(points), _networks(points)) for name, how, points in studies]
    print_grid(console, rows)
    with console.status("timing one training step of each kind of network (compiles once on a new machine)"):
        yield


def _networks(points: "Sequence[Point]") -> int:
    return sum(len(point.settings.training.seeds) for point in points)


def _work(console: "Console", outlook: "Outlook", out: Path, workers: _Workers, work: _Work) -> None:
    from spinhw.report.study import StudyBar, print_claims

    console.print(_expected(outlook, workers, out), markup=False, soft_wrap=True)
    try:
        make_folder(out)
        with StudyBar(console, len(outlook.missing), outlook.total_s, workers.count) as bar:
            claims = work(_Progress(bar))
    except KeyboardInterrupt as error:
        raise Interrupted(
            "the study was interrupted; every point that is done is kept, the others are saved where they were",
            todo="give the same command again to go on",
        ) from error
    rows = [(each.verdict, f"{each.study}, {each.protocol}", each.says, each.measured) for each in claims]
    print_claims(console, rows)


def _show_page(console: "Console", page: Path) -> None:
    console.print(f"pictures, tables and claims: {page}", markup=False, soft_wrap=True)


class _Progress:
    def __init__(self, bar: "StudyBar") -> None:
        self._bar = bar

    def on_point(self, point: "Point", predicted_s: float, outcome: "Outcome") -> None:
        from spinhw.training.measures import headline_of

        measure = headline_of(point.settings.task)
        median = sorted(outcome.shown(measure.worst))[len(outcome.seeds) // 2]
        self._bar.advance(f"{_what(point)}: {measure.text(median, 1)}", predicted_s, outcome.wall_s)


def _what(point: "Point") -> str:
    from spinhw.device import SimulatedSettings

    settings, device = point.settings, point.settings.device
    if not isinstance(device, SimulatedSettings):
        return f"{settings.network.kind}, {1e9 * settings.task.sample_interval_s:g} ns"
    chip, training = device.chip, settings.training
    if chip.synapses.takes == "tunings":
        synapses, known = chip.synapses, settings.calibration
        apart = synapses.rf.spacing_hz / synapses.rf.half_linewidth_hz
        verified = "" if known is None or not known.verify_rounds else ", programmed by measuring"
        return (
            f"{training.gradient}, {training.epochs} epochs{verified}, resonators {'' if known is None else 'known, '}"
            f"{apart:g} half-linewidths apart, {100 * synapses.rf.frequency_spread:g} % spread, {synapses.bits} bits, "
            f"{100 * synapses.repeatability:g} % at each programming, {100 * synapses.dead_fraction:g} % dead"
        )
    refit = "" if training.refit.when is None else f", refit {training.refit.when}"
    return (
        f"{training.gradient}{refit}, {training.epochs} epochs of {training.loop.averages} shots on chips with "
        f"{100 * chip.spread.gamma:g} % mismatch, {100 * chip.power_readout.noise:g} % noise, "
        f"{100 * chip.synapses.scale_spread:g} % synapses"
    )


def _expected(outlook: "Outlook", workers: _Workers, out: Path) -> str:
    from spinhw.report.study import show_time

    done = len(outlook.points) - len(outlook.missing)
    kept = f", {done} of them done already" if done else ""
    count = workers.count
    where = "on the cluster" if workers.cluster else f"with {count} process{'es' if count > 1 else ''}"
    time = show_time(outlook.total_s) if workers.cluster else show_time(outlook.total_s / count)
    total = " of processor time" if workers.cluster else ""
    return (
        f"{len(outlook.points)} different points, {outlook.networks} networks{kept}; "
        f"expected: about {time}{total} {where}; into {out}"
    )
