"""Figures: every plot of plausible and of extreme data becomes a picture of a sensible size."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pytest_mock import MockerFixture

from spinhw.config import build
from spinhw.energy import EnergyLedger, EnergySettings, ledger, software_ledger
from spinhw.plots import LearningCurves, Traces, plot_confusion, plot_energy, plot_learning, plot_overview, plot_traces
from spinhw.plots.alignment import plot_alignment
from spinhw.plots.calibration import CalibrationFigure, FittedTrace, FoundParameter, plot_calibration
from spinhw.plots.confusion import Confusion, draw_confusion
from spinhw.plots.energy import draw_energy
from spinhw.plots.learning import draw_loss, draw_measure
from spinhw.plots.synapses import SynapseFigure, plot_synapses

RANDOM = np.random.default_rng(3)


def curves(epochs: int, seeds: int) -> LearningCurves:
    accuracy = 0.98 - 0.8 * np.exp(-np.arange(epochs) / 5)[:, None] + 0.01 * RANDOM.random((epochs, seeds))
    return LearningCurves(np.arange(1, epochs + 1), accuracy, 1.05 - accuracy, accuracy[-1])


def traces(layers: int = 3, bounded: bool = True) -> Traces:
    return Traces(
        labels=(0, 1, 2),
        neurons=tuple(range(layers)),
        sample_interval_s=1e-9,
        drive=4 * RANDOM.random((3, 64, layers)),
        state=RANDOM.random((3, 65, layers)),
        bounds=(0.0, 4.0) if bounded else None,
        rest=0.5 if bounded else None,
        spintronic=bounded,
    )


def account() -> EnergyLedger:
    settings = build(EnergySettings, {"rest": "36 ns", "readout_per_inference": "5 pJ"}, "here")
    return ledger(settings, 96, 2896, 64e-9)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a PNG file."""
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


@pytest.mark.parametrize(("epochs", "seeds"), [(45, 10), (1, 1), (3, 2)])
def test_learning(tmp_path: Path, epochs: int, seeds: int) -> None:
    plot_learning(curves(epochs, seeds), tmp_path / "a.png")
    assert size_of(tmp_path / "a.png") == (1024, 896)


def drawn(shown: LearningCurves) -> tuple[Figure, Axes, Axes]:
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    draw_measure(upper, shown)
    draw_loss(lower, shown)
    FigureCanvasAgg(figure).draw()
    return figure, upper, lower


@pytest.mark.parametrize("epochs", [1, 2, 3, 5])
def test_short_runs_show_the_loss_of_every_epoch_at_whole_numbers(epochs: int) -> None:
    every, last = curves(epochs, 2), curves(1, 2)
    shown = replace(last, epochs=every.epochs[-1:], loss=every.loss, loss_epochs=every.epochs)
    _, upper, lower = drawn(shown)
    assert list(np.asarray(lower.lines[0].get_xdata())) == list(range(1, epochs + 1))
    for axes in (upper, lower):
        low, high = axes.get_xlim()
        assert low < 1 and high > epochs
        ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert ticks and all(tick == round(tick) for tick in ticks)


@pytest.mark.parametrize(("epochs", "seeds"), [(1, 1), (3, 2), (45, 10)])
def test_the_legend_lies_off_the_data(epochs: int, seeds: int) -> None:
    figure, upper, lower = drawn(curves(epochs, seeds))
    legend = upper.get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    assert not any(box.overlaps(axes.get_window_extent()) for axes in (upper, lower))
    assert figure.bbox.containsx(box.x1)


def test_alignment_says_what_one_means(tmp_path: Path, mocker: MockerFixture) -> None:
    labels = mocker.spy(Axes, "set")
    plot_alignment({"output": {"mean": 0.9, "interval95": None, "each": [0.9]}}, tmp_path / "a.png", "title")
    assert any("1: the same direction" in str(call.kwargs.get("xlabel")) for call in labels.call_args_list)


@pytest.mark.parametrize(
    "counts", [np.eye(10, dtype=int) * 90, np.zeros((10, 10), dtype=int), np.ones((3, 3), dtype=int)]
)
def test_confusion(tmp_path: Path, counts: np.ndarray) -> None:
    plot_confusion(Confusion(counts), tmp_path / "c.png")
    assert min(size_of(tmp_path / "c.png")) > 500


