import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from spinhw.config import build
from spinhw.device import SimulatedSettings
from spinhw.errors import ConfigError, LimitError
from spinhw.training import Interrupted, RunSettings, evaluate, evaluate_on_chips, load_settings, resume, train
from spinhw.training.deploy import answer_on_device, device_for
from spinhw.training.held_out import held_out_answers
from spinhw.training.learner import Learner

NOISY = {
    "kind": "simulated",
    "id": "noisy",
    "chip": {"spread": {"gamma": 0.2}, "output_readout": {"noise": 0.05}, "power_readout": {"noise": 0.05}},
}
LIMITED = {"kind": "simulated", "chip": {"synapses": {"limit": 1.5}}}


def tiny(device: Any = None, network: dict | None = None, **training) -> RunSettings:
    data = {
        "task": {"train_fraction": 0.05, "held_out": "validation"},
        "network": {"layers": [4, 4]} | (network or {}),
        "training": {
            "seeds": [3, 5],
            "epochs": 1,
            "substeps": 1,
            "fine_steps_per_ns": 16,
            "threads": 1,
            "gradient": "surrogate",
        }
        | training,
        "device": device,
    }
    return build(RunSettings, data, "run.yaml")


def answers(settings: RunSettings) -> Any:
    assert settings.device is not None
    with device_for(settings, settings.device) as device:
        return answer_on_device(
            Learner(settings).network,
            settings.open_task(),
            settings.training.seeds,
            settings.final_part,
            device,
            lambda done, total: None,
        )


@pytest.mark.parametrize("network", [{}, {"readout": "software", "readout_samples": 3}])
@pytest.mark.parametrize("channels", [None, 3])
def test_ideal_device_answers_as_the_converged_simulation(network, channels):
    settings = tiny({"kind": "simulated", "channels": channels}, network)
    seeds, part = settings.training.seeds, settings.final_part
    network, task = Learner(settings).network, settings.open_task()
    expected, _ = held_out_answers(network, task, seeds, part, settings, settings.fine_steps)
    measured = answers(settings)
    torch.testing.assert_close(measured.answers, expected, rtol=1e-3, atol=1e-3)
    assert measured.good_share == 1.0
    assert measured.device_ids == ("chip-3", "chip-5")
    assert measured.energy_j is None


def test_seed_has_the_same_chip_whoever_stands_beside_it():
    both, alone = answers(tiny(NOISY)), answers(tiny(NOISY, seeds=[5]))
    torch.testing.assert_close(both.answers[1:], alone.answers, rtol=1e-4, atol=1e-5)


def test_clipped_outputs_count_as_zero_and_are_told():
    narrow = {"kind": "simulated", "chip": {"output_readout": {"adc": {"lowest": -1e-6, "highest": 1e-6}}}}
    measured = answers(tiny(narrow))
    assert measured.good_share < 0.5
    assert (measured.answers == 0).float().mean() > 0.5


def test_run_reports_the_accuracy_on_its_device(tmp_path):
    summary = train(tiny(NOISY), tmp_path / "run").summary
    assert len(summary["accuracy_on_device"]["per_seed"]) == 2
    assert summary["device"]["ids"] == ["noisy-3", "noisy-5"]
    assert summary["inferences"]["on_device"] == 2 * 18


def test_run_interrupted_on_its_device_goes_on_to_the_same_bits(tmp_path):
    class Stop:
        def on_batch(self, *args) -> None: ...

        def on_epoch(self, row) -> None: ...

        def on_evaluation(self, what, done, total) -> None:
            if what == "accuracy on the device":
                import signal

                signal.raise_signal(signal.SIGINT)

    settings = tiny(NOISY)
    whole = train(settings, tmp_path / "whole").summary
    with pytest.raises(Interrupted, match="while measuring accuracy on the device"):
        train(settings, tmp_path / "run", Stop())
    resumed = resume(tmp_path / "run", settings).summary
    times = {"wall_s": 0, "train_wall_s": 0}
    assert resumed | times == whole | times


def test_evaluation_repeats_the_run_and_takes_another_device(tmp_path):
    folder = tmp_path / "run"
    summary = train(tiny(NOISY), folder).summary
    own = evaluate(folder)
    assert own["epochs"] == 1
    assert all(
        own[name] == summary[name] for name in ("accuracy", "accuracy_converged", "accuracy_on_device", "device")
    )
    other = evaluate(folder, build(SimulatedSettings, {"kind": "simulated", "id": "other"}, "device.yaml"))
    assert other["device"]["ids"] == ["other-3", "other-5"]
    assert other["accuracy_on_device"]["per_seed"] == summary["accuracy_converged"]["per_seed"]
    assert len((folder / "evaluations.jsonl").read_text().splitlines()) == 2


def test_some_seeds_are_measured_as_they_are_among_all(tmp_path):
    folder = tmp_path / "run"
    train(tiny(), folder)
    whole, one = evaluate(folder, "imperfect-chip"), evaluate(folder, "imperfect-chip", seeds=[5])
    for name in ("accuracy", "accuracy_converged", "accuracy_on_device"):
        assert one[name]["per_seed"] == whole[name]["per_seed"][1:]
    assert one["device"]["ids"] == ["chip-5"]
    lines = [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()]
    assert [line["seeds"] for line in lines] == [[3, 5], [5]]
    quiet = build(SimulatedSettings, {"kind": "simulated", "chip": {"spread": {"gamma": 0.2}}}, "device.yaml")
    on_chips = [evaluate_on_chips(folder, 2, quiet, seeds=seeds) for seeds in (None, [5])]
    assert on_chips[1]["seeds"] == [5]
    assert on_chips[1]["accuracy"]["pairs"] == on_chips[0]["accuracy"]["pairs"][1:]


