import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from pytest_mock import MockerFixture

from fakes.waves import WavesTask, install_waves
from spinhw.config import build, load, shipped
from spinhw.errors import ConfigError
from spinhw.plots.search import plot_search
from spinhw.training import load_settings
from spinhw.training.measures import Measure
from spinhw.tuning import Search, SearchedRecipe, SpaceSettings, Tried, save_best, trial, trials_csv
from spinhw.tuning.space import ChoiceSettings
from spinhw.tuning.trial import trial_score, trial_settings, written

optuna = pytest.importorskip("optuna", reason="the extra 'tune' is not installed")

RECIPE = shipped("examples") / "digits_paper.yaml"
SPACE = {
    "axes": {
        "network.tau": {"kind": "range", "lowest": 2, "highest": 40, "log": True, "unit": "ns"},
        "network.readout_samples": {"kind": "range", "lowest": 1, "highest": 4, "whole": True},
        "network.initial_state": {"kind": "choice", "values": ["rest", "half"]},
    },
    "seeds": [100],
}


def space(**changes: object) -> SpaceSettings:
    return build(SpaceSettings, SPACE | changes, "space")


def search(folder: Path, name: str = "one") -> Search:
    return Search(RECIPE, space(), f"sqlite:///{folder / 'trials.db'}", name)


@pytest.fixture
def easy(mocker: MockerFixture) -> None:
    """Score a trial by a formula that is best at tau = 10 ns, instead of training."""
    mocker.patch(
        "spinhw.tuning.trial.trial_score",
        lambda settings: float(np.exp(-(np.log(settings.network.tau_s / 10e-9) ** 2))),
    )


def test_a_trial_never_sees_test_images_or_reported_seeds() -> None:
    settings = trial_settings(RECIPE, space(), (), {"network.tau": 3.25})
    assert settings.task.held_out == "validation"
    assert settings.training.seeds == (100,)
    assert settings.network.tau_s == pytest.approx(3.25e-9)


def test_values_are_written_with_their_units() -> None:
    values = {"network.tau": 3.0, "network.readout_samples": 2, "network.initial_state": "rest"}
    assert written(space(), values) == ["network.tau=3 ns", "network.readout_samples=2", "network.initial_state=rest"]


def test_a_search_finds_the_optimum_and_writes_it_as_a_recipe(tmp_path: Path, easy: None) -> None:
    told: list[Tried] = []
    found = search(tmp_path)
    found.run(40, told.append)
    assert len(told) == len(found.tried()) == 40
    best = max(found.tried(), key=lambda each: each.score)
    assert float(best.values["network.tau"]) == pytest.approx(10, rel=0.3)
    save_best(RECIPE, found, (), tmp_path / "best.yaml")
    recipe = load_settings(tmp_path / "best.yaml")
    assert recipe.network.tau_s == pytest.approx(1e-9 * float(best.values["network.tau"]), rel=1e-5)
    assert recipe.task.held_out == "test"
    assert recipe.training.seeds == tuple(range(10))


def test_a_search_goes_on_with_the_trials_of_others(tmp_path: Path, easy: None) -> None:
    search(tmp_path).run(3, lambda tried: None)
    other, told = search(tmp_path), []
    other.run(5, told.append)
    assert [each.number for each in told] == [3, 4]
    assert len(other.tried()) == 5
    assert len({each.values["network.tau"] for each in other.tried()}) == 5


