"""Figures: every plot of plausible and of extreme data becomes a picture of a sensible size."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from spinhw.config import build
from spinhw.energy import EnergyLedger, EnergySettings, ledger, software_ledger
from spinhw.plots import LearningCurves, Traces, plot_confusion, plot_energy, plot_learning, plot_overview, plot_traces
from spinhw.plots.energy import draw_energy

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


@pytest.mark.parametrize(
    "counts", [np.eye(10, dtype=int) * 90, np.zeros((10, 10), dtype=int), np.ones((3, 3), dtype=int)]
)
def test_confusion(tmp_path: Path, counts: np.ndarray) -> None:
    plot_confusion(counts, tmp_path / "c.png")
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
    plot_overview(curves(20, 10), np.eye(10, dtype=int) * 90, traces(), account(), tmp_path / "o.png", "A title")
    assert size_of(tmp_path / "o.png")[0] == 2144