def test_seeds_that_cannot_be_measured_alone_are_refused_before_the_work(tmp_path, mocker):
    run, in_loop = tmp_path / "run", tmp_path / "in_loop"
    train(tiny(), run)
    train(tiny(NOISY, gradient="output", epochs=1), in_loop)
    mocker.patch("spinhw.training.evaluation.measure_simulated", side_effect=AssertionError)
    for folder, device, seeds, message in (
        (run, None, [7], r"no such network; seen: 7; allowed: 3, 5; next: name some .*--seed"),
        (run, None, [], r"no such network; seen: none; allowed: 3, 5"),
        (run, "one-oscillator", None, r"one network is played at a time; seen: 2 members; allowed: 1; next: .*--seed"),
        (in_loop, None, [3], r"all together; seen: 3; allowed: another device, .*; next: leave out --seed, or name"),
    ):
        with pytest.raises(ConfigError, match=message):
            evaluate(folder, device, seeds=seeds)


def test_device_too_small_for_the_weights_is_refused_before_training(tmp_path):
    with pytest.raises(
        ConfigError, match="network.weight_limit: beyond what the device chip-3 to chip-5 takes.*lower network.weight"
    ):
        train(tiny(LIMITED), tmp_path / "run")
    with pytest.raises(ConfigError, match="network.weight_limit: the device chip-3 to chip-5 has a weight limit"):
        train(tiny(LIMITED, {"weight_limit": None}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    train(tiny(LIMITED, {"weight_limit": 1.5}), tmp_path / "run")


def test_device_too_small_for_the_inputs_is_refused_before_training(tmp_path):
    narrow = {"kind": "simulated", "chip": {"input_dac": {"lowest": -1.3, "highest": 2.0}}}
    with pytest.raises(ConfigError, match="task.input_scale: beyond what the device"):
        train(tiny(narrow), tmp_path / "run")


def test_evaluation_on_a_device_too_small_is_refused_before_the_simulation(tmp_path, mocker):
    settings = tiny(network={"weight_scale": 3.0}, epochs=0)
    train(settings, tmp_path / "run")
    small = build(SimulatedSettings, {"kind": "simulated", "chip": {"synapses": {"limit": 0.1}}}, "device.yaml")
    progress = mocker.Mock()
    with pytest.raises(LimitError, match="beyond its limit and nothing was sent"):
        evaluate(tmp_path / "run", small, progress)
    assert not progress.mock_calls  # Before the simulation.


def test_an_interrupted_evaluation_names_itself_and_leaves_the_run_as_it_was(tmp_path, mocker):
    train(tiny(epochs=0), tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}

    ctrl_c = mocker.Mock()
    ctrl_c.on_evaluation.side_effect = lambda *_: signal.raise_signal(signal.SIGINT)
    with pytest.raises(Interrupted) as stopped:
        evaluate(tmp_path / "run", progress=ctrl_c)
    assert str(stopped.value) == (
        "interrupted while measuring accuracy; the run is as it was; next: give the same command again to measure it."
    )
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before


@pytest.mark.parametrize("device", ["bank-virtual", "synapses-virtual"])
def test_evaluation_on_another_kind_of_device_is_refused_before_the_simulation(tmp_path, mocker, device):
    train(tiny(epochs=0), tmp_path / "run")
    progress = mocker.Mock()
    with pytest.raises(ConfigError, match="a whole network needs a chip"):
        evaluate(tmp_path / "run", device, progress)
    assert not progress.mock_calls


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_device_is_named_in_the_file_on_the_command_line_or_by_override(tmp_path):
    config = write(tmp_path / "run.yaml", "training: {epochs: 3}\ndevice: ideal\n")
    by_file = load_settings(config)
    by_argument = load_settings(config, device="imperfect-chip")
    by_override = load_settings(config, ["device=imperfect-chip", "device.seed=7", "training.epochs=4"])
    assert by_file.device is not None
    assert by_argument.device is not None
    assert by_override.device is not None
    assert by_file.device.id == "ideal"
    assert by_argument.device.chip == by_override.device.chip != by_file.device.chip
    assert by_override.device.seed == 7
    assert (by_file.training.epochs, by_override.training.epochs) == (3, 4)


def test_settings_with_a_device_survive_the_run_folder(tmp_path):
    settings = load_settings(write(tmp_path / "run.yaml", "device: imperfect-chip\n"))
    assert load_settings(write(tmp_path / "again.yaml", settings.to_yaml())) == settings


def test_device_file_may_lie_beside_the_config(tmp_path, monkeypatch):
    write(tmp_path / "mine.yaml", "kind: simulated\nid: mine\n")
    monkeypatch.chdir("/")
    settings = load_settings(write(tmp_path / "run.yaml", "device: mine.yaml\n"))
    assert settings.device is not None
    assert settings.device.id == "mine"


def test_unknown_device_is_refused_with_a_list(tmp_path):
    with pytest.raises(ConfigError, match="'ideel' was not found; allowed: .*ideal.*did you mean 'ideal'"):
        load_settings(write(tmp_path / "run.yaml", "device: ideel\n"))


def test_wrong_key_in_a_device_file_names_that_file(tmp_path):
    write(tmp_path / "mine.yaml", "kind: simulated\nchipp: {}\n")
    with pytest.raises(ConfigError, match=r"mine.yaml: unknown key 'chipp'; did you mean 'chip'"):
        load_settings(write(tmp_path / "run.yaml", "device: mine.yaml\n"))


def test_schema_lets_an_editor_accept_the_name_of_a_device():
    kinds = RunSettings.model_json_schema(by_alias=True)["properties"]["device"]["anyOf"]
    assert kinds[0]["type"] == "string"
    assert len(kinds) == 3
