import errno
import json
import os
import signal
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.training import Interrupted, RunSettings, resume, train
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.learner import Learner
from spinhw.training.statistics import bootstrap_interval, over_seeds
from spinhw.training.summary import changed_keys

EPOCHS, BATCHES = 3, 3


def tiny(**training) -> RunSettings:
    """A run of a second, 287 training and 72 held-out images, in which everything that draws is switched on."""
    base = {
        "seeds": [3, 5],
        "epochs": EPOCHS,
        "batch_size": 100,
        "optimiser": {"learning_rate": [0.1, 0.05], "average_decay": 0.8},
        "input_noise": 0.3,
        "label_smoothing": 0.1,
        "augmentation": {"shift_pixels": 0.5},
        "substeps": 1,
        "order": 1,
        "fine_steps_per_ns": 16,
        "evaluate_every": 2,
        "threads": 1,
    }
    data = {
        "task": {"train_fraction": 0.2, "held_out": "validation"},
        "network": {"layers": [4, 4]},
        "training": base | training,
    }
    return build(RunSettings, data, "run.yaml")


class Watcher:
    """Takes notes, and does something at one place of the run."""

    def __init__(self, place: tuple = (), action=lambda: None) -> None:
        self.place, self.action = place, action
        self.batches: list[tuple[int, int]] = []
        self.rows: list[Mapping[str, Any]] = []
        self.evaluated: list[str] = []

    def on_batch(self, epoch, batch, total, loss, accuracy) -> None:
        assert total == (EPOCHS, BATCHES)
        assert loss > 0
        assert 0 <= accuracy <= 1
        self.batches.append((epoch, batch))
        if self.place == (epoch, batch):
            self.action()

    def on_epoch(self, row) -> None:
        self.rows.append(row)

    def on_evaluation(self, what, done, total) -> None:
        self.evaluated.append(what)
        if self.place == (what,):
            self.place = ()
            self.action()


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    watcher = Watcher()
    return train(tiny(), folder, watcher), watcher


def without_times(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("wall_s", "train_wall_s")}


def assert_same_run(results, expected) -> None:
    tensors, facts = load_checkpoint(results.folder / "checkpoint.safetensors")
    wanted, wanted_facts = load_checkpoint(expected.folder / "checkpoint.safetensors")
    assert tensors.keys() == wanted.keys()
    assert all(torch.equal(tensors[name], wanted[name]) for name in wanted)
    assert without_times(facts) == without_times(wanted_facts)
    assert [without_times(row) for row in results.metrics] == [without_times(row) for row in expected.metrics]
    assert without_times(results.summary) == without_times(expected.summary)


def test_run_leaves_what_it_promises(whole):
    results, watcher = whole
    assert watcher.batches == [(epoch, batch + 1) for epoch in range(EPOCHS) for batch in range(BATCHES)]
    assert set(watcher.evaluated) == {"accuracy", "accuracy converged"}
    assert watcher.rows == results.metrics
    assert ["accuracy" in row for row in results.metrics] == [False, True, True]  # Its validation part.
    assert json.loads((results.folder / "summary.json").read_text()) == results.summary
    assert (results.folder / "config.yaml").is_file()


def test_summary_has_what_reports_need(whole):
    summary = whole[0].summary
    for name in ("accuracy", "accuracy_converged"):
        assert summary[name].keys() == {"mean", "std", "interval95", "per_seed"}
        assert len(summary[name]["per_seed"]) == 2
    assert summary["neurons"] == 8
    assert summary["synapses"] == 2 + 3 * 8 + 40
    assert summary["energy_per_image_j"] == pytest.approx(8 * 100e-15 + 66 * 10e-15)
    assert summary["energy_per_image_scaled_j"] == pytest.approx((8 * 1e-6 + 66 * 0.1e-6) * 64e-9)
    assert {line["basis"] for line in summary["energy_lines"]} == {"estimated"}
    quantiles = summary["drive_over_gamma"]
    assert 0 <= quantiles["0.0"] <= quantiles["0.5"] <= quantiles["1.0"] <= 4
    assert 0 <= summary["drive_saturated_share"] <= 1
    assert summary["inferences"]["training"] == EPOCHS * 2 * 287
    assert summary["inferences"]["evaluation"] == 4 * 2 * 72
    assert np.sum(summary["confusion"]) == 2 * 72
    trace = np.trace(summary["confusion"]) / (2 * 72)
    assert trace == pytest.approx(summary["accuracy_converged"]["mean"])
    assert summary["held_out"] == "validation"
    assert 0 < summary["train_wall_s"] < summary["wall_s"]


