"""Without a home, or with one that cannot be written: every command works, for none needs one."""

import os

import pytest

from fakes.runs import tiny
from spinhw.instruments.shared import shared_folder
from spinhw.training import train


def homeless(monkeypatch, tmp_path, kind: str) -> None:
    """Take the home away, or put a file or a folder that does not exist in its place."""
    (tmp_path / "file").touch()
    for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    if kind != "none":
        monkeypatch.setenv("HOME", str(tmp_path / "file" / "x" if kind == "below a file" else tmp_path / kind))


KINDS = ("none", "below a file", "file", "absent")
ALWAYS = 2


@pytest.mark.parametrize(
    "kind", [pytest.param(one, marks=[] if place < ALWAYS else pytest.mark.campaign) for place, one in enumerate(KINDS)]
)
def test_commands_need_no_home(kind, spinhw, tmp_path, monkeypatch):
    homeless(monkeypatch, tmp_path, kind)
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    for arguments in (("schema", "run"), ("energy", "digits"), ("devices",), ("check", "--device", "ideal")):
        outcome = spinhw(*arguments)
        assert outcome.code == 0 and "Traceback" not in outcome.err, (arguments, outcome.err)
    assert {path.name for path in tmp_path.iterdir()} == before


@pytest.mark.campaign
def test_a_run_needs_no_home(tmp_path, monkeypatch):
    homeless(monkeypatch, tmp_path, "below a file")
    train(tiny(device=None, epochs=1, loop={"epochs": 0}), tmp_path / "run")
    assert (tmp_path / "run" / "summary.json").is_file()


def test_locks_lie_in_no_home(monkeypatch, tmp_path):
    homeless(monkeypatch, tmp_path, "file")
    monkeypatch.delenv("SPINHW_SHARED", raising=False)
    assert shared_folder().is_absolute() and os.fspath(tmp_path) not in str(shared_folder())
