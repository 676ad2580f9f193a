"""The picture of each study of chips in the loop."""

from pathlib import Path

from spinhw.plots.in_loop import LoopCurve, LoopPanel, plot_averaging, plot_in_loop
from spinhw.studies.in_loop.measured import Found
from spinhw.studies.in_loop.settings import LoopGridSettings


def draw_loop(found: Found, grid: LoopGridSettings, path: Path) -> None:
    """Draw what is done of a study into a PNG file; nothing where nothing is."""
    if not found.entries:
        return
    if found.study.name == "averaging":
        plot_averaging(_by_noise(found), path, grid.averaging.epochs)
        return
    kinds = dict.fromkeys((cell.noise, cell.synapse_error) for cell in found.cells)
    panels = [
        LoopPanel(f"noise {100 * noise:g} %, synapses {100 * error:g} %", _curves(found, grid, noise, error))
        for noise, error in kinds
    ]
    ideal = found.on_ideal(grid.default)
    plot_in_loop(panels, path, None if ideal is None else float(ideal.mean()))


def _curves(found: Found, grid: LoopGridSettings, noise: float, synapse_error: float) -> list[LoopCurve]:
    cells = [cell for cell in found.cells if (cell.noise, cell.synapse_error) == (noise, synapse_error)]
    curves = []
    for place, (name, method) in enumerate(grid.methods.items()):
        there = [(100 * cell.mismatch, found.accuracy(cell, name)) for cell in cells]
        points = [(x, accuracy) for x, accuracy in there if accuracy is not None]
        if points:
            curves.append(LoopCurve(method.label, [x for x, _ in points], [each for _, each in points], place))
    return curves


def _by_noise(found: Found) -> list[LoopCurve]:
    curves = []
    for place, noise in enumerate(dict.fromkeys(entry.cell.noise for entry, _ in found.entries)):
        there = [(entry.averages, outcome.shown()) for entry, outcome in found.entries if entry.cell.noise == noise]
        curves.append(LoopCurve(f"{100 * noise:g} %", [float(n) for n, _ in there], [each for _, each in there], place))
    return curves
