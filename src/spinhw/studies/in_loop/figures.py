"""The picture of each study of chips in the loop."""

from pathlib import Path

from spinhw.plots.in_loop import LoopCurve, LoopPanel, plot_averaging, plot_in_loop
from spinhw.studies.in_loop.measured import LoopFound, cells_in, on_ideal
from spinhw.studies.in_loop.settings import LoopGridSettings


def draw_loop(found: LoopFound, grid: LoopGridSettings, path: Path) -> None:
    """Draw what is done of a study into a PNG file; nothing where nothing is."""
    if not found.done:
        return
    if found.study.name == "averaging":
        plot_averaging(_by_noise(found), path, grid.averaging.epochs)
        return
    kinds = dict.fromkeys((cell.noise, cell.synapse_error) for cell in cells_in(found))
    panels = [
        LoopPanel(f"noise {100 * noise:g} %, synapses {100 * error:g} %", _curves(found, grid, noise, error))
        for noise, error in kinds
    ]
    ideal = on_ideal(found, grid.default)
    plot_in_loop(panels, path, None if ideal is None else float(ideal.mean()))


def _curves(found: LoopFound, grid: LoopGridSettings, noise: float, synapse_error: float) -> list[LoopCurve]:
    cells = [cell for cell in cells_in(found) if (cell.noise, cell.synapse_error) == (noise, synapse_error)]
    curves = []
    for place, (name, method) in enumerate(grid.methods.items()):
        there = [(100 * cell.mismatch, found.accuracy(cell, name)) for cell in cells]
        points = [(x, accuracy) for x, accuracy in there if accuracy is not None]
        if points:
            curves.append(LoopCurve(method.label, [x for x, _ in points], [each for _, each in points], place))
    return curves


def _by_noise(found: LoopFound) -> list[LoopCurve]:
    curves = []
    for place, noise in enumerate(dict.fromkeys(entry.chips.noise for entry, _ in found.done)):
        there = [(entry.averages, outcome.shown()) for entry, outcome in found.done if entry.chips.noise == noise]
        curves.append(LoopCurve(f"{100 * noise:g} %", [float(n) for n, _ in there], [each for _, each in there], place))
    return curves
