"""Series from a formula: what they are by definition, what of them depends on which seed, and what is refused."""

import math

import pytest
import torch

from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.tasks import Feed
from spinhw.tasks.generated import (
    MackeyGlassSettings,
    MemorySettings,
    Narma10Settings,
    SineSquareSettings,
    delayed,
    mackey_glass,
    narma10,
    parities,
    sine_square,
)
from spinhw.training import RunSettings

SMALL = {"length": 60, "washout": 20, "sequences": 5, "held_out": 2, "tested": 3}
EVERY = [Narma10Settings, MackeyGlassSettings, MemorySettings, SineSquareSettings]


def uniform(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_narma_obeys_its_equation() -> None:
    u = 0.5 * uniform(0, 3, 80)
    y = torch.cat([torch.zeros(3, 1, dtype=torch.float64), narma10(u)], dim=1)  # y[n] before u[n] is seen
    for n in range(9, 79):
        expected = 0.3 * y[:, n] + 0.05 * y[:, n] * y[:, n - 9 : n + 1].sum(1) + 1.5 * u[:, n - 9] * u[:, n] + 0.1
        torch.testing.assert_close(y[:, n + 1], expected)


def test_narma_without_input_settles_where_its_equation_says() -> None:
    # y = 0.3 y + 0.5 y^2 + 0.1
    rest = 0.7 - math.sqrt(0.49 - 0.2)
    assert float(narma10(torch.zeros(1, 300, dtype=torch.float64))[0, -1]) == pytest.approx(rest, abs=1e-9)


def test_mackey_glass_is_integrated_to_fourth_order() -> None:
    starts = torch.tensor([0.5, 1.2], dtype=torch.float64)
    ends = [mackey_glass(starts, 60, 17, steps)[:, -1] for steps in (4, 8, 16, 64)]
    errors = [float((one - ends[-1]).abs().max()) for one in ends[:-1]]
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert math.log2(coarse / fine) == pytest.approx(4, abs=0.5)


def test_mackey_glass_rests_where_production_and_decay_are_equal() -> None:
    torch.testing.assert_close(mackey_glass(torch.ones(1).double(), 50), torch.ones(1, 50).double())


def test_a_delay_of_nothing_is_the_input_and_parity_counts_the_bits_that_are_minus_one() -> None:
    u = uniform(1, 2, 9)
    found = delayed(u, (0, 3))
    assert torch.equal(found[..., 0], u) and torch.equal(found[:, 3:, 1], u[:, :-3]) and not found[:, :3, 1].any()
    bits = (u > 0.5).double() * 2 - 1
    odd = ((bits[:, 2:] < 0).int() + (bits[:, 1:-1] < 0).int() + (bits[:, :-2] < 0).int()) % 2 == 1
    assert torch.equal(parities(bits, (2,))[:, 2:, 0], torch.where(odd, -1.0, 1.0).double())


def test_each_period_is_a_sine_or_a_square() -> None:
    waves = sine_square(torch.tensor([[0, 1]]), 8)[0]
    torch.testing.assert_close(waves[:8], torch.sin(2 * math.pi * torch.arange(8).double() / 8))
    assert waves[8:].tolist() == [1.0] * 4 + [-1.0] * 4


@pytest.mark.parametrize("kind", EVERY)
def test_series_are_played_within_their_range_and_members_stand_alone(kind) -> None:
    settings = kind(**SMALL, input_low=-2.0, input_high=3.0)
    task = settings.open(Feed(batch_size=3))
    assert (task.batches, task.sequences, settings.samples, settings.answers) == (2, 5, 60, "always")
    both, last = task.train([4, 7], 0, 0), task.train([7], 0, 1)
    assert both.inputs.shape == (2, 3, 60, 1) and last.inputs.shape == (1, 2, 60, 1) and both.washout == 20
    assert torch.equal(both.inputs[1:], task.train([7], 0, 0).inputs)
    assert not torch.equal(both.inputs[0], both.inputs[1])
    [shown] = task.held_out([4, 7], "test")
    assert torch.equal(shown.inputs[0], shown.inputs[1]) and shown.inputs.shape[1] == 3
    for one in (both.inputs, shown.inputs):
        assert float(one.min()) >= -2 - 1e-6 and float(one.max()) <= 3 + 1e-6


@pytest.mark.parametrize("kind", EVERY)
def test_no_sequence_is_in_two_parts_and_an_epoch_shows_each_once(kind) -> None:
    task = kind(**SMALL).open(Feed(batch_size=5))
    parts = [task.train([1], 0, 0), *task.held_out([1], "validation"), *task.held_out([1], "test")]
    every = torch.cat([one.inputs[0, :, :, 0] for one in parts])
    expected = 10 if kind is not SineSquareSettings else None  # Two of few waves may be equal.
    assert expected is None or len(every.unique(dim=0)) == expected
    first, second = (task.train([1], epoch, 0).inputs[0, :, :, 0] for epoch in (0, 1))
    assert torch.equal(first.sort(0).values, second.sort(0).values) and not torch.equal(first, second)
    fresh = kind(**SMALL, fresh=True).open(Feed(batch_size=5))
    assert not torch.equal(fresh.train([1], 0, 0).inputs.sort(1).values, fresh.train([1], 1, 0).inputs.sort(1).values)


def test_noise_is_on_training_inputs_alone() -> None:
    settings = Narma10Settings(**SMALL)
    plain, noisy = (settings.open(Feed(5, noise)) for noise in (0.0, 0.5))
    apart = noisy.train([1], 0, 0).inputs - plain.train([1], 0, 0).inputs
    # The spread of 300 draws of standard deviation 1/2 is 0.02.
    assert float(apart.std()) == pytest.approx(0.5, abs=0.08)
    assert torch.equal(next(iter(noisy.held_out([1], "test"))).inputs, next(iter(plain.held_out([1], "test"))).inputs)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"washout": 250}, "washout.*250.*length"),
        ({"kind": "memory", "delays": [60]}, "delay of 60.*washout"),
        ({"input_low": 1.0, "input_high": 1.0}, "input_low.*wrong way"),
    ],
)
def test_what_cannot_be_is_refused(task, said) -> None:
    data = {"task": {"kind": "narma10"} | task, "network": {"outputs": 1, "layers": [4]}}
    with pytest.raises(ConfigError, match=said):
        build(RunSettings, data, "run.yaml")


def test_what_is_foretold_of_a_series_is_the_input_to_come() -> None:
    task = MackeyGlassSettings(**SMALL, horizon=3)
    opened = task.open(Feed(batch_size=2))
    [batch, *_] = opened.held_out([0], "test")
    assert task.forecast_samples == 3
    torch.testing.assert_close(opened.as_inputs(batch.target.values)[:, :, 20:57], batch.inputs[:, :, 23:])


def test_settings_say_what_is_asked_for() -> None:
    asked = {kind: (kind().per_step, kind().headline) for kind in EVERY}
    values, classes = (True, "nrmse"), (True, "accuracy")
    assert asked == dict.fromkeys(EVERY, values) | {SineSquareSettings: classes}
    assert SineSquareSettings().class_names == ("sine", "square")
