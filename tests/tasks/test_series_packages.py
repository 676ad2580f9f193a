"""Data sets of installed packages are read without the package, and held to the same parts as any other file."""

import importlib.util
import json
import sys

import numpy as np
import pytest
import yaml

from fakes.packages import install_data_sets
from spinhw import evaluate, train
from spinhw.errors import ConfigError, SpinhwWarning
from spinhw.tasks import SeriesSettings, series_of

HEADER = "@problemName p\n@timeStamps false\n@univariate true\n@equalLength false\n@classLabel true up down\n@data\n"


def text(first, count):
    """Sequences of 3 to 5 samples, no two of them alike."""
    lines = [
        ",".join(str(n + step / 10) for step in range(3 + n % 3)) + f":{('up', 'down')[n % 2]}"
        for n in range(first, first + count)
    ]
    return HEADER + "\n".join(lines) + "\n"


SETS = {"Moons": (text(0, 20), text(20, 8)), "Suns": (text(0, 20), text(0, 20))}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    install_data_sets(tmp_path / "packages", "aeon", SETS)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    return tmp_path / "packages" / "aeon"


def parts_of(**keys):
    return {part: len(pieces) for part, pieces in SeriesSettings(**keys).prepared().parts.items()}


def test_a_data_set_has_its_own_test_part_unless_another_is_asked_for(installed, tmp_path):
    (tmp_path / "mine.ts").write_text(text(40, 3), encoding="utf-8")
    asked = {"file": "aeon:Moons", "split": {"validation": 0.25}}
    assert parts_of(**asked) == {"train": 16, "validation": 4, "test": 8}
    assert parts_of(file="aeon:Moons", split={"test": 0.2}) == {"train": 12, "validation": 4, "test": 4}
    assert parts_of(**asked, test_file=str(tmp_path / "mine.ts"))["test"] == 3
    assert "aeon" not in sys.modules
    assert SeriesSettings(**asked).facts()["test_file"] == "aeon:Moons"


def test_a_run_keeps_the_name_and_refuses_other_data(installed, tmp_path):
    training = {"seeds": [0], "epochs": 1, "batch_size": 8, "substeps": 1, "fine_steps_per_ns": 16}
    run = {"task": {"kind": "series", "file": "aeon:Moons"}, "network": {"layers": [2]}, "training": training}
    (tmp_path / "my.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    train(tmp_path / "my.yaml", tmp_path / "run")
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text("utf-8"))["task"]["file"] == "aeon:Moons"
    assert len(json.loads((tmp_path / "run" / "task.json").read_text("utf-8"))["fingerprints"]) == 2
    assert "accuracy" in evaluate(tmp_path / "run")
    (installed / "datasets" / "data" / "Moons" / "Moons_TEST.ts").write_text(text(30, 9), encoding="utf-8")
    with pytest.raises(ConfigError, match="the run was begun with other data"):
        evaluate(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aeon:Moon", ("task.file", "seen: aeon:Moon;", "allowed: Moons, Suns", "did you mean 'aeon:Moons'?")),
        ("aeon:", ("task.file", "allowed: Moons, Suns")),
        ("aeo:Moons", ("task.file", "allowed: aeon:NAME, or a path", "did you mean 'aeon'?")),
    ],
)
def test_a_name_that_is_not_there(installed, name, words):
    with pytest.raises(ConfigError) as refused:
        SeriesSettings(file=name).prepared()
    assert not [word for word in words if word not in str(refused.value)]


def test_a_package_that_is_not_there_says_what_to_type(spinhw, tmp_path, mocker):
    mocker.patch.dict(sys.modules, {"aeon": None})
    (tmp_path / "my.yaml").write_text("task: {kind: series, file: 'aeon:Moons'}\n", encoding="utf-8")
    done = spinhw("train", tmp_path / "my.yaml", "--out", tmp_path / "run")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "my.yaml: task.file: aeon:Moons" in done.err
    assert done.err.strip().endswith("next: pip install --no-deps aeon")


def test_a_test_part_that_is_a_copy_is_refused(installed):
    with pytest.raises(ConfigError) as refused:
        SeriesSettings(file="aeon:Suns").prepared()
    for words in ("Suns_TEST.ts: line 7", "as Suns_TRAIN.ts: line 7", "20 of the 20 sequences of the test part"):
        assert words in str(refused.value)


def test_a_sequence_in_two_parts_is_named():
    inputs, labels = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 2
    test = np.random.default_rng(1).normal(size=(6, 4))
    test[3] = inputs[7]
    held = SeriesSettings().holding(series_of(inputs, labels), series_of(test, labels[:6], name="test"))
    with pytest.warns(SpinhwWarning, match=r"test: sequence 3: .* as arrays: sequence 7; 1 of the 6 sequences of"):
        held.prepared()
    test[3, 0] += 1
    assert SeriesSettings().holding(series_of(inputs, labels), series_of(test, labels[:6])).parts  # And no warning.


# What aeon 1.6 has of each: sequences of both parts, channels, longest.
AEON = {
    "JapaneseVowels": (270, 370, 12, 29),
    "ItalyPowerDemand": (67, 1029, 1, 24),
    "GunPoint": (50, 150, 1, 150),
    "BasicMotions": (40, 40, 6, 100),
}


@pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="aeon is not installed")
@pytest.mark.parametrize("name", AEON)
def test_what_aeon_has(name):
    prepared = SeriesSettings(file=f"aeon:{name}", split={"validation": 0}).prepared()
    shape, parts = prepared.shape, prepared.parts
    assert (len(parts["train"]), len(parts["test"]), shape.inputs, shape.samples) == AEON[name]
