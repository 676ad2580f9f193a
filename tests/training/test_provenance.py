"""Where a run comes from: written at once, completed at the end, added to when it goes on."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from fakes.runs import tiny
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.training import Interrupted, RunFolder, RunSettings, evaluate, resume, train
from spinhw.training.progress import SILENT
from spinhw.training.provenance import checksums, git_state, used_files


def short(**run) -> RunSettings:
    settings = tiny(device=None, epochs=1, loop={"epochs": None, "learning_rate": None}, gradient="surrogate")
    return build(RunSettings, settings.model_dump(mode="json", by_alias=True) | {"run": run}, "run.yaml")


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Looking:
    """Looks at a run's provenance while it trains, and may end the run."""

    def __init__(self, folder: Path, error: Exception | None = None) -> None:
        self._folder, self._error, self.seen = folder, error, {}

    def __getattr__(self, name):
        return getattr(SILENT, name)

    def on_batch(self, *args) -> None:
        self.seen = RunFolder.open(self._folder).provenance()
        if self._error is not None:
            raise self._error


def test_what_is_known_is_written_before_the_first_batch_and_the_rest_at_the_end(tmp_path):
    folder, looking = tmp_path / "run", Looking(tmp_path / "run")
    train(short(sample="wafer 3, chip 7", operator="AB", note="77 K"), folder, looking)
    [then], [now] = looking.seen["sessions"], RunFolder.open(folder).provenance()["sessions"]
    assert (then["sample"], then["operator"], then["note"]) == ("wafer 3, chip 7", "AB", "77 K")
    assert {"command", "host", "folder", "versions", "git", "started"} <= set(then) and "ended" not in then
    assert now.items() >= then.items() and now["outcome"] == "finished" and now["duration_s"] >= 0
    assert looking.seen["seeds"] == [3, 5]


def test_going_on_adds_a_session_with_a_note_of_its_own(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        train(short(sample="A"), folder, Looking(folder, Interrupted("stopped")), note="first")
    resume(folder, short(sample="B", note="of the config"))
    resume(folder, note="third")
    sessions = RunFolder.open(folder).provenance()["sessions"]
    assert [one["outcome"] for one in sessions] == ["interrupted", "finished", "finished"]
    assert [one["sample"] for one in sessions] == ["A", "B", "A"]
    assert [one["note"] for one in sessions] == ["first", "of the config", "third"]


def test_a_failed_session_says_so_and_the_failure_is_what_is_told(tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(ConfigError, match="no luck"):
        train(short(), folder, Looking(folder, ConfigError("no luck")))
    assert RunFolder.open(folder).provenance()["sessions"][0]["outcome"] == "failed: ConfigError"


def test_a_run_without_provenance_or_with_a_broken_one_begins_it(tmp_path):
    folder = tmp_path / "run"
    train(short(), folder)
    for text in ("{", "[]"):
        (folder / "provenance.json").write_text(text, encoding="utf-8")
        resume(folder)
        assert len(RunFolder.open(folder).provenance()["sessions"]) == 1


def test_an_evaluation_says_where_it_comes_from_and_changes_nothing_of_the_runs(tmp_path):
    folder = tmp_path / "run"
    train(short(sample="A", note="cold"), folder)
    before = (folder / "provenance.json").read_bytes()
    assert "provenance" not in evaluate(folder, note="warm")
    line = json.loads((folder / "evaluations.jsonl").read_text(encoding="utf-8"))
    assert (line["provenance"]["sample"], line["provenance"]["note"]) == ("A", "warm")
    assert (folder / "provenance.json").read_bytes() == before


def test_every_batch_of_the_recording_has_its_checksum(tmp_path):
    settings = tiny(epochs=1, loop={"epochs": 1}).model_copy(update={"recording": "observed"})
    folder = train(settings, tmp_path / "run").folder
    found = RunFolder.open(folder).provenance()["checksums"]["recording"]
    assert found == {f"recording/{path.name}": sha(path) for path in folder.glob("recording/0*.nc")}
    assert found


def test_calibration_records_and_the_networks_begun_with_have_checksums(tmp_path):
    records = [tmp_path / "records" / f"chip-{number}.yaml" for number in (3, 5)]
    records[0].parent.mkdir()
    for path in records:
        path.write_text(path.name, encoding="utf-8")
    (tmp_path / "checkpoint.safetensors").write_text("weights", encoding="utf-8")
    changes = {"calibration": {"record": str(records[0].parent)}}
    settings = tiny(device=None, loop={"epochs": None}, gradient="surrogate", start=str(tmp_path))
    settings = build(RunSettings, settings.model_dump(mode="json", by_alias=True) | changes, "run.yaml")
    found = used_files(settings)
    assert found["calibration"] == {path.as_posix(): sha(path) for path in records}
    assert list(found["start"].values()) == [sha(tmp_path / "checkpoint.safetensors")]
    assert checksums([tmp_path / "none"]) == {}


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", folder, *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_of_the_users_folder_and_whether_it_was_changed(tmp_path):
    repository = tmp_path / "repository"
    (repository / "inner").mkdir(parents=True)
    assert git_state(repository) is None or git_state(repository)["root"] != str(repository)
    git(tmp_path, "init", "-q", repository)
    assert git_state(repository) is None  # Without a commit there is nothing to name.
    (repository / "file").write_text("a", encoding="utf-8")
    git(repository, "add", "file")
    git(repository, "commit", "-qm", "Begin")
    commit = git(repository, "rev-parse", "HEAD")
    assert git_state(repository / "inner") == {"root": str(repository.resolve()), "commit": commit, "dirty": False}
    (repository / "file").write_text("b", encoding="utf-8")
    assert git_state(repository)["dirty"] is True


@pytest.mark.parametrize(
    "error", [FileNotFoundError("git"), PermissionError("git"), subprocess.TimeoutExpired("git", 3)]
)
def test_no_git_stops_nothing(tmp_path, mocker, error):
    mocker.patch("subprocess.run", side_effect=error)
    assert git_state(tmp_path) is None


def test_what_is_said_of_the_experiment_is_closed_to_typing_errors():
    with pytest.raises(ConfigError, match=r"run: unknown key 'simple'; did you mean 'sample'"):
        short(simple="A")