def test_examples_show_one_image_of_each_class(whole):
    recorded = whole[0].examples
    assert recorded.labels.tolist() == list(range(10))
    assert recorded.drive_over_gamma.shape == recorded.filtered.shape == (10, 64, 8)
    assert recorded.state.shape == (10, 65, 8)
    assert recorded.inputs.shape == (10, 64)


@pytest.mark.parametrize("place", [(0, 1), (1, 2), (1, BATCHES), (2, BATCHES), ("accuracy converged",)])
def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(tmp_path, whole, place):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted, match=r"run/config.yaml --resume .*run$") as caught:
        train(tiny(), folder, Watcher(place, press_ctrl_c))
    assert caught.value.exit_code == 130
    assert not (folder / "summary.json").exists()
    watcher = Watcher()
    results = resume(folder, tiny(), watcher)
    assert place not in watcher.batches
    assert_same_run(results, whole[0])


def test_interrupted_twice_still_equals_uninterrupted(tmp_path, whole):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted, match="epoch 1, after batch 2 of 3"):
        train(tiny(), folder, Watcher((0, 2), press_ctrl_c))
    with pytest.raises(Interrupted, match="epoch 2, after batch 1 of 3"):
        resume(folder, None, Watcher((1, 1), lambda: signal.raise_signal(signal.SIGTERM)))
    assert_same_run(resume(folder), whole[0])


def test_second_ctrl_c_stops_at_once_and_the_last_checkpoint_goes_on(tmp_path, whole):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted, match=r"stopped at once.*run/config.yaml --resume .*run$") as caught:
        train(tiny(), folder, Watcher((1, 2), lambda: (press_ctrl_c(), press_ctrl_c())))
    assert caught.value.exit_code == 130
    assert load_checkpoint(folder / "checkpoint.safetensors")[1]["epoch"] == 1
    assert_same_run(resume(folder), whole[0])


def test_handlers_of_signals_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train(tiny(epochs=0), tmp_path / "run")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_crash_between_checkpoints_goes_on_from_the_last_one(tmp_path, whole):
    folder = tmp_path / "run"

    def crash() -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        train(tiny(checkpoint_every=2), folder, Watcher((1, 2), crash))
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1
    results = resume(folder)
    assert [without_times(row) for row in results.metrics] == [without_times(row) for row in whole[0].metrics]


def test_finished_run_can_be_measured_again(whole):
    again = resume(whole[0].folder)
    assert_same_run(again, whole[0])
    first = whole[0].summary
    assert 0 < again.summary["train_wall_s"] <= first["train_wall_s"] + 0.5 * (first["wall_s"] - first["train_wall_s"])


def test_time_in_the_training_loop_adds_up():
    learner = Learner(tiny())
    with learner.training_time():
        assert learner.train_wall_s > 0
    first = learner.train_wall_s
    assert learner.train_wall_s == first
    other = Learner(tiny())
    other.restore(learner.tensors(), learner.facts())
    with other.training_time():
        pass
    assert other.train_wall_s > first


def test_resuming_with_other_versions_warns_and_goes_on(tmp_path, caplog, mocker):
    folder = tmp_path / "run"
    train(tiny(epochs=0), folder)
    resume(folder)
    assert not caplog.text
    mocker.patch("spinhw.__version__", "99.0")
    resume(folder)
    assert "the last bits may differ" in caplog.text
    assert "-> 99.0" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize(("engine", "package"), [("cpu", "numba"), ("gpu", "triton")])
