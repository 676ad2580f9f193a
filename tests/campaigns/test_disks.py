"""Full disks and folders that cannot be written: one line that names the file, and nothing lost that was there."""

import errno
import os
import re
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import xarray
from pytest_mock import MockerFixture

from fakes.disks import FullDisk, ReadOnlyFolder
from fakes.kills import NEVER
from fakes.works import WORKS
from spinhw.atomic import write_atomically
from spinhw.calibration.dataset import write_dataset
from spinhw.errors import ConfigError
from spinhw.plots.canvas import page
from spinhw.training.checkpoint import save_checkpoint

# How often a command of each sort meets each sort of trouble; the first change that is refused is drawn.
CAMPAIGN = 60


def data() -> xarray.Dataset:
    return xarray.Dataset({"drive": (("segment",), np.arange(500.0))}, attrs={"device_id": "chip"})


WRITERS = {
    "a.txt": lambda path: write_atomically(path, b"new"),
    "a.nc": lambda path: write_dataset(data(), path, "traces"),
    "a.safetensors": lambda path: save_checkpoint(path, {}, {"epoch": 1}),
    "a.png": lambda path: draw(path),
}


def draw(path: Path) -> None:
    with page(path, 1.0, 1.0):
        pass


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_what_was_there(name, tmp_path, mocker):
    path = tmp_path / name
    path.write_bytes(b"old")
    FullDisk(mocker, 0, tmp_path)
    with pytest.raises(ConfigError, match=rf"{name}: .*(full|written); seen: No space left on device; next: free"):
        WRITERS[name](path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_in_the_place_of_a_folder_is_named(name, tmp_path):
    (tmp_path / "in the way").write_bytes(b"old")
    with pytest.raises(ConfigError, match=r"in the way.*(Not a directory|No such file|is not a directory)"):
        WRITERS[name](tmp_path / "in the way" / name)
    assert (tmp_path / "in the way").read_bytes() == b"old"


def test_a_file_beyond_the_limit_of_the_system_leaves_the_old_one(tmp_path):
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of files")
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))  # What is beyond it fails as on a full disk.
    try:
        with pytest.raises(ConfigError) as caught:
            write_atomically(path, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).startswith(f"{path}: this could not be written; seen: File too large")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "digits", "--out", "FILE/run"),
        ("calibrate", "--device", "imperfect-chip", "--plan", "quick", "--out", "FILE/record.yaml"),
        ("tune", "digits_paper", "--out", "FILE/out"),
        ("schema", "run", "--out", "FILE/run.json"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_that_cannot_make_its_folder_says_so_in_one_line(arguments, spinhw, tmp_path):
    (tmp_path / "file").touch()
    outcome = spinhw(*(one.replace("FILE", str(tmp_path / "file")) for one in arguments))
    assert outcome.code == 2 and len(outcome.err.splitlines()) == 1 and str(tmp_path / "file") in outcome.err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_a_full_device_in_the_place_of_a_file_is_one_line(spinhw):
    outcome = spinhw("schema", "plan", "--out", "/dev/full")
    assert outcome.code == 2 and "/dev/full: the schema cannot be written" in outcome.err


def test_trouble_of_the_system_that_nobody_awaits_is_one_line(spinhw, mocker):
    mocker.patch("spinhw.cli.inspection.show_schema", side_effect=OSError(errno.EIO, "Input/output error", "/a/b"))
    outcome = spinhw("schema", "plan")
    assert (outcome.code, outcome.err.splitlines()) == (
        2,
        [
            "/a/b: this cannot be used; seen: Input/output error; allowed: a file or folder that can be read, or "
            "written where it is for results, on a disk with room; next: check the path and the disk, or name another."
        ],
    )


def test_a_picture_in_no_known_format_is_refused(tmp_path):
    with pytest.raises(
        ConfigError, match=r"a\.xyz: no picture can be drawn into such a file; seen: xyz; allowed: .*png"
    ):
        draw(tmp_path / "a.xyz")


KINDS = pytest.mark.parametrize("kind", [FullDisk, ReadOnlyFolder])


def as_usual(mocker: MockerFixture) -> None:
    """Time nothing, train no trial, and wait for no disk."""
    mocker.patch.object(os, "fsync", lambda file: None)
    mocker.patch("time.sleep")
    mocker.patch("spinhw.studies.run.forecast_s", lambda points: {point.key: 1.0 for point in points})
    mocker.patch("spinhw.tuning.trial.trial_score", lambda settings: 1e8 * settings.network.tau_s % 1.0)


def refused_at(name: str, kind: Any, at: int, folder: Path, spinhw: Any, mocker: MockerFixture) -> bool:
    """Let a command meet a disk that refuses from the n-th change on, mend it, go on; tell whether it was refused."""
    work = WORKS[name]
    folder.mkdir()
    work.prepare(folder)
    mocker.stopall()
    as_usual(mocker)
    disk = kind(mocker, at, folder)
    outcome = spinhw(*work.command(folder))
    mocker.stopall()
    as_usual(mocker)
    # What is refused last may be no more than to see a name through to the disk, to remove what is of no use, or a
    # picture, which the same command draws again.
    assert outcome.code == 0 or (outcome.code == 2 and disk.refused), (at, outcome.code, outcome.err)
    if outcome.code != 0:
        line = " ".join(outcome.err.split())
        assert "Traceback" not in outcome.err and str(folder) in line, (at, outcome.err)
        assert re.search("is full|left on device|Permission denied|readonly|may not", line), (at, line)
    kept = work.kept(folder)
    outcome = spinhw(*work.command(folder))
    assert outcome.code == 0, (at, outcome.err)
    assert kept <= work.kept(folder), at
    return disk.refused


def changes_of(name: str, kind: Any, folder: Path, spinhw: Any, mocker: MockerFixture) -> int:
    """Count how often a command changes its disk."""
    folder.mkdir()
    WORKS[name].prepare(folder)
    mocker.stopall()
    as_usual(mocker)
    disk = kind(mocker, NEVER, folder)
    assert spinhw(*WORKS[name].command(folder)).code == 0
    mocker.stopall()
    as_usual(mocker)
    return NEVER - disk.left


@KINDS
def test_a_calibration_goes_on_to_the_same_bits_once_its_disk_takes_what_it_writes(kind, tmp_path, spinhw, mocker):
    work = WORKS["calibrate"]
    changes = changes_of("calibrate", kind, tmp_path / "whole", spinhw, mocker)
    assert refused_at("calibrate", kind, changes - 2, tmp_path / "cut", spinhw, mocker)
    assert work.kept(tmp_path / "cut") and work.result(tmp_path / "cut") == work.result(tmp_path / "whole")


@pytest.mark.parametrize(("kind", "at"), [(FullDisk, 5), (FullDisk, 9), (ReadOnlyFolder, 5)])
def test_a_search_whose_database_cannot_be_written_says_why_and_goes_on(kind, at, tmp_path, spinhw, mocker):
    """While its tables are made: with half of them it would take itself for several searches ever after."""
    pytest.importorskip("optuna", reason="the extra 'tune' is not installed")
    assert refused_at("tune", kind, at, tmp_path / "tables", spinhw, mocker)
    assert WORKS["tune"].result(tmp_path / "tables") == WORKS["tune"].trials


@pytest.mark.campaign
@pytest.mark.timeout(7200)
@KINDS
@pytest.mark.parametrize("name", WORKS)
def test_campaign(name, kind, tmp_path, spinhw, mocker):
    random, refused = Random(name), 0
    changes = changes_of(name, kind, tmp_path / "whole", spinhw, mocker)
    wanted = WORKS[name].result(tmp_path / "whole")
    for number in range(CAMPAIGN):
        place = tmp_path / str(number)
        refused += refused_at(name, kind, random.randrange(changes), place, spinhw, mocker)
        assert WORKS[name].result(place) == wanted, number
    assert refused > CAMPAIGN // 2
