"""Tasks that ask for a class or values, once or after each sample: trained, measured, and each sequence to its end."""

import json
from dataclasses import replace

import pytest
import torch

from fakes.merging import merged
from fakes.waves import install_waves
from spinhw.config import build
from spinhw.network import SpintronicNetwork
from spinhw.training import RunSettings, energy_ledger, train
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.deploy import answer_on_device, device_for

ASKED = ("class", "class_per_step", "values", "values_per_step")
CHIP = {
    "kind": "simulated",
    "id": "spread",
    "chip": {"spread": {"gamma": 0.1, "sigma": 0.1}, "output_readout": {"noise": 0.01}},
}
OUTPUTS = {"class": 3, "class_per_step": 2, "values": 2, "values_per_step": 1}


@pytest.fixture(autouse=True)
def waves(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install_waves(tmp_path / "installed"))


def asking(ask, *changes, **task):
    data = {
        "task": {"kind": "waves", "ask": ask, **task},
        "network": {"layers": [4, 4], "outputs": OUTPUTS[ask], "readout": "software"},
        "training": {
            "seeds": [1, 2], "epochs": 2, "batch_size": 12, "substeps": 1, "evaluate_every": 1, "threads": 1
        },
    }  # fmt: skip
    for one in changes:
        data = merged(data, one)
    return build(RunSettings, data, "run.yaml")


def found(settings, folder):
    """What came of a run, without times: summary, epochs, tensors."""
    results = train(settings, folder)
    summary = {
        key: one for key, one in results.summary.items() if not key.endswith("wall_s") and key not in ("provenance",)
    }
    rows = [{key: one for key, one in row.items() if key != "wall_s"} for row in results.metrics]
    return json.dumps([summary, rows]), load_checkpoint(folder / "checkpoint.safetensors")[0], results


def assert_equal(one, other):
    assert one[0] == other[0]
    assert all(torch.equal(value, other[1][name]) for name, value in one[1].items())


@pytest.mark.parametrize("ask", ASKED)
def test_what_follows_a_sequence_or_stands_in_the_washout_counts_nowhere(ask, tmp_path):
    task = {"unequal": True, "washout": 3 if ask.endswith("per_step") else 0}
    quiet = found(asking(ask, after="quiet", **task), tmp_path / "quiet")
    assert_equal(quiet, found(asking(ask, after="nothing", **task), tmp_path / "nothing"))


@pytest.mark.parametrize("ask", ["class", "values_per_step"])
def test_energy_is_that_of_sequences_as_long_as_they_are(ask):
    settings = asking(ask, unequal=True)
    account, step = energy_ledger(settings), 1e-9 * (8e-6 + energy_ledger(settings).synapses * 0.1e-6)
    assert account.duration_s == pytest.approx(12e-9)
    assert account.scaled_per_inference_j == pytest.approx(12 * step)
    assert account.per_step_j == (None if ask == "class" else pytest.approx(step))
    assert "the mean of sequences of 8 to 16 samples" in account.lines[2].source


@pytest.mark.parametrize("unequal", [False, True])
def test_measured_energy_is_shared_out_by_lengths(unequal, mocker):
    settings = asking("class_per_step", {"device": CHIP}, unequal=unequal, washout=3)
    network = SpintronicNetwork(settings.network, settings.steps, settings.training.seeds, settings.answer)
    task = settings.open_task()
    lengths = [batch.lengths for batch in task.held_out([1, 2], "test")]
    with device_for(settings, settings.device) as device:
        run = device.run
        mocker.patch.object(device, "run", lambda *given, **named: replace(run(*given, **named), energy_j=24e-12))
        found = answer_on_device(network, task, (1, 2), "test", device, lambda done, total: None)
    # Two batches of six sequences of both networks, 24 pJ each.
    shares = [float(one.double().mean() / one.max()) for one in lengths] if unequal else [1.0, 1.0]
    assert found.energy_j == pytest.approx(24e-12 * sum(shares) / 24)
    assert found.good_share == 1.0


LOOP = {
    "device": CHIP,
    "training": {
        "gradient": "layerwise",
        "loop": {"mask_after": 2, "averages": 2},
        "refit": {"when": "online"},
        "drift": {"learn": 4, "every": 1},
    },
}


@pytest.mark.parametrize(("ask", "readout"), [("class", "hardware"), ("values_per_step", "software")])
def test_nor_does_it_count_where_a_chip_is_in_the_loop(ask, readout, tmp_path):
    changes = (LOOP, {"network": {"readout": readout}, "training": {"seeds": [1], "epochs": 3}})
    one = found(asking(ask, *changes, unequal=True, after="loud"), tmp_path / "loud")
    assert_equal(one, found(asking(ask, *changes, unequal=True, after="beyond"), tmp_path / "beyond"))
    assert one[2].summary["device"]["good_share"] == 1.0
