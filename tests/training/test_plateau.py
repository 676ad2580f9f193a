"""A training ends where it gets no better, and a finished one goes on for more epochs."""

import pytest

from fakes.runs import bits, tiny
from spinhw.errors import ConfigError
from spinhw.training import resume, train
from spinhw.training.plateau import PlateauSettings, on_plateau


def rows(*shares):
    return [{"train_accuracy": [share, share + 0.1], "loss": [1.0]} for share in shares]


@pytest.mark.parametrize(
    ("shares", "over"),
    [((0.1, 0.2), False), ((0.1, 0.2, 0.3, 0.31), False), ((0.1, 0.3, 0.3, 0.1), True), ((0.5, 0.5, 0.5), False)],
)
def test_a_plateau_is_where_the_mean_of_some_epochs_is_not_above_that_of_those_before(shares, over):
    assert on_plateau(PlateauSettings(rise=0.01, over=2), rows(*shares)) is over


def test_answers_that_are_no_classes_are_on_a_plateau_when_their_loss_falls_no_more():
    falling = [{"loss": [one, one]} for one in (4.0, 2.0, 1.0, 0.999)]
    settings = PlateauSettings(rise=0.01, over=1)
    assert [on_plateau(settings, falling[:count]) for count in range(5)] == [False, False, False, False, True]


def simulated(**training):
    settings = tiny(device=None, loop={"epochs": 0}, **training)
    return settings


def test_a_training_ends_on_its_plateau_and_counts_what_it_took(tmp_path):
    found = train(simulated(epochs=9, plateau={"rise": 0.99, "over": 1, "least": 3}), tmp_path / "run").summary
    assert found["epochs"] == 3 and found["on_plateau"] is True
    whole = train(simulated(epochs=3), tmp_path / "whole").summary
    assert found["inferences"] == whole["inferences"] and found["accuracy"] == whole["accuracy"]


def test_a_finished_run_goes_on_in_a_new_folder_as_if_it_had_been_longer(tmp_path):
    train(simulated(epochs=2), tmp_path / "short")
    before = bits(tmp_path / "short")
    longer = resume(tmp_path / "short", simulated(epochs=4), new_folder=tmp_path / "long")
    whole = train(simulated(epochs=4), tmp_path / "whole")
    assert longer.settings == whole.settings and longer.summary["accuracy"] == whole.summary["accuracy"]
    for folder, wanted in ((tmp_path / "long", bits(tmp_path / "whole")), (tmp_path / "short", before)):
        found = bits(folder)
        assert all((found[name] == wanted[name]).all() for name in wanted)
    assert [row["epoch"] for row in longer.metrics] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("training", "folder"),
    [({"epochs": 4}, None), ({"epochs": 1}, "new"), ({"epochs": 4, "batch_size": 7}, "new")],
    ids=["in its own folder", "fewer", "otherwise too"],
)
def test_a_run_goes_on_for_more_epochs_and_with_nothing_else_in_a_new_folder(training, folder, tmp_path):
    train(simulated(epochs=2), tmp_path / "short")
    with pytest.raises(ConfigError, match=r"started with another config; seen: training\."):
        resume(tmp_path / "short", simulated(**training), new_folder=folder and tmp_path / folder)


@pytest.mark.parametrize("way", [{"schedule": "cosine"}, {}])
def test_a_plateau_needs_a_rate_and_a_simulator_that_do_not_know_the_end(way):
    with pytest.raises(ConfigError, match=r"training\.plateau (needs a learning rate|ends trainings on the simulator)"):
        tiny(**({"device": None} if way else {}), optimiser=way, plateau={"over": 1})
