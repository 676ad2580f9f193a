"""Runs whose networks have resonators: trained, interrupted, started from, on chips that take tunings."""

import signal
from dataclasses import replace

import pytest
import torch

from fakes.merging import merged
from fakes.runs import bits, tiny
from spinhw import train
from spinhw.config import build
from spinhw.device.profiles import settings_for
from spinhw.errors import ConfigError
from spinhw.gradients import Refits
from spinhw.training import Interrupted, RunSettings, evaluate, open_run, resume
from spinhw.training.learner import Learner
from spinhw.training.start import start_from
from spinhw.training.step import train_step
from spinhw.training.surrogate import known_chains

RF = {"frequency": "2 GHz", "spacing": "160 MHz", "half_linewidth": "10 MHz", "tuning_span": "80 MHz"}
CHIP = {
    "kind": "simulated",
    "id": "rf",
    "chip": {
        "spread": {"gamma": 0.1, "sigma": 0.1},
        "synapses": {"takes": "tunings", "limit": 4.0, "bits": 10, "repeatability": 0.01, "rf": RF},
    },
}


# Resonances off by more than half a half-linewidth.
OFF = merged(CHIP, {"chip": {"synapses": {"rf": {"frequency_spread": 0.003}}}})


def run_of(
    kind: str = "resonators", device: dict | None = CHIP, calibration: dict | None = None, **training
) -> RunSettings:
    plain = tiny(device, **training).model_dump(mode="json", by_alias=True)
    data = merged(plain, {"network": {"synapses": {"kind": kind}}})
    return build(RunSettings, data | {"calibration": calibration}, "run.yaml")


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


def acting(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in learner.network.values().items()}


def test_tunings_begin_where_the_initial_weights_act_on_known_resonators():
    designed, known = Learner(run_of(device=OFF)), Learner(run_of(device=OFF, calibration={"resonators": "truth"}))
    for name in ("w_int.0", "w_ext.1", "w_out"):
        mask = designed.network.masks().get(name, torch.ones_like(designed.network.w_out, dtype=torch.bool))
        apart = (acting(known)[name] - acting(designed)[name])[mask].abs()
        assert float(apart.max()) < 1e-4
        moved = known.network.programmed()[name] - designed.network.programmed()[name]
        assert float(moved.detach()[mask].abs().median()) > 0.01


def test_the_error_of_a_measurement_is_drawn_for_each_seed_whoever_stands_beside_it():
    asked = {"resonators": "truth", "resonator_error": 0.1}
    truth, found, alone = (
        known_chains(run_of(device=OFF, calibration=one, **more))
        for one, more in (({"resonators": "truth"}, {}), (asked, {}), (asked, {"seeds": [5]}))
    )
    off = []
    for name, chain in found[1].chains.items():
        assert torch.equal(alone[0].chains[name].resonance_hz, chain.resonance_hz)
        apart = chain.resonance_hz - truth[1].chains[name].resonance_hz
        off.append((apart / found[1].resonance_errors()[name]).flatten())
    # Over 87 numbers the standard deviation is known to 8 %.
    assert 0.7 < float(torch.cat(off).std()) < 1.3
    assert known_chains(run_of(device=OFF)) == []


def test_a_run_starts_from_weights_that_acted_on_other_resonators(tmp_path):
    """Trained as designed, then on the chips as they are known: what acted acts again, and is deployed."""
    still = {"epochs": 0, "loop": {"epochs": 0}}
    ideal = run_of(device=None, seeds=[3, 5], **still)
    train(ideal, tmp_path / "ideal")
    known = {"calibration": {"resonators": "truth"}}
    train(run_of(device=OFF, start=str(tmp_path / "ideal"), seeds=[5], **still, **known), tmp_path / "known")
    train(run_of(start=str(tmp_path / "known"), seeds=[5], **still), tmp_path / "back")
    first, last = bits(tmp_path / "ideal"), bits(tmp_path / "back")
    tunings = bits(tmp_path / "known")
    for name in ("network/w_int.0", "network/w_out"):
        assert float((last[name] - first[name][1:]).abs().max()) < 1e-3
        assert float((tunings[name] - first[name][1:]).abs().max()) > 0.1


