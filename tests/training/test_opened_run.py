"""A run folder that is opened again: settings, networks, metrics, recording."""

import json
import math

import pytest
import torch

from fakes.runs import tiny
from spinhw import open_run, train
from spinhw.errors import ConfigError
from spinhw.training import RunFolder
from spinhw.training.opened import metrics_table


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    settings = tiny(optimiser={"average_decay": 0.9}).model_copy(update={"recording": "observed"})
    return train(settings, tmp_path_factory.mktemp("opened") / "run")


def test_a_run_gives_its_settings_and_what_came_out(done):
    run = open_run(str(done.folder))
    assert run.folder == done.folder
    assert run.settings == done.settings
    assert run.summary == done.summary


def test_the_network_is_the_one_that_was_measured(done):
    run = open_run(done.folder)
    task = run.settings.open_task()
    [batch] = list(task.held_out(run.settings.training.seeds, "validation"))
    with torch.no_grad():
        right = (run.network(batch.inputs).argmax(-1) == batch.target.labels).double().mean(1)
    assert right.tolist() == pytest.approx(run.summary["accuracy"]["per_seed"])
    assert run.network is run.network


def test_metrics_are_a_table_by_epoch_and_seed(done):
    table = open_run(done.folder).metrics
    assert table.sizes == {"epoch": 3, "seed": 2}
    assert table["epoch"].values.tolist() == [1, 2, 3] and table["seed"].values.tolist() == [3, 5]
    assert table["loss"].sel(seed=5).values.tolist() == [row["loss"][1] for row in done.metrics]
    assert table["accuracy"].dims == ("epoch", "seed")
    assert math.isnan(table["accuracy"].sel(epoch=1, seed=3))  # Looked at every second epoch, and at the end.
    assert table["inferences_on_device"].dims == ("epoch",)
    assert table["loss"].to_dataframe().shape == (6, 1)


def test_what_is_no_number_is_kept_as_it_is_written():
    table = metrics_table([{"epoch": 1, "a": [1, 2], "b": ["x"]}, {"epoch": 2, "a": None, "b": [], "c": True}], (7, 8))
    assert table["b"].values.tolist() == [["x"], []]
    assert table["c"].values.tolist() == [None, True]
    assert table["a"].sel(epoch=1).values.tolist() == [1, 2] and table["a"].sel(epoch=2).isnull().all()
    assert metrics_table([], (7, 8)).sizes == {"epoch": 0, "seed": 2}


def test_recordings_are_read_batch_by_batch(done):
    recordings = open_run(done.folder).recordings
    assert recordings.count == len(list((done.folder / "recording").glob("0*.nc")))
    assert recordings.batch(0).inputs.shape[-1] == 1


def test_what_a_run_does_not_have_is_said_when_it_is_asked_for(tmp_path):
    with pytest.raises(ConfigError, match="this is not a run folder; seen: no such folder"):
        open_run(tmp_path / "none")
    settings = tiny(device=None, loop={"epochs": None, "learning_rate": None}, gradient=None)
    RunFolder.create(tmp_path / "run", settings)
    run = open_run(tmp_path / "run")
    assert run.settings == settings and run.metrics.sizes["epoch"] == 0
    with pytest.raises(ConfigError, match="there is no checkpoint here"):
        _ = run.network
    with pytest.raises(ConfigError, match="has not finished"):
        _ = run.summary
    with pytest.raises(ConfigError, match="there is no recording here"):
        _ = run.recordings


def test_a_run_is_trained_from_a_file_or_by_the_name_of_a_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = tiny(device=None, epochs=0, loop={"epochs": None, "learning_rate": None}, gradient=None)
    (tmp_path / "mine.yaml").write_text(settings.to_yaml(), encoding="utf-8")
    assert train("mine.yaml", "runs/mine").settings == settings
    assert train(tmp_path / "mine.yaml").folder.match("runs/mine-*")
    assert train(settings).folder.match("runs/sequential_digits-*")
    assert json.loads((tmp_path / "runs/mine/summary.json").read_text())["epochs"] == 0
    with pytest.raises(ConfigError, match="there is no such file"):
        train("digit", tmp_path / "other")


def test_a_run_whose_logger_is_gone_is_read_without_it(tmp_path, caplog):
    settings = tiny(device=None, epochs=0, loop={"epochs": None, "learning_rate": None}, gradient=None)
    train(settings, tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("loggers: []", "loggers: [{kind: notebook_of_nobody, file: it}]"), encoding="utf-8")
    assert RunFolder.open(tmp_path / "run").settings() == settings
    assert "nothing installed here knows the loggers notebook_of_nobody: left out" in caplog.text
