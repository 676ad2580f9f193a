"""Trained networks on many chips."""

import json

import numpy as np
import pytest

from spinhw.config import build
from spinhw.device import SimulatedSettings, load_device
from spinhw.errors import ConfigError
from spinhw.training import RunSettings, evaluate_on_chips, train
from spinhw.training.statistics import of_pairs

CHIP = {
    "kind": "simulated",
    "id": "wild",
    "chip": {"spread": {"gamma": 0.3, "sigma": 0.3}, "output_readout": {"noise": 0.01}, "thermal_power": 1e-4},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = {
        "task": {"train_fraction": 0.05, "held_out": "validation"},
        "network": {"layers": [3, 3]},
        "training": {"seeds": [1, 5], "epochs": 1, "batch_size": 20, "threads": 1, "refit": {"when": "never"}},
        "device": CHIP,
    }
    folder = tmp_path_factory.mktemp("transfer") / "run"
    return folder, train(build(RunSettings, data, "run.yaml"), folder)


def test_every_network_meets_every_chip_and_none_that_it_was_trained_on(run):
    found = evaluate_on_chips(run[0], 3)
    pairs = found["accuracy"]["pairs"]
    assert found["ids"] == ["wild-0", "wild-1", "wild-2"]
    assert found["trained_on"] == [[0, 1]] and pairs[0][1] is None
    others = [one for row in pairs for one in row if one is not None]
    assert len(others) == 5
    assert found["accuracy"]["mean"] == pytest.approx(np.mean(others))
    other = build(SimulatedSettings, CHIP | {"seed": 1}, "device.yaml")
    assert evaluate_on_chips(run[0], 3, other)["trained_on"] == []


def test_chip_measures_the_same_beside_any_others(run, mocker):
    together = evaluate_on_chips(run[0], 3)["accuracy"]["pairs"]
    mocker.patch("spinhw.training.transfer.TOGETHER", 2)
    assert evaluate_on_chips(run[0], 3)["accuracy"]["pairs"] == together


def test_only_simulated_devices_have_many_chips(run):
    with pytest.raises(ConfigError, match="no distribution to take chips from; seen: kind visa"):
        evaluate_on_chips(run[0], 2, load_device("bench-virtual"))


def test_command_writes_figures_and_a_picture(spinhw, run):
    shown = spinhw("evaluate", run[0], "--device", "imperfect-chip", "--chips", 2)
    assert shown.code == 0, shown.err
    assert "on 2 chips, chip-0 to chip-1" in shown.out
    written = json.loads((run[0] / "transfer-chip.json").read_text(encoding="utf-8"))
    assert np.shape(written["accuracy"]["pairs"]) == (2, 2)
    assert (run[0] / "figures" / "transfer-chip.png").stat().st_size > 10_000


def test_interval_of_pairs_covers_the_spread_of_chips_and_of_networks():
    """Pairs are not independent: where chips alone differ, more networks make the mean no surer."""
    chips = np.random.default_rng(0).normal(0.9, 0.05, 10)
    few, many = (of_pairs(np.tile(chips, (seeds, 1)), np.zeros((seeds, 10), dtype=bool)) for seeds in (2, 20))
    widths = [np.ptp(found["interval95"]) for found in (few, many)]
    assert widths[0] == pytest.approx(widths[1], rel=0.05)
    assert widths[0] == pytest.approx(2 * 1.96 * chips.std() / 10**0.5, rel=0.1)


def test_a_single_pair_has_no_interval():
    found = of_pairs(np.array([[0.5]]), np.array([[False]]))
    assert found["mean"] == found["lowest"] == 0.5
    assert found["std"] is None and found["interval95"] is None and found["per_seed"][0]["interval95"] is None
    assert of_pairs(np.array([[0.5]]), np.array([[True]]))["mean"] is None
