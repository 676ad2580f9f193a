"""Pictures of the analysis: those of Jarne (2024, figures 3 to 7), and what the papers do not show."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from spinhw.atomic import make_folder
from spinhw.flipflop.analysis import COMPARED, Analysis, compare
from spinhw.flipflop.geometry import Projection
from spinhw.plots.canvas import BLUE, COLOURS, GREEN, GREY, LIGHT, ORANGE, VERMILION, page
from spinhw.tasks.trial_task import measuring_trials

_SIDE_BY_SIDE = 4  # Networks in a picture that compares them.
_NOT_DRAWN = ("final", "stable")  # They say little that the other panels do not.
# One colour for each of eight memories, all told apart with any colour vision together with their labels.
STATE_COLOURS = (*COLOURS, "#882255")


def draw_analysis(analyses: Sequence[Analysis], folder: Path) -> dict[str, Path]:
    """Draw every picture: of a single network for the first one, side by side for up to four, as dots for all.

    Args:
        analyses: At least one.
        folder: Made where it is not there.

    Returns:
        The files by name.
    """
    make_folder(folder)
    first, several = analyses[0], analyses[:_SIDE_BY_SIDE]
    files: dict[str, Path] = {
        name: folder / f"{name}.png" for name in ("samples", "states", "directions", "fixed_points", "robustness")
    }
    plot_samples(first, files["samples"])
    plot_states(first, files["states"])
    plot_directions(first, files["directions"])
    plot_fixed_points(first, files["fixed_points"])
    plot_robustness(several, files["robustness"])
    if first.spectrum is not None:
        files["connectivity"] = folder / "connectivity.png"
        plot_connectivity(first, files["connectivity"])
    if len(several) > 1:
        files |= {name: folder / f"{name}.png" for name in ("eigenvalues", "cubes", "realisations")}
        plot_eigenvalues(several, files["eigenvalues"])
        plot_cubes(several, files["cubes"])
        plot_realisations(analyses, files["realisations"])
    return files


def code_name(code: Sequence[float]) -> str:
    """Write bits as signs, such as "+-+"."""
    return "".join("+" if bit > 0 else "\N{MINUS SIGN}" for bit in code)


@torch.no_grad()
def plot_samples(analysis: Analysis, path: Path) -> None:
    """Draw inputs, targets and outputs of three trials, as figure 3."""
    trials = measuring_trials(analysis.task, 3, "samples")
    outputs = analysis.network(trials.inputs)
    bits = trials.inputs.shape[2]
    with page(path, 11.0, 1.2 + 1.6 * bits) as figure:
        grid = figure.subplots(bits, 3, sharex=True, sharey=True, squeeze=False)
        for bit in range(bits):
            for trial in range(3):
                axes = grid[bit, trial]
                axes.plot(trials.inputs[trial, :, bit], color=LIGHT, linewidth=0.9, label="input")
                axes.plot(trials.targets[trial, :, bit], color=GREY, linestyle="--", linewidth=1.2, label="target")
                axes.plot(outputs[trial, :, bit], color=VERMILION, linewidth=1.3, label="output")
            grid[bit, 0].set_ylabel(f"bit {bit}")
        for trial in range(3):
            grid[0, trial].set_title(f"sample {trial + 1}")
            grid[-1, trial].set_xlabel("time (steps)")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside right upper")


def plot_connectivity(analysis: Analysis, path: Path) -> None:
    """Draw W and its eigenvalues with the unit circle, as figure 4."""
    matrix = analysis.network.connectivity.detach().numpy()
    with page(path, 10.5, 4.8) as figure:
        left, right = figure.subplots(1, 2)
        bound = float(np.quantile(np.abs(matrix), 0.995))
        image = left.imshow(matrix, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
        left.set(xlabel="from unit", ylabel="to unit", title="recurrent weights W")
        figure.colorbar(image, ax=left, shrink=0.85, extend="both")
        draw_spectrum(right, analysis)
        right.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def plot_eigenvalues(analyses: Sequence[Analysis], path: Path) -> None:
    """Draw the eigenvalues of several networks, as figure 5."""
    with page(path, 3.3 * len(analyses), 3.9) as figure:
        grid = figure.subplots(1, len(analyses), squeeze=False, sharex=True, sharey=True)[0]
        for axes, analysis in zip(grid, analyses, strict=True):
            draw_spectrum(axes, analysis, title=analysis.name)
            if axes is not grid[0]:
                axes.set_ylabel("")


def draw_spectrum(axes: Axes, analysis: Analysis, title: str = "eigenvalues of W") -> None:
    """Draw eigenvalues; those that have left the unit circle stand out."""
    shape = analysis.spectrum
    if shape is None:  # Gates have no single matrix.
        axes.set_axis_off()
        return
    values = shape.eigenvalues.numpy()
    angle = np.linspace(0, 2 * np.pi, 361)
    axes.plot(np.cos(angle), np.sin(angle), color=GREY, linewidth=0.9, label="unit circle")
    out = np.abs(values) > 1.02
    axes.plot(values[~out].real, values[~out].imag, "o", markersize=2.6, color=BLUE, alpha=0.6, label="within 1.02")
    beyond = f"beyond 1.02: {shape.beyond}"
    axes.plot(values[out].real, values[out].imag, "o", markersize=4.2, color=VERMILION, label=beyond)
    axes.set(xlabel="real part", ylabel="imaginary part", aspect="equal", title=f"{title} ({shape.beyond} beyond 1.02)")
    axes.set_title(title)


def plot_states(analysis: Analysis, path: Path) -> None:
    """Draw the sequence through all states, and the activity in its three strongest directions, as figure 6."""
    trials, route = analysis.walk.trials, analysis.walk
    bits = trials.inputs.shape[2]
    with page(path, 12.0, 5.4) as figure:
        grid = figure.add_gridspec(bits, 2, width_ratios=(1.15, 1.0))
        for bit in range(bits):
            axes = figure.add_subplot(grid[bit, 0])
            axes.plot(trials.inputs[0, :, bit], color=LIGHT, label="input")
            axes.plot(trials.targets[0, :, bit], color=GREY, linestyle="--", label="target")
            axes.plot(analysis.outputs[:, bit], color=VERMILION, label="output")
            axes.plot(route.ends, analysis.outputs[route.ends, bit], "k.", markersize=5, label="read here")
            axes.set_ylabel(f"bit {bit}")
            axes.set_ylim(-1.7, 1.7)
            if bit == 0:
                axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0.0, 1.0))
            if bit == bits - 1:
                axes.set_xlabel("time (steps)")
            else:
                axes.tick_params(labelbottom=False)
        space = figure.add_subplot(grid[:, 1], projection="3d")
        draw_space(space, analysis, analysis.svd)
        held = sum(one.correct for one in analysis.memories)
        space.set_title(f"{held} of {len(analysis.memories)} states right, cube $R^2$ = {analysis.cube.r_squared:.3f}")


def plot_directions(analysis: Analysis, path: Path) -> None:
    """Draw the same activity by SVD and by PCA, and how much of it each direction carries."""
    named = {"SVD": analysis.svd, "PCA": analysis.pca}
    with page(path, 12.5, 4.6) as figure:
        grid = figure.add_gridspec(1, 3, width_ratios=(1.25, 1.25, 1.0))
        for place, (name, directions) in enumerate(named.items()):
            axes = figure.add_subplot(grid[place], projection="3d")
            draw_space(axes, analysis, directions)
            axes.set_title(f"{name}, cube $R^2$ = {analysis.cube_in(directions).r_squared:.3f}", y=0.95)
        bars = figure.add_subplot(grid[2])
        for place, ((name, directions), colour) in enumerate(zip(named.items(), (BLUE, VERMILION), strict=True)):
            shares = 100 * directions.shares.numpy()
            label = f"{name}: {shares.sum():.0f} % in three"
            bars.bar(np.arange(1, len(shares) + 1) + 0.4 * place - 0.2, shares, 0.36, color=colour, label=label)
        bars.set(xlabel="direction", ylabel="share of the activity (%)", xticks=range(1, len(shares) + 1))
        bars.legend()


def plot_cubes(analyses: Sequence[Analysis], path: Path) -> None:
    """Draw the activity of several networks in their strongest directions, by SVD as figure 7, and by PCA."""
    with page(path, 3.6 * len(analyses), 7.6) as figure:
        for place, analysis in enumerate(analyses):
            for row, (name, directions) in enumerate({"SVD": analysis.svd, "PCA": analysis.pca}.items()):
                axes = figure.add_subplot(2, len(analyses), row * len(analyses) + place + 1, projection="3d")
                draw_space(axes, analysis, directions)
                axes.set_title(f"{analysis.name}, {name}, $R^2$ = {analysis.cube_in(directions).r_squared:.3f}", y=0.95)


def plot_realisations(analyses: Sequence[Analysis], path: Path) -> None:
    """Draw what tells realisations of the same training apart: one dot for each network in every panel."""
    rows = compare(analyses)
    panels = {name: label for name, label in COMPARED.items() if name not in _NOT_DRAWN and rows[0][name] is not None}
    with page(path, 12.5, 0.9 + 0.32 * len(rows)) as figure:
        grid = figure.subplots(1, len(panels), sharey=True)
        for axes, (name, label) in zip(grid, panels.items(), strict=True):
            axes.plot([row[name] for row in rows], range(len(rows)), "o", color=BLUE, markersize=6)
            axes.set_title(label, fontsize=9)
            axes.grid(axis="both")
            axes.xaxis.set_major_locator(MaxNLocator(2, integer=isinstance(rows[0][name], int)))
            axes.margins(x=0.2)
        grid[0].set_yticks(range(len(rows)), [row["name"] for row in rows])
        grid[0].set_ylim(len(rows) - 0.5, -0.5)


def cube_edges(bits: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """List the edges of the cube of all states, each by its two codes (+-1)."""
    codes = [tuple(1 - 2 * ((number >> bit) & 1) for bit in range(bits)) for number in range(2**bits)]
    return [
        (one, other)
        for place, one in enumerate(codes)
        for other in codes[place + 1 :]
        if sum(a != b for a, b in zip(one, other, strict=True)) == 1
    ]


def draw_space(axes: Any, analysis: Analysis, directions: Projection, *, vertices: bool = True) -> None:
    """Draw trajectory, fitted cube and, if asked for, where the states were held into 3-D axes."""
    path = directions.of(analysis.activity).numpy()
    axes.plot(*path.T, color=GREY, linewidth=0.7, alpha=0.6)
    cube = analysis.cube_in(directions)
    for one, other in cube_edges(len(cube.edges)):
        ends = np.stack([cube.centre + torch.tensor(code, dtype=torch.float64) @ cube.edges for code in (one, other)])
        axes.plot(*ends.T, color=ORANGE, linewidth=1.0, linestyle="--")
    places = analysis.vertices(directions).numpy() if vertices else ()
    beside = 0.09 * float(np.abs(path).max())
    for vertex, memory, colour in zip(places, analysis.memories, _colours(len(analysis.memories)), strict=False):
        axes.plot(*vertex[:, None], marker="o" if memory.correct else "X", markersize=7, color=colour)
        name = code_name(memory.code)
        axes.text(vertex[0], vertex[1], vertex[2] + beside, name, fontsize=9, ha="center", fontweight="bold", zorder=9)
    axes.set(xlabel="direction 1", ylabel="direction 2", zlabel="direction 3")
    axes.locator_params(nbins=5)
    axes.set_box_aspect(None, zoom=0.82)  # Else the label of the upright axis is cut off.


def _colours(count: int) -> list[str]:
    return [STATE_COLOURS[index % len(STATE_COLOURS)] for index in range(count)]


def plot_fixed_points(analysis: Analysis, path: Path) -> None:
    """Draw all fixed points: where they lie between the memories, and how stable they are."""
    points = analysis.points
    units = analysis.activity.shape[1]
    places = analysis.svd.of(points.states[:, :units]).numpy()
    kinds = _kinds(analysis)
    with page(path, 11.5, 5.0) as figure:
        left = figure.add_subplot(1, 2, 1, projection="3d")
        draw_space(left, analysis, analysis.svd, vertices=False)
        for _, colour, marker, chosen in kinds:
            left.plot(*places[chosen].T, marker, color=colour, markersize=6)
        left.set_title(f"{len(places)} fixed points without input")
        right = figure.add_subplot(1, 2, 2)
        unstable = points.unstable.numpy()
        for name, colour, marker, chosen in kinds:
            right.plot(unstable[chosen], points.radius.numpy()[chosen], marker, color=colour, label=name, markersize=6)
        right.axhline(1.0, color=GREY, linewidth=0.9)
        right.set_xscale("symlog", linthresh=1)
        right.xaxis.set_major_formatter("{x:g}")
        right.set_xlim(-0.4, 2.0 * max(1, int(unstable.max(initial=1))))
        right.set(xlabel="unstable directions", ylabel="spectral radius of the Jacobian", title="stable below the line")
        right.legend(loc="best")


def _kinds(analysis: Analysis) -> list[tuple[str, str, str, Any]]:
    points = analysis.points
    found = [
        ("memory", GREEN, "o", points.memories()),
        ("spurious, stable", VERMILION, "X", points.spurious()),
        ("saddle", BLUE, "^", ~points.stable),
    ]
    return [(f"{name} ({int(one.sum())})", colour, marker, one.numpy()) for name, colour, marker, one in found]


def plot_robustness(analyses: Sequence[Analysis], path: Path) -> None:
    """Draw how many trials end with every bit right under noise, weak and short pulses, and how long memories hold."""
    names = {"noise": "input noise (std)", "amplitude": "pulse amplitude", "width": "pulse width (steps)"}
    with page(path, 12.5, 3.6) as figure:
        grid = figure.subplots(1, 4, sharey=True)
        for axes, name in zip(grid, names, strict=False):
            for analysis, colour in zip(analyses, COLOURS, strict=False):
                curve = next(one for one in analysis.curves if one.name == name)
                shares = [100 * one.final for one in curve.scores]
                axes.plot(curve.values, shares, marker="o", markersize=4, color=colour, label=analysis.name)
            axes.set_xlabel(names[name])
            axes.grid(axis="y")
        grid[0].set(ylabel="trials with every bit within 1/2 (%)", ylim=(-2, 102))
        grid[3].bar(range(len(analyses)), [100 * one.hold.held for one in analyses], color=COLOURS[: len(analyses)])
        grid[3].set_xticks(range(len(analyses)), [one.name for one in analyses], rotation=20)
        grid[3].set_title(f"held for {analyses[0].hold.steps} steps")
        handles = [Line2D([], [], color=colour, label=one.name) for one, colour in zip(analyses, COLOURS, strict=False)]
        figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))