@pytest.mark.parametrize(("layers", "bounded"), [(3, True), (1, True), (2, False)])
def test_traces(tmp_path: Path, layers: int, bounded: bool) -> None:
    plot_traces(traces(layers, bounded), tmp_path / "t.png")
    assert min(size_of(tmp_path / "t.png")) > 500


@pytest.mark.parametrize("one", [account(), software_ledger(EnergySettings(), 96, 2896, 64, 64e-9)])
def test_energy(tmp_path: Path, one: EnergyLedger) -> None:
    plot_energy(one, tmp_path / "e.png")
    assert min(size_of(tmp_path / "e.png")) > 200


@pytest.mark.parametrize(
    ("one", "unit"), [(account(), "pJ"), (software_ledger(EnergySettings(), 96, 2896, 64, 64e-9), "nJ")]
)
def test_energy_has_bars_in_a_readable_unit(one: EnergyLedger, unit: str) -> None:
    axes = Figure().subplots()
    draw_energy(axes, one)
    assert axes.patches
    assert axes.get_xlabel() == f"energy per inference ({unit})"
    assert 1 < axes.get_xlim()[1] < 2000


def test_overview(tmp_path: Path) -> None:
    confusion = partial(draw_confusion, confusion=Confusion(np.eye(10, dtype=int) * 90))
    plot_overview(curves(20, 10), confusion, traces(), account(), tmp_path / "o.png", "A title")
    assert size_of(tmp_path / "o.png")[0] == 2144


NOTHING = np.zeros(0)


def calibration_of(traces: bool, sweep: bool, residuals: bool, parameters: bool) -> CalibrationFigure:
    times = np.arange(9) * 1e-9
    levels = np.linspace(0, 4, 5)
    return CalibrationFigure(
        "heading",
        [FittedTrace("oscillator 0", times, times[1:], times, times)] * 2 if traces else [],
        [FoundParameter("gamma", np.ones(3), np.ones(3))] if parameters else [],
        levels if sweep else NOTHING,
        np.ones((5, 2)) if sweep else np.zeros((0, 2)),
        np.ones((5, 2)) if sweep else np.zeros((0, 2)),
        RANDOM.normal(size=99) if residuals else NOTHING,
    )


@pytest.mark.parametrize(
    ("has", "panels"),
    [((1, 1, 1, 1), 4 + 2 + 1), ((1, 0, 1, 1), 4 + 1 + 1), ((0, 1, 0, 1), 1 + 1), ((0, 0, 0, 1), 1), ((0, 0, 0, 0), 0)],
)
def test_a_calibration_leaves_out_panels_without_data(
    tmp_path: Path, mocker: MockerFixture, has: tuple[int, ...], panels: int
) -> None:
    saved = mocker.spy(Figure, "savefig")
    plot_calibration(calibration_of(*map(bool, has)), tmp_path / "a.png")
    figure = saved.call_args.args[0]
    assert len(figure.axes) == panels
    assert not any("this plan" in text.get_text() for axes in figure.axes for text in axes.texts)


def test_a_calibration_of_synapses_leaves_out_panels_without_data(tmp_path: Path, mocker: MockerFixture) -> None:
    saved = mocker.spy(Figure, "savefig")
    one = [FoundParameter("resonance", np.ones(3), np.ones(3))]
    empty = SynapseFigure("heading", [], NOTHING, np.zeros((0, 0)), np.zeros((0, 0)), NOTHING, one)
    crosstalk, off_line = np.full((3, 3), 0.1), np.zeros((3, 4))
    for shown, panels in (
        (empty, 1),
        (replace(empty, crosstalk=crosstalk), 1 + 2),  # With the bar of its colours.
        (replace(empty, tuning=np.arange(4.0), off_line_hz=off_line, programming=RANDOM.normal(size=9)), 1 + 2),
        (replace(empty, quantities=[]), 0),
    ):
        plot_synapses(shown, tmp_path / "a.png")
        assert len(saved.call_args.args[0].axes) == panels