def test_a_search_that_was_interrupted_tries_what_it_would_have_tried(
    tmp_path: Path, easy: None, mocker: MockerFixture
) -> None:
    whole, parts = Search(RECIPE, space(), tmp_path / "whole.db", "one"), tmp_path / "parts.db"
    whole.run(11, lambda tried: None)
    for until in (2, 11):
        once, real = Search(RECIPE, space(), parts, "one"), trial.trial_score
        once.run(until, lambda tried: None)
        mocker.patch("spinhw.tuning.trial.trial_score", side_effect=KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            once.run(until + 1, lambda tried: None)
        mocker.patch("spinhw.tuning.trial.trial_score", real)
    found = Search(RECIPE, space(), parts, "one").tried()
    assert [(each.values, each.score) for each in found] == [(each.values, each.score) for each in whole.tried()]


def test_a_trial_that_breaks_does_not_count(tmp_path: Path, easy: None, mocker: MockerFixture) -> None:
    found = search(tmp_path)
    found.run(1, lambda tried: None)
    mocker.patch("spinhw.tuning.trial.trial_score", lambda settings: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        found.run(2, lambda tried: None)
    assert len(found.tried()) == 1


def test_a_trial_really_trains(tmp_path: Path) -> None:
    small = ("network.layers=[3, 2]", "training.epochs=1", "training.substeps=1", "training.batch_size=300")
    found = Search(SearchedRecipe(RECIPE, small), space(), tmp_path / "trials.db", "one")
    found.run(1, lambda tried: None)
    assert 0 <= found.tried()[0].score <= 1


def test_a_space_that_does_not_fit_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    wrong = space(axes={"network.tauu": {"kind": "range", "lowest": 1, "highest": 2, "unit": "ns"}})
    with pytest.raises(ConfigError, match=r"unknown key 'tauu'.*did you mean 'tau'"):
        Search(RECIPE, wrong, f"sqlite:///{tmp_path / 'trials.db'}", "one")
    assert not (tmp_path / "trials.db").exists()


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ({"kind": "range", "lowest": 2, "highest": 1}, "lowest must be the smaller one"),
        ({"kind": "range", "lowest": 0, "highest": 1, "log": True}, "with log it must be above 0"),
        ({"kind": "choice", "values": ["one"]}, "at least 2"),
    ],
)
def test_bad_axes_are_refused(axis: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        space(axes={"network.tau": axis})


def test_a_database_that_is_not_there_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"--storage: the database.*no-such-kind://x.*sqlite:///trials.db"):
        Search(RECIPE, space(), "no-such-kind://x", "one")


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"overrides": ("network.layers=[3, 2]",)}, r"recipe\.network\.layers"),
        (
            {"axes": SPACE["axes"] | {"training.batch_size": {"kind": "choice", "values": ["60", "120"]}}},
            r"space\.axes\.training\.batch_size\.values",
        ),
        ({"axes": {"network.gain": {"kind": "range", "lowest": 1, "highest": 2}}}, r"space\.axes\.network\.gain"),
        ({"seeds": [101]}, r"training\.seeds"),
    ],
    ids=["another override", "one choice less", "another key", "other seeds"],
)
def test_another_search_in_the_same_place_is_refused(
    tmp_path: Path, easy: None, changed: dict[str, object], seen: str
) -> None:
    batches = {"training.batch_size": {"kind": "choice", "values": ["60", "120", "240"]}}
    place = tmp_path / "trials.db"
    Search(RECIPE, space(axes=SPACE["axes"] | batches), place, "one").run(1, lambda tried: None)
    with pytest.raises(ConfigError, match=f"one: there is another search in this place already; seen: .*{seen}"):
        Search(RECIPE, space(**changed), place, "one")


def test_the_name_of_a_folder_is_no_address(tmp_path: Path, easy: None) -> None:
    places = [tmp_path / name for name in ("shared?one", "a{b}#c%41")]
    for place in places:
        place.mkdir()
        Search(RECIPE, space(), place / "trials.db", "one").run(1, lambda tried: None)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(place.name for place in places)
    assert all((place / "trials.db").is_file() for place in places)
    again = Search(RECIPE, space(), places[0] / "trials.db", "one")
    assert len(again.tried()) == 1


def test_trials_become_a_table_and_a_picture(tmp_path: Path) -> None:
    tried = [Tried(0, {"network.tau": 2.0}, 0.5), Tried(1, {"network.tau": 3.0}, 0.75)]
    rows = list(csv.DictReader(io.StringIO(trials_csv(tried, Measure("accuracy")))))
    assert [row["accuracy_converged"] for row in rows] == ["0.5", "0.75"]
    plot_search(np.array([0.5, 0.75]), {"network.tau": [2.0, 3.0]}, {"network.tau": True}, tmp_path / "search.png")
    assert (tmp_path / "search.png").stat().st_size > 5000


