"""Runs of flip-flop networks: learning, resuming, what is kept, the commands."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from spinhw.cli.app import app
from spinhw.config import build
from spinhw.errors import ConfigError, SpinhwError
from spinhw.flipflop import FlipFlopRun, load_flipflop, load_network, resume_flipflop, train_flipflop
from spinhw.flipflop.load import PRESETS, find_config, has_oscillators
from spinhw.flipflop.scoring import measure
from spinhw.flipflop.smallest import Size, smallest
from spinhw.tasks import Feed
from spinhw.tasks.trial_task import held_out_trials
from spinhw.training import Diverged, Interrupted, load_settings
from spinhw.training.checkpoint import load_checkpoint

# One bit, soon learned.
SMALL: dict[str, Any] = {
    "task": {
        "kind": "flipflop",
        "bits": 1,
        "steps": 60,
        "pulse_steps": 4,
        "delay_steps": 1,
        "onsets": [[1, 15], [10, 30]],
        "absent": [0, 0],
        "sequences": 90,
        "held_out": 32,
    },
    "network": {"kind": "tanh", "inputs": 1, "outputs": 1, "units": 20},
    "training": {
        "seeds": [0, 1],
        "epochs": 3,
        "batch_size": 16,
        "optimiser": {"learning_rate": 3e-3},
        "evaluate_every": 4,
    },
}


def small(task: Mapping[str, Any] | None = None, **training: Any) -> FlipFlopRun:
    changed = {"task": SMALL["task"] | (task or {}), "training": SMALL["training"] | training}
    return build(FlipFlopRun, SMALL | changed, "small.yaml")


class StopsAfter:
    """Progress that presses Ctrl-C once after so many batches."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float | None) -> None:
        self._left -= 1
        if self._left == 0:
            import signal

            signal.raise_signal(signal.SIGINT)

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """Do nothing."""

    def on_evaluation(self, what: str, done: int, total: int) -> None:
        """Do nothing."""


def networks(folder: Path) -> list[dict[str, torch.Tensor]]:
    return [load_network(folder / "networks" / f"seed-{seed}.safetensors").state_dict() for seed in (0, 1)]


@pytest.mark.parametrize("stop", [2, 6, 9])
@pytest.mark.parametrize("fresh", [True, False])
def test_an_interrupted_run_goes_on_bit_for_bit(tmp_path: Path, stop: int, fresh: bool) -> None:
    settings = small({"fresh": fresh})
    whole = train_flipflop(settings, tmp_path / "whole")
    with pytest.raises(Interrupted, match=r"spinhw flipflop train .*config.yaml --resume"):
        train_flipflop(settings, tmp_path / "parts", StopsAfter(stop))
    parts = resume_flipflop(tmp_path / "parts")
    for one, other in zip(networks(whole.folder), networks(parts.folder), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    first, second = (load_checkpoint(run.folder / "checkpoint.safetensors")[0] for run in (whole, parts))
    assert all(torch.equal(first[name], second[name]) for name in first)
    wall = {"wall_s"}
    assert [{key: row[key] for key in row.keys() - wall} for row in whole.metrics] == [
        {key: row[key] for key in row.keys() - wall} for row in parts.metrics
    ]


def test_networks_learn_and_the_best_one_is_kept(tmp_path: Path) -> None:
    results = train_flipflop(small(epochs=20), tmp_path / "run")
    assert results.summary["learned"] == [True, True]
    assert results.summary["bits_right"]["mean"] >= 0.97
    best = [min(values) for values in zip(*(row["best_mse"] for row in results.metrics), strict=True)]
    held_out = held_out_trials(results.settings.task)
    found = [
        measure(load_network(results.folder / "networks" / f"seed-{seed}.safetensors"), held_out).mse for seed in (0, 1)
    ]
    assert found == pytest.approx(best, rel=1e-6)


def test_a_member_learns_what_it_would_learn_alone_on_any_number_of_threads(tmp_path: Path) -> None:
    train_flipflop(small(threads=2), tmp_path / "both")
    train_flipflop(small(seeds=[1], threads=1), tmp_path / "alone")
    alone = load_network(tmp_path / "alone" / "networks" / "seed-1.safetensors").state_dict()
    both = networks(tmp_path / "both")[1]
    assert all(torch.equal(alone[name], both[name]) for name in alone)


def test_long_sequences_come_in_the_second_half_only() -> None:
    task = small({"long_steps": 100}).task.open(Feed(16, epochs=4))
    lengths = [[task.train([0], epoch, batch).inputs.shape[2] for batch in range(2)] for epoch in range(4)]
    assert lengths == [[60, 60], [60, 60], [60, 100], [60, 100]]


def test_kept_sequences_are_all_shown_once_in_each_epoch_in_another_order() -> None:
    task = small({"fresh": False}).task.open(Feed(16))
    epochs = [torch.cat([task.train([0], epoch, batch).inputs[0] for batch in range(6)]) for epoch in range(2)]
    assert len(epochs[0]) == 90
    assert not torch.equal(*epochs)
    first, second = (epoch.flatten(1).sum(1).sort().values for epoch in epochs)
    assert torch.equal(first, second)


def test_divergence_names_the_seed_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"training diverged in epoch 1.*seed 0.*lower training.optimiser.learning_rate"):
        train_flipflop(small(optimiser={"learning_rate": 1e30}, seeds=[0]), tmp_path / "run")


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_load_and_fit_together(preset: str) -> None:
    settings = load_settings(find_config(preset)) if has_oscillators(preset) else load_flipflop(preset)
    assert settings.task.kind == (preset if settings.task.outputs == 1 else "flipflop")


