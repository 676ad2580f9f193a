"""The bridge: flip-flop memories of spintronic oscillators, on the simulator and on simulated chips."""

import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from spinhw.config import build
from spinhw.device import load_device
from spinhw.errors import ConfigError
from spinhw.flipflop import (
    FlipFlopRun,
    FlipFlopSettings,
    draw_trials,
    load_flipflop,
    load_network,
    resume_flipflop,
    train_flipflop,
)
from spinhw.flipflop.examine import find_subject
from spinhw.flipflop.oscillators import OscillatorNetwork, answer_on_device
from spinhw.network import NetworkSettings
from spinhw.streams import torch_stream
from spinhw.train import Interrupted
from spinhw.train.checkpoint import load_checkpoint

ONE_BIT: dict[str, Any] = {
    "kind": "flipflop",
    "bits": 1,
    "steps": 40,
    "pulse_steps": 4,
    "delay_steps": 2,
    "onsets": [[2, 6], [12, 20]],
    "absent": [0, 0],
    "noise": 0.0,
}
NETWORK: dict[str, Any] = {
    "kind": "spintronic",
    "inputs": 1,
    "outputs": 1,
    "layers": [8],
    "density_input": 1.0,
    "density_intra": 1.0,
    "cutoff": "1 kHz",
    "out_gain": 3.0,
}


def run_settings(cutoff: str = "1 kHz", **training: Any) -> FlipFlopRun:
    given = {"seeds": [0], "epochs": 4, "sequences": 1600, "batch_size": 32, "learning_rate": 0.02, "held_out": 64}
    data = {"task": ONE_BIT, "network": NETWORK | {"cutoff": cutoff}, "training": given | training}
    return build(FlipFlopRun, data, "oscillators.yaml")


def test_oscillators_hold_a_bit_if_the_high_pass_lets_them(tmp_path: Path) -> None:
    results = train_flipflop(run_settings(schedule="cosine", gradient_norm=1.0), tmp_path / "run")
    summary = results.summary
    assert summary["learned"] == [True]
    assert summary["converged"]["final"]["mean"] == pytest.approx(summary["final"]["mean"], abs=0.02)
    weights = load_network(tmp_path / "run" / "networks" / "seed-0.safetensors").parameters()
    assert max(value.abs().max().item() for value in weights) <= 4.0
    fast = train_flipflop(run_settings("44 MHz", epochs=2, gradient_norm=1.0), tmp_path / "fast")
    assert fast.summary["held"]["mean"] < 0.05


def test_energy_is_power_times_the_step() -> None:
    network = OscillatorNetwork(build(NetworkSettings, NETWORK, "net.yaml"), interval_s=2e-9)
    neurons, synapses = 8, 8 + 64 + 8
    assert network.energy_per_step_j() == pytest.approx(2e-9 * (neurons * 1e-6 + synapses * 0.1e-6))
    assert network.forgetting_steps == pytest.approx(1 / (2 * math.pi * 1e3 * 2e-9))


def test_an_ideal_chip_answers_as_fine_simulation_at_every_step() -> None:
    network = OscillatorNetwork(build(NetworkSettings, NETWORK, "net.yaml"), seed=1)
    trials = draw_trials(build(FlipFlopSettings, ONE_BIT, "task.yaml"), 3, torch_stream("test"))
    with torch.no_grad():
        wanted = network.run(trials.inputs, fine=True).outputs
    found = answer_on_device(network, trials, load_device("ideal"))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_a_saved_network_of_oscillators_is_the_same_and_is_not_analysed(tmp_path: Path) -> None:
    settings = run_settings(epochs=0)
    results = train_flipflop(settings, tmp_path / "run")
    path = tmp_path / "run" / "networks" / "seed-0.safetensors"
    network = load_network(path)
    assert isinstance(network, OscillatorNetwork)
    assert network.settings == settings.network
    assert results.summary["network"] == "spintronic"
    with pytest.raises(ConfigError, match=r"recurrent networks in software; seen: kind spintronic"):
        find_subject(tmp_path / "run")


# Learned on the simulator in a few seconds, and not yet good on the chip of seed 0.
LOOP: dict[str, Any] = {"epochs": 2, "sequences": 640, "loop_epochs": 2, "schedule": "cosine", "gradient_norm": 1.0}


def in_the_loop(**training: Any) -> FlipFlopRun:
    profile = load_device("imperfect-chip").model_dump(mode="json", by_alias=True)
    data = run_settings(**(LOOP | training)).model_dump(mode="json", by_alias=True)
    return build(FlipFlopRun, data | {"device": profile}, "loop.yaml")


def test_a_chip_in_the_loop_gives_back_what_its_imperfections_took(tmp_path: Path) -> None:
    results = train_flipflop(in_the_loop(), tmp_path / "run")
    found = results.summary["on_device"]
    assert found["after"]["mse"]["mean"] < 0.75 * found["before"]["mse"]["mean"]  # 0.42 +- 0.09 over seeds.
    assert found["after"]["final"]["mean"] > 0.75  # 0.96 +- 0.05 over seeds, from 0.6 +- 0.15.
    assert found["devices"] == ["chip-0"]
    assert found["inferences"] == [2 * 640] == results.metrics[-1]["inferences_on_device"]
    trained, looped = (
        load_network(tmp_path / "run" / "networks" / place).state_dict()
        for place in ("seed-0.safetensors", "on_device/seed-0.safetensors")
    )
    assert any(not torch.equal(trained[name], looped[name]) for name in trained)


class StopsAfter:
    """Progress that presses Ctrl-C once after so many batches."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float) -> None:
        self._left -= 1
        if self._left == 0:
            signal.raise_signal(signal.SIGINT)

    def on_epoch(self, row: Any) -> None:
        """Do nothing."""

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Do nothing."""


@pytest.mark.parametrize("stop", [2, 7])
def test_an_interrupted_run_with_a_chip_in_the_loop_goes_on_bit_for_bit(tmp_path: Path, stop: int) -> None:
    settings = in_the_loop(epochs=1, sequences=96, held_out=16)  # Three batches before the loop, six in it.
    whole = train_flipflop(settings, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train_flipflop(settings, tmp_path / "parts", StopsAfter(stop))
    parts = resume_flipflop(tmp_path / "parts")
    first, second = (load_checkpoint(run.folder / "checkpoint.safetensors")[0] for run in (whole, parts))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert whole.summary["on_device"] == parts.summary["on_device"]


def test_what_a_device_cannot_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a device runs networks of kind spintronic, not tanh; leave device out"):
        load_flipflop("quick", device="ideal")
    with pytest.raises(ConfigError, match=r"--device and --set device do not go together"):
        load_flipflop("oscillators", ["device=ideal"], "ideal")
    assert load_flipflop("oscillators", ["device=ideal"]).device == load_device("ideal")


def test_answers_at_the_end_only_are_refused() -> None:
    with pytest.raises(ConfigError, match="network.readout_samples must be 1 here"):
        build(FlipFlopRun, {"task": ONE_BIT, "network": NETWORK | {"readout_samples": 8}}, "run.yaml")
