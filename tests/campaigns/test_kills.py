"""Commands that are killed at any point of their work: given again, they end as if nothing had happened.

The campaign: pytest tests/campaigns/test_kills.py --campaign, 60 kills of each command, every third after a time. Each
kill has a number; those at a point run again by it. Whatever a kill after a time comes to is right, but for something
that is lost, broken, or hangs.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from fakes import processes
from fakes.kills import HANGS_S, KILLED, NEVER, is_killed, points, run_killed
from fakes.processes import CAN_FORK, python
from fakes.works import WORKS, Studying
from spinhw.training.checkpoint import load_checkpoint

CAMPAIGN, WITH_WORKERS = 60, 10
# A calibration is killed when the second of its experiments is about to be written.
AT_SECOND = """
def replace(source, target, done=os.replace):
    if os.path.basename(target).startswith("01-"):
        os.kill(os.getpid(), signal.SIGKILL)
    return done(source, target)
os.replace = replace
"""

pytestmark = pytest.mark.skipif(os.name != "posix" or not CAN_FORK, reason="kills processes that were forked")


@pytest.fixture(scope="module", autouse=True)
def prepared(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--campaign"):
        processes.PRELOADED.append("fakes.preloaded_work")


class Told:
    """What a campaign counts."""

    def __init__(self) -> None:
        self.killed = self.ended = self.with_work_kept = 0

    def __str__(self) -> str:
        return f"{self.killed} killed, {self.ended} ended before; work was kept in {self.with_work_kept}"


def go_on(work, place: Path, number: int) -> object:
    """Give a command again; return what it came to."""
    code, _, error = run_killed(NEVER, work.command(place), work.before)
    assert code == 0 and "Traceback" not in error, (number, code, error)
    return work.result(place)


def whole(work, place: Path) -> tuple[int, float]:
    """Let a command end; return its points, and the seconds it takes when all is compiled."""
    for name in ("compiled", "whole"):
        (place / name).mkdir(parents=True)
        work.prepare(place / name)
        begun = time.perf_counter()
        there = points(work.command(place / name), work.before)
    assert there >= work.points_least, there
    return there, time.perf_counter() - begun


def kill_and_go_on(name: str, numbers: range, folder: Path) -> Told:
    work, told = WORKS[name], Told()
    there, lasts_s = whole(work, folder)
    wanted, every = work.result(folder / "whole"), work.kept(folder / "whole")
    for number in numbers:
        random, place = Random(f"{name} {number}"), folder / str(number)
        place.mkdir()
        work.prepare(place)
        at, after_s = random.randint(1, there), random.uniform(0.0, lasts_s)
        if number % 3:
            code, _, error = run_killed(at, work.command(place), work.before)
            assert is_killed(code), (number, code, error)
        else:
            code, _, error = run_killed(NEVER, work.command(place), work.before, after_s)
            assert code == 0 or is_killed(code), (number, code, error)
        told.killed, told.ended = told.killed + is_killed(code), told.ended + (code == 0)
        kept = work.kept(place)
        told.with_work_kept += bool(kept)
        if name == "tune":  # What was finished is what would have been; what follows is drawn from where that ends.
            assert kept <= every, number
            shutil.copytree(place, twin := folder / f"{number}-twin")
            go_on(work, twin, number)
        assert go_on(work, place, number) == wanted, number
        assert kept <= work.kept(place), number
        if name == "tune":
            assert work.kept(place) == work.kept(twin), number
    return told


# Three checkpoints, one after another in one file.
WRITES = """
import os, signal, sys
from pathlib import Path
import torch
from spinhw.training.checkpoint import save_checkpoint
left, done = int(sys.argv[1]), os.replace
def replace(source, target):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    done(source, target)
os.replace = replace
for epoch in range(1, 4):
    save_checkpoint(Path(sys.argv[2]), {"w": torch.full((100,), float(epoch))}, {"epoch": epoch})
