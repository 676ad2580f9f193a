"""Gated recurrent units, trained by the house's own loop."""

import numpy as np
import pytest

from fakes.waves import WavesSettings
from spinhw.baselines import GatedSettings, Ground
from spinhw.energy import EnergySettings
from spinhw.errors import ConfigError
from spinhw.tasks import SeriesSettings, series_of
from spinhw.training import SILENT, Diverged, TrainingSettings


def ground(task, **training) -> Ground:
    return Ground(
        task, 6, TrainingSettings(**{"epochs": 8, "batch_size": 20, "threads": 1} | training), EnergySettings()
    )


def signs() -> SeriesSettings:
    """Noise around a level, whose sign is the class."""
    rng = np.random.default_rng(3)
    labels = np.array(["down", "up"] * 30)
    series = [rng.normal(size=(rng.integers(4, 8), 1)) * 0.3 + (1 if one == "up" else -1) for one in labels]
    return SeriesSettings().holding(series_of(series, labels)).resolved()


def test_it_learns_a_small_task_and_counts_its_gates() -> None:
    task = signs()
    found = GatedSettings(optimiser={"learning_rate": 0.05}).measured(ground(task), [0, 1], "test", SILENT)
    assert found.values == [1.0, 1.0]
    assert found.weights == 3 * 6 * (1 + 6) + 2 * 3 * 6 + 2 * (6 + 1)
    assert found.energy_j == pytest.approx(4.6e-12 * (task.mean_samples * 3 * 6 * 7 + 2 * 6))


def test_a_seed_is_the_same_whoever_stands_beside_it() -> None:
    task = WavesSettings(ask="values_per_step", unequal=True, washout=2)
    both, alone = (
        GatedSettings().measured(ground(task, epochs=2), seeds, "test", SILENT).values for seeds in ([3, 4], [4])
    )
    assert both[1] == alone[0] and both[0] != both[1]


@pytest.mark.parametrize("ask", ["class", "values_per_step"])
def test_nothing_behind_an_end_counts(ask) -> None:
    tasks = [WavesSettings(ask=ask, unequal=True, after=after) for after in ("quiet", "beyond")]
    one, other = (GatedSettings().measured(ground(task, epochs=2), [0], "test", SILENT).values for task in tasks)
    assert one == other


def test_epochs_of_its_own_and_of_a_recipe_that_only_solves_a_readout() -> None:
    task = signs()
    readout = ground(task, trainable="readout", epochs=1)
    usual = GatedSettings(batch_size=120).measured(readout, [0], "validation", SILENT).about
    assert "100 epochs" in usual and "solved in the end" in usual
    assert "2 epochs" in GatedSettings(epochs=2).measured(readout, [0], "validation", SILENT).about


def test_beside_a_recipe_that_only_solves_a_readout_batches_are_small() -> None:
    task, alike = signs(), {"trainable": "readout", "epochs": 1}
    one, other, eight = (
        GatedSettings(epochs=2, **more).measured(ground(task, batch_size=size, **alike), [0], "test", SILENT)
        for size, more in ((120, {}), (20, {}), (20, {"batch_size": 8}))
    )
    assert one.values == other.values == eight.values


def test_a_readout_is_solved_where_the_recipes_is() -> None:
    task = WavesSettings(ask="values_per_step", unequal=True, sequences=30, washout=2)
    trained, found = (
        GatedSettings().measured(ground(task, epochs=2, solve_readout=solve), [0], "test", SILENT)
        for solve in (False, True)
    )
    assert found.values[0] < 0.9 * trained.values[0]
    assert found.weights == trained.weights and "solved in the end" in found.about


def test_a_training_that_goes_to_infinity_says_so() -> None:
    wild = GatedSettings.model_validate({"optimiser": {"learning_rate": 1e37, "gradient_norm": None}, "epochs": 5})
    with pytest.raises(Diverged, match="training diverged in epoch .*: seed 0"):
        wild.measured(ground(WavesSettings(ask="values")), [0], "test", SILENT)


def test_weights_are_not_averaged() -> None:
    with pytest.raises(ConfigError, match=r"average_decay"):
        GatedSettings(optimiser={"average_decay": 0.9})