def test_a_run_on_known_resonators_is_resumed_to_the_same_bits(tmp_path):
    asked = {"resonators": "truth", "resonator_error": 0.01}
    settings = run_of(device=OFF, calibration=asked, seeds=[3], epochs=2, loop={"epochs": 1})
    whole = train(settings, tmp_path / "whole")
    [told] = whole.metrics[-1]["chain_shifts"]
    assert told["chains"] == 3 * 4 + 10 and 0 < told["told"] <= told["chains"]
    with pytest.raises(Interrupted):
        train(settings, tmp_path / "cut", Stopping())
    resume(tmp_path / "cut", settings)
    found = bits(tmp_path / "cut")
    assert all(torch.equal(value, found[name]) for name, value in bits(tmp_path / "whole").items())


@pytest.mark.parametrize("kept", ["average", "best"])
def test_what_is_kept_follows_a_shift_that_was_taken_out_and_outlives_an_interruption(tmp_path, kept, mocker):
    plain = Refits.moved  # Four batches are too few to be as sure as is asked for.
    mocker.patch.object(Refits, "moved", lambda self, least, sure: plain(self, least / 10, sure / 3))
    more = {"keep": kept} | ({"optimiser": {"average_decay": 0.9}} if kept == "average" else {})
    asked = {"resonators": "truth", "resonator_error": 0.01}
    settings = run_of(device=OFF, calibration=asked, seeds=[3], epochs=2, loop={"epochs": 1}, **more)
    whole = train(settings, tmp_path / "whole")
    begun, opened = Learner(settings).network.resonators(), open_run(whole.folder).network.resonators()
    apart = [(opened[name].resonance_hz - one.resonance_hz).abs().max() for name, one in begun.items()]
    assert float(max(apart)) > 1e5
    onwards = run_of(device=None, start=str(whole.folder), seeds=[3], epochs=0, loop={"epochs": 0})
    begun_there = Learner(onwards)
    start_from(begun_there, onwards)
    for name, mask in begun_there.network.masks().items():
        acted = open_run(whole.folder).network.values()[name].detach()
        assert float((acting(begun_there)[name] - acted)[mask].abs().max()) < 1e-3
    with pytest.raises(Interrupted):
        train(settings, tmp_path / "cut", Stopping())
    resume(tmp_path / "cut", settings)
    found = bits(tmp_path / "cut")
    assert all(torch.equal(value, found[name]) for name, value in bits(tmp_path / "whole").items())


def test_what_is_kept_acts_as_before_once_chains_have_moved():
    settings = run_of(device=None, optimiser={"average_decay": 0.9}, loop={"epochs": 0}, gradient="surrogate")
    learner = Learner(settings)
    batch, kept = settings.open_task().train(learner.seeds, 0, 0), learner.evaluated
    train_step(learner, batch, settings.training, [0.0, 0.0])
    before = {name: value.detach() for name, value in kept.values().items()}
    moved = {
        name: replace(one, resonance_hz=one.resonance_hz + 2e6) for name, one in learner.network.resonators().items()
    }
    learner.network.use_resonators(moved, keep_weights=True)
    train_step(learner, batch, settings.training, [0.0, 0.0])
    for name, mask in kept.masks().items():
        assert torch.equal(kept.resonators()[name].resonance_hz, moved[name].resonance_hz)
        assert float((kept.values()[name].detach() - before[name])[mask].abs().max()) < 1e-3


@pytest.mark.parametrize(
    ("device", "calibration", "says"),
    [
        (None, {"resonators": "truth"}, "nobody knows the resonators of this device; seen: no device"),
        ({"kind": "simulated", "id": "w"}, {"resonators": "truth"}, "nobody knows the resonators.*of kind simulated"),
        (OFF, {}, "no record is named"),
        (OFF, {"resonator_error": 0.1, "record": "some.yaml"}, "and a record has errors of its own"),
        (OFF, {"verify_rounds": 8, "record": "some.yaml"}, "calibration.verify_rounds goes with"),
    ],
)
def test_resonators_that_nobody_knows_are_refused_in_one_line(device, calibration, says):
    kind = "weights" if device is not None and "chip" not in device else "resonators"
    with pytest.raises(ConfigError, match=says) as refused:
        Learner(run_of(kind, device, calibration, gradient="surrogate"))
    assert "\n" not in str(refused.value)
