"""Runs on series of one's own: from a file by the command line, from arrays in Python, on devices, and resumed."""

import json

import numpy as np
import pytest
import torch
import yaml

from fakes.runs import bits
from spinhw import evaluate, resume, train
from spinhw.errors import ConfigError
from spinhw.tasks import Feed, SeriesSettings, series_of
from spinhw.training import RunSettings, load_settings, open_run, with_task

TRAINING = {"seeds": [0, 3], "epochs": 1, "batch_size": 8, "substeps": 1, "fine_steps_per_ns": 16, "threads": 1}
RNG = np.random.default_rng(0)
LABELS = np.arange(30) % 3
INPUTS = (RNG.normal(size=(30, 6, 2)) + LABELS[:, None, None]).astype(np.float32)


@pytest.fixture
def recipe(tmp_path):
    np.savez(tmp_path / "mine.npz", inputs=INPUTS, targets=np.array(["a", "b", "c"])[LABELS])
    run = {"task": {"kind": "series", "file": "mine.npz"}, "network": {"layers": [3, 2]}, "training": TRAINING}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    return tmp_path / "mine.yaml"


def plain(**training):
    return RunSettings(network={"layers": [3, 2]}, training=TRAINING | training)


def test_a_recipe_trains_measures_and_is_evaluated_on_a_device(spinhw, recipe, tmp_path, mocker):
    mocker.patch("spinhw.plots.draw_run", return_value={})
    folder = tmp_path / "run"
    assert spinhw("train", recipe, "--out", folder).code == 0
    done = spinhw("evaluate", folder, "--device", "imperfect-chip")
    assert done.code == 0, done.err
    assert "%" in done.out
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert len(summary["confusion"]) == 3
    facts = json.loads((folder / "task.json").read_text("utf-8"))
    assert facts["classes"] == ["a", "b", "c"]
    assert facts["parts"]["test"]["by_class"] == {"a": 2, "b": 2, "c": 2}
    assert set(facts["input_scaling"]) == {"0", "1"}
    assert facts["file"] == str(tmp_path / "mine.npz")
    settings = open_run(folder).settings
    assert (settings.network.inputs, settings.network.outputs) == (2, 3)
    assert settings.task.shape.samples == 6


def test_energy_align_and_dry_run_take_such_a_recipe(spinhw, recipe):
    for words in (["energy"], ["align", "--device", "ideal", "--set", "training.seeds=[0]"], ["train", "--dry-run"]):
        done = spinhw(words[0], recipe, *words[1:])
        assert done.code == 0, done.err
    assert "train 18, validation 6, test 6; 6 samples of 2 channels each" in done.out
    both = spinhw("train", recipe, "--dry-run", "--device", "imperfect-chip")
    assert both.code == 0
    assert "1.9 kB of memory" in both.out
    assert "shots" in both.out


def test_a_run_folder_is_looked_into_without_its_data_and_evaluated_with_them_alone(recipe, tmp_path):
    train(recipe, tmp_path / "run")
    stored = tmp_path / "mine.npz"
    kept = stored.read_bytes()
    np.savez(stored, inputs=INPUTS[::-1], targets=LABELS)
    with pytest.raises(ConfigError, match="the run was begun with other data"):
        evaluate(tmp_path / "run")
    stored.unlink()
    assert open_run(tmp_path / "run").network.settings.inputs == 2
    with pytest.raises(ConfigError, match=r"task\.file: there is no such file"):
        evaluate(tmp_path / "run")
    stored.write_bytes(kept)
    assert "accuracy" in evaluate(tmp_path / "run")


def test_what_follows_from_the_data_is_found_anew_for_a_run_from_a_run_folder(recipe, tmp_path):
    train(recipe, tmp_path / "run")
    np.savez(tmp_path / "mine.npz", inputs=np.tile(INPUTS, (1, 2, 1)), targets=LABELS)
    again = load_settings(tmp_path / "run" / "config.yaml", ["task.split.test=0.5"])
    assert again.task.samples == 12
    assert again.network.outputs == 3


