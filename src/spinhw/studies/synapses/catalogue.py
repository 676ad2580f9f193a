"""The study of resonators as synapses: runs on chips of one kind after the other, one axis at a time."""

from collections.abc import Callable

from spinhw.errors import ConfigError
from spinhw.network import ResonatorSynapses
from spinhw.studies.compared import ComparedRuns, Entry
from spinhw.studies.point import Point
from spinhw.studies.synapses.settings import ResonatorChipSettings, SynapseGridSettings

# On chips that are ideal but for their crosstalk: networks trained with it in their model, and without.
WITH, WITHOUT = "with crosstalk", "without crosstalk"


SynapseStudy = ComparedRuns[ResonatorChipSettings]
_Entry = Entry[ResonatorChipSettings]


def rf_synapses(grid: SynapseGridSettings) -> SynapseStudy:
    """Accuracy on chips of resonators, for every way to come to terms with them."""
    _refuse_other_recipes(grid)
    sweeps = sweeps_of(grid)
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
    return SynapseStudy("rf_synapses", "Resonators as synapses", (*bases.values(), *blind.values()), (*ideal, *every))


SYNAPSE_STUDIES: dict[str, Callable[[SynapseGridSettings], SynapseStudy]] = {"rf_synapses": rf_synapses}


def sweeps_of(grid: SynapseGridSettings) -> dict[str, tuple[ResonatorChipSettings, ...]]:
    """Return the chips of each axis, in its order; those in the middle are on every one."""
    wanted = {axis: sorted({*values, getattr(grid.chips, axis)}) for axis, values in grid.sweeps if values}
    return {
        axis: tuple(grid.chips.model_copy(update={axis: value}) for value in values) for axis, values in wanted.items()
    }


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


def _run(grid: SynapseGridSettings, chips: ResonatorChipSettings, method: str, base: Point) -> _Entry:
    how = (*_on(grid, chips, base), *grid.loop, *grid.methods[method].overrides)
    return Entry(chips, method, Point.vary(grid.recipe, how, start=base))


def _ideal(grid: SynapseGridSettings, spacing: float, method: str, base: Point) -> _Entry:
    chips = grid.chips.model_copy(update={"spacing": spacing})
    how = (*_on(grid, chips, base), *grid.loop, *grid.methods[grid.deployed].overrides, *grid.ideal)
    return Entry(chips, method, Point.vary(grid.recipe, how, start=base), ideal=True)


def _on(grid: SynapseGridSettings, chips: ResonatorChipSettings, base: Point) -> tuple[str, ...]:
    synapses = base.settings.network.synapses
    width_hz = synapses.half_linewidth_hz if isinstance(synapses, ResonatorSynapses) else 0.0
    return (*_every(grid), *chips.of_network, f"device={grid.device}", *chips.of_device(width_hz))


def _every(grid: SynapseGridSettings) -> tuple[str, ...]:
    return (f"training.seeds={list(grid.seeds)}", *grid.overrides)
