"""What is what in a file follows from names and contents, and each thing that nobody had said is told."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import spinhw
from fakes.packages import install_data_sets
from spinhw.proposal import Said, proposed
from spinhw.tasks import SeriesSettings

LONG = [(f"s{n}", step, np.sin(step + n), n % 3, "ab"[n % 2]) for n in range(20) for step in range(8)]


def csv_of(path, names, rows):
    path.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def long(tmp_path):
    return csv_of(tmp_path / "long.csv", ("recording", "t", "x", "n", "label"), LONG)


def options(found):
    return {one.option.split()[0] for one in found.inferred if one.option}


def test_samples_of_sequences_by_the_usual_names(long):
    found = proposed(Said(long))
    columns = found.settings.task.columns
    assert (columns.target, columns.sequence, columns.time) == (("label",), "recording", "t")
    assert columns.inputs == ("x", "n")
    assert found.settings.task.answers_with == "class"
    assert {"--target", "--layout", "--sequence", "--time", "--answers"} == options(found)


def test_nothing_is_inferred_of_what_was_said(long):
    asked = Said(long, ("label",), ("x",), "recording", "t", layout="samples", answers="class")
    found = proposed(asked)
    assert found.inferred == ()
    assert found.settings.task.inputs == 1


def test_a_column_of_text_is_left_out_and_told(tmp_path):
    rows = [(*row[:4], "note", row[4]) for row in LONG]
    found = proposed(Said(csv_of(tmp_path / "a.csv", ("recording", "t", "x", "n", "remark", "label"), rows)))
    assert found.settings.task.columns.inputs == ("x", "n")
    assert [one.taken for one in found.inferred if one.what == "left out"] == ["remark"]


def test_numbered_columns_are_a_whole_sequence(tmp_path):
    rng = np.random.default_rng(0)
    rows = [(n, "ab"[n % 2], *rng.normal(size=12).round(3)) for n in range(20)]
    names = ("id", "label", *(f"t{number}" for number in range(12)))
    found = proposed(Said(csv_of(tmp_path / "wide.csv", names, rows), ("label",), layout="sequences"))
    task = found.settings.task
    assert (task.layout, task.samples, task.inputs) == ("sequences", 12, 1)
    assert [one.taken for one in found.inferred if one.what == "left out"] == ["id"]
    guessed = proposed(Said(csv_of(tmp_path / "b.csv", names[1:], [row[1:] for row in rows])))
    assert guessed.settings.task.layout == "sequences"


@pytest.mark.parametrize(
    ("target", "inputs", "forecasts"), [("x", (), None), ("x", ("x",), 1), ("alone", (), 1)], ids=str
)
def test_a_long_series_is_cut_in_time_and_foretold_where_the_target_is_an_input(tmp_path, target, inputs, forecasts):
    steps = np.arange(600)
    if target == "alone":
        path = csv_of(tmp_path / "a.csv", ("alone",), np.sin(steps / 7)[:, None].round(4))
    else:
        rows = zip(np.sin(steps / 7).round(4), np.cos(steps / 7).round(4), strict=True)
        path = csv_of(tmp_path / "a.csv", ("x", "z"), rows)
    task = proposed(Said(path, (target,), inputs)).settings.task
    assert task.answers_with == "values_per_step"
    assert (task.split.kind, task.forecast_samples) == ("time", forecasts)
    assert task.columns.inputs == (("z",) if forecasts is None else (target,))
    assert 0 < task.window.washout < task.window.samples


def test_states_of_a_long_series_are_a_class_for_each_sample(tmp_path):
    rows = [(round(float(np.sin(step)), 3), "up" if step // 20 % 2 else "down") for step in range(600)]
    task = proposed(Said(csv_of(tmp_path / "a.csv", ("x", "state"), rows), ("state",))).settings.task
    assert (task.answers_with, task.split.kind, task.class_names) == ("class_per_step", "time", ("down", "up"))


@pytest.mark.parametrize(
    ("values", "answers"),
    [
        (["a", "b"] * 15, "class"),
        ([0, 1, 2] * 10, "class"),
        ([True, False] * 15, "class"),
        (list(range(30)), "values"),
        (np.linspace(0, 1, 30).tolist(), "values"),
    ],
    ids=("texts", "few", "switches", "many", "decimals"),
)
def test_a_target_says_what_kind_of_answer_it_asks_for(tmp_path, values, answers):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.npz"
    np.savez(path, inputs=rng.normal(size=(30, 10, 2)), targets=np.array(values))
    found = proposed(Said(path))
    assert found.settings.task.answers_with == answers
    assert "--answers" in options(found)


def test_netcdf_and_arrays_of_samples(tmp_path):
    rng = np.random.default_rng(0)
    dataset = xr.Dataset({"x": (("n", "t"), rng.normal(size=(30, 12))), "y": ("n", np.arange(30) % 2)})
    dataset.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    found = proposed(Said(tmp_path / "a.nc"))
    assert (found.settings.task.layout, found.settings.task.samples) == ("sequences", 12)
    np.savez(
        tmp_path / "b.npz", inputs=rng.normal(size=(240, 2)), targets=np.arange(240) // 8 % 2, who=np.arange(240) // 8
    )
    task = proposed(Said(tmp_path / "b.npz", sequence="who")).settings.task
    assert (task.layout, task.answers_with, task.samples) == ("samples", "class", 8)


def test_ts_says_by_its_header_what_it_answers(tmp_path):
    lines = [f"{n},{n + 1},{n % 5}:{n / 7}" for n in range(20)]
    text = "@univariate true\n@targetlabel true\n@data\n" + "\n".join(lines)
    (tmp_path / "a.ts").write_text(text, encoding="utf-8")
    assert proposed(Said(tmp_path / "a.ts")).settings.task.answers_with == "values"


def test_groups_are_held_out_whole_where_there_are_enough(tmp_path):
    rows = [(*row, f"p{int(row[0][1:]) // 4}") for row in LONG]
    path = csv_of(tmp_path / "a.csv", ("recording", "t", "x", "n", "label", "person"), rows)
    found = proposed(Said(path))
    assert found.settings.task.split.kind == "group"
    few = csv_of(tmp_path / "b.csv", ("recording", "t", "x", "n", "label", "person"), [(*row, "me") for row in LONG])
    assert proposed(Said(few)).settings.task.split.kind == "fraction"


def test_from_python_with_changes_and_the_same_twice(long):
    changes = ["training.epochs=3", "task.split.validation=0.5", "network.tau=8 ns"]
    one, other = (spinhw.propose(long, target="label", seeds=2, changes=changes) for _ in range(2))
    assert one == other
    assert (one.training.epochs, one.training.seeds, one.task.split.validation) == (3, (0, 1), 0.5)
    told = {rule.key for rule in proposed(Said(long), changes).rules}
    assert "network.tau" not in told
    assert "network.cutoff" in told


def test_inputs_lie_within_what_shipped_devices_play(long):
    low, high = spinhw.propose(long, target="label", inputs=["x"]).task.input_range
    assert -8 < low < high < 8
    assert isinstance(spinhw.propose(long).task, SeriesSettings)


def test_a_data_set_of_a_package_has_a_test_part_of_its_own(tmp_path, monkeypatch):
    lines = [f"{n},{n + 1},{n % 5}:{'ab'[n % 2]}" for n in range(30)]
    header = "@univariate true\n@classLabel true a b\n@data\n"
    parts = tuple(header + "\n".join(some) + "\n" for some in (lines[:20], lines[20:]))
    install_data_sets(tmp_path / "packages", "aeon", {"Moons": parts})
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    found = proposed(Said(Path("aeon:Moons")))
    assert found.data["task"]["file"] == "aeon:Moons"
    counts = {part: about["sequences"] for part, about in found.settings.task.facts()["parts"].items()}
    assert (counts["test"], counts["train"] + counts["validation"]) == (10, 20)
