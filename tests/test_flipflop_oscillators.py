"""The bridge: flip-flop memories of spintronic oscillators, on the simulator and on simulated chips."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from spinhw.config import build
from spinhw.device import load_device
from spinhw.errors import ConfigError
from spinhw.flipflop import FlipFlopRun, FlipFlopSettings, draw_trials, load_network, train_flipflop
from spinhw.flipflop.examine import find_subject
from spinhw.flipflop.oscillators import OscillatorNetwork, answer_on_device
from spinhw.network import NetworkSettings
from spinhw.streams import torch_stream

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


def test_answers_at_the_end_only_are_refused() -> None:
    with pytest.raises(ConfigError, match="network.readout_samples must be 1 here"):
        build(FlipFlopRun, {"task": ONE_BIT, "network": NETWORK | {"readout_samples": 8}}, "run.yaml")
