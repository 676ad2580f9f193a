import errno
import json
import os
import shlex
from datetime import datetime
from pathlib import Path

import pytest
import torch

from spinhw.atomic import append_line, write_atomically
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.training import RunFolder, RunSettings, default_folder
from spinhw.training.checkpoint import load_checkpoint, save_checkpoint

TENSORS = {
    "network/w": torch.arange(6.0).view(2, 3),
    "network/mask": torch.tensor([True, False]),
    "adam/step": torch.tensor(3.0),
}
FACTS = {"epoch": 3, "sums": {"loss": [0.1 + 0.2, 1 / 3]}}


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, TENSORS, FACTS)
    return path


def disk_full(*args, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_checkpoint_comes_back_to_the_bit(checkpoint):
    tensors, facts = load_checkpoint(checkpoint)
    assert facts == FACTS
    assert set(tensors) == set(TENSORS)
    assert all(
        torch.equal(tensors[name], value) and tensors[name].dtype == value.dtype for name, value in TENSORS.items()
    )


@pytest.mark.parametrize("kept", [0, 4, 100, -1, -8])
def test_checkpoint_cut_short_is_refused(checkpoint, kept):
    checkpoint.write_bytes(checkpoint.read_bytes()[:kept])
    with pytest.raises(ConfigError, match="cut short or damaged") as caught:
        load_checkpoint(checkpoint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [-3, 60])
def test_checkpoint_with_a_changed_byte_is_refused(checkpoint, place):
    data = bytearray(checkpoint.read_bytes())
    data[place] ^= 1
    checkpoint.write_bytes(data)
    with pytest.raises(ConfigError, match="cut short or damaged"):
        load_checkpoint(checkpoint)


def test_file_of_somebody_else_is_no_checkpoint(tmp_path):
    import safetensors.torch

    path = tmp_path / "checkpoint.safetensors"
    safetensors.torch.save_file({"w": torch.zeros(2)}, path)
    with pytest.raises(ConfigError, match="cut short or damaged; seen: format None"):
        load_checkpoint(path)


def test_missing_checkpoint_is_said_to_be_missing(tmp_path):
    with pytest.raises(ConfigError, match="there is no checkpoint here"):
        load_checkpoint(tmp_path / "checkpoint.safetensors")


@pytest.mark.parametrize("function", ["os.fsync", "os.replace"])
def test_full_disk_leaves_the_old_checkpoint(checkpoint, mocker, function):
    before = checkpoint.read_bytes()
    mocker.patch(function, disk_full)
    with pytest.raises(ConfigError, match="the disk is full.*intact"):
        save_checkpoint(checkpoint, TENSORS, {"epoch": 4})
    assert checkpoint.read_bytes() == before
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_disk_that_fills_while_writing_leaves_the_old_file(checkpoint, mocker):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *exception):
            return None

        write = disk_full

    before = checkpoint.read_bytes()
    mocker.patch("pathlib.Path.open", lambda self, mode: Full())
    with pytest.raises(ConfigError, match="the disk is full"):
        write_atomically(checkpoint, b"new")
    with pytest.raises(ConfigError, match="the disk is full"):
        append_line(checkpoint, "new")
    mocker.stopall()
    assert checkpoint.read_bytes() == before


def test_other_write_errors_say_what_to_do(checkpoint, mocker):
    def refused(*args):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    mocker.patch.object(os, "replace", refused)
    with pytest.raises(
        ConfigError, match="could not be written; seen: Permission denied; next: make the folder writable"
    ):
        write_atomically(checkpoint, b"new")


def test_existing_folder_is_refused_and_left_alone(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists already.*--resume"):
        RunFolder.create(folder, RunSettings())
    assert [path.name for path in folder.iterdir()] == ["precious.txt"]


def test_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="could not be written"):
        RunFolder.create(tmp_path / "file" / "run", RunSettings())


def test_folder_that_cannot_be_filled_is_not_left_behind(tmp_path, mocker):
    mocker.patch.object(os, "fsync", disk_full)
    with pytest.raises(ConfigError, match="disk is full"):
        RunFolder.create(tmp_path / "run", RunSettings())
    assert not (tmp_path / "run").exists()


def test_folder_keeps_the_whole_config(tmp_path):
    settings = build(RunSettings, {"training": {"epochs": 3}, "network": {"tau": "14.12 ns"}}, "run.yaml")
    RunFolder.create(tmp_path / "run", settings)
    assert RunFolder.open(tmp_path / "run").settings() == settings


def test_other_folders_are_no_run_folders(tmp_path):
    with pytest.raises(ConfigError, match="not a run folder; seen: no config.yaml in it"):
        RunFolder.open(tmp_path)
    with pytest.raises(ConfigError, match="not a run folder; seen: no such folder"):
        RunFolder.open(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["run", "my run", 'a"b', "läufe-1"])
def test_resume_command_survives_the_shell(tmp_path, name):
    path = tmp_path / name
    words = shlex.split(RunFolder(path).resume_command)
    assert words == ["spinhw", "train", str(path / "config.yaml"), "--resume", str(path)]


def test_resume_command_is_quoted_only_where_it_must_be(tmp_path):
    assert '"' not in RunFolder(Path("runs/digits-20250131-235959")).resume_command
    assert RunFolder(Path("my runs/a")).resume_command.endswith('--resume "my runs/a"')


def test_metrics_past_the_checkpoint_are_forgotten(tmp_path):
    folder = RunFolder.create(tmp_path / "run", RunSettings())
    for epoch in (1, 2, 3):
        folder.append_metrics({"epoch": epoch, "loss": [0.1 + epoch]})
    folder.forget_metrics_after(2)
    assert folder.metrics() == [{"epoch": 1, "loss": [1.1]}, {"epoch": 2, "loss": [2.1]}]


def test_metrics_line_cut_short_is_left_out_with_a_warning(tmp_path, caplog):
    folder = RunFolder.create(tmp_path / "run", RunSettings())
    folder.append_metrics({"epoch": 1})
    with folder.metrics_file.open("a") as file:
        file.write('{"epoch": 2, "lo')
    assert folder.metrics() == [{"epoch": 1}]
    assert "line 2 is cut short" in caplog.text


def test_summary_of_an_unfinished_run_is_asked_for_in_vain(tmp_path):
    folder = RunFolder.create(tmp_path / "run", RunSettings())
    with pytest.raises(ConfigError, match="has not finished; next: finish it with: spinhw train .*--resume .*run"):
        folder.summary()
    folder.write_summary({"a": 1})
    assert folder.summary() == json.loads(folder.summary_file.read_text()) == {"a": 1}


def test_default_folder_is_named_after_config_and_time(tmp_path):
    assert default_folder(tmp_path / "digits.yaml").match("runs/digits-????????-??????")


@pytest.mark.parametrize("run", ["mine", "mine-20250131-235959", "mine-20250131-235959-2"])
def test_a_run_that_goes_on_in_a_new_folder_keeps_its_name(tmp_path, run):
    assert default_folder(tmp_path / run / "config.yaml").match("runs/mine-????????-??????")


def test_default_folder_is_always_a_new_one(tmp_path, monkeypatch, mocker):
    monkeypatch.chdir(tmp_path)
    clock = mocker.patch("spinhw.training.run_folder.datetime")
    clock.now.return_value = datetime(2025, 1, 31, 23, 59, 59)
    for name in ("demo-20250131-235959", "demo-20250131-235959-2", "demo-20250131-235959-3"):
        folder = default_folder(Path("demo.yaml"))
        assert folder == Path("runs") / name
        folder.mkdir(parents=True)
