"""Whatever is asked of series, by whatever gradient and on whatever device: each is trained, measured and replayed."""

from typing import Any

import numpy as np
import pytest
import torch
import yaml

from fakes.runs import bits
from spinhw import train
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.tasks import Series, series_of
from spinhw.training import RunResults, RunSettings, load_settings
from spinhw.training.held_out import refuse_non_finite

CHIP = {
    "kind": "simulated",
    "id": "spread",
    "chip": {"spread": {"gamma": 0.1, "sigma": 0.1}, "power_readout": {"noise": 0.01}},
}
RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(5, 9, 30)
PIECES = [RNG.normal(size=(n, 2)).astype(np.float32) for n in LENGTHS]
LONG = np.sin(np.arange(400) / 3)


def data(answers: str, window: int) -> tuple[Series, dict[str, Any]]:
    """Sequences of two channels and unequal lengths, or one long series; and what a task says of them."""
    if answers == "values_per_step":
        window = {"samples": window, "washout": 3, "horizon": 1}
        return series_of([LONG], [LONG], answers=answers), {"split": {"kind": "time"}, "window": window}
    targets: Any = {
        "class": np.arange(30) % 3,
        "class_per_step": [(one[:, 0] > 0).astype(int) for one in PIECES],
        "values": np.stack([one.mean(0) for one in PIECES]),
    }[answers]
    return series_of(PIECES, targets, answers=answers), {}


def trained(
    folder, answers: str, device: Any = CHIP, recording: str | None = None, window: int = 12, **training: Any
) -> RunResults:
    series, task = data(answers, window)
    run = {
        "task": {"kind": "series", "answers": answers, **task},
        "network": {"layers": [3, 2], "readout": "software"},
        "training": {
            "seeds": [1],
            "epochs": 1,
            "batch_size": 12,
            "substeps": 1,
            "threads": 1,
            "refit": {"when": "never"},
        }
        | training,
        "device": device,
        "recording": recording,
    }
    recipe = folder.with_suffix(".yaml")
    recipe.write_text(yaml.safe_dump(run), encoding="utf-8")
    return train(load_settings(recipe, task=series), folder, task=series)


@pytest.mark.parametrize(
    ("answers", "gradient"),
    [
        ("class", "output"),
        ("class_per_step", "layerwise"),
        ("values", "observer"),
        ("values_per_step", "spsa"),
        ("class_per_step", "finite_difference"),
        ("values_per_step", "oracle"),
    ],
)
def test_every_gradient_trains_series_on_a_chip(answers, gradient, tmp_path):
    summary = trained(tmp_path / "run", answers, gradient=gradient).summary
    assert summary["measure"] == ("accuracy" if answers.startswith("class") else "nrmse")
    assert np.isfinite(summary[f"{summary['measure']}_on_device"]["mean"])
    assert summary["device"]["good_share"] == 1.0
    assert summary["noun"] == "sequence"


def test_windows_of_a_long_series_are_recorded_and_replayed(tmp_path):
    asked = {"gradient": "layerwise"}
    first = trained(tmp_path / "first", "values_per_step", recording="all", **asked)
    again = trained(
        tmp_path / "again", "values_per_step", str(tmp_path / "first" / "recording" / "device.yaml"), **asked
    )
    assert all(torch.equal(one, bits(tmp_path / "again")[name]) for name, one in bits(tmp_path / "first").items())
    assert again.summary["nrmse_on_device"] == first.summary["nrmse_on_device"]


def test_unequal_sequences_are_played_by_one_oscillator(tmp_path):
    summary = trained(tmp_path / "run", "class_per_step", "one-oscillator", gradient="layerwise").summary
    assert summary["device"]["good_share"] == 1.0
    assert 0 <= summary["accuracy_on_device"]["mean"] <= 1


def test_a_watch_for_drift_needs_batches_that_can_be_judged(tmp_path):
    with pytest.raises(ConfigError, match=r"too small to be judged; seen: .* 10 sequences in all; allowed: 12"):
        trained(tmp_path / "run", "values_per_step", gradient="layerwise", drift={}, batch_size=100, window=25)


@pytest.mark.parametrize(
    ("task", "key"),
    [
        ({}, "task.input_scale"),
        ({"kind": "narma10"}, "task.input_low and input_high"),
        ({"kind": "flipflop"}, "the inputs of the task"),
    ],
)
def test_answers_that_overflow_name_the_key_that_the_task_has(task, key):
    settings = build(RunSettings, {"task": task, "training": {"seeds": [4]}}, "run.yaml")
    with pytest.raises(ConfigError, match=f"seed 4; .*drive_rate and {key} nearer to one"):
        refuse_non_finite(torch.full((1, 2, 1, 1), torch.nan), [4], settings)