@pytest.fixture
def errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe whose answers are values, by a task of another package."""
    monkeypatch.syspath_prepend(install_waves(tmp_path / "installed"))
    recipe = tmp_path / "waves.yaml"
    small = "training: {epochs: 1, substeps: 1, seeds: [0]}"
    recipe.write_text(f"task: {{kind: waves, ask: values}}\nnetwork: {{layers: [3], outputs: 2}}\n{small}\n")
    return recipe


def test_where_less_is_better_the_search_goes_down(tmp_path: Path, errors: Path, mocker: MockerFixture) -> None:
    scores = {2.0: 0.9, 3.0: 0.4, 4.0: float("inf")}
    axis = {"network.tau": {"kind": "choice", "values": ["2 ns", "3 ns", "4 ns"]}}
    mocker.patch("spinhw.tuning.trial.trial_score", lambda settings: scores[round(settings.network.tau_s * 1e9)])
    found = Search(errors, space(axes=axis), tmp_path / "trials.db", "one")
    found.run(6, lambda tried: None)
    place = f"sqlite:///{tmp_path / 'trials.db'}"
    assert optuna.load_study(study_name="one", storage=place).direction.name == "MINIMIZE"
    assert found.measure.name == "nrmse" and found.best().score == 0.4
    assert found.best_overrides() == ["network.tau=3 ns"]
    assert trials_csv(found.tried(), found.measure).startswith("trial,nrmse_converged,network.tau\n")
    values = {"network.tau": [float(each.values["network.tau"][0]) for each in found.tried()]}
    every = np.array([each.score for each in found.tried()])
    plot_search(every, values, {}, tmp_path / "search.png", found.measure)


def test_a_trial_of_a_task_with_two_parts_leaves_the_test_part_alone(errors: Path, mocker: MockerFixture) -> None:
    settings = trial_settings(errors, space(axes={"network.gain": SPACE["axes"]["network.tau"] | {"unit": ""}}), (), {})
    assert settings.final_part == "validation" and settings.task.final_part == "test"
    asked = mocker.spy(WavesTask, "held_out")
    assert trial_score(settings) > 0
    assert {call.args[2] for call in asked.call_args_list} == {"validation"}


def test_every_shipped_space_fits_the_recipe_it_names() -> None:
    for path in sorted((shipped("examples") / "tuning").glob("*.yaml")):
        named = re.findall(r"spinhw tune (examples/[\w/]+\.yaml)", path.read_text(encoding="utf-8"))
        assert named
        for recipe in named:
            loaded = load(SpaceSettings, path)
            for end, place in (("lowest", 0), ("highest", -1)):
                values = {
                    key: axis.values[place] if isinstance(axis, ChoiceSettings) else getattr(axis, end)
                    for key, axis in loaded.axes.items()
                }
                trial_settings(shipped("examples").parent / recipe, loaded, (), values)


def test_a_readout_beyond_the_limit_of_the_weights_is_the_worst_trial(tmp_path: Path) -> None:
    narma = {"kind": "narma10", "length": 40, "washout": 15, "sequences": 6, "held_out": 2, "tested": 2}
    data = {
        "task": narma,
        "network": {"layers": [3], "readout": "software", "out_gain": 1e-6},
        "training": {"trainable": "readout", "seeds": [0], "substeps": 1},
    }
    (tmp_path / "narma.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    assert trial_score(trial_settings(tmp_path / "narma.yaml", space(), (), {})) == float("inf")


def test_a_search_that_began_under_an_older_name_of_a_key_goes_on(tmp_path: Path, easy: None) -> None:
    place = tmp_path / "trials.db"
    Search(RECIPE, space(), place, "one").run(1, lambda tried: None)
    study = optuna.load_study(study_name="one", storage=f"sqlite:///{place}")
    begun = study.user_attrs["spinhw_search"]
    refit = begun["recipe"]["training"]["refit"]
    refit["images"] = refit.pop("sequences")
    study.set_user_attr("spinhw_search", begun)
    again = Search(RECIPE, space(), place, "one")
    again.run(2, lambda tried: None)
    assert len(again.tried()) == 2