def test_arrays_from_python_train_like_their_file_and_are_wanted_again(recipe, tmp_path):
    train(recipe, tmp_path / "file")
    series = series_of(INPUTS, np.array(["a", "b", "c"])[LABELS])
    train(plain(), tmp_path / "arrays", task=series)
    assert all(one.equal(bits(tmp_path / "file")[name]) for name, one in bits(tmp_path / "arrays").items())
    with pytest.raises(ConfigError, match=r"hand over what the run was begun with: task=series_of"):
        evaluate(tmp_path / "arrays")
    with pytest.raises(ConfigError, match="the run was begun with other data"):
        evaluate(tmp_path / "arrays", task=series_of(INPUTS + 1, np.array(["a", "b", "c"])[LABELS]))
    assert "accuracy_on_device" in evaluate(tmp_path / "arrays", "ideal", task=series)
    assert "accuracy" in resume(tmp_path / "arrays", task=series).summary


def test_a_recipe_says_how_arrays_are_split_and_scaled(recipe, tmp_path):
    run = {"task": {"kind": "series", "split": {"test": 0.5}, "sample_interval": "2 ns"}, "network": {"layers": [2]}}
    (tmp_path / "bare.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    found = load_settings(tmp_path / "bare.yaml", task=series_of(INPUTS, LABELS))
    assert found.task.sample_interval_s == 2e-9
    assert found.open_task().held_out_sequences("test") == 15
    with pytest.raises(ConfigError, match=r"bare\.yaml: task\.file: nothing says which series these are"):
        load_settings(tmp_path / "bare.yaml")


def test_a_dataset_and_a_task_of_ones_own(tmp_path):
    pairs = [(torch.from_numpy(one), int(label)) for one, label in zip(INPUTS, LABELS, strict=True)]
    by_pairs = with_task(plain(), pairs)
    assert by_pairs.network.outputs == 3
    own = SeriesSettings().holding(series_of(INPUTS, LABELS)).open(Feed(batch_size=8))
    train(plain(), tmp_path / "own", task=own)
    assert "accuracy_on_device" in evaluate(tmp_path / "own", "ideal", task=own)
    with pytest.raises(ConfigError, match=r"hand it over: spinhw\.evaluate"):
        evaluate(tmp_path / "own")
    other = SeriesSettings().holding(series_of(INPUTS[:, :4], LABELS)).open(Feed(batch_size=8))
    with pytest.raises(ConfigError, match="another task than the run was begun with"):
        evaluate(tmp_path / "own", task=other)
    with pytest.raises(ConfigError, match="nothing to train on"):
        with_task(plain(), 3)


def test_sequences_of_unequal_lengths_answer_at_their_own_end_everywhere(tmp_path):
    """What stands after the end of a sequence changes no weight and no answer, by simulation or on a device."""
    lengths = 3 + np.arange(30) % 4
    filled = [INPUTS.copy(), INPUTS.copy()]
    for one, rest in zip(filled, (0.0, 50.0), strict=True):
        for sequence, length in enumerate(lengths):
            one[sequence, length:] = rest
    found = []
    for number, one in enumerate(filled):
        series = series_of(one, LABELS, lengths=lengths)
        train(plain(), tmp_path / f"{number}", task=series)
        found.append(evaluate(tmp_path / f"{number}", "imperfect-chip", task=series))
    assert all(one.equal(bits(tmp_path / "1")[name]) for name, one in bits(tmp_path / "0").items())
    assert found[0]["accuracy_on_device"] == found[1]["accuracy_on_device"]


def test_inputs_and_outputs_follow_from_any_task_that_says_them():
    found = RunSettings(task={"kind": "flipflop"}, network={"layers": [4]})
    assert (found.network.inputs, found.network.outputs) == (3, 3)
    with pytest.raises(ConfigError, match=r"network\.outputs is 4, but the task flipflop has 3"):
        RunSettings(task={"kind": "flipflop"}, network={"layers": [4], "outputs": 4})
