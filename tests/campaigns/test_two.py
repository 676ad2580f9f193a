"""Two processes on one run folder and on one bench: the second is refused in one line, and spoils nothing."""

from pathlib import Path

import pytest

from fakes.processes import python
from fakes.runs import tiny
from spinhw.training import RunFolder
from spinhw.training.checkpoint import save_checkpoint
from spinhw.training.run_lock import run_lock

RUN = """
import sys
from pathlib import Path
from spinhw.training.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
# How often two processes come at once to a folder that neither has.
CAMPAIGN = 60
FOLDER = """
from spinhw.errors import ConfigError as Refused
from spinhw.training.run_lock import run_lock
held = lambda folder: run_lock(folder)
"""
BENCH = """
from contextlib import contextmanager
from spinhw.errors import DeviceError as Refused
from spinhw.instruments.lock import BenchLock
@contextmanager
def held(folder):
    lock = BenchLock(folder / "shared", ["TCPIP0::one::5025::SOCKET", "GPIB0::7::INSTR"])
    lock.acquire("bench")
    try:
        lock.acquire_identity("source", "Maker,Model,1234,1.0", "GPIB0::7::INSTR")
        yield
    finally:
        lock.release()
"""
BOTH = """
import sys
from pathlib import Path
{held}
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[2])):
    try:
        with held(folder):
            inside = folder / "inside"
            inside.touch(exist_ok=False)
            inside.unlink()
    except Refused as error:
        assert "another process" in str(error), error
print("fine", flush=True)
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


def test_a_second_command_on_a_run_folder_is_refused_and_changes_nothing(spinhw, tmp_path):
    run = tmp_path / "run"
    save_checkpoint(RunFolder.create(run, tiny()).checkpoint, {}, {"epoch": 1})
    before = contents(run)
    with python(RUN, run) as other:
        assert other.stdout.readline() == "held\n"
        refused = spinhw("train", run / "config.yaml", "--resume", run)
        assert refused.code == 2 and len(refused.err.splitlines()) == 1
        assert f"{run}: another process is at work in this run folder; seen: process {other.pid}" in refused.err
        assert {name: data for name, data in contents(run).items() if name != "run.lock"} == before
        other.kill()
        other.wait()
    with run_lock(run):  # A lock does not outlive who held it.
        assert {name: data for name, data in contents(run).items() if name != "run.lock"} == before


def meet(held: str, times: int, folder: Path) -> None:
    """Let two processes take the same again and again; neither may ever find the other in it."""
    both = [python(BOTH.format(held=held), folder, times) for _ in range(2)]
    try:
        for one in both:
            assert one.stdout.readline() == "ready\n"
        for one in both:
            one.stdin.write("go\n")
            one.stdin.flush()
        for one in both:
            said, trouble = one.communicate()
            assert said == "fine\n", trouble
    finally:
        for one in both:
            one.kill()


@pytest.mark.parametrize("held", [FOLDER, BENCH], ids=["folder", "bench"])
def test_two_processes_never_have_the_same_at_once(held, tmp_path):
    meet(held, 20, tmp_path)
    assert not (tmp_path / "inside").exists()


@pytest.mark.campaign
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("held", [FOLDER, BENCH], ids=["folder", "bench"])
def test_campaign(held, tmp_path):
    for _ in range(CAMPAIGN):
        meet(held, 100, tmp_path)
