"""Runs whose networks have the resonators of their chips as measured, and networks deployed through a record."""

import pytest
import torch

from spinhw.calibration import calibrate
from spinhw.config import build
from spinhw.device import load_device
from spinhw.errors import CalibrationError, ConfigError
from spinhw.records import load_chains
from spinhw.surrogate import CalibratedChains
from spinhw.training import RunSettings, evaluate, open_run, surrogate, train
from spinhw.training.learner import Learner
from spinhw.training.member import member_of
from spinhw.training.start import start_from

SYNAPSES = {"kind": "resonators", "half_linewidth": "10 MHz", "spacing": "160 MHz", "span": "80 MHz"}
NETWORK = {"layers": [3, 3], "weight_limit": 4.0, "readout": "hardware", "initial_state": "rest", "synapses": SYNAPSES}
SEEDS = [0, 3]


def run_of(calibration=None, device="rf-chip", network=NETWORK, **training) -> RunSettings:
    data = {
        "task": {"train_fraction": 0.02, "held_out": "validation"},
        "network": network,
        "device": None if device is None else load_device(device).model_dump(mode="json", by_alias=True),
        "training": {
            "seeds": SEEDS,
            "epochs": 1,
            "substeps": 1,
            "fine_steps_per_ns": 16,
            "gradient": "surrogate",
            "threads": 1,
        }
        | training,
        "calibration": calibration,
    }
    return build(RunSettings, data, "test run")


@pytest.fixture(scope="module")
def records(tmp_path_factory, module_mocker):
    """A folder with the records of the chips of seeds 0 and 3."""
    folder = tmp_path_factory.mktemp("records")
    design = run_of().network
    saved = module_mocker.patch("spinhw.calibration.synapses.readings.save_read")  # Files take longer than the rest.
    for member in SEEDS:
        calibrate("rf-chip", "chains-quick", folder / f"rf-{member}.yaml", design, member=member)
    module_mocker.stop(saved)
    return folder


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: one.detach().clone() for name, one in learner.network.values().items()}


def test_each_seed_begins_with_the_weights_of_its_design_on_its_own_chip(records):
    learner, designed = Learner(run_of({"resonators": str(records)})), Learner(run_of())
    mine, wanted = weights(learner), weights(designed)
    for name, mask in designed.network.masks().items():
        assert float((mine[name] - wanted[name])[mask].abs().max()) < 0.02  # Of 4; single precision solves it so far.
    for row, seed in enumerate(SEEDS):
        known = CalibratedChains.of(load_chains(records / f"rf-{seed}.yaml"))
        there = learner.network.resonators_of([row])["w_int.1"]
        assert torch.equal(there.resonance_hz, known.chains["w_int.1"].resonance_hz)
        alone = member_of(learner.network, row, seed)
        assert torch.equal(alone.values()["w_int.1"], mine["w_int.1"][row : row + 1])


def test_a_run_trains_on_them_and_is_taken_up_again(records, tmp_path, mocker):
    read = mocker.spy(surrogate, "calibrated_chains")
    found = train(run_of({"resonators": str(records), "draws": 1.0}), tmp_path / "run")
    assert read.call_count == len(SEEDS)  # Surrogate, refits and start have them from one reading.
    assert "accuracy_on_device" in found.summary
    again = evaluate(tmp_path / "run")
    assert again["accuracy_converged"] == found.summary["accuracy_converged"]
    learner = Learner(run_of({"resonators": str(records), "draws": 1.0}))
    probable = weights(learner)
    learner.surrogate.draw_into(learner.network, 7)
    first = weights(learner)["w_int.0"]
    learner.surrogate.draw_into(learner.network, 8)
    assert not torch.equal(weights(learner)["w_int.0"], first)
    learner.surrogate.draw_into(learner.network, 7)
    assert torch.equal(weights(learner)["w_int.0"], first)
    learner.surrogate.put_into(learner.network)
    assert torch.equal(weights(learner)["w_int.0"], probable["w_int.0"])


def test_a_run_started_from_one_on_the_design_keeps_the_weights_that_were_trained(records, tmp_path):
    train(run_of(device=None), tmp_path / "designed")
    settings = run_of({"resonators": str(records)}, start=str(tmp_path / "designed"))
    learner = Learner(settings)
    start_from(learner, settings)
    trained = open_run(tmp_path / "designed").network
    wanted, mine = trained.values(), learner.network.values()
    for name, mask in trained.masks().items():
        assert torch.allclose(mine[name][mask], wanted[name][mask], atol=0.02)


@pytest.mark.parametrize("resonators", [True, False])
def test_networks_are_deployed_through_a_record(spinhw, records, tmp_path, resonators):
    network = NETWORK if resonators else {key: one for key, one in NETWORK.items() if key != "synapses"}
    train(run_of(device=None, network=network), tmp_path / "run")
    known = evaluate(tmp_path / "run", "rf-chip", resonators=records)
    assert known["device"] and "accuracy_on_device" in known
    done = spinhw("evaluate", tmp_path / "run", "--device", "rf-chip", "--seed", "3", "--resonators", records)
    assert done.code == 0, done.err
    other = spinhw("evaluate", tmp_path / "run", "--device", "rf-chip", "--resonators", records / "rf-0.yaml")
    assert other.code == 3 and "another device's; seen: rf-0; allowed: rf-3" in other.err
    both = spinhw("evaluate", tmp_path / "run", "--device", "rf-chip", "--chips", "2", "--resonators", records)
    assert both.code == 2


def test_wrong_records_are_refused_before_training(records, tmp_path):
    with pytest.raises(CalibrationError, match="another device's; seen: rf-0; allowed: rf-3"):
        train(run_of({"resonators": str(records / "rf-0.yaml")}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(CalibrationError, match="network with other resonators"):
        Learner(run_of({"resonators": str(records)}, network=NETWORK | {"density_intra": 1.0}))
    with pytest.raises(ConfigError, match="there is no such record"):
        Learner(run_of({"resonators": str(tmp_path)}))
    with pytest.raises(ConfigError, match="calibration: no record is named"):
        run_of({"draws": 1.0})
