"""What is held out is never trained on: not a sequence, not a group, not a sample of a long series."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinhw.errors import ConfigError
from spinhw.tasks import Feed, SeriesSettings, joined, series_of

NAMES = {"train": 0, "validation": 1, "test": 2}


def marked(lengths):
    """Sequences whose samples are all different: each is its own number."""
    starts = np.cumsum([0, *lengths])
    return [np.arange(first, last, dtype=np.float32) for first, last in zip(starts[:-1], starts[1:], strict=True)]


def samples_shown(asked, series, part):
    """The numbers of all samples that a part shows or asks to be answered."""
    task = asked.holding(series).open(Feed(batch_size=7))
    if part == "train":
        batches = [task.train([3, 4], 1, batch) for batch in range(task.batches)]
    elif part in asked.holding(series).parts:
        batches = list(task.held_out([3, 4], part))
    else:
        return set()
    shown = set()
    for batch in batches:
        played = [batch.inputs[..., 0], *([batch.target.values[..., 0]] if series.per_step else [])]
        shown |= {round(float(number)) for one in played for number in one.flatten()}
    return shown


SHARES = st.sampled_from([0.0, 0.25, 0.4])


@settings(max_examples=40)
@given(
    st.sampled_from(["fraction", "group", "time"]),
    st.integers(0, 10**6),
    st.lists(st.integers(40, 50), min_size=12, max_size=16),
    SHARES,
    SHARES,
    st.integers(0, 3),
)
def test_no_sample_stands_in_two_parts(kind, seed, lengths, test, validation, horizon):
    sequences = marked(lengths)
    groups = np.arange(len(lengths)) % 8
    windowed = {"samples": 2, "horizon": horizon if kind == "time" else 0, "stride": 1 + seed % 4}
    per_step = kind == "time"
    if test == validation == 0:
        test = 0.25
    series = series_of(
        sequences,
        sequences if per_step else groups % 2,
        answers="values_per_step" if per_step else "class",
        groups=groups // 2,
    )
    asked = SeriesSettings(
        answers=series.answers,
        split={"kind": kind, "test": test, "validation": validation, "seed": seed},
        window=windowed if kind == "time" else {},
        scaling={"kind": "none"},
        scale_targets=False,
    )
    shown = {part: samples_shown(asked, series, part) for part in NAMES}
    assert not shown["train"] & shown["validation"]
    assert not shown["train"] & shown["test"]
    assert not shown["validation"] & shown["test"]
    if kind == "group":
        owner = np.repeat(groups // 2, lengths)
        of = {part: {owner[sample] for sample in samples} for part, samples in shown.items()}
        assert not of["train"] & (of["validation"] | of["test"])
        assert not of["validation"] & of["test"]
    if kind != "time":
        assert set.union(*shown.values()) == set(range(sum(lengths)))


def test_time_goes_from_training_to_validation_to_test():
    series = series_of([np.arange(100.0)], [np.arange(100.0)], answers="values_per_step")
    asked = SeriesSettings(
        answers="values_per_step",
        split={"kind": "time"},
        window={"samples": 8, "horizon": 1},
        scaling={"kind": "none"},
        scale_targets=False,
    )
    shown = {part: samples_shown(asked, series, part) for part in NAMES}
    assert max(shown["train"]) < min(shown["validation"])
    assert max(shown["validation"]) < min(shown["test"])
    facts = asked.holding(series).facts()["parts"]
    assert facts["train"]["left_over_samples"] == 64 - 1 - 7 * 8
    assert max(shown["test"]) == 80 + 2 * 8


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(0, 8), st.integers(1, 3), SHARES.filter(bool), SHARES)
def test_a_washout_that_reaches_back_answers_a_held_out_part_whole_and_nothing_before_it(
    answered, washout, horizon, test, validation
):
    series = series_of([np.arange(100.0)], [np.arange(100.0)], answers="values_per_step")
    asked = SeriesSettings(
        answers="values_per_step",
        split={"kind": "time", "test": test, "validation": validation},
        window={
            "samples": max(2, washout + answered),
            "washout": washout,
            "horizon": horizon,
            "stride": max(2 - washout, answered),
            "reach_back": True,
        },
        scaling={"kind": "none"},
        scale_targets=False,
    ).holding(series)
    tested = round(100 * test)
    borders = {
        "validation": (100 - tested - round((100 - tested) * validation), 100 - tested),
        "test": (100 - tested, 100),
    }
    task = asked.open(Feed(batch_size=7))
    for part in asked.parts:
        right = np.concatenate(
            [one.target.values[0, :, one.washout :, 0].flatten().numpy() for one in task.held_out([0], part)]
        )
        first, end = borders[part]
        left_over = asked.facts()["parts"][part]["left_over_samples"]
        assert sorted(right.tolist()) == list(range(first, end - left_over))
    trained = [task.train([0], 0, number).target.values for number in range(task.batches)]
    assert max(float(one.max()) for one in trained) < borders[asked.parts[0]][0]


def test_each_class_is_held_out_by_the_same_share():
    labels = ["rare"] * 10 + ["often"] * 90
    held = SeriesSettings(split={"test": 0.2, "validation": 0.25}).holding(
        series_of(np.arange(300).reshape(100, 3), labels)
    )
    by_class = {part: about["by_class"] for part, about in held.facts()["parts"].items()}
    assert by_class["test"] == {"often": 18, "rare": 2}
    assert by_class["validation"] == {"often": 18, "rare": 2}
    assert by_class["train"] == {"often": 54, "rare": 6}


def test_scaling_comes_from_the_training_part_alone():
    rng = np.random.default_rng(1)
    inputs, labels = rng.normal(3, 5, (40, 6, 2)).astype(np.float32), np.arange(40) % 2
    held = SeriesSettings(scaling={"kind": "range", "lowest": -2, "highest": 1}).holding(series_of(inputs, labels))
    task = held.open(Feed(batch_size=100))
    shown = task.train([0], 0, 0).inputs
    assert shown.amin((0, 1, 2)).tolist() == pytest.approx([-2, -2], abs=1e-5)
    assert shown.amax((0, 1, 2)).tolist() == pytest.approx([1, 1], abs=1e-5)
    changed = inputs.copy()
    test = joined(list(task.held_out([0], "test"))).inputs[0].numpy()
    numbers = held.facts()["input_scaling"]
    undone = (test - [numbers[c]["shift"] for c in "01"]) / [numbers[c]["factor"] for c in "01"]
    undone += [numbers[c]["offset"] for c in "01"]
    which = [int(np.flatnonzero(np.isclose(inputs, one, atol=1e-4).all((1, 2)))[0]) for one in undone]
    changed[which] = 1000
    again = SeriesSettings(scaling={"kind": "range", "lowest": -2, "highest": 1}).holding(series_of(changed, labels))
    assert again.facts()["input_scaling"] == numbers
    assert again.input_range[1] > 100


@pytest.mark.parametrize("per_channel", [True, False])
def test_a_standard_scaling_has_the_spread_that_it_says(per_channel):
    inputs = np.random.default_rng(2).normal(3, 5, (40, 30, 2))
    inputs[..., 1] *= 4
    series = series_of(inputs, np.arange(40) % 2)
    held = SeriesSettings(scaling={"kind": "standard", "spread": 0.7, "per_channel": per_channel}).holding(series)
    shown = held.open(Feed(batch_size=100)).train([0], 0, 0).inputs[0]
    assert float(shown.std() if not per_channel else shown[..., 0].std()) == pytest.approx(0.7, rel=1e-2)


def test_values_to_be_answered_are_standardised_on_the_training_part():
    targets = np.random.default_rng(3).normal(300, 20, (50, 1))
    held = SeriesSettings().holding(series_of(np.random.default_rng(0).normal(size=(50, 4)), targets, answers="values"))
    shown = held.open(Feed(batch_size=100)).train([0], 0, 0).target.values
    assert shown.shape == (1, 32, 1)
    assert float(shown.mean()) == pytest.approx(0, abs=1e-4)
    assert float(shown.std(correction=0)) == pytest.approx(1, abs=1e-4)


def test_a_constant_channel_is_moved_and_said(caplog):
    inputs = np.random.default_rng(0).normal(size=(20, 4, 2))
    inputs[..., 1] = 7
    held = SeriesSettings().holding(series_of(inputs, np.arange(20) % 2, channels=["a", "still"]))
    assert held.open(Feed(batch_size=100)).train([0], 0, 0).inputs[..., 1].abs().max() == 0
    assert "still" in caplog.text


def test_held_out_sequences_are_one_memory_for_all_members():
    held = SeriesSettings().holding(series_of(np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2))
    batches = list(held.open(Feed(batch_size=5)).held_out([0, 1, 2], "test"))
    assert joined(batches).inputs.stride(0) == 0
    assert joined(batches).inputs.shape == (3, 12, 4, 1)


def test_a_sequence_that_ends_early_goes_on_with_its_last_sample():
    pieces = [10 * place + np.arange(1.0, n + 1) for place, n in enumerate((2, 4, 3, 5) * 5)]
    series = series_of(pieces, [0, 1, 0, 1] * 5)
    batch = SeriesSettings(scaling={"kind": "none"}).holding(series).open(Feed(batch_size=50)).train([0], 0, 0)
    for inputs, length in zip(batch.inputs[0, :, :, 0].tolist(), batch.lengths[0].tolist(), strict=True):
        assert [one - inputs[0] for one in inputs] == [min(step, length - 1) for step in range(len(inputs))]


def test_a_seed_sees_the_same_batches_whoever_stands_beside_it():
    held = SeriesSettings().holding(series_of(np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 2))
    task, alone = held.open(Feed(4, input_noise=0.1)), held.open(Feed(4, input_noise=0.1))
    assert task.train([5, 6], 2, 1).inputs[1].equal(alone.train([6], 2, 1).inputs[0])
    order = [tuple(task.train([5], epoch, 0).target.labels[0].tolist()) for epoch in (0, 1, 0)]
    assert order[0] == order[2]


def test_one_series_is_not_divided_by_fraction():
    held = SeriesSettings(window={"samples": 4}).holding(
        series_of([np.arange(50.0)], [np.arange(50.0)], answers="values_per_step")
    )
    with pytest.raises(ConfigError, match=r"this is one series.*split.kind: time"):
        held.resolved()


def test_values_that_are_the_inputs_to_come_are_scaled_alike():
    wave = 5 + np.sin(np.arange(200) / 5)
    keys = {"answers": "values_per_step", "split": {"kind": "time"}, "window": {"samples": 20, "horizon": 3}}
    series = series_of([wave], [wave], answers="values_per_step")
    held = SeriesSettings(**keys).holding(series)
    assert held.forecast_samples == 3
    shown = held.open(Feed(batch_size=1)).train([0], 0, 0)
    assert shown.target.values[0, 0, :-3].equal(shown.inputs[0, 0, 3:])
    assert SeriesSettings(**keys, scale_targets=False).holding(series).forecast_samples is None
    other = series_of([wave], [wave + 1], answers="values_per_step")
    assert SeriesSettings(**keys).holding(other).forecast_samples is None
