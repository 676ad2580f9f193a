"""Two processes in one run folder: the second is refused, and a lock never outlives its holder."""

import errno
import os
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from fakes.processes import python
from spinhw.errors import ConfigError
from spinhw.training.run_lock import run_lock

HOLD = """
import sys
from pathlib import Path
from spinhw.training.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with python(HOLD, tmp_path) as other:
        assert other.stdout.readline() == "held\n"
        refusal = rf"another process is at work in this run folder; seen: process {other.pid} on .*; next: wait until"
        with pytest.raises(ConfigError, match=refusal), run_lock(tmp_path):
            pass
        other.kill()  # Without a chance to tidy up.
        other.wait()
    with run_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "run.lock").read_text()
    assert not list(tmp_path.iterdir())


def test_one_process_does_not_hold_a_folder_twice(tmp_path: Path) -> None:
    with run_lock(tmp_path):
        with pytest.raises(ConfigError, match="allowed: one at a time"), run_lock(tmp_path):
            pass
        assert (tmp_path / "run.lock").exists()


def test_an_error_inside_releases_the_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), run_lock(tmp_path):
        raise KeyError
    with run_lock(tmp_path):
        pass


def test_a_full_disk_is_named_and_holds_nothing(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch.object(os, "ftruncate", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(ConfigError, match=r"run\.lock: the disk is full"), run_lock(tmp_path):
        pass
    mocker.stopall()
    with run_lock(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.lock: this could not be written"), run_lock(tmp_path / "absent"):
        pass
