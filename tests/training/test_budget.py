"""What a run is said to ask of its device is what it then asks."""

import re

import pytest
import torch

from fakes.visa import BANK_TRUTH, CHIP_TRUTH, INTERVAL_S, NETWORK, bank_settings, chip_settings, said_since, standing
from spinhw.cli import main
from spinhw.config import build
from spinhw.device import ObservationPlan, Recording, open_device
from spinhw.device.effort import ANSWER_S, LINK_BYTES_PER_S, batch_effort
from spinhw.errors import ConfigError
from spinhw.network import SpintronicNetwork
from spinhw.training import RunSettings, budget, train

CHIP = {"kind": "simulated", "channels": 3, "chip": {"output_readout": {"noise": 0.02}}}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


def tiny(device=CHIP, recording="observed", **training):
    data = {
        "task": {"train_fraction": 0.05, "held_out": "validation"},
        "network": {"layers": [3, 2]},
        "training": {"seeds": [3, 5], "epochs": 2, "batch_size": 24, "substeps": 1, "evaluate_every": 1, "threads": 1}
        | training,
        "device": device,
        "recording": recording,
    }
    return build(RunSettings, data, "run.yaml")


@pytest.mark.parametrize(
    "changes",
    [
        {"loop": {"averages": 2}},
        {"gradient": "layerwise", "recording": "all"},
        {"gradient": "spsa", "loop": {"directions": 2}, "epochs": 1},
        {"gradient": "surrogate"},
    ],
    ids=["output", "layerwise", "spsa", "surrogate"],
)
def test_budget_is_what_a_run_then_takes(tmp_path, changes):
    settings = tiny(**changes)
    told = budget(settings)
    train(settings, tmp_path / "run")
    recording = Recording(tmp_path / "run")
    batches = [recording.batch(number) for number in range(recording.count)]
    assert sum(stage.batches for stage in told.stages) == len(batches)
    shots = [one.trace.shots[1] - one.trace.shots[0] for one in batches]
    assert sum(stage.shots for stage in told.stages) == sum(shots)
    images = sum(one.inputs.shape[0] * one.inputs.shape[1] * count for one, count in zip(batches, shots, strict=True))
    assert sum(stage.inferences for stage in told.stages) == images
    taken = sum(path.stat().st_size for path in recording.folder.glob("*.nc"))
    assert 0.3 * taken < told.recording_bytes < 3 * taken


def test_finite_differences_count_every_parameter():
    told = {stage.what: stage for stage in budget(tiny(gradient="finite_difference", epochs=1)).stages}
    masks = SpintronicNetwork(tiny().network, seed=[3, 5]).masks()
    moved = sum(int(mask.any(0).sum()) for name, mask in masks.items() if name != "w_out") + 2 * 10 + 5
    assert told["perturbations"].batches == 2 * moved * told["training"].batches


def test_a_run_without_a_device_has_no_budget():
    assert budget(tiny(device=None, recording=None)) is None


@pytest.mark.parametrize("averages", [1, 3])
@pytest.mark.parametrize("plan", [ObservationPlan.nothing(), ObservationPlan.split(7, 1)], ids=["nothing", "all"])
def test_a_bench_sends_what_was_rehearsed(tmp_path, plan, averages):
    with standing(CHIP_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        settings = chip_settings(addresses, backend)
        told = batch_effort(settings, NETWORK, INTERVAL_S, (5, 12), plan, averages)
        with open_device(settings, NETWORK, INTERVAL_S) as device:
            traffic, inputs = device.station.traffic, torch.zeros(5, 12, 1)
            for _ in range(2):  # The first time also sets the instruments up.
                device.program(SpintronicNetwork(NETWORK, seed=0).values())
                before = traffic.recent()[-1]
                device.run(inputs, plan, averages)
                said = said_since(traffic, before)
            trace = device.run(inputs, plan, averages)
    assert told.shots == trace.shots[1] - trace.shots[0]
    # Numbers differ in their digits.
    assert told.sent_bytes == pytest.approx(sum(one.size for one in said if one.direction == ">"), rel=0.05)
    assert told.received_bytes == pytest.approx(sum(one.size for one in said if one.direction == "<"), rel=0.1)
    assert told.played_s == pytest.approx(told.shots * (5 * (150 + 12) + 1) * 1e-9)
    assert told.time_s > told.played_s + told.received_bytes / LINK_BYTES_PER_S + ANSWER_S * told.shots


def test_a_bench_is_not_connected_to(tmp_path, mocker):
    addresses = {name: f"TCPIP0::{name}.invalid::5025::SOCKET" for name in CHIP_TRUTH["instruments"]}

    def refuse(*_):
        raise AssertionError("something was connected to")

    mocker.patch("spinhw.device.visa_opening.open_wire", refuse)
    settings = chip_settings(addresses, "@py")
    assert batch_effort(settings, NETWORK, INTERVAL_S, (5, 12), ObservationPlan.nothing()).shots == 1


def test_a_bank_is_no_device_to_train_on(tmp_path):
    with standing(BANK_TRUTH, "in process", tmp_path) as (made, addresses, backend):
        with pytest.raises(ConfigError, match="a whole network needs a chip"):
            batch_effort(bank_settings(addresses, backend), NETWORK, INTERVAL_S, (5, 12), ObservationPlan.nothing())


def test_dry_run_prints_and_stops(tmp_path, monkeypatch, capsys):
    config = tmp_path / "run.yaml"
    config.write_text(tiny(recording=None).to_yaml(), encoding="utf-8")

    def spinhw(*options):
        monkeypatch.setattr("sys.argv", ["spinhw", *map(str, options)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, " ".join(capsys.readouterr())

    code, shown = spinhw("train", config, "--dry-run", "--out", tmp_path / "run")
    assert code in (0, None)
    assert re.search(r"training\s+│\s+6 │\s+6 │", shown), shown
    assert "energy of the chip, rests included" in shown
    assert re.search(r"programmed, weight: \d+ values in V, .*\n.*programmed, bias: \d+ values in V", shown), shown
    assert not (tmp_path / "run").exists()
    config.write_text(tiny(device=None, recording=None).to_yaml(), encoding="utf-8")
    code, shown = spinhw("train", config, "--dry-run")
    assert code == 2
    assert "no device is named, so nothing would be measured; next: add --device NAME" in " ".join(shown.split())
    code, shown = spinhw("train", config, "--dry-run", "--resume", tmp_path)
    assert "--dry-run and --resume do not go together" in " ".join(shown.split())
