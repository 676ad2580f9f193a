"""Full disks and folders that cannot be written: one line that names the file, and nothing lost that was there."""

import errno
import os
from pathlib import Path
from random import Random

import numpy as np
import pytest
import xarray

from fakes.runs import bits, tiny
from spinhw.atomic import write_atomically
from spinhw.calibration.dataset import write_dataset
from spinhw.errors import ConfigError
from spinhw.plots.canvas import page
from spinhw.studies import Outcome
from spinhw.training import resume, train
from spinhw.training.checkpoint import save_checkpoint

# How many points of a run are refused, of those at which it writes.
CAMPAIGN = 60


def data() -> xarray.Dataset:
    return xarray.Dataset({"drive": (("segment",), np.arange(500.0))}, attrs={"device_id": "chip"})


WRITERS = {
    "a.txt": lambda path: write_atomically(path, b"new"),
    "a.nc": lambda path: write_dataset(data(), path, "traces"),
    "a.safetensors": lambda path: save_checkpoint(path, {}, {"epoch": 1}),
    "outcome.json": lambda path: Outcome([0], [0.5], [0.5], [0.1], 1.0, "1").save(path),
    "a.png": lambda path: draw(path),
}


def draw(path: Path) -> None:
    with page(path, 1.0, 1.0):
        pass


class Refusing:
    """Stands for `os.replace` and `os.fsync`: the n-th time that something is written, the disk is full."""

    def __init__(self, mocker, at: int) -> None:
        self.left, self._replace = at, os.replace
        mocker.patch.object(os, "replace", self.replace)
        mocker.patch.object(os, "fsync", self.sync)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def replace(self, source, target) -> None:
        self._count()
        self._replace(source, target)

    def sync(self, descriptor) -> None:
        self._count()


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_what_was_there(name, tmp_path, mocker):
    path = tmp_path / name
    path.write_bytes(b"old")
    Refusing(mocker, 0)
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


def refused_at(number: int, folder: Path, mocker) -> bool:
    """Train on a disk that is full from the n-th write on, free it, go on; tell whether anything was refused."""
    Refusing(mocker, number)
    try:
        train(tiny(), folder)
    except ConfigError as error:
        assert str(folder) in str(error) and "\n" not in str(error)
        refused = True
    else:
        refused = False
    mocker.stopall()
    mocker.patch.object(os, "fsync", lambda file: None)
    if not (folder / "checkpoint.safetensors").exists():
        assert not folder.exists()  # Nothing was begun.
        train(tiny(), folder)
    elif refused:
        resume(folder)
    return refused


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_campaign(tmp_path, mocker):
    train(tiny(), tmp_path / "whole")
    wanted, random, refused = bits(tmp_path / "whole"), Random(0), 0
    for number in range(CAMPAIGN):
        refused += refused_at(random.randrange(40), tmp_path / str(number), mocker)
        found = bits(tmp_path / str(number))
        assert all((found[name] == wanted[name]).all() for name in wanted)
    assert refused > CAMPAIGN // 2
