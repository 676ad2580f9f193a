"""Recipes and run folders of older versions: refused with the new spelling named, and rewritten."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from fakes.loops import Stop
from fakes.runs import bits, tiny
from spinhw.cli.migrate import KEPT
from spinhw.config import Moved, build, parse_yaml
from spinhw.config.migration import migrate
from spinhw.errors import ConfigError
from spinhw.flipflop.old_bridge import migrate_checkpoint
from spinhw.flipflop.settings import FlipFlopRun, FlipFlopTraining
from spinhw.training import Interrupted, RunFolder, RunSettings, TrainingSettings, evaluate, load_settings, train
from spinhw.training.checkpoint import load_checkpoint

OLD = """# A recipe of version 0.1.
task: {train_fraction: 0.05}
network: {layers: [3, 3]}
device: imperfect-chip
training:
  seeds: [3, 5] # two of them
  refit: none # trusts the nominal model
  loop_epochs: 2 # the last two
  averages: 4
  # How it learns:
  learning_rate: 0.2
  schedule: cosine
  weight_average: 0.9 # slowly
  watch: {every: 7}
  epochs: 3
"""
NEW: dict[str, Any] = {
    "seeds": [3, 5],
    "refit": {"when": "never"},
    "loop": {"epochs": 2, "averages": 4},
    "optimiser": {"learning_rate": 0.2, "schedule": "cosine", "average_decay": 0.9},
    "drift": {"every": 7},
    "epochs": 3,
}
TUNING = """axes:
  training.learning_rate: {kind: range, lowest: 0.01, highest: 0.5, log: true} # the first
  network.tau: {kind: range, lowest: 2, highest: 40, log: true, unit: ns}
