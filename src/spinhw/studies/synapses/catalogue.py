"""The study of resonators as synapses: runs on chips of one kind after the other, one axis at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spinhw.errors import ConfigError
from spinhw.network import ResonatorSynapses
from spinhw.studies.point import Point
from spinhw.studies.synapses.settings import ResonatorChipSettings, SynapseGridSettings

# On chips that are ideal but for their crosstalk: networks trained with it in their model, and without.
WITH, WITHOUT = "with crosstalk", "without crosstalk"


@dataclass(frozen=True)
class SynapseRun:
    """One run: a method on chips of one kind.

    Args:
        chips: The chips.
        method: Name of the method; `WITH` or `WITHOUT` on chips that are ideal but for their crosstalk.
        point: The run.
    """

    chips: ResonatorChipSettings
    method: str
    point: Point

    @property
    def ideal(self) -> bool:
        """Whether the chips have no imperfection but their crosstalk."""
        return self.method in (WITH, WITHOUT)


@dataclass(frozen=True)
class SynapseStudy:
    """Runs that are compared.

    Args:
        name: As on the command line.
        title: What it shows.
        bases: The runs on the simulator that all others start from.
        runs: All others, the most telling first.
        sweeps: Chips by axis, in the order of the axis.
    """

    name: str
    title: str
    bases: tuple[Point, ...]
    runs: tuple[SynapseRun, ...]
    sweeps: dict[str, tuple[ResonatorChipSettings, ...]]

    @property
    def points(self) -> list[Point]:
        """Every run, those on the simulator first."""
        return [*self.bases, *(run.point for run in self.runs)]


def rf_synapses(grid: SynapseGridSettings) -> SynapseStudy:
    """Accuracy on chips of resonators, for every way to come to terms with them."""
    _refuse_other_recipes(grid)
    sweeps = dict(_sweeps(grid))
    kinds = dict.fromkeys([grid.chips, *(chips for each in sweeps.values() for chips in each)])
    spacings = list(dict.fromkeys(chips.spacing for chips in kinds))
    bases = {spacing: _base(grid, spacing) for spacing in spacings}
    blind = {spacing: _base(grid, spacing, "network.synapses.crosstalk=false") for spacing in spacings}
    runs = [_run(grid, chips, name, bases[chips.spacing]) for chips in kinds for name in grid.methods]
    ideal = [
        _ideal(grid, spacing, name, found[spacing])
        for spacing in spacings
        for name, found in ((WITH, bases), (WITHOUT, blind))
    ]
    every = sorted(runs, key=lambda run: (grid.methods[run.method].turn, run.chips not in sweeps["spacing"]))
    return SynapseStudy(
        "rf_synapses", "Resonators as synapses", (*bases.values(), *blind.values()), (*ideal, *every), sweeps
    )


SYNAPSE_STUDIES: dict[str, Callable[[SynapseGridSettings], SynapseStudy]] = {"rf_synapses": rf_synapses}


def _sweeps(grid: SynapseGridSettings) -> Iterator[tuple[str, tuple[ResonatorChipSettings, ...]]]:
    """Return the chips of each axis; those in the middle are on every one."""
    for axis, values in grid.sweeps:
        if values:
            wanted = sorted({*values, getattr(grid.chips, axis)})
            yield axis, tuple(grid.chips.model_copy(update={axis: value}) for value in wanted)


def _base(grid: SynapseGridSettings, spacing: float, *more: str) -> Point:
    designed = grid.chips.model_copy(update={"spacing": spacing}).of_network
    return Point.vary(grid.recipe, (*_every(grid), *designed, *more))


def _refuse_other_recipes(grid: SynapseGridSettings) -> None:
    settings = Point.vary(grid.recipe, _every(grid)).settings
    synapses, task = settings.network.synapses, settings.task
    if synapses.kind != "resonators" or task.headline != "accuracy":
        raise ConfigError(
            f"{grid.recipe}: this study compares shares of right answers of networks of resonators",
            seen=f"network.synapses of kind {synapses.kind}, task.kind {task.kind}, measured by {task.headline}",
            allowed="network.synapses of kind resonators, and a task of classes",
            todo="name another recipe in the grid, such as examples/resonators.yaml",
        )


def _run(grid: SynapseGridSettings, chips: ResonatorChipSettings, method: str, base: Point) -> SynapseRun:
    how = (*_on(grid, chips, base), *grid.loop, *grid.methods[method].overrides)
    return SynapseRun(chips, method, Point.vary(grid.recipe, how, start=base))


def _ideal(grid: SynapseGridSettings, spacing: float, method: str, base: Point) -> SynapseRun:
    chips = grid.chips.model_copy(update={"spacing": spacing})
    how = (*_on(grid, chips, base), *grid.loop, *grid.methods[grid.deployed].overrides, *grid.ideal)
    return SynapseRun(chips, method, Point.vary(grid.recipe, how, start=base))


def _on(grid: SynapseGridSettings, chips: ResonatorChipSettings, base: Point) -> tuple[str, ...]:
    synapses = base.settings.network.synapses
    width_hz = synapses.half_linewidth_hz if isinstance(synapses, ResonatorSynapses) else 0.0
    return (*_every(grid), *chips.of_network, f"device={grid.device}", *chips.of_device(width_hz))


def _every(grid: SynapseGridSettings) -> tuple[str, ...]:
    return (f"training.seeds={list(grid.seeds)}", *grid.overrides)