def test_engine_that_is_not_there_is_refused_before_anything_is_made(tmp_path, mocker, engine, package):
    mocker.patch("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=f"training.engine: '{engine}' cannot be used here.*{package}"):
        train(tiny(engine=engine), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_gpu_engine_is_refused_without_a_gpu(tmp_path, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(ConfigError, match="training.engine: 'gpu' cannot be used here"):
        train(tiny(engine="gpu"), tmp_path / "run")


def test_answers_that_overflow_are_one_clear_line(tmp_path):
    data = tiny(epochs=0).model_dump(mode="json", by_alias=True)
    data["network"] |= {"out_gain": 1e38, "weight_scale": 1e6, "weight_limit": None}
    with pytest.raises(ConfigError, match="answers of the networks overflow: seed 3, 5; seen: answers") as caught:
        train(build(RunSettings, data, "run.yaml"), tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_full_disk_while_training_keeps_the_old_checkpoint(tmp_path, mocker, whole):
    folder, replace = tmp_path / "run", os.replace

    def full(source, target):
        if str(target).endswith("checkpoint.safetensors"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with pytest.raises(ConfigError, match="checkpoint.safetensors: the disk is full"):
        train(tiny(), folder, Watcher((1, 1), lambda: mocker.patch.object(os, "replace", full)))
    mocker.stopall()
    assert load_checkpoint(folder / "checkpoint.safetensors")[1]["epoch"] == 1
    assert_same_run(resume(folder), whole[0])


def test_run_that_cannot_be_saved_leaves_no_folder(tmp_path, mocker):
    def full(*args):
        raise ConfigError("the disk is full")

    mocker.patch("spinhw.training.trainee.save_checkpoint", full)
    with pytest.raises(ConfigError, match="disk is full"):
        train(tiny(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_resuming_with_another_config_names_the_keys_and_changes_nothing(whole):
    before = {path: path.read_bytes() for path in whole[0].folder.iterdir()}
    with pytest.raises(ConfigError, match=r"another config; seen: training.epochs \(3 there, 4 here\);") as caught:
        resume(whole[0].folder, tiny(epochs=4))
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in whole[0].folder.iterdir()} == before


def test_resuming_from_a_damaged_checkpoint_is_refused(tmp_path):
    folder = tmp_path / "run"
    train(tiny(epochs=0), folder)
    path = folder / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ConfigError, match="cut short"):
        resume(folder)


def test_divergence_keeps_the_metrics(tmp_path, mocker):
    def poison() -> None:
        with torch.no_grad():
            learner[0].network.b_out[1] = float("nan")

    learner: list[Any] = []
    from spinhw.training import run

    class Caught(run.Learner):
        def __init__(self, *asked):
            super().__init__(*asked)
            learner.append(self)

    mocker.patch.object(run, "Learner", Caught)
    with pytest.raises(ConfigError, match="diverged in epoch 2, batch 2: seed 5;"):
        train(tiny(), tmp_path / "run", Watcher((1, 1), poison))
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1
    tensors, facts = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    assert facts["epoch"] == 1
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_energy_of_a_software_network_is_its_arithmetic(tmp_path):
    data = tiny(epochs=0).model_dump(mode="json", by_alias=True)
    data["network"] |= {"kind": "ctrnn", "saturation": {"kind": "none"}}
    results = train(build(RunSettings, data, "run.yaml"), tmp_path / "run")
    assert [line["form"] for line in results.summary["energy_lines"]] == ["software"]
    assert results.summary["energy_per_image_j"] == pytest.approx(66 * 64 * 4.6e-12)
    assert results.summary["drive_saturated_share"] is None


def test_figure_over_seeds_has_mean_spread_and_interval():
    figure = over_seeds([0.9, 0.92, 0.97])
    assert figure["mean"] == pytest.approx(0.93)
    assert figure["std"] == pytest.approx(np.std([0.9, 0.92, 0.97], ddof=1))
    assert figure["interval95"][0] < 0.93 < figure["interval95"][1]
    assert over_seeds([0.5]) == {"mean": 0.5, "std": None, "interval95": None, "per_seed": [0.5]}


def test_bootstrap_interval_of_many_normal_numbers_is_that_of_theory():
    values = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap_interval(values.tolist())
    assert [low, high] == pytest.approx([values.mean() - 1.96 / 20, values.mean() + 1.96 / 20], abs=0.012)
    assert bootstrap_interval(values.tolist()) == [low, high]


def test_changed_keys_are_listed_with_both_values():
    old, new = {"a": {"b": 1, "c": 2}, "d": None}, {"a": {"b": 1, "c": 3}, "d": {"e": 1}}
    assert changed_keys(old, new) == ["a.c (2 there, 3 here)", "d (None there, given here)"]
    assert changed_keys({"f": {"kind": "visa", "id": "mine"}}, {"f": None}) == ["f (mine there, None here)"]