seeds: [1]
overrides: [training.refit=none, training.evaluate_every=9]
"""


def old_keys(model: type, top: str) -> list[tuple[str, str]]:
    return [(key, ".".join(moved.place((top,)))) for key, moved in model.moved.items() if isinstance(moved, Moved)]


@pytest.mark.parametrize(
    ("model", "key", "now"),
    [(RunSettings, *one) for one in old_keys(TrainingSettings, "training")]
    + [(FlipFlopRun, *one) for one in old_keys(FlipFlopTraining, "training")],
)
def test_every_old_key_is_refused_with_the_new_one_named(model, key, now):
    todo = "next: rewrite the file with: spinhw migrate mine.yaml"
    wanted = f"mine.yaml: training: unknown key '{key}'; it is written {now} now; {todo}"
    with pytest.raises(ConfigError) as refused:
        build(model, {"training": {key: 3}}, "mine.yaml")
    assert wanted in str(refused.value)
    with pytest.raises(ConfigError, match=rf"--set training.{key}: unknown key .* it is written {now} now\.$"):
        build(model, {}, "mine.yaml", [f"training.{key}=3"])


def test_a_recipe_is_rewritten_with_its_comments_once(spinhw, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(OLD, encoding="utf-8")
    said = spinhw("migrate", recipe, "--dry-run")
    assert "training.loop_epochs -> training.loop.epochs" in said.out
    assert recipe.read_text(encoding="utf-8") == OLD
    assert spinhw("migrate", tmp_path).code == 0
    text = recipe.read_text(encoding="utf-8")
    assert parse_yaml(text, "mine.yaml")["training"] == NEW
    for line in OLD.splitlines():
        if "#" in line:
            assert line.partition("#")[2] in text
    assert (tmp_path / f"mine.yaml{KEPT}").read_text(encoding="utf-8") == OLD
    assert load_settings(recipe).training.loop.epochs == 2
    assert "0 of 1 files rewritten" in spinhw("migrate", tmp_path).out
    recipe.write_text(OLD, encoding="utf-8")
    again = spinhw("migrate", recipe)
    assert (again.code, recipe.read_text(encoding="utf-8")) == (2, OLD)
    assert "mine.yaml.before: this exists already" in again.err


def test_what_was_written_anew_already_counts():
    data = {"training": {"learning_rate": 0.1, "optimiser": {"learning_rate": 0.2}}}
    migrate(data, RunSettings)
    assert data == {"training": {"optimiser": {"learning_rate": 0.2}}}


def test_axes_and_overrides_of_other_files_are_rewritten(spinhw, tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text(TUNING, encoding="utf-8")
    assert spinhw("migrate", file).code == 0
    now = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert list(now["axes"]) == ["training.optimiser.learning_rate", "network.tau"]
    assert now["overrides"] == ["training.refit.when=never", "training.evaluate_every=9"]
    assert "# the first" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "there is no such file or folder"), ("training: [", "this is not YAML"), ("- 1\n- 2\n", None)],
)
def test_what_is_no_recipe_is_said_or_left_alone(spinhw, tmp_path, text, words):
    file = tmp_path / "it.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    done = spinhw("migrate", file)
    assert done.code == (0 if words is None else 2)
    assert words is None or words in done.err
    assert text is None or file.read_text(encoding="utf-8") == text


def as_before(folder: Path) -> None:
    """Write the config of a run as version 0.1 spelt it."""
    data = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    training = data["training"]
    old = {}
    for key, moved in TrainingSettings.moved.items():
        inner: Any = training
        for step in moved.to.split("."):
            inner = inner.get(step) if isinstance(inner, dict) else None
        old[key] = "none" if (key, inner) == ("refit", "never") else inner
    for group in ("optimiser", "loop", "refit", "drift"):
        del training[group]
    (folder / "config.yaml").write_text(yaml.safe_dump(data | {"training": training | old}), encoding="utf-8")


def test_an_old_run_folder_is_measured_and_goes_on_in_a_new_one_to_the_bit(spinhw, tmp_path):
    settings, folder = tiny(epochs=2, loop={"epochs": 1}), tmp_path / "old"
    whole = train(settings, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(settings, folder, Stop((1, 2)))
    as_before(folder)
    refused = spinhw("evaluate", folder)
    assert refused.code == 2
    assert f"next: rewrite the file with: spinhw migrate {folder / 'config.yaml'}\n" in refused.err
    assert spinhw("migrate", folder).code == 0
    assert RunFolder.open(folder).settings() == settings
    before = bits(folder)
    assert evaluate(folder)["epochs"] == 1
    onward = ("train", folder / "config.yaml", "--resume", folder, "--new-run", "--out", tmp_path / "new")
    assert spinhw(*onward).code == 0
    assert "new: this exists already" in spinhw(*onward).err.replace("\n", " ")
    for name, value in bits(tmp_path / "new").items():
        torch.testing.assert_close(value, bits(tmp_path / "whole")[name], rtol=0, atol=0)
    assert all(torch.equal(value, bits(folder)[name]) for name, value in before.items())
    assert [row["epoch"] for row in RunFolder(tmp_path / "new").metrics()] == [row["epoch"] for row in whole.metrics]
    assert "name its folder with --resume" in spinhw("train", folder / "config.yaml", "--new-run").err


def test_an_old_run_of_oscillators_on_the_flip_flop_becomes_a_run_like_any_other(spinhw, tmp_path):
    """Version 0.1 kept each network by itself, under settings of its own."""
    data: dict[str, Any] = {
        "task": {"kind": "flipflop", "bits": 1, "steps": 60, "pulse_steps": 4, "delay_steps": 1, "onsets": [[1, 15]]},
        "network": {"kind": "spintronic", "inputs": 1, "outputs": 1, "layers": [4], "readout": "software"},
        "training": {"seeds": [4, 2], "epochs": 1, "batch_size": 32, "learning_rate": 0.02, "evaluate_every": 2},
        "device": None,
    }
    data["task"]["absent"] = [0]
    old = data | {"sample_interval": "1 ns", "training": data["training"] | {"sequences": 64, "held_out": 16}}
    now = json.loads(json.dumps(data))
    now["task"] |= {"sample_interval": "1 ns", "sequences": 64, "held_out": 16}
    now["training"] = {"seeds": [4, 2], "epochs": 1, "batch_size": 32, "evaluate_every": 1, "keep": "best"}
    now["training"]["optimiser"] = {"learning_rate": 0.02, "schedule_per": "step", "decay": 1e4, "gradient_clip": None}
    now["training"]["threads"] = 1
    settings = build(RunSettings, now, "now.yaml")
    folder = tmp_path / "run"
    train(settings, folder)
    before = evaluate(folder)
    tensors, facts = load_checkpoint(folder / "checkpoint.safetensors")
    apart = {}
    for name, value in tensors.items():
        part, _, inner = name.rpartition("/")
        for row, seed in enumerate((4, 2)):
            apart[f"{seed}/{part}/oscillators.{inner}"] = (value if "/step/" in name else value[row]).clone()
    members = [{"best_score": {"mse": loss}, "best_step": 2, "loop": None} for loss in facts["best_losses"]]
    then = {key: facts[key] for key in ("epoch", "batch", "wall_s", "versions")} | {
        "losses": [0.0, 0.0],
        "members": members,
    }
    stacked, found = migrate_checkpoint(apart, then, 2, 32)
    assert stacked.keys() == tensors.keys()
    assert all(torch.equal(value, tensors[name]) for name, value in stacked.items())
    assert {key: found[key] for key in ("epoch", "batch", "steps", "best_losses")} == {
        key: facts[key] for key in ("epoch", "batch", "steps", "best_losses")
    }
    from spinhw.training.checkpoint import save_checkpoint

    save_checkpoint(folder / "checkpoint.safetensors", apart, then)
    (folder / "config.yaml").write_text(yaml.safe_dump(old | {"training": old["training"] | {"threads": 1}}))
    assert spinhw("migrate", folder).code == 0
    assert RunFolder.open(folder).settings() == settings
    again = evaluate(folder)
    assert again["final"] == before["final"]