def test_the_published_preset_is_the_published_recipe() -> None:
    settings = load_flipflop("published")
    training, network = settings.training, settings.network
    assert settings.task == type(settings.task).published(fresh=False)
    assert (network.units, network.bias, network.initial, network.leak) == (400, False, "orthogonal", 1.0)
    assert (training.epochs, settings.task.sequences, settings.batches) == (20, 30_050, 235)
    assert (training.optimiser.learning_rate, training.optimiser.decay) == (1e-4, 1e4)
    assert (training.optimiser.gradient_norm, training.optimiser.gradient_clip) == (None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["network.inputs=2"], r"network.inputs is 2, but the task flipflop has 3"),
        (["task.long_steps=100"], r"long_steps is 100; it must be above the 420 steps"),
        (["training.long_steps=1000"], r"unknown key 'long_steps'; it is written task.long_steps now"),
        (["training.loop_epochs=2"], r"unknown key 'loop_epochs'; networks of oscillators .* 'spinhw train'"),
        (["device=ideal"], r"unknown key 'device'; networks of oscillators"),
        (["training.seeds=[1, 1]"], r"seeds must differ, and 1 stands there more than once"),
        (["network.units=0"], r"--set network.units: must be greater than or equal to 1; seen: 0"),
        (["task.pulse_steps=90"], r"pulses overlap: one may start 71 steps after"),
        (["task.kind=flop"], r"task.kind: this kind is not known; seen: flop"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(changes: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_flipflop("quick", changes)
    assert "\n" not in str(caught.value)


def run_cli(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["flipflop", *map(str, arguments)])
    if isinstance(done.exception, SpinhwError):
        return done.exception.exit_code, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(small(epochs=1).to_yaml(), encoding="utf-8")
    return path


def test_training_that_has_not_learned_says_so_and_what_helps(recipe: Path, tmp_path: Path) -> None:
    slow = ("--set", "training.optimiser.learning_rate=1e-9")  # Many seeds learn in six steps.
    code, out = run_cli("train", recipe, *slow, "--out", tmp_path / "run")
    said = " ".join(out.split())
    assert code == 0
    assert "mind: seed 0, 1 has not learned the task. What usually helps: more training.epochs" in said
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["learned"] == [False, False]


def test_commands_refuse_what_cannot_be_done_in_one_line(recipe: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    cases = {
        ("train", recipe, "--out", taken): r"this exists already",
        ("train", tmp_path / "absent.yaml"): r"there is no such file",
        ("analyse", tmp_path / "absent"): r"there is no such run folder or file",
        ("analyse", taken): r"not a run folder; seen: no config.yaml in it; next: name a folder that `spinhw flipflop",
        ("analyse", recipe): r"this is a YAML file, which holds no weights",
        ("import", recipe): r"this is no HDF5 file",
    }
    for arguments, message in cases.items():
        code, out = run_cli(*arguments)
        assert code == 2
        assert message.replace(r"\.", ".") in out
        assert "\n" not in out.strip()


def test_resuming_with_other_settings_names_the_key(recipe: Path, tmp_path: Path) -> None:
    run_cli("train", recipe, "--out", tmp_path / "run")
    code, out = run_cli("train", recipe, "--resume", tmp_path / "run", "--set", "training.epochs=9")
    assert code == 2
    assert "training.epochs (1 there, 9 here)" in out


def size(units: int, *bits_right: float) -> Size:
    return Size(units, bits_right, (0.1,) * len(bits_right), (0.0,) * len(bits_right))


def test_the_smallest_network_is_the_least_that_learned_with_one_or_with_every_seed() -> None:
    found = [size(4, 0.5, 0.9), size(16, 1.0, 1.0), size(8, 0.5, 0.98)]
    assert smallest(found, every=False) == 8
    assert smallest(found, every=True) == 16
    assert smallest([size(4, 0.96)], every=False) is None


def test_sizes_are_trained_once_and_shown(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sizes"
    arguments = ("smallest", recipe, "--units", "20,1", "--set", "training.epochs=20", "--out", folder)
    code, out = run_cli(*arguments)
    assert code == 0
    facts = json.loads((folder / "smallest.json").read_text())
    assert [one["units"] for one in facts["sizes"]] == [1, 20]
    one, twenty = (all(share >= facts["enough"] for share in size["bits_right"]) for size in facts["sizes"])
    assert twenty
    fewest = 1 if one else 20  # One unit is enough for some seeds.
    assert facts["every_seed"] == fewest
    assert f"with every seed: {fewest}" in " ".join(out.split())
    assert (folder / "smallest.png").read_bytes().startswith(b"\x89PNG")
    written = (folder / "units-20" / "metrics.jsonl").read_bytes()  # The time that training took stands there.
    assert run_cli(*arguments)[0] == 0
    assert (folder / "units-20" / "metrics.jsonl").read_bytes() == written


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("smallest", "--units", "4;8"), "--units: no list of numbers; seen: 4;8; allowed: such as 4,8,16"),
        (("smallest", "--units", "0"), "network.units: must be greater than or equal to 1"),
        (("perceptual", "--units", "4"), "the size is asked for of flip-flop networks; seen: task perceptual"),
        (("oscillators", "--units", "4"), "networks of oscillators are trained by 'spinhw train'"),
    ],
)
def test_sizes_that_cannot_be_are_refused_in_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    code, out = run_cli("smallest", *arguments, "--out", tmp_path / "sizes")
    assert code == 2
    assert message in out
    assert "\n" not in out.strip()


@pytest.mark.parametrize("command", ["train", "analyse", "smallest", "import"])
def test_help_has_an_example(command: str) -> None:
    code, out = run_cli(command, "--help")
    assert code == 0
    assert f"Example: spinhw flipflop {command}" in " ".join(out.split())


@pytest.mark.parametrize("kind", ["match", "parametric"])
def test_decision_tasks_are_learned_by_their_shortened_recipes(kind: str, tmp_path: Path) -> None:
    settings = load_flipflop(kind, ["training.seeds=[100]", "training.epochs=4", "network.units=60"])
    assert train_flipflop(settings, tmp_path / "run").summary["bits_right"]["mean"] >= 0.95
