"""The studies of chips in the loop, as runs that all start from the same trained networks."""

from collections.abc import Callable, Iterator
from itertools import product

from spinhw.errors import ConfigError
from spinhw.studies.compared import ComparedRuns, Entry
from spinhw.studies.in_loop.cell import GridPoint
from spinhw.studies.in_loop.settings import LoopGridSettings
from spinhw.studies.point import Point

LoopStudy = ComparedRuns[GridPoint]
_Entry = Entry[GridPoint]


def chip_in_the_loop(grid: LoopGridSettings) -> LoopStudy:
    """Accuracy on imperfect chips, for every way to come to terms with them."""
    base, worst = _base(grid), worst_of(grid)
    entries = [_entry(grid, base, cell, name) for cell, name in _wanted(grid)]
    ideal = _entry(grid, base, GridPoint(grid.ideal, 0.0, 0.0, 0.0), grid.default)
    in_worst = [entry for entry in entries if entry.chips == worst and _everywhere(grid, entry)]
    others = sorted((entry for entry in entries if entry not in in_worst), key=lambda entry: _turn(grid, entry))
    return LoopStudy("chip_in_the_loop", "Chips in the training loop", (base,), (*in_worst, ideal, *others))


def averaging(grid: LoopGridSettings) -> LoopStudy:
    """Averages of each shot against more batches, at the same number of shots."""
    base, worst, asked = _base(grid), worst_of(grid), grid.averaging
    entries = []
    for noise, n in product(asked.noises, asked.averages):
        cell = GridPoint(grid.device, worst.mismatch, noise, worst.synapse_error)
        epochs = asked.epochs // n
        more = (f"training.loop.averages={n}", f"training.epochs={epochs}", f"training.evaluate_every={epochs}")
        entries.append(_entry(grid, base, cell, asked.method, more, n))
    return LoopStudy("averaging", "Averages of each shot against more batches", (base,), tuple(entries))


LOOP_STUDIES: dict[str, Callable[[LoopGridSettings], LoopStudy]] = {
    each.__name__: each for each in (chip_in_the_loop, averaging)
}


def cells_of(grid: LoopGridSettings) -> list[GridPoint]:
    """Give all kinds of chips, mismatch first."""
    chips = product(grid.mismatches, grid.noises, grid.synapse_errors)
    return [GridPoint(grid.device, *each) for each in chips]


def worst_of(grid: LoopGridSettings) -> GridPoint:
    """Return the chips that are farthest from ideal."""
    return GridPoint(grid.device, max(grid.mismatches), max(grid.noises), max(grid.synapse_errors))


def _wanted(grid: LoopGridSettings) -> Iterator[tuple[GridPoint, str]]:
    worst = worst_of(grid)
    for cell, (name, method) in product(cells_of(grid), grid.methods.items()):
        if method.cells == "all" or cell == worst:
            yield cell, name


def _everywhere(grid: LoopGridSettings, entry: _Entry) -> bool:
    return grid.methods[entry.method].cells == "all"


def _turn(grid: LoopGridSettings, entry: _Entry) -> int:
    return grid.methods[entry.method].turn


def _base(grid: LoopGridSettings) -> Point:
    base = Point.vary(grid.recipe, (f"training.seeds={list(grid.seeds)}", *grid.overrides))
    task = base.settings.task
    if task.headline != "accuracy":
        raise ConfigError(
            f"{grid.recipe}: studies of chips in the loop compare shares of right answers, and this task is measured "
            "otherwise",
            seen=f"task.kind {task.kind}, measured by {task.headline}",
            allowed="a task of classes",
            todo="name another recipe in the grid, or compare runs of this one by their summary.json",
        )
    return base


def _entry(
    grid: LoopGridSettings, base: Point, cell: GridPoint, name: str, more: tuple[str, ...] = (), averages: int = 1
) -> _Entry:
    every = (f"training.seeds={list(grid.seeds)}", *grid.overrides, *cell.overrides, *grid.loop)
    point = Point.vary(grid.recipe, (*every, *grid.methods[name].overrides, *more), start=base)
    return Entry(cell, name, point, averages, ideal=cell.device != grid.device)
