"""Whole runs on few oscillators: resumed and replayed to the bit, budgeted, and their energy kept apart."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from fakes.loops import Stop
from fakes.visa import BANK_TRUTH, INTERVAL_S, bank_settings, said_since, standing
from fakes.visa import NETWORK as ON_BENCH
from spinhw.cli import main
from spinhw.config import build
from spinhw.device import MultiplexedSettings, Recording, is_bench, open_device
from spinhw.device.bank_effort import bank_effort
from spinhw.errors import ConfigError
from spinhw.network import SpintronicNetwork
from spinhw.training import Interrupted, RunFolder, RunSettings, budget, evaluate, load_settings, resume, train
from spinhw.training.checkpoint import load_checkpoint

BANK = {
    "kind": "simulated",
    "id": "few",
    "seed": 7,
    "chip": {"spread": {"gamma": 0.1, "sigma": 0.1, "q": 0.1}, "power_readout": {"noise": 0.01}},
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


def tiny(passes=3, device: Any = None, share=0.05, **training: Any) -> RunSettings:
    data = {
        "task": {"train_fraction": share, "held_out": "validation"},
        "network": {"layers": [4, 3]},
        "training": {
            "seeds": [3],
            "epochs": 3,
            "batch_size": 30,
            "loop": {"epochs": 2},
            "substeps": 1,
            "fine_steps_per_ns": 16,
            "evaluate_every": 2,
            "threads": 1,
        }
        | training,
        "device": device or {"kind": "multiplexed", "bank": BANK, "oscillators": 2, "passes": passes, "averages": 2},
        "recording": "observed",
    }
    return build(RunSettings, data, "run.yaml")


def weights(folder: Path) -> dict[str, bytes]:
    tensors, _ = load_checkpoint(folder / "checkpoint.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    return train(tiny(), folder), folder


def test_broken_off_and_resumed_equals_uninterrupted_to_the_bit(tmp_path, whole):
    results, folder = whole
    with pytest.raises(Interrupted):
        train(tiny(), tmp_path / "run", Stop((1, 2)))
    summary = resume(tmp_path / "run").summary
    assert weights(tmp_path / "run") == weights(folder)
    for key in ("accuracy_on_device", "energy_lines", "energy_per_image_spent_here_j"):
        assert summary[key] == results.summary[key]


def test_a_recording_replays_to_the_same_weights(tmp_path, whole):
    results, folder = whole
    again = train(
        load_settings(folder / "config.yaml", device=str(folder / "recording" / "device.yaml")), tmp_path / "again"
    )
    assert weights(tmp_path / "again") == weights(folder)
    assert again.summary["accuracy_on_device"] == results.summary["accuracy_on_device"]
    assert Recording(folder).batch(0).trace.power is not None


def test_summary_says_who_answered_and_what_was_spent_here(whole, monkeypatch, capsys):
    results, folder = whole
    summary, lines = results.summary, results.summary["energy_lines"]
    assert summary["device"]["seed"] == 7
    assert summary["device"]["ids"] == ["few-3"]
    spent = [line for line in lines if line["form"] == "spent"]
    assert len(spent) == 1
    assert summary["energy_per_image_spent_here_j"] == spent[0]["energy_j"] > 0
    assert summary["energy_per_image_j"] == sum(line["energy_j"] for line in lines if line["form"] == "constants")
    assert results.energy.spent_per_inference_j == 0  # What is drawn is the chip's.
    assert evaluate(folder)["energy_per_image_spent_here_j"] > 0
    monkeypatch.setattr("sys.argv", ["spinhw", "energy", str(folder)])
    monkeypatch.setenv("COLUMNS", "200")  # No cell is broken into lines.
    with pytest.raises(SystemExit):
        main()
    shown = " ".join(capsys.readouterr().out.split())
    assert "spent on this bench, in place of the chip" in shown
    assert re.search(r"2 x 1 µW x [\d.]+ [mµ]?s, rests included; \d+ shots in \d+ passes over \d+ inferences", shown)


def test_budget_is_what_a_run_then_takes(tmp_path):
    settings = tiny(passes=1, share=0.025, epochs=1, loop={"averages": 3, "align_every": 4}, batch_size=15)
    told = budget(settings)
    train(settings, tmp_path / "run")
    assert {stage.what for stage in told.stages} == {"training", "alignment", "evaluation", "closing"}
    assert sum(stage.batches for stage in told.stages) == Recording(tmp_path / "run").count
    lines = RunFolder(tmp_path / "run").summary()["energy_lines"]
    [source] = [line["source"] for line in lines if line["form"] == "spent"]
    assert f"; {sum(stage.shots for stage in told.stages)} shots in" in source
    assert told.spent_j > told.energy_j > 0


def bench(addresses, backend, **more) -> MultiplexedSettings:
    data = bank_settings(addresses, backend).model_dump(mode="json", by_alias=True)
    return MultiplexedSettings.model_validate({"kind": "multiplexed", "bank": data} | more)


@pytest.mark.parametrize("segments", [None, 9])
def test_a_bench_of_oscillators_sends_what_was_rehearsed(tmp_path, segments):
    with standing(BANK_TRUTH, "in process", tmp_path) as (_, addresses, backend):
        settings = bench(addresses, backend, passes=1, averages=3, segments=segments)
        told = bank_effort(settings, ON_BENCH, INTERVAL_S, (5, 12))
        with open_device(settings, ON_BENCH, INTERVAL_S) as device:
            device.program(SpintronicNetwork(ON_BENCH, seed=0).values())
            traffic = device.bank.station.traffic
            for _ in range(2):  # The first time also sets the instruments up, and plays some segments twice.
                before = traffic.recent()[-1]
                device.run(torch.zeros(5, 12, 1))
                said = said_since(traffic, before)
    assert (told.shots, told.uploads) == (device.last.shots, device.last.uploads)
    assert told.sent_bytes == pytest.approx(
        sum(one.size for one in said if one.direction == ">"), rel=0.3
    )  # Rests differ.
    assert told.received_bytes == pytest.approx(sum(one.size for one in said if one.direction == "<"), rel=0.3)
    assert told.played_s == pytest.approx(device.last.played_s, rel=0.3)  # Rests are a guess.


def test_a_bench_of_oscillators_is_not_connected_to(mocker):
    def refuse(*_):
        raise AssertionError("something was connected to")

    mocker.patch("spinhw.device.visa_opening.open_wire", refuse)
    addresses = {name: f"TCPIP0::{name}.invalid::5025::SOCKET" for name in BANK_TRUTH["instruments"]}
    settings = bench(addresses, "@py")
    assert is_bench(settings)
    assert not is_bench(tiny().device)
    assert bank_effort(settings, ON_BENCH, INTERVAL_S, (5, 12)).uploads == 2
    assert tiny(device=settings.model_dump(mode="json", by_alias=True)).model_copy(
        update={"recording": None}
    ).records == ("observed")


def test_several_seeds_at_once_are_refused():
    with pytest.raises(ConfigError, match=r"one network is played at a time.*2 members.*name one seed"):
        budget(tiny(seeds=[3, 5]))
