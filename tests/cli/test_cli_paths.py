"""What a user names on the command line: paths that cannot be used, files of another sort, keys without their place."""

import re
from pathlib import Path

import pytest

from spinhw.config import shipped

ROOT = shipped("examples").parent
LONG = "n" * 300
RECIPE, PROFILE = ROOT / "examples" / "digits.yaml", ROOT / "devices" / "ideal.yaml"
PLAN, RECORD = ROOT / "calibration" / "plans" / "quick.yaml", ROOT / "calibration" / "bank-virtual.yaml"
BENCH, VIRTUAL = ROOT / "devices" / "bank-virtual.yaml", ROOT / "devices" / "virtual" / "chip.yaml"
SPACE = ROOT / "examples" / "tuning" / "paper.yaml"
GRID, LOOPS, SYNAPSES = (
    ROOT / "examples" / "studies" / name for name in ("paper.yaml", "chip_in_the_loop.yaml", "rf_synapses.yaml")
)
SOFTWARE = ROOT / "examples" / "flipflop.yaml"


def refused(shown) -> str:
    """Return the one line that a command was refused with."""
    assert shown.code == 2, shown.err
    assert len(shown.err.splitlines()) == 1, shown.err
    return shown.err


@pytest.mark.parametrize(
    "command",
    [
        ("train", "digits", "--out"),
        ("align", "digits", "--device", "ideal", "--out"),
        ("merit", "digits", "--out"),
        ("study", "fig2b", "--out"),
        ("tune", "digits", "--out"),
        ("calibrate", "--device", "ideal", "--plan", "quick", "--out"),
        ("calibrate", "show", RECORD, "--out"),
        ("virtual-bench", "serve", "chip", "--write"),
        ("flipflop", "train", "quick", "--out"),
        ("flipflop", "smallest", "--out"),
        ("schema", "run", "--out"),
    ],
    ids=lambda command: " ".join(map(str, command[:2])),
)
def test_a_place_that_cannot_be_written_is_refused_before_any_work(spinhw, tmp_path: Path, command: tuple) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refused(spinhw(*command, tmp_path / "file" / "below" / "x.yaml"))
    assert LONG in refused(spinhw(*command, tmp_path / LONG))
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "command",
    ["train", "energy", "evaluate", "merit", "calibrate --device", "calibrate show", "check --device", "tune",
     "migrate", "virtual-bench serve", "flipflop train", "flipflop analyse", "flipflop import", "off --device"],
)  # fmt: skip
def test_a_name_of_three_hundred_characters_is_one_line(spinhw, command: str) -> None:
    assert LONG in refused(spinhw(*command.split(), LONG))


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("train", PROFILE), "this is a device profile; allowed: a recipe"),
        (("energy", PLAN), "this is a calibration plan; allowed: a recipe"),
        (("train", SOFTWARE), "this is a recipe of recurrent networks in software; .*spinhw flipflop train"),
        (("flipflop", "train", PROFILE), "this is a device profile; allowed: a recipe of recurrent"),
        (("check", "--device", RECIPE), "this is a recipe of networks of oscillators; allowed: a device profile"),
        (("check", "--device", VIRTUAL), "this is a virtual bench; allowed: a device profile"),
        (("off", "--device", PROFILE), "this is a device profile; allowed: a bench file"),
        (("calibrate", "show", PLAN), "this is a calibration plan; allowed: a calibration record"),
        (("calibrate", "--device", "ideal", "--plan", RECORD), "this is a calibration record; allowed: a calibration"),
        (("tune", "digits", "--out", "tuned", "--space", RECIPE), "this is a recipe .*; allowed: a space to search"),
        (("tune", SPACE, "--out", "tuned"), "this is a space to search; allowed: a recipe"),
        (("study", "fig2b", "--grid", LOOPS), "this is a grid of the study chip_in_the_loop; allowed: a grid of"),
        (("study", "chip_in_the_loop", "--grid", SYNAPSES), "this is a grid of the study rf_synapses; allowed: a grid"),
        (("study", "chip_in_the_loop", "--grid", GRID), "this is a grid of studies; allowed: a grid of the study"),
        (("virtual-bench", "serve", BENCH), "this is a bench file; allowed: a virtual bench"),
        (("evaluate", RECIPE), "this is not a run folder; seen: a file"),
        (("flipflop", "analyse", RECIPE), "this is a YAML file, which holds no weights"),
    ],
    ids=lambda one: " ".join(getattr(word, "stem", word) for word in one) if isinstance(one, tuple) else "",
)
def test_a_file_of_another_sort_is_told_what_it_is(
    spinhw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(spinhw(*command))
    assert re.search(what, said), said


@pytest.mark.parametrize(
    "command", ["train", "energy", "calibrate show", "calibrate --device ideal --plan", "check --device",
                "virtual-bench serve", "study fig2b --grid"],
)  # fmt: skip
def test_a_folder_where_a_file_is_needed_is_called_one(spinhw, tmp_path: Path, command: str) -> None:
    if command == "energy":
        assert "this is not a run folder; seen: no config.yaml in it" in refused(spinhw(command, tmp_path))
        return
    assert f"{tmp_path}: this is a folder; allowed: a" in refused(spinhw(*command.split(), tmp_path))
    (tmp_path / "config.yaml").touch()
    assert "this is a run folder; allowed: a" in refused(spinhw(*command.split(), tmp_path))


def test_evaluate_says_of_a_run_in_software_what_it_is(spinhw, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SOFTWARE.read_text(encoding="utf-8"), encoding="utf-8")
    said = refused(spinhw("evaluate", tmp_path))
    assert "this is a recipe of recurrent networks in software" in said
    assert "spinhw flipflop analyse" in said


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs=5", "unknown key 'epochs'; did you mean 'training.epochs' or"),
        ("epoch=5", "unknown key 'epoch'; did you mean 'training.epochs' or"),
        ("network.epochs=5", "--set network.epochs: unknown key 'epochs'; did you mean 'training.epochs' or"),
        ("tau=5 ns", "unknown key 'tau'; did you mean 'network.tau'?"),
        ("training.optimiser.learning_rate=-1", "learning_rate: must be greater than 0; seen: -1"),
        ("training.optimiser.learning_rate=fast", "learning_rate: a number is needed; seen: 'fast'"),
        (".".join(["a"] * 3000) + "=1", "so deep no key lies; seen: 3000 levels; allowed: at most 50"),
        ("training.epochs=" + "[" * 200 + "]" * 200, "--set training.epochs: the value is not YAML"),
        ("training.seeds=&a [*a]", "--set training.seeds: the value is not YAML"),
        ("network.density_intra=120 %", "density_intra: must be less than or equal to 1; seen: 1.2"),
        ("network.tau=20 %", "this is no number with a unit"),
        ("training.epochs=20 %", "a whole number is needed; seen: '20 %'"),
    ],
    ids=lambda text: text[:30],
)
def test_a_wrong_override_is_one_line_that_leads_on(spinhw, override: str, message: str) -> None:
    assert message in refused(spinhw("energy", "digits", "--set", override))


