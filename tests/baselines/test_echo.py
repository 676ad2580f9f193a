"""The echo-state network: what is drawn, what it remembers, and its read-out."""

import numpy as np
import pytest
import torch

from fakes.waves import WavesSettings
from spinhw.baselines import EchoSettings, Ground
from spinhw.baselines.echo import draw_reservoir
from spinhw.energy import EnergySettings
from spinhw.tasks import TASKS
from spinhw.training import SILENT, TrainingSettings


def ground(task, units: int = 12) -> Ground:
    return Ground(task, units, TrainingSettings(), EnergySettings())


def test_a_reservoir_has_its_radius_and_every_unit_hears_equally_many() -> None:
    drawn = draw_reservoir(EchoSettings(spectral_radius=0.7, density=0.2), 20, 3, seed=4)
    assert np.abs(np.linalg.eigvals(drawn.w.numpy())).max() == pytest.approx(0.7)
    assert ((drawn.w != 0).sum(1) == 4).all()
    assert draw_reservoir(EchoSettings(density=0.01), 6, 1, seed=0).w.count_nonzero() == 6


def test_it_is_the_textbooks_loop() -> None:
    settings = EchoSettings(spectral_radius=1.1, input_scale=0.6, bias_scale=0.3, leak=0.35)
    drawn = draw_reservoir(settings, 7, 2, seed=1)
    u = np.random.default_rng(0).normal(size=(3, 9, 2))
    found = drawn.states(torch.from_numpy(u)).numpy()
    for sequence in range(3):
        x = np.zeros(7)
        for sample in range(9):
            inside = drawn.w_in.numpy() @ u[sequence, sample] + drawn.bias.numpy() + drawn.w.numpy() @ x
            x = (1 - 0.35) * x + 0.35 * np.tanh(inside)
            np.testing.assert_allclose(found[sequence, sample], x, rtol=1e-10, atol=1e-12)


def test_below_radius_one_the_initial_state_is_forgotten() -> None:
    drawn = draw_reservoir(EchoSettings(spectral_radius=0.8, leak=0.5), 16, 1, seed=2)
    inputs = torch.randn(1, 200, 1, generator=torch.Generator().manual_seed(0)).double()
    starts = [torch.full((1, 16), value, dtype=torch.float64) for value in (-1.0, 1.0)]
    one, other = (drawn.states(inputs, start) for start in starts)
    apart = (one - other).abs().amax((0, 2))
    assert apart[0] > 0.1 and apart[-1] < 1e-6


@pytest.mark.parametrize("pooled", ["last", "mean"])
@pytest.mark.parametrize("ask", ["class", "values", "class_per_step", "values_per_step"])
def test_it_answers_whatever_is_asked_and_nothing_behind_an_end_counts(ask, pooled) -> None:
    found = []
    for after in ("quiet", "beyond"):
        task = WavesSettings(ask=ask, unequal=True, after=after, washout=2 if ask.endswith("step") else 0)
        found.append(EchoSettings(pooled=pooled).measured(ground(task), [0, 1], "test", SILENT))
    assert found[0] == found[1]
    assert found[0].values[0] != found[0].values[1]


def test_it_learns_narma_better_than_a_guess_and_says_what_it_holds() -> None:
    task = TASKS.find("narma10")(length=120, washout=30, sequences=30, held_out=5)
    found = EchoSettings(spectral_radius=0.9, leak=1.0, input_scale=0.2).measured(
        ground(task, 50), [0], "validation", SILENT
    )
    assert found.values[0] < 0.75
    inner, readout = 50 * 5 + 50, 50 + 1
    assert found.weights == inner + 50 + readout + 1
    assert found.energy_j == pytest.approx(120 * (inner + readout) * 4.6e-12)
