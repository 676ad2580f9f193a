"""The plain guess and the linear model, on tasks of every kind of answer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fakes.waves import WavesSettings
from spinhw.baselines import LinearSettings, linear_baseline, plain_guess
from spinhw.energy import EnergySettings
from spinhw.errors import ConfigError
from spinhw.tasks import DigitsSettings, Feed, SeriesSettings, series_of

CALM, WILD = "calm", "wild"


def separable(sequences: int = 60, lengths: tuple[int, int] = (8, 9), **keys) -> SeriesSettings:
    """Series of two classes that one sample tells apart."""
    rng = np.random.default_rng(1)
    labels = np.array([CALM, WILD] * (sequences // 2))
    series = []
    for label in labels:
        one = rng.normal(size=(rng.integers(*lengths), 2))
        one[3, 1] = 4.0 if label == WILD else -4.0
        series.append(one)
    return SeriesSettings(**keys).holding(series_of(series, labels)).resolved()


def test_classes_that_a_plane_parts_are_all_told_right() -> None:
    found = linear_baseline(separable(), [0, 1], "test")
    assert found.values == [1.0, 1.0]
    assert found.weights == 8 * 2 + 1
    assert found.energy_j == pytest.approx(8 * 2 * 4.6e-12)
    assert plain_guess(separable(), [0, 1], "test").values == [0.5, 0.5]


@pytest.mark.parametrize("unequal", [None, "filled", "resampled"])
def test_sequences_of_unequal_lengths_have_one_column_more(unequal) -> None:
    task = separable(lengths=(5, 9))
    found = linear_baseline(task, [0], "test", LinearSettings(unequal=unequal, ridge=1e-3))
    assert found.weights == (8 * 2 + 1) + 1
    assert found.values[0] > 0.9
    assert (unequal or "to 8 samples") in found.about


def test_answers_after_each_sample_beat_the_plain_guess() -> None:
    for ask, worst in [("class_per_step", 0.7), ("values_per_step", 0.8)]:
        task = WavesSettings(ask=ask, unequal=True, longest=24, sequences=60, washout=3)
        linear, plain = (one(task, [0, 1], "test").values for one in (linear_baseline, plain_guess))
        assert min(linear) > worst > max(plain) if ask.startswith("class") else max(linear) < worst < min(plain)


def test_values_of_a_whole_sequence_are_regressed() -> None:
    rng = np.random.default_rng(2)
    series = rng.normal(size=(80, 6, 1))
    right = series[:, 2] - 2 * series[:, 4]  # (sequence, 1)
    task = SeriesSettings(answers="values").holding(series_of(series, right, answers="values")).resolved()
    assert linear_baseline(task, [0], "test").values[0] < 1e-3
    assert plain_guess(task, [0], "test").values[0] > 0.9


def test_a_window_is_ridge_regression_on_the_last_inputs() -> None:
    task, window, ridge = WavesSettings(ask="values_per_step", washout=4, sequences=9), 3, 1e-2
    found = linear_baseline(task, [5], "test", LinearSettings(window=window, ridge=ridge))
    opened = task.open(Feed(9))

    def rows(batches) -> tuple[np.ndarray, np.ndarray]:
        inputs = torch.cat([one.inputs[0, :, :, 0] for one in batches]).double().numpy()
        right = torch.cat([one.target.values[0, :, :, 0] for one in batches]).double().numpy()
        lagged = [np.pad(inputs, ((0, 0), (lag, 0)))[:, : inputs.shape[1]] for lag in range(window)]
        return np.stack(lagged, -1)[:, 4:].reshape(-1, window), right[:, 4:].ravel()

    columns, right = rows([opened.train([5], 0, place) for place in range(opened.batches)])
    mean, spread = columns.mean(0), columns.std(0)
    cells = (columns - mean) / spread
    penalty = ridge * len(cells) * np.eye(window)
    weights = np.linalg.solve(cells.T @ cells + penalty, cells.T @ (right - right.mean()))
    held, wanted = rows(list(opened.held_out([5], "test")))
    answers = (held - mean) / spread @ weights + right.mean()
    assert found.values[0] == pytest.approx(np.sqrt(np.mean((answers - wanted) ** 2)) / wanted.std(), rel=1e-4)
    assert found.weights == window + 1
    assert found.energy_j == pytest.approx(16 * window * 4.6e-12)


def test_it_is_the_same_in_whatever_order_sequences_are_shown_and_whoever_stands_beside() -> None:
    task = separable(lengths=(5, 9))
    both, alone = linear_baseline(task, [0, 7], "validation"), linear_baseline(task, [7], "validation")
    assert both.values == [alone.values[0]] * 2 and both.about == alone.about


def test_each_seed_has_its_own_sequences_where_the_task_gives_it_some() -> None:
    task = DigitsSettings(held_out="validation", train_fraction=0.2)
    both = linear_baseline(task, [100, 103], "validation", LinearSettings(ridge=1e-2)).values
    alone = [linear_baseline(task, [seed], "validation", LinearSettings(ridge=1e-2)).values[0] for seed in (100, 103)]
    assert both == alone and both[0] != both[1] and min(both) > 0.8


def test_long_series_are_averaged_to_few_columns() -> None:
    rng = np.random.default_rng(0)
    labels = np.array([CALM, WILD] * 10)
    series = [rng.normal(size=9000) + (label == WILD) for label in labels]
    task = SeriesSettings().holding(series_of(series, labels)).resolved()
    found = linear_baseline(task, [0], "test", LinearSettings(ridge=1e-3))
    assert found.values == [1.0] and found.weights == 3001 and "the mean of each 3 samples" in found.about


def test_the_constant_of_the_energy_is_a_setting() -> None:
    dear = linear_baseline(separable(), [0], "test", LinearSettings(ridge=1e-3), EnergySettings(per_multiply_add_j=1.0))
    assert dear.energy_j == 16.0


def test_a_part_that_is_not_there_and_no_seeds_are_refused(tmp_path: Path) -> None:
    task = DigitsSettings(held_out="test")
    with pytest.raises(ConfigError, match="part: this task has no such part; seen: validation; allowed: test"):
        plain_guess(task, [0], "validation")
    with pytest.raises(ConfigError, match="seeds: there are none"):
        linear_baseline(task, [], "test")
