"""The picture of the study of resonators as synapses."""

from pathlib import Path

from spinhw.plots.in_loop import LoopCurve, LoopPanel, plot_in_loop
from spinhw.studies.synapses.axes import SWEPT_AXES
from spinhw.studies.synapses.catalogue import WITH, WITHOUT, sweeps_of
from spinhw.studies.synapses.measured import SynapsesFound
from spinhw.studies.synapses.settings import SynapseGridSettings

# Of the two that stand in a panel of their own, behind the methods.
_MODELS = {WITH: "crosstalk in the model", WITHOUT: "none in the model"}


def draw_synapses(found: SynapsesFound, grid: SynapseGridSettings, path: Path) -> None:
    """Draw what is done into a PNG file, a panel for each axis; nothing where nothing is."""
    if not found.done:
        return
    labels = {name: method.label for name, method in grid.methods.items()}
    panels = [_panel(found, grid, axis, labels, "") for axis in sweeps_of(grid)]
    models = _panel(found, grid, "spacing", _MODELS, "ideal chips, networks deployed as trained", len(labels))
    ideal = found.accuracy(grid.chips, WITH)
    plot_in_loop([panels[0], models, *panels[1:]], path, None if ideal is None else float(ideal.mean()))


def _panel(
    found: SynapsesFound, grid: SynapseGridSettings, axis: str, labels: dict[str, str], title: str, first: int = 0
) -> LoopPanel:
    swept, curves = SWEPT_AXES[axis], []
    for place, (method, label) in enumerate(labels.items(), first):
        there = [(getattr(chips, axis), found.accuracy(chips, method)) for chips in sweeps_of(grid)[axis]]
        known = [(swept.scale * x, accuracy) for x, accuracy in there if accuracy is not None]
        if known:
            curves.append(LoopCurve(label, [x for x, _ in known], [each for _, each in known], place))
    return LoopPanel(title or swept.title, curves, swept.label, swept.log)
