"""Runs that train on calibrated oscillators: whose records, which neurons, and draws for robust training."""

import pytest
import torch

from fakes.loops import batch, gradients
from spinhw.calibration import PlanSettings, calibrate_bank
from spinhw.config import build
from spinhw.device import open_bank
from spinhw.errors import CalibrationError, ConfigError
from spinhw.gradients import HardwareInLoop
from spinhw.network import SpintronicNetwork
from spinhw.surrogate import calibrated_neurons
from spinhw.training import RunSettings, train
from spinhw.training.device_loop import open_loop
from spinhw.training.learner import Learner
from spinhw.training.loop_settings import RefitSettings
from spinhw.training.member import member_of

SMALL = {"layers": [5, 4]}
DEVICE = {"kind": "simulated", "id": "chip", "chip": {"spread": {"gamma": 0.2, "sigma": 0.2, "cutoff": 0.3}}}


def run_of(record, **changes) -> RunSettings:
    data = {
        "network": SMALL,
        "device": DEVICE,
        "training": {"seeds": [0, 3], "epochs": 1, "substeps": 1},
        "calibration": {"record": str(record)} | changes,
    }
    return build(RunSettings, data, "test run")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A folder with the records of the chips of seeds 0 and 3."""
    folder = tmp_path_factory.mktemp("records")
    random = {"kind": "pseudo_random", "segments": 3, "samples": 32}
    data = {"name": "test", "experiments": [random, {"kind": "highpass", "levels": 4}]}
    plan = build(PlanSettings, data, "plan")
    run = build(RunSettings, {"network": SMALL, "device": DEVICE}, "run")
    truth = {}
    for member in (0, 3):
        with open_bank(run.device, run.network, 1e-9, members=[member]) as bank:
            calibrate_bank(bank, plan, run.network, folder / f"chip-{member}.yaml")
            truth[member] = bank.truth.hidden.neurons
    return folder, truth


def test_each_seed_trains_on_the_chip_it_will_run_on(records):
    folder, truth = records
    learner = Learner(run_of(folder))
    neurons = learner.network.neurons()
    assert neurons.gamma.shape == (2, 9)
    for row, member in enumerate((0, 3)):
        torch.testing.assert_close(neurons.gamma[row].double(), truth[member].gamma[0], rtol=1e-3, atol=0)
        torch.testing.assert_close(neurons.cutoff_hz[row].double(), truth[member].cutoff_hz[0], rtol=1e-2, atol=0)
    alone = member_of(learner.network, 1, 3).neurons()
    assert torch.equal(alone.gamma, neurons.gamma[1:])
    assert torch.equal(alone.bias_drive, neurons.bias_drive)


def test_gradients_in_the_loop_flow_through_the_record_and_not_the_nominal_device(records):
    settings = run_of(records[0])
    training = settings.training.model_copy(update={"refit": RefitSettings(when="never")})
    settings, inputs = settings.model_copy(update={"training": training}), batch(dtype=torch.float32)
    learner = Learner(settings)
    nominal = SpintronicNetwork(settings.network, settings.steps, training.seeds)
    known = calibrated_neurons(records[0], settings.network, ["chip-0", "chip-3"]).to(torch.float32)
    with open_loop(settings, learner.network) as loop, learner.in_the_loop(loop):
        assert loop.hardware.mode == "output" and loop.hardware.refits is None
        answers = loop.hardware(inputs)
        found = gradients(learner.network, answers)
        of_record, of_design = (HardwareInLoop(nominal, loop.device, "output", one) for one in (known, None))
        torch.testing.assert_close(of_record(inputs), answers)  # Measured: the surrogate has no part in it.
        expected, other = (gradients(nominal, one(inputs)) for one in (of_record, of_design))
    for name in ("w_ext.0", "w_int.0", "bias.0", "w_ext.1", "w_int.1"):
        size = found[name].norm()
        assert (found[name] - expected[name]).norm() < 1e-4 * size, name
        assert (found[name] - other[name]).norm() > 0.02 * size, name


def test_draws_belong_to_a_step_and_the_trained_network_keeps_what_is_most_probable(records, tmp_path):
    learner = Learner(run_of(records[0], draws=2.0))
    first, again, other = (learner.surrogate.drawn(step).gamma for step in (7, 7, 8))
    assert torch.equal(first, again) and not torch.equal(first, other)
    probable = learner.surrogate.neurons().gamma
    assert 0 < float((first / probable - 1).abs().max()) < 0.2
    results = train(run_of(records[0], draws=2.0), tmp_path / "run")
    assert "accuracy_on_device" in results.summary


def test_wrong_records_are_refused_before_training(records, tmp_path):
    folder, _ = records
    with pytest.raises(CalibrationError, match="another device's; seen: chip-0; allowed: chip-3"):
        train(run_of(folder / "chip-0.yaml"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    Learner(run_of(folder / "chip-0.yaml", anyway=True))
    with pytest.raises(ConfigError, match="there is no such record"):
        Learner(run_of(tmp_path))
