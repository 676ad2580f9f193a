"""Runs that train with a device in the loop: what they write, and that an interrupted one goes on to the same bits."""

import io

import pytest
import torch
from rich.console import Console

from fakes.loops import Stop
from fakes.runs import bits, tiny, without_times
from spinhw.chip import Chip
from spinhw.device import SimulatedDevice
from spinhw.errors import ConfigError, DeviceError
from spinhw.report.tables import print_run
from spinhw.training import Interrupted, RunSettings, TrainingSettings, evaluate, resume, train
from spinhw.training.reach import reach_device
from spinhw.training.schedule import learning_rates


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tiny(), tmp_path_factory.mktemp("whole") / "run")


def test_run_tells_what_the_device_did(whole):
    before, first, last = whole.metrics
    assert "accuracy_on_device" not in before
    assert "accuracy_on_device" in first and "accuracy_on_device" in last
    images = 2 * 72
    assert (first["inferences_on_device"], last["inferences_on_device"]) == (images, 2 * images)
    held_out = whole.summary["held_out_sequences"] * 2
    assert whole.summary["inferences"]["training"] == images
    assert whole.summary["inferences"]["on_device"] == 2 * images + 3 * held_out
    assert whole.summary["device"]["ids"] == ["spread-3", "spread-5"]


def test_headline_of_a_run_in_the_loop_is_the_devices(whole):
    console = Console(width=200, record=True, file=io.StringIO())
    print_run(console, whole.summary, whole.folder)
    shown = console.export_text()
    assert "accuracy on the device (headline)" in shown
    assert "these weights on nominal oscillators, converged" in shown
    deployed = {**whole.summary, "in_the_loop": False}
    print_run(console, deployed, whole.folder)
    assert "accuracy converged (headline)" in console.export_text()


@pytest.mark.parametrize("place", [(0, 2), (0, 4), (1, 2), (2, 4), ("accuracy on the device",)])
def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(tmp_path, whole, place):
    """The chip drifts and fluctuates: its shots must go on where they stopped."""
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(tiny(), folder, Stop(place))
    results = resume(folder)
    expected, found = bits(whole.folder), bits(folder)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert [without_times(row) for row in results.metrics] == [without_times(row) for row in whole.metrics]
    assert without_times(results.summary) == without_times(whole.summary)


def test_evaluation_measures_the_device_as_the_run_left_it(whole):
    assert evaluate(whole.folder)["accuracy_on_device"] == whole.summary["accuracy_on_device"]


def test_device_that_fails_leaves_a_run_that_goes_on_with_the_same_batch(tmp_path, whole, mocker):
    folder, measure, calls = tmp_path / "run", Chip.measure, []

    def failing(self, *args):
        calls.append(args)
        if 6 < len(calls) < 20:
            raise DeviceError("the cable came off")
        return measure(self, *args)

    mocker.patch.object(Chip, "measure", failing)
    with pytest.raises(DeviceError, match="gave up after .*cable came off.*--resume"):
        train(tiny(), folder)
    mocker.stopall()
    resume(folder)
    expected, found = bits(whole.folder), bits(folder)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_device_that_is_not_there_is_missed_before_the_model_is_trained(tmp_path, mocker):
    """Also when an interrupted run goes on; a device that answers the second time will do."""

    class Absent(SimulatedDevice):
        def _open(self):
            raise DeviceError("nothing answers")

    mocker.patch("spinhw.device.simulated_opening.SimulatedDevice", Absent)
    for device_in_the_loop in ({}, {"gradient": "surrogate", "loop": {"epochs": None}}):
        with pytest.raises(DeviceError, match="the run will need does not answer; seen: nothing answers"):
            train(tiny(**device_in_the_loop), tmp_path / "run")
        assert not (tmp_path / "run").exists()
    mocker.stopall()
    with pytest.raises(Interrupted):
        train(tiny(), tmp_path / "run", Stop((0, 2)))
    mocker.patch("spinhw.device.simulated_opening.SimulatedDevice", Absent)
    with pytest.raises(DeviceError, match="nothing answers"):
        resume(tmp_path / "run")


def test_device_is_let_go_safe_before_the_model_is_trained_and_nothing_was_sent(mocker):
    said = []

    class Telling(SimulatedDevice):
        def _open(self):
            said.append("open")
            return super()._open()

        def _make_safe(self):
            said.append("make safe")
            return super()._make_safe()

        def _close(self):
            said.append("close")
            super()._close()

        def _program(self, values):
            said.append("program")
            super()._program(values)

        def _run(self, *args):
            said.append("run")
            return super()._run(*args)

    mocker.patch("spinhw.device.simulated_opening.SimulatedDevice", Telling)
    reach_device(tiny())
    assert said == ["open", "make safe", "close"]
    reach_device(tiny(), epoch=1)
    reach_device(tiny(None))
    assert len(said) == 3


@pytest.mark.parametrize("mode", ["output", "layerwise", "observer", "spsa", "oracle"])
def test_every_mode_trains(tmp_path, mode):
    results = train(tiny(gradient=mode, epochs=1, loop={"epochs": None, "learning_rate": None}), tmp_path / "run")
    assert results.metrics[0]["accuracy_on_device"] is not None


def test_gradient_follows_from_the_device():
    assert tiny().training.gradient == "output"
    assert tiny(None).training.gradient == "surrogate"
    assert tiny(gradient="layerwise").training.gradient == "layerwise"
    assert RunSettings(training=TrainingSettings()).training.gradient == "surrogate"


def test_gradient_without_its_device_is_refused():
    with pytest.raises(ConfigError, match="training.gradient is 'output', which needs a device"):
        tiny(None, gradient="output")
    with pytest.raises(ConfigError, match="gradient"):
        tiny(gradient="outputs")


def test_oracle_on_a_bench_is_refused_before_training(tmp_path):
    from spinhw.training import load_settings

    config = tmp_path / "run.yaml"
    config.write_text("training: {gradient: oracle, seeds: [0]}\n", encoding="utf-8")
    settings = load_settings(config, device="bench-virtual")
    with pytest.raises(ConfigError, match="only a simulated chip knows its true gradient"):
        train(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


COSINE = {"schedule": "cosine", "learning_rate": 0.2}


def test_epochs_in_the_loop_have_a_schedule_of_their_own():
    training = tiny(
        epochs=10,
        loop={"epochs": 4, "decay": 2},
        optimiser=COSINE,
        coarse_share=0.5,
        substeps=2,
    ).training
    rates = [learning_rates(training, epoch, 0, 1)[0] for epoch in range(10)]
    assert rates[0] == 0.2
    assert rates[3] == pytest.approx(0.1)
    assert rates[6:] == pytest.approx([0.05, 0.05 / 1.5, 0.05 / 2, 0.05 / 2.5])
    assert [training.substeps_in(epoch) for epoch in range(10)] == [1] * 3 + [2] * 7


def test_without_a_rate_of_its_own_the_loop_goes_on_with_the_schedule():
    training = tiny(epochs=10, loop={"epochs": 4, "learning_rate": None}, optimiser=COSINE).training
    alone = tiny(None, epochs=10, loop={"epochs": None, "learning_rate": None}, optimiser=COSINE).training
    assert [learning_rates(training, epoch, 0, 1) for epoch in range(10)] == [
        learning_rates(alone, epoch, 0, 1) for epoch in range(10)
    ]
