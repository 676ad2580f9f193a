"""An interval counts both that there are few networks and that few sequences were held out."""

import numpy as np
import pytest

from spinhw.training.predictions import Predictions
from spinhw.training.sampling import (
    independent_answers,
    interval_of_difference,
    interval_of_error,
    interval_of_share,
    spread_of_difference,
    spread_over_sequences,
)


def answers(answered, right, classes, per_step=True):
    return Predictions(answered, right, np.ones(right.shape[:2], bool), per_step, classes)


@pytest.mark.parametrize(
    ("share", "count", "low", "high"), [(0.5, 20, 0.2993, 0.7007), (0.9, 10, 0.5958, 0.9821), (1.0, 10, 0.7225, 1.0)]
)
def test_one_network_has_wilsons_interval(share, count, low, high):
    assert interval_of_share([share], count) == pytest.approx([low, high], abs=2e-4)


def test_more_seeds_do_not_make_up_for_few_sequences():
    one, many = interval_of_share([0.9], 20), interval_of_share([0.9] * 50, 20)
    assert many == pytest.approx(one)
    assert interval_of_share([0.8, 1.0] * 25, 20)[0] < one[0]
    assert np.ptp(interval_of_share([0.9] * 50, 2000)) < np.ptp(one) / 5


def test_an_error_is_as_sure_as_seeds_and_sequences_are():
    low, high = interval_of_error([0.3, 0.3, 0.3], 0.05)
    assert (low, high) == pytest.approx((0.3 - 0.098, 0.3 + 0.098), abs=1e-3)
    # Student's quantile of two degrees of freedom is 4.303.
    low, high = interval_of_error([0.2, 0.3, 0.4], 0.0)
    assert high - 0.3 == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-3)
    assert interval_of_error([0.01, 0.02], 0.0)[0] == 0


@pytest.mark.parametrize("classes", [True, False])
def test_spread_over_sequences_is_that_of_other_choices(classes):
    """Against figures of as many other choices, drawn anew; the mean of five is within 8 %."""
    rng = np.random.default_rng(0)

    def drawn(count=60, samples=20):
        right = rng.normal(size=(count, samples, 1))
        noise = rng.normal(size=right.shape) * rng.uniform(0.1, 1.0, size=(count, 1, 1))
        return (right > 0, right + noise > 0) if classes else (right, right + noise)

    def figure(right, answered):
        if classes:
            return float((right == answered).mean())
        return float(np.sqrt(np.square(answered - right).mean() / right.var()))

    def found():
        right, answered = drawn()
        return spread_over_sequences(answers(answered.astype(float), right.astype(float), classes))

    others = np.std([figure(*drawn()) for _ in range(1000)])
    assert np.mean([found() for _ in range(5)]) == pytest.approx(others, rel=0.25)


def test_answers_within_a_sequence_are_alike():
    right = np.zeros((40, 30, 1))
    answered = np.repeat((np.arange(40) % 4 == 0).astype(float)[:, None, None], 30, axis=1)
    assert independent_answers(answers(answered, right, classes=True), 0.75, 40) == pytest.approx(40, rel=0.15)
    assert independent_answers(answers(right, right, classes=True), 1.0, 40) == 40
    rng = np.random.default_rng(0)
    scattered = (rng.uniform(size=right.shape) < 0.25).astype(float)
    assert independent_answers(answers(scattered, right, classes=True), 0.75, 40) > 500


@pytest.mark.parametrize("classes", [True, False])
def test_a_difference_on_the_same_sequences_is_surer_than_two_figures_apart(classes):
    rng = np.random.default_rng(1)
    right = rng.normal(size=(80, 10, 1))
    hard = rng.uniform(0.1, 1.5, size=(80, 1, 1)) * rng.normal(size=right.shape)
    either = [right + hard + 0.1 * rng.normal(size=right.shape) for _ in range(2)]
    kind = (lambda values: (values > 0).astype(float)) if classes else (lambda values: values)
    one, other = (answers(kind(each), kind(right), classes) for each in either)
    assert spread_of_difference(one, one) == 0
    apart = np.hypot(spread_over_sequences(one), spread_over_sequences(other))
    assert 0 < spread_of_difference(one, other) < 0.5 * apart


def test_the_interval_of_a_difference_counts_seeds_and_sequences():
    assert interval_of_difference([0.1], 0.05) == pytest.approx([0.1 - 0.098, 0.1 + 0.098], abs=1e-3)
    low, high = interval_of_difference([0.0, 0.1, 0.2], 0.0)
    assert (low + high) / 2 == pytest.approx(0.1) and high - 0.1 == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-3)
    assert interval_of_difference([-0.3], 0.0) == [-0.3, -0.3]  # It has a sign, and may lie below zero.
