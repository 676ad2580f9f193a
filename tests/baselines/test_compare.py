"""A network beside its baselines: fair, paired, resumable, and one look at the final part."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from pytest_mock import MockerFixture

from spinhw.baselines import NAMES, GatedSettings, Source, as_csv, compare
from spinhw.baselines.outcome import paired
from spinhw.baselines.spaces import space_of
from spinhw.config import shipped
from spinhw.errors import ConfigError
from spinhw.plots.baselines import plot_baselines
from spinhw.training import Diverged
from spinhw.training.statistics import bootstrap_interval

pytest.importorskip("optuna", reason="the extra 'tune' is not installed")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of two classes that one sample tells apart, with its data."""
    rng = np.random.default_rng(5)
    rows = ["recording,x,label"]
    for number in range(40):
        series = rng.normal(size=6)
        series[4] = 3.0 if number % 2 else -3.0
        rows += [f"{number},{one:.4f},{'odd' if number % 2 else 'even'}" for one in series]
    (tmp_path / "data.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = {
        "task": {"kind": "series", "file": "data.csv", "columns": {"target": "label", "sequence": "recording"}},
        "network": {"layers": [3]},
        "training": {"seeds": [0, 1], "epochs": 1, "substeps": 1, "batch_size": 16, "threads": 1},
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    return tmp_path / "small.yaml"


def short_space(folder: Path, name: str) -> Path:
    """The shipped space on a single development seed."""
    space = yaml.safe_load((shipped("examples") / "baselines" / f"{name}.yaml").read_text(encoding="utf-8"))
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(space | {"seeds": [100]}), encoding="utf-8")
    return path


def told(folder: Path) -> dict:
    return json.loads((folder / "baselines.json").read_text(encoding="utf-8"))