@pytest.mark.parametrize("command", ["energy digits", "train digits", "flipflop train", "demo", "study fig2b"])
def test_an_override_in_two_words_is_told_how_it_is_written(spinhw, command: str) -> None:
    said = refused(spinhw(*command.split(), "--set", "training.epochs", "5"))
    assert "--set training.epochs: not an override; " in said
    assert "allowed: KEY=VALUE as one word, such as --set training.epochs=5" in said


@pytest.mark.parametrize(("name", "near"), [("quik", "quick"), ("publishd", "published")])
def test_a_misspelt_preset_is_told_which_is_meant(spinhw, name: str, near: str) -> None:
    assert f"did you mean '{near}'?" in refused(spinhw("flipflop", "train", name))


def test_a_misspelt_recipe_is_told_which_is_meant(spinhw) -> None:
    assert "did you mean 'digits'?" in refused(spinhw("train", "digts"))


@pytest.mark.parametrize("host", ["no..such", LONG, "8.8.8.8", "two words"])
def test_a_host_that_is_none_of_this_machine_is_one_line(spinhw, host: str) -> None:
    assert f"--host {host}: this machine has no such address" in refused(
        spinhw("virtual-bench", "serve", "resonators", "--host", host)
    )


def test_paths_with_brackets_are_printed_as_they_are(spinhw, tmp_path: Path) -> None:
    place = tmp_path / "[red]a[/] b"
    place.mkdir(parents=True)
    record = place / "[bold].yaml"
    record.write_text(RECORD.read_text(encoding="utf-8"), encoding="utf-8")
    shown = spinhw("calibrate", "show", record)
    assert shown.code == 0, shown.err
    assert str(place) in shown.out


def test_a_share_may_be_written_in_percent(spinhw) -> None:
    written = [spinhw("energy", "digits", "--set", f"network.density_intra={one}").out for one in ("20 %", "0.2")]
    assert written[0] == written[1]
