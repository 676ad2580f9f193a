"""Runs that start from the networks of another run."""

import pytest
import torch

from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.training import RunSettings, load_settings, resume, train
from spinhw.training.checkpoint import load_checkpoint


def settings_of(start=None, network=None, task=None, **training) -> RunSettings:
    data = {
        "task": {"train_fraction": 0.05, "held_out": "validation"} | (task or {}),
        "network": {"layers": [3, 3]} | (network or {}),
        "training": {"seeds": [3, 5], "epochs": 1, "batch_size": 20, "substeps": 1, "threads": 1, "start": start}
        | training,
    }
    return build(RunSettings, data, "run.yaml")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first") / "run"
    train(settings_of(optimiser={"average_decay": 0.5}), folder)
    return folder


def weights_in(folder, part="network") -> dict[str, torch.Tensor]:
    tensors, _ = load_checkpoint(folder / "checkpoint.safetensors")
    return {name.removeprefix(f"{part}/"): value for name, value in tensors.items() if name.startswith(f"{part}/")}


def test_every_seed_starts_from_its_own_trained_network_that_counts(first, tmp_path):
    """Here the running average; the order of the seeds is another one."""
    folder = tmp_path / "run"
    results = train(settings_of(str(first), epochs=0, seeds=[5, 3]), folder)
    there, here = weights_in(first, "average"), weights_in(folder)
    assert all(torch.equal(value, there[name].flip(0)) for name, value in here.items())
    assert results.summary["start"] == str(first)


def test_resumed_run_goes_on_and_does_not_start_again(first, tmp_path):
    folder = tmp_path / "run"
    train(settings_of(str(first)), folder)
    trained = weights_in(folder)
    assert not torch.equal(trained["w_out"], weights_in(first, "average")["w_out"])
    resume(folder)
    assert all(torch.equal(value, trained[name]) for name, value in weights_in(folder).items())


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"seeds": [3, 4]}, "did not train every seed; seen: no seed 4; allowed: 3, 5"),
        ({"network": {"layers": [3, 4]}}, r"network.layers \(3, 3\) there, \(3, 4\) here"),
        ({"task": {"held_out": "test"}}, "task.held_out validation there, test here"),
    ],
)
def test_start_that_does_not_fit_is_refused_and_leaves_no_folder(first, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        train(settings_of(str(first), **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_start_is_looked_for_beside_the_config(first):
    config = first.parent / "next.yaml"
    config.write_text("training: {start: run, seeds: [3]}\n", encoding="utf-8")
    assert load_settings(config).training.start == str(first)