"""


@pytest.mark.parametrize("at", [2, 3])
def test_a_checkpoint_is_whole_wherever_its_writer_is_killed(at, tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    process = python(WRITES, at, path)
    process.communicate()
    assert is_killed(process.returncode)
    tensors, facts = load_checkpoint(path)
    assert facts["epoch"] == at - 1 and (tensors["w"] == at - 1).all()


def test_a_calibration_that_was_killed_plays_what_is_missing_to_the_same_bits(spinhw, tmp_path):
    work = WORKS["calibrate"]
    for place in ("whole", "cut"):
        (tmp_path / place).mkdir()
        work.prepare(tmp_path / place)
    assert spinhw(*work.command(tmp_path / "whole")).code == 0
    code, _, error = run_killed(NEVER, work.command(tmp_path / "cut"), AT_SECOND)
    kept = work.kept(tmp_path / "cut")
    assert is_killed(code) and len(kept) == 1, error
    assert spinhw(*work.command(tmp_path / "cut")).code == 0
    assert work.result(tmp_path / "cut") == work.result(tmp_path / "whole") and kept < work.kept(tmp_path / "cut")


def test_a_search_that_was_killed_keeps_its_trials_and_makes_as_many_as_were_asked_for(spinhw, tmp_path, mocker):
    pytest.importorskip("optuna", reason="the extra 'tune' is not installed")
    work = WORKS["tune"]
    work.prepare(tmp_path)
    at_second = "spinhw.tuning.trial.trial_score = at_second_trial\n"
    code, _, error = run_killed(NEVER, work.command(tmp_path), work.before + at_second)
    kept = work.kept(tmp_path)
    assert is_killed(code) and len(kept) == 1, error
    mocker.patch("spinhw.tuning.trial.trial_score", return_value=0.25)
    assert spinhw(*work.command(tmp_path)).code == 0
    assert work.result(tmp_path) == work.trials and kept < work.kept(tmp_path)


@pytest.mark.campaign
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", WORKS)
def test_campaign(name, tmp_path, capsys):
    told = kill_and_go_on(name, range(CAMPAIGN), tmp_path)
    assert told.with_work_kept
    with capsys.disabled():
        print(f"\n{name}: {told}")


def workers_of(owner: int) -> list[int]:
    """List the processes that another started to work for it."""
    said = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in said.splitlines()]
    return [int(pid) for pid, parent, what in rows if int(parent) == owner and "popen_loky" in what]


def until_workers_work(owner: int, place: Path) -> Iterator[list[int]]:
    """Wait until a worker has begun to train; then whichever are there may be killed."""
    while not list(place.glob("out/points/*/run/metrics.jsonl")):
        time.sleep(0.05)
    yield workers_of(owner)


@pytest.mark.campaign
@pytest.mark.timeout(7200)
def test_campaign_with_workers(tmp_path, capsys):
    """Kill a study in the middle, or one of those that work for it: nobody hangs, and nobody works on unseen."""
    work, alone = Studying(jobs=2), Studying()
    whole(alone, tmp_path)
    wanted = alone.result(tmp_path / "whole")
    for number in range(WITH_WORKERS):
        random, place = Random(f"workers {number}"), tmp_path / str(number)
        place.mkdir()
        work.prepare(place)
        process = python(KILLED.format(before=work.before), NEVER, *work.command(place))
        workers = next(until_workers_work(process.pid, place))
        time.sleep(random.uniform(0.0, 0.5))
        if number % 2:
            process.kill()
        elif workers:
            os.kill(random.choice(workers), 9)
        _, error = process.communicate(HANGS_S)  # Workers hold the streams too: this is the end of all of them.
        assert "Traceback" not in error, (number, error)
        if number % 2 == 0:
            assert process.returncode in (0, 2), (number, error)
            assert process.returncode == 0 or "a process that trained a point ended" in error, (number, error)
        assert go_on(work, place, number) == wanted, number
