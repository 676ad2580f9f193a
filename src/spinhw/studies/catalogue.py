"""The studies of Plouet et al. (2024), as points on a grid."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from spinhw.errors import ConfigError
from spinhw.studies.names import ALL, refuse_unknown_study
from spinhw.studies.point import Point
from spinhw.studies.settings import GridPlateauSettings, GridSettings, ProtocolSettings
from spinhw.studies.study import Curve, Study
from spinhw.units import show_quantity, spell_quantity

KINDS = ("spintronic", "ctrnn")


def headline(grid: GridSettings) -> Study:
    """Section III: the spintronic network at full length."""
    curves = [_full(grid, name, "spintronic") for name in grid.protocols]
    what = "Sequential digits" if all(each.of_the_paper for each in curves) else "Full length"
    return _study(grid, "headline", f"{what} on the spintronic network", curves)


def ctrnn(grid: GridSettings) -> Study:
    """Section III: the spintronic network and its software peer."""
    curves = [_full(grid, name, kind) for name in grid.protocols for kind in KINDS]
    return _study(grid, "ctrnn", "The spintronic network and its software peer", curves)


def fig1(grid: GridSettings) -> Study:
    """Figure 1b to d: power of a neuron of each layer; nothing more is trained than for the headline."""
    curves = [_full(grid, name, "spintronic", traced=True) for name in grid.protocols]
    return _study(grid, "fig1", "Power of a neuron of each layer", curves)


def fig2b(grid: GridSettings) -> Study:
    """Figure 2b: accuracy over the time between two input points, spintronic and CTRNN."""
    curves = [_over_time(grid, name, kind, kind, ()) for name in grid.protocols for kind in KINDS]
    return _study(grid, "fig2b", "Accuracy over the time between two input points", curves)


def fig3a(grid: GridSettings) -> Study:
    """Figure 3a: the same for several relaxation times."""
    curves = [
        _over_time(
            grid,
            name,
            "spintronic",
            f"tau {show_quantity(tau_s, 's')}",
            (f"network.tau={spell_quantity(tau_s, 's')}",),
        )
        for name, protocol in grid.protocols.items()
        for tau_s in protocol.taus_s
    ]
    return _study(grid, "fig3a", "Time scales for several relaxation times", curves)


def fig3b(grid: GridSettings) -> Study:
    """Figure 3b: the same for several learning rates."""
    curves = [
        _over_time(grid, name, "spintronic", f"learning rate {rate:g}", _learning(rate))
        for name, protocol in grid.protocols.items()
        for rate in protocol.learning_rates
    ]
    return _study(grid, "fig3b", "Time scales for several learning rates", curves)


def fig3c(grid: GridSettings) -> Study:
    """Figure 3c: every point of figures 3a and 3b over its cumulative drive; nothing more is trained."""
    return Study("fig3c", "Accuracy over the cumulative drive", (*fig3a(grid).curves, *fig3b(grid).curves))


def rate_rule(grid: GridSettings) -> Study:
    """Section IV, the rule for the learning rate: a hundredth of the optimal weights."""
    curves = [
        _over_time(grid, name, "spintronic", f"learning rate {rate:g}", _learning(rate), grid.rule_intervals_s)
        for name, protocol in grid.protocols.items()
        for rate in protocol.rule_rates
        if grid.rule_intervals_s
    ]
    return _study(grid, "rate_rule", "The learning rate and the weights that it leads to", curves)


def fig4(grid: GridSettings) -> Study:
    """Figure 4: accuracy over the density of the connections."""
    # The input's connections are counted among those between layers: W_ext of the first layer.
    sweeps = {
        "intra-layer (inter-layer 1)": (grid.densities_intra, lambda share: (1.0, share)),
        "inter-layer (intra-layer 1)": (grid.densities_inter, lambda share: (share, 1.0)),
        "all": (grid.densities_all, lambda share: (share, share)),
    }
    curves = []
    for name, protocol in grid.protocols.items():
        for label, (shares, split) in sweeps.items():
            points = tuple(_sweep_point(grid, protocol, "spintronic", _densities(*split(share))) for share in shares)
            curves.append(Curve(name, label, "spintronic", shares, points))
    return _study(grid, "fig4", "Accuracy over the density of the connections", curves)


STUDIES: dict[str, Callable[[GridSettings], Study]] = {
    each.__name__: each for each in (headline, ctrnn, fig1, fig2b, fig3a, fig3b, fig3c, rate_rule, fig4)
}


def in_order(studies: Sequence[Study]) -> list[Study]:
    """Return studies in the order of the paper."""
    return sorted(studies, key=lambda study: list(STUDIES).index(study.name))


def studies_named(name: str, grid: GridSettings) -> list[Study]:
    """Return the study of this name, or all of them for "all".

    Args:
        name: The name.
        grid: What they vary.

    Raises:
        ConfigError: There is none of this name, a run of the grid is wrong, or its tasks are measured differently.
    """
    refuse_unknown_study(name, tuple(STUDIES))
    found = [make(grid) for each, make in STUDIES.items() if name in (each, ALL)]
    studies = [study for study in found if study.curves]
    _refuse_several_measures(studies)
    return studies


def _refuse_several_measures(studies: Sequence[Study]) -> None:
    """Refuse protocols whose values would stand in one picture and are of different kinds."""
    found = {curve.protocol: curve.measure.name for study in studies for curve in study.curves}
    if len(set(found.values())) > 1:
        raise ConfigError(
            "protocols: those of one grid stand side by side, and these are measured differently",
            seen=", ".join(f"{name} by {measure}" for name, measure in found.items()),
            allowed="recipes of one kind of task",
            todo="write a grid for each kind of task",
        )


def _study(grid: GridSettings, name: str, title: str, curves: Sequence[Curve]) -> Study:
    """Put curves together, each once more at the plateau of its points where the grid asks for it."""
    return Study(name, title, (*curves, *(curve for each in curves for curve in _at_plateau(grid, each))))


def _at_plateau(grid: GridSettings, curve: Curve) -> Iterator[Curve]:
    if grid.plateau is not None:
        points = tuple(point.longer(_until_plateau(grid.plateau, point)) for point in curve.points)
        yield replace(curve, points=points, look="plateau")


def _until_plateau(plateau: GridPlateauSettings, point: Point) -> tuple[str, ...]:
    epochs = point.settings.training.epochs
    ends = f"rise: {plateau.rise!r}, over: {max(1, epochs // 4)}, least: {epochs}"
    return f"training.epochs={plateau.most * epochs}", f"training.plateau={{{ends}}}"


def _full(grid: GridSettings, name: str, kind: str, traced: bool = False) -> Curve:
    recipe = _recipe(grid.protocols[name], kind)
    point = Point.vary(recipe, (*_seeds(grid), *grid.overrides), traced)
    return Curve(name, kind, kind, (point.settings.task.sample_interval_s,), (point,))


def _over_time(
    grid: GridSettings,
    name: str,
    kind: str,
    label: str,
    varied: tuple[str, ...],
    intervals_s: tuple[float, ...] | None = None,
) -> Curve:
    protocol, chosen_s = grid.protocols[name], intervals_s or grid.sample_intervals_s
    steps = dict(zip(grid.sample_intervals_s, grid.substeps, strict=True))

    def points() -> Iterator[Point]:
        for interval_s in chosen_s:
            time = (
                f"task.sample_interval={spell_quantity(interval_s, 's')}",
                f"training.substeps={steps[interval_s]}",
            )
            yield _sweep_point(grid, protocol, kind, (*time, *varied), interval_s in grid.traced_intervals_s)

    return Curve(name, label, kind, chosen_s, tuple(points()))


def _learning(rate: float) -> tuple[str, ...]:
    return (f"training.optimiser.learning_rate={rate!r}",)


def _sweep_point(
    grid: GridSettings, protocol: ProtocolSettings, kind: str, varied: tuple[str, ...], traced: bool = False
) -> Point:
    return Point.vary(_recipe(protocol, kind), (*_seeds(grid), *protocol.sweep, *grid.overrides, *varied), traced)


def _densities(inter: float, intra: float) -> tuple[str, ...]:
    return (
        f"network.density_input={inter!r}",
        f"network.density_inter={inter!r}",
        f"network.density_intra={intra!r}",
    )


def _recipe(protocol: ProtocolSettings, kind: str) -> str:
    return protocol.ctrnn if kind == "ctrnn" else protocol.spintronic


def _seeds(grid: GridSettings) -> tuple[str, ...]:
    return (f"training.seeds={list(grid.seeds)}",)
