"""The rules of the paper hold for whatever is proposed, and what is trained follows from counted work."""

import pytest

from spinhw.network import NetworkSettings
from spinhw.proposal import rules

INTERVALS_S = [1e-10, 1e-9, 1e-8]


@pytest.mark.parametrize("interval_s", INTERVALS_S)
def test_a_neuron_outlives_a_sample_and_is_moved_by_it(interval_s):
    tau_s = rules.relaxation_time_s(interval_s)
    assert interval_s < tau_s
    # I dt, eq. 11, at the largest drive.
    assert rules.HIGHEST_OVER_GAMMA / tau_s * interval_s == pytest.approx(1)


@pytest.mark.parametrize("interval_s", INTERVALS_S)
@pytest.mark.parametrize("layers", [(16, 16), (32, 32), (32, 32, 32)])
def test_optimal_weights_have_a_cumulative_drive_of_one(interval_s, layers):
    network = NetworkSettings(layers=layers, drive_rate_per_s=rules.drive_rate_per_s(interval_s), gain=rules.GAIN)
    per_weight = network.drive_per_weight(interval_s)
    assert per_weight * rules.optimal_weight(per_weight) == pytest.approx(1)
    # Uniform within +- scale / sqrt(N), N = layer's fan-in: mean size scale / (2 sqrt(N)).
    mean = rules.weight_scale() / (2 * layers[0] ** 0.5)
    assert per_weight * mean == pytest.approx(rules.FIRST_DRIVE, rel=0.05)
    assert rules.learning_rate(per_weight, of_classes=True) < rules.optimal_weight(per_weight) / 10


def test_outputs_remember_a_sequence_or_a_relaxation_time():
    assert rules.remembered(20.0, per_step=False) == 20
    assert rules.remembered(1e4, per_step=False) == 50
    assert rules.remembered(20.0, per_step=True) * 1e-9 == pytest.approx(rules.relaxation_time_s(1e-9))
    assert rules.corner_hz(16, 1e-9) == pytest.approx(10e6, rel=0.05)


@pytest.mark.parametrize("sequences", [2, 30, 160, 600, 5000, 100_000])
@pytest.mark.parametrize("samples", [10, 100, 1000])
def test_work_is_bounded_and_every_network_learns_something(sequences, samples):
    found = rules.effort(sequences, samples, 4, 3)
    assert 1 <= found.batch <= sequences
    assert 1 <= found.epochs <= 100
    least = rules.work_of_epoch(found.layers, found.members, (sequences, found.batch, samples), (4, 3))
    assert found.work == pytest.approx(found.epochs * least)
    assert found.work <= max(rules.MOST_WORK, least)
    assert found.is_short == (found.epochs < rules.FEWEST_EPOCHS)


def test_more_data_never_get_larger_networks():
    sizes = [rules.effort(count, 100, 1, 2) for count in (10, 100, 1000, 10_000, 100_000)]
    weights = [sum(one.layers) * one.members for one in sizes]
    assert weights == sorted(weights, reverse=True)
    assert sizes[0].epochs >= sizes[-1].epochs


@pytest.mark.parametrize("part", [5, 44, 200, 5000])
def test_windows_fit_into_the_shortest_part_twice(part):
    samples = rules.window_samples(part, 1)
    assert 2 * samples + 1 <= part or samples == 2
    assert rules.washout(samples) < samples