def test_every_model_has_as_many_trials_and_one_look(recipe: Path, tmp_path: Path) -> None:
    spaces = {name: short_space(tmp_path, name) for name in NAMES}
    found = compare(Source(recipe), tmp_path / "out", trials=2, spaces=spaces)
    models = found["models"]
    assert list(models) == ["spintronic", "plain guess", "linear", "esn", "gru", "ctrnn"]
    assert [one["trials"] for one in models.values()] == [0, 0, 2, 2, 2, 2]
    assert all(len(one["tried"]) == 2 for name, one in models.items() if one["trials"])
    assert found["looks"] == {"test": dict.fromkeys(models, 1)}
    assert models["linear"]["per_seed"] == [1.0, 1.0] and models["plain guess"]["per_seed"] == [0.5, 0.5]
    network = models["spintronic"]
    assert models["linear"]["difference"] == paired([1.0, 1.0], network["per_seed"]) and network["difference"] is None
    assert models["ctrnn"]["weights"] == network["weights"]
    assert models["ctrnn"]["settings"]["network"]["kind"] == "ctrnn"
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [row["model"] for row in rows] == list(models)
    assert float(rows[2]["mean"]) == 1.0 and float(rows[2]["difference"]) == 1 - np.mean(network["per_seed"])
    plot_baselines(found, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_an_interrupted_comparison_goes_on_to_the_same_and_does_nothing_twice(
    recipe: Path, tmp_path: Path, mocker: MockerFixture
) -> None:
    models, source = ["linear", "gru"], Source(recipe)
    whole = compare(source, tmp_path / "whole", models=models, trials=1)
    mocked = mocker.patch.object(GatedSettings, "measured", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        compare(source, tmp_path / "parts", models=models, trials=1)
    mocker.stop(mocked)
    assert told(tmp_path / "parts")["looks"] == {"test": dict.fromkeys(["spintronic", "plain guess", "linear"], 1)}
    trained = mocker.patch("spinhw.baselines.contenders.train", side_effect=AssertionError)
    fitted = mocker.patch("spinhw.baselines.linear.fit_linear", side_effect=AssertionError)
    again = compare(source, tmp_path / "parts", models=models, trials=1)
    assert again["models"] == whole["models"] and again["looks"] == whole["looks"]
    assert told(tmp_path / "parts")["models"] == told(tmp_path / "whole")["models"]
    mocker.patch.object(GatedSettings, "measured", side_effect=AssertionError)
    assert compare(source, tmp_path / "parts", models=models, trials=1) == again
    assert not trained.called and not fitted.called


def test_another_choice_is_another_look_and_the_first_one_is_kept(recipe: Path, tmp_path: Path) -> None:
    source, out = Source(recipe, seeds=[1]), tmp_path / "out"
    plain = compare(source, out, models=["esn"], trials=0)
    assert plain["models"]["esn"]["interval95"] is None and plain["models"]["esn"]["chosen"] == {}
    compare(source, out, models=["esn"], trials=1)
    back = compare(source, out, models=["esn"], trials=0)
    assert back["looks"] == {"test": {"spintronic": 1, "plain guess": 1, "esn": 2}}
    assert back["models"] == plain["models"]
    assert [back["models"]["esn"]["per_seed"]] == [
        one["values"] for key, one in told(out)["measured"].items() if one["model"] == "esn"
    ][:1]


def test_a_run_stands_for_itself(recipe: Path, tmp_path: Path) -> None:
    compare(Source(recipe), tmp_path / "first", models=["linear"], trials=0)
    run = next((tmp_path / "first").glob("spintronic-*"))
    found = compare(Source(run, seeds=[1]), tmp_path / "second", models=["linear"], trials=0)
    whole = told(tmp_path / "first")["models"]["spintronic"]
    assert found["models"]["spintronic"]["per_seed"] == whole["per_seed"][1:]
    assert found["models"]["spintronic"]["energy_j"] == whole["energy_j"] > 0


def test_a_trial_that_diverges_is_the_worst(recipe: Path, tmp_path: Path, mocker: MockerFixture) -> None:
    import torch

    real = GatedSettings.measured

    def sometimes(self, ground, seeds, part, progress):
        if part == "validation" and not sometimes.failed:
            sometimes.failed = True
            raise Diverged("training diverged", torch.tensor([False]), [100], seen="inf", todo="nothing")
        return real(self, ground, seeds, part, progress)

    sometimes.failed = False
    mocker.patch.object(GatedSettings, "measured", sometimes)
    found = compare(Source(recipe, seeds=[0]), tmp_path / "out", models=["gru"], trials=2)
    tried = found["models"]["gru"]["tried"]
    assert tried[0]["score"] == 0.0
    assert found["models"]["gru"]["validated"] == max(one["score"] for one in tried) == tried[1]["score"]


def test_differences_are_those_of_the_same_seed() -> None:
    found = paired([0.9, 0.7, 0.8], [0.6, 0.7, 0.4])
    by_hand = [0.9 - 0.6, 0.7 - 0.7, 0.8 - 0.4]
    assert found["per_seed"] == by_hand and found["mean"] == pytest.approx(0.7 / 3)
    assert found["interval95"] == bootstrap_interval(by_hand)
    assert found["std"] == pytest.approx(np.std(by_hand, ddof=1))


def test_a_command_leaves_table_figures_and_picture_and_says_how_to_go_on(
    spinhw, recipe: Path, tmp_path: Path, mocker: MockerFixture
) -> None:
    out = tmp_path / "my out"
    mocked = mocker.patch("spinhw.tuning.search.Search.run", side_effect=KeyboardInterrupt)
    words = ("baselines", recipe, "--trials", 1, "--models", "linear", "--seed", 1, "--out", out)
    stopped = spinhw(*words)
    assert stopped.code == 130 and len(stopped.err.strip().splitlines()) == 1
    assert f'--trials 1 --models linear --seed 1 --out "{out}"' in stopped.err
    mocker.stop(mocked)
    done = spinhw(*words)
    assert done.code == 0 and "looks at the test part so far: spintronic 1, plain guess 1, linear 1" in done.out
    page = (out / "README.md").read_text(encoding="utf-8")
    assert "](baselines.png)" in page and page.count("\n| ") >= 1 + len(
        json.loads((out / "baselines.json").read_text())["models"]
    )
    assert sorted(path.name for path in out.glob("baselines.*")) == ["baselines.csv", "baselines.json", "baselines.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "esm"], r"--models: there is no model 'esm'.*did you mean 'esn'"),
        (["--models", ","], r"--models: none is named"),
        (["--space", "esn"], r"--space: this names no model and file.*seen: esn"),
        (["--space", "esn=nowhere.yaml"], r"nowhere.yaml"),
        (["--seed", "100"], r"the space of linear: seeds that are reported must not choose.*seeds 100 in both"),
        (["--set", "esn.densitty=0.2", "--models", "esn"], r"--set esn.densitty: .*did you mean 'density'"),
        (["--set", "esn.density=2", "--models", "esn"], r"--set esn.density"),
        (["--set", "task.split.validation=0"], r"final_part is 'validation'.*no validation part"),
    ],
)
def test_bad_arguments_are_one_line(spinhw, recipe: Path, tmp_path: Path, words: list[str], message: str) -> None:
    done = spinhw("baselines", recipe, "--trials", 1, *words, "--out", tmp_path / "out")
    assert done.code == 2 and len(done.err.strip().splitlines()) == 1
    with pytest.raises(ConfigError, match=message):
        raise ConfigError(done.err.strip())


def test_a_shipped_space_fits_the_task_and_a_users_is_taken_as_it_is(recipe: Path) -> None:
    def axes(name: str, *overrides: str) -> dict:
        return space_of(name, None, Source(recipe, overrides)).axes

    assert set(axes("linear")) == {"ridge"}
    assert set(axes("linear", "task.answers=class_per_step", "task.window={washout: 1}")) == {"ridge", "window"}
    assert "pooled" in axes("esn") and "pooled" not in axes("esn", "task.answers=class_per_step")
    assert "network.out_gain" not in axes("ctrnn", "training.trainable=readout", "training.epochs=1")
    slow = axes("spintronic", "task.sample_interval=10 ns", "network.tau=50 ns")
    assert (slow["network.tau"].lowest, slow["network.tau"].highest) == pytest.approx((2, 400))
    assert slow["network.cutoff"].highest == pytest.approx(20)
    own = shipped("examples") / "baselines" / "linear.yaml"
    assert set(space_of("linear", own, Source(recipe)).axes) == {"ridge", "window", "unequal"}


def test_a_model_is_changed_alone(recipe: Path, tmp_path: Path) -> None:
    changes = {"esn": ["units=5", "density=1"], "ctrnn": ["training.epochs=0"]}
    found = compare(Source(recipe, seeds=[0]), tmp_path, models=["esn", "ctrnn"], trials=0, changes=changes)["models"]
    assert found["esn"]["weights"] == 5 * 5 + 5 + 5 + 2 * (5 + 1 + 1)
    assert "0 epochs" in found["ctrnn"]["about"] and "1 epochs" in found["spintronic"]["about"]


def test_what_does_not_go_together_is_refused(recipe: Path, tmp_path: Path) -> None:
    compare(Source(recipe), tmp_path / "out", models=["linear"], trials=0)
    run = next((tmp_path / "out").glob("spintronic-*"))
    with pytest.raises(ConfigError, match="this is the software peer, which is a baseline itself"):
        Source(shipped("examples") / "ctrnn.yaml")
    with pytest.raises(ConfigError, match="trained on a bench.*train it, and name its run folder: spinhw train"):
        Source(shipped("examples") / "digits.yaml", ["device=bench-virtual"])
    with pytest.raises(ConfigError, match="there is another comparison in this place.*training.epochs"):
        compare(Source(recipe, ["training.epochs=2"]), tmp_path / "out", models=["linear"], trials=0)
    with pytest.raises(ConfigError, match="--set changes a recipe, and this is a run"):
        Source(run, ["training.epochs=2"])
    with pytest.raises(ConfigError, match="--seed 7: the run has no network of this seed; seen: 7; allowed: 0, 1"):
        Source(run, seeds=[7])
    with pytest.raises(ConfigError, match="--models: spintronic is the run itself"):
        compare(Source(run), tmp_path / "run", models=["spintronic"], trials=0)
    (run / "summary.json").unlink()
    with pytest.raises(ConfigError, match="this run has not finished"):
        Source(run)
    (tmp_path / "out" / "baselines.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="baselines.json: this is damaged"):
        compare(Source(recipe), tmp_path / "out", models=["linear"], trials=0)
