"""Runs of tasks with several inputs and an answer after each step on a bench of another shape, over VISA."""

from typing import Any

import pytest
import torch

from fakes.runs import bits
from fakes.shaped import Shaped, shaped_bench
from fakes.waves import install_waves
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.training import RunSettings, budget, evaluate, load_settings, train
from spinhw.training.aligning import align_run
from spinhw.training.deploy import answer_on_device, device_for
from spinhw.training.learner import Learner

# Three inputs, 22 steps. Held-out trials are many, and come in two batches.
TASK: dict[str, Any] = {"kind": "perceptual", "step_ms": 100.0, "sequences": 24, "held_out": 8}
# Two of the four oscillators that are wired; only their power is led out.
POWER_ALONE = Shaped(layers=(4,), outputs=0, said={"layers": [4]}, network={"cutoff": "1 MHz"})


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Locks and what was left on are kept in the user's home."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)


def settings_for(device: dict[str, Any], network: Any = None, task: Any = None, **training: Any) -> RunSettings:
    loop = {"seeds": [0], "epochs": 2, "batch_size": 512, "loop": {"epochs": 1}, "evaluate_every": 1, "threads": 1}
    data = {
        "task": task or TASK,
        "network": {"inputs": 3, "outputs": 1, "layers": [2], "readout": "software", "cutoff": "1 MHz"}
        | (network or {}),
        "training": loop | training,
        "device": device,
    }
    return build(RunSettings, data, "run.yaml")


def test_a_task_is_trained_evaluated_and_replayed_on_a_part_of_a_bench_that_shows_power_alone(tmp_path):
    with shaped_bench(POWER_ALONE, tmp_path) as (made, bench):
        settings = settings_for(bench.model_dump(mode="json", by_alias=True), gradient="layerwise")
        told, run = budget(settings), train(settings, tmp_path / "run")
        again = evaluate(tmp_path / "run")
        cosines = align_run(settings, modes=("output", "layerwise"), batches=1, directions=2)["cosines"]
        assert not any(made.instruments[name].get("on", 1) for name in ("one", "two", "smu", "board"))
    assert [line.partition(":")[0] for line in told.remarks] == ["not used", "y is not measured"]
    assert sum(stage.inferences for stage in told.stages) == run.summary["inferences"]["on_device"]
    assert {"mse_on_device", "final_on_device"} <= set(run.summary)
    assert run.summary["device"]["good_share"] == 1.0
    assert again["mse_on_device"]["mean"] == pytest.approx(run.summary["mse_on_device"]["mean"], abs=0.01)
    assert set(cosines) == {"output", "layerwise"}
    device = str(tmp_path / "run" / "recording" / "device.yaml")
    replayed = train(load_settings(tmp_path / "run" / "config.yaml", device=device), tmp_path / "again")
    first, second = bits(tmp_path / "run"), bits(tmp_path / "again")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert replayed.summary["mse_on_device"] == run.summary["mse_on_device"]


def test_what_a_bench_lacks_for_a_task_is_said_before_anything_trains(tmp_path):
    narrow = Shaped(inputs=1, layers=(4,), outputs=0).file() | {"kind": "visa"}
    for work in (budget, lambda settings: train(settings, tmp_path / "run")):
        with pytest.raises(
            ConfigError, match=r"wiring\.inputs: .*seen: 3 inputs.*at most 1, wired as one\.1; next: wire 2"
        ):
            work(settings_for(narrow, network={"layers": [4]}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("outputs", [2, 0])
def test_a_class_for_each_step_of_sequences_of_unequal_lengths_is_told_on_a_bench(outputs, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install_waves(tmp_path / "installed"))
    task = {"kind": "waves", "ask": "class_per_step", "unequal": True, "after": "nothing", "washout": 2, "longest": 10}
    network = {"inputs": 1, "layers": [2], "outputs": 2, "readout": "hardware" if outputs else "software"}
    with shaped_bench(Shaped(inputs=1, layers=(2,), outputs=outputs), tmp_path) as (_, bench):
        device = bench.model_dump(mode="json", by_alias=True)
        settings = settings_for(device, network=network, task=task, gradient="surrogate", epochs=0)
        with device_for(settings, settings.device) as opened:
            network = Learner(settings).network
            found = answer_on_device(network, settings.open_task(), [0], "test", opened, lambda done, total: None)
    assert found.answers.shape == (1, 12, 10, 2)
    assert found.good_share == 1.0
    # Each inference is as long as its sequence, at 10 mA through 50 ohms.
    mean = found.batch.lengths.double().mean()
    assert found.energy_j == pytest.approx(10e-3**2 * 50 * float(mean) * 1e-9, rel=0.01)
