"""The studies of Plouet et al. (2024), as points on a grid."""

from collections.abc import Callable, Iterator

from spinhw.studies.names import ALL, refuse_unknown_study
from spinhw.studies.point import Point
from spinhw.studies.settings import GridSettings, ProtocolSettings
from spinhw.studies.study import Curve, Study
from spinhw.units import format_quantity, show_quantity

KINDS = ("spintronic", "ctrnn")


def headline(grid: GridSettings) -> Study:
    """Section III: the spintronic network at full length."""
    curves = [_full(grid, name, "spintronic") for name in grid.protocols]
    return Study("headline", "Sequential digits on the spintronic network", tuple(curves))


def ctrnn(grid: GridSettings) -> Study:
    """Section III: the spintronic network and its software peer."""
    curves = [_full(grid, name, kind) for name in grid.protocols for kind in KINDS]
    return Study("ctrnn", "The spintronic network and its software peer", tuple(curves))


def fig2b(grid: GridSettings) -> Study:
    """Figure 2b: accuracy over the time between two input points, spintronic and CTRNN."""
    curves = [_over_time(grid, name, kind, kind, ()) for name in grid.protocols for kind in KINDS]
    return Study("fig2b", "Accuracy over the time between two input points", tuple(curves))


def fig3a(grid: GridSettings) -> Study:
    """Figure 3a: the same for several relaxation times."""
    curves = [
        _over_time(
            grid,
            name,
            "spintronic",
            f"tau {show_quantity(tau_s, 's')}",
            (f"network.tau={format_quantity(tau_s, 's')}",),
        )
        for name, protocol in grid.protocols.items()
        for tau_s in protocol.taus_s
    ]
    return Study("fig3a", "Time scales for several relaxation times", tuple(curves))


def fig3b(grid: GridSettings) -> Study:
    """Figure 3b: the same for several learning rates."""
    curves = [
        _over_time(grid, name, "spintronic", f"learning rate {rate:g}", (f"training.optimiser.learning_rate={rate!r}",))
        for name, protocol in grid.protocols.items()
        for rate in protocol.learning_rates
    ]
    return Study("fig3b", "Time scales for several learning rates", tuple(curves))


def fig3c(grid: GridSettings) -> Study:
    """Figure 3c: every point of figures 3a and 3b over its cumulative drive; nothing more is trained."""
    return Study("fig3c", "Accuracy over the cumulative drive", (*fig3a(grid).curves, *fig3b(grid).curves))


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
    return Study("fig4", "Accuracy over the density of the connections", tuple(curves))


STUDIES: dict[str, Callable[[GridSettings], Study]] = {
    each.__name__: each for each in (headline, ctrnn, fig2b, fig3a, fig3b, fig3c, fig4)
}


def studies_named(name: str, grid: GridSettings) -> list[Study]:
    """Return the study of this name, or all of them for "all".

    Args:
        name: The name.
        grid: What they vary.

    Raises:
        ConfigError: There is none of this name, or a run of the grid is wrong.
    """
    refuse_unknown_study(name, tuple(STUDIES))
    return [make(grid) for each, make in STUDIES.items() if name in (each, ALL)]


def _full(grid: GridSettings, name: str, kind: str) -> Curve:
    recipe = _recipe(grid.protocols[name], kind)
    point = Point.vary(recipe, (*_seeds(grid), *grid.overrides))
    return Curve(name, kind, kind, (point.settings.task.sample_interval_s,), (point,))


def _over_time(grid: GridSettings, name: str, kind: str, label: str, varied: tuple[str, ...]) -> Curve:
    protocol = grid.protocols[name]

    def points() -> Iterator[Point]:
        for interval_s, substeps in zip(grid.sample_intervals_s, grid.substeps, strict=True):
            time = (f"task.sample_interval={format_quantity(interval_s, 's')}", f"training.substeps={substeps}")
            yield _sweep_point(grid, protocol, kind, (*time, *varied), interval_s in grid.traced_intervals_s)

    return Curve(name, label, kind, grid.sample_intervals_s, tuple(points()))


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
