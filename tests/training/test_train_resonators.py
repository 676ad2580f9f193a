"""Runs whose networks have resonators: trained, interrupted, started from, on chips that take tunings."""

import signal

import pytest
import torch

from fakes.merging import merged
from fakes.runs import bits, tiny
from spinhw import train
from spinhw.config import build
from spinhw.device.profiles import settings_for
from spinhw.errors import ConfigError
from spinhw.training import Interrupted, RunSettings, evaluate, resume

RF = {"frequency": "2 GHz", "spacing": "160 MHz", "half_linewidth": "10 MHz", "tuning_span": "80 MHz"}
CHIP = {
    "kind": "simulated",
    "id": "rf",
    "chip": {
        "spread": {"gamma": 0.1, "sigma": 0.1},
        "synapses": {"takes": "tunings", "limit": 4.0, "bits": 10, "repeatability": 0.01, "rf": RF},
    },
}


def run_of(kind: str = "resonators", device: dict | None = CHIP, **training) -> RunSettings:
    plain = tiny(device, **training).model_dump(mode="json", by_alias=True)
    return build(RunSettings, merged(plain, {"network": {"synapses": {"kind": kind}}}), "run.yaml")


class Stopping:
    """Presses Ctrl-C after a batch in the loop."""

    def on_batch(self, epoch, batch, total, loss, accuracy) -> None:
        if (epoch, batch) == (1, 1):
            signal.raise_signal(signal.SIGINT)

    def on_epoch(self, row) -> None: ...

    def on_evaluation(self, what, done, total) -> None: ...


def test_a_run_in_the_loop_with_refits_is_resumed_to_the_same_bits(tmp_path):
    settings = run_of(seeds=[3], epochs=2, loop={"epochs": 1}, refit={"when": "online"})
    whole = train(settings, tmp_path / "whole")
    lines = {line["part"]: line for line in whole.summary["energy_lines"] if line["form"] == "power"}
    assert "not counted" in lines["tunings"]["source"]
    with pytest.raises(Interrupted):
        train(settings, tmp_path / "cut", Stopping())
    resume(tmp_path / "cut", settings)
    found = bits(tmp_path / "cut")
    assert all(torch.equal(value, found[name]) for name, value in bits(tmp_path / "whole").items())


def test_robust_training_draws_chips_of_resonators(tmp_path):
    chips = {"profile": CHIP, "per_batch": 2}
    results = train(run_of(device=None, epochs=1, chips=chips, loop={"epochs": 0}), tmp_path / "run")
    assert results.summary["accuracy"]["mean"] >= 0


def test_a_network_of_weights_is_evaluated_by_translation(tmp_path):
    train(run_of("weights", None), tmp_path / "weights")
    found = evaluate(tmp_path / "weights", settings_for(CHIP, "device").read(CHIP, tmp_path / "device.yaml"))
    assert 0 <= found["accuracy_on_device"]["mean"] <= 1
    with pytest.raises(ConfigError, match="network.synapses"):
        train(run_of(device=None, start=str(tmp_path / "weights")), tmp_path / "resonators")


def test_training_weights_on_tunings_is_refused_before_it_begins(tmp_path):
    with pytest.raises(ConfigError, match=r"takes tunings of resonators, and the network is trained in weights"):
        train(run_of("weights"), tmp_path / "run")
