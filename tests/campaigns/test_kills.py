"""Commands that are killed at any point of their work: given again, they end as if nothing had happened.

The campaign: pytest tests/campaigns/test_kills.py --campaign, 60 kills of each command. Each kill has a number.
"""

import os
from pathlib import Path
from random import Random

import pytest
import yaml

from fakes.kills import is_killed, points, run_killed
from fakes.processes import CAN_FORK, python
from fakes.runs import bits, tiny
from spinhw.calibration import load_taken
from spinhw.config import shipped
from spinhw.records import load_record
from spinhw.studies import Outcome
from spinhw.training.checkpoint import load_checkpoint

CAMPAIGN = 60

pytestmark = pytest.mark.skipif(os.name != "posix" or not CAN_FORK, reason="kills processes that were forked")

# Timing how fast this machine is takes seconds, and is no work that could be lost.
UNTIMED = """
import spinhw.studies.run
spinhw.studies.run.forecast_s = lambda points: {point.key: 1.0 for point in points}
"""
SCORED = """
import spinhw.tuning.search
spinhw.tuning.search.trial_score = lambda settings: 1e8 * settings.network.tau_s % 1.0
"""
PLAN = {
    "name": "short",
    "experiments": [
        {"kind": "noise", "segments": 2, "samples": 32},
        {"kind": "drive_sweep", "levels": 7, "samples": 48},
        {"kind": "pseudo_random", "segments": 4, "samples": 48},
    ],
}
GRID = {
    "seeds": [0],
    "protocols": {
        "paper": {
            "spintronic": str(shipped("examples") / "digits_paper.yaml"),
            "ctrnn": str(shipped("examples") / "ctrnn_paper.yaml"),
            "taus": ["5 ns"],
            "learning_rates": [0.03],
        }
    },
    "overrides": [
        "task.train_fraction=0.1", "task.held_out=validation", "network.layers=[3,2]", "training.batch_size=300",
        "training.epochs=2", "training.substeps=1", "training.fine_steps_per_ns=16",
    ],
    "sample_intervals": ["1 ns"], "substeps": [1], "traced_intervals": ["1 ns"],
    "densities_intra": [0.0], "densities_inter": [0.5], "densities_all": [1.0],
}  # fmt: skip
SPACE = {"axes": {"network.tau": {"kind": "range", "lowest": 2, "highest": 40, "unit": "ns"}}, "seeds": [100]}


class Training:
    """A run with a chip in the loop, recorded: weights and batches to the bit."""

    before, points_least = "", 20

    def prepare(self, folder: Path) -> None:
        data = tiny().model_dump(mode="json", by_alias=True) | {"recording": "observed"}
        (folder / "run.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")

    def command(self, folder: Path) -> list[object]:
        run = folder / "run"
        if (run / "checkpoint.safetensors").is_file():
            return ["train", folder / "run.yaml", "--resume", run]
        if run.exists():  # Killed before anything was begun: its folder holds the config at most.
            assert {one.name for one in run.iterdir() if not one.name.startswith(".")} <= {"config.yaml"}
            run.rename(folder / f"begun-{len(list(folder.iterdir()))}")
        return ["train", folder / "run.yaml", "--out", run]

    def result(self, folder: Path) -> object:
        assert list((folder / "run" / "recording").glob("0*.nc"))
        return {name: tensor.numpy().tobytes() for name, tensor in bits(folder / "run").items()}

    def kept(self, folder: Path) -> object:
        """Batches that were measured, by content; those set aside are there too."""
        return {path.stat().st_ino for path in (folder / "run" / "recording").rglob("*.nc")}


class Calibrating:
    """A calibration of a simulated chip: what was played is not played again, and the record is the same."""

    before, points_least = "", 5

    def prepare(self, folder: Path) -> None:
        (folder / "plan.yaml").write_text(yaml.safe_dump(PLAN), encoding="utf-8")
        chip = {"kind": "simulated", "chip": {"spread": {"gamma": 0.2}, "power_readout": {"noise": 0.01}}}
        (folder / "chip.yaml").write_text(yaml.safe_dump(chip), encoding="utf-8")
        network = {"task": {"kind": "sequential_digits"}, "network": {"layers": [3, 3]}}
        (folder / "run.yaml").write_text(yaml.safe_dump(network), encoding="utf-8")

    def command(self, folder: Path) -> list[object]:
        named = {"device": "chip.yaml", "plan": "plan.yaml", "config": "run.yaml", "out": "record.yaml"}
        options = [part for name, file in named.items() for part in (f"--{name}", folder / file)]
        return ["calibrate", *options] if not (folder / "record.yaml").exists() else ["calibrate", "show", options[-1]]

    def result(self, folder: Path) -> object:
        record = load_record(folder / "record.yaml")
        return record.parameters.keys(), len(record.experiments), record.failed

    def kept(self, folder: Path) -> object:
        files = sorted((folder / "record.traces").glob("0*.nc"))
        return {(one.name, load_taken(one).started_unix_s) for one in files}


class Studying:
    """A study of two points: outcomes to the bit."""

    before, points_least = UNTIMED, 20

    def prepare(self, folder: Path) -> None:
        (folder / "grid.yaml").write_text(yaml.safe_dump(GRID), encoding="utf-8")

    def command(self, folder: Path) -> list[object]:
        return ["study", "fig2b", "--grid", folder / "grid.yaml", "--out", folder / "out", "--jobs", "1"]

    def result(self, folder: Path) -> object:
        found = [Outcome.load(path) for path in sorted((folder / "out" / "points").glob("*/outcome.json"))]
        return [(one.accuracy, one.accuracy_converged, one.mean_weight, one.trace) for one in found]

    def kept(self, folder: Path) -> object:
        return {path.stat().st_ino for path in (folder / "out" / "points").glob("*/outcome.json")}


class Tuning:
    """A search: every trial that was finished counts, and there are as many in the end."""

    before, points_least = SCORED, 3

    def prepare(self, folder: Path) -> None:
        (folder / "space.yaml").write_text(yaml.safe_dump(SPACE), encoding="utf-8")

    def command(self, folder: Path) -> list[object]:
        recipe = shipped("examples") / "digits_paper.yaml"
        return ["tune", recipe, "--space", folder / "space.yaml", "--trials", "3", "--out", folder / "out"]

    def result(self, folder: Path) -> object:
        assert (folder / "out" / "best.yaml").is_file() and (folder / "out" / "search.png").is_file()
        return len((folder / "out" / "trials.csv").read_text(encoding="utf-8").splitlines())

    def kept(self, folder: Path) -> object:
        path = folder / "out" / "trials.csv"
        return set(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else set()


WORKS = {"train": Training(), "calibrate": Calibrating(), "study": Studying(), "tune": Tuning()}


def kill_and_go_on(name: str, numbers: range, folder: Path) -> None:
    work = WORKS[name]
    whole = folder / "whole"
    whole.mkdir()
    work.prepare(whole)
    there = points(work.command(whole), work.before)
    assert there >= work.points_least, there
    wanted = work.result(whole)
    for number in numbers:
        random, place = Random(f"{name} {number}"), folder / str(number)
        place.mkdir()
        work.prepare(place)
        code, _, error = run_killed(random.randint(1, there), work.command(place), work.before)
        assert is_killed(code), (number, code, error)
        kept = work.kept(place)
        code, _, error = run_killed(10**9, work.command(place), work.before)
        assert code == 0 and "Traceback" not in error, (number, error)
        assert work.result(place) == wanted, number
        assert kept <= work.kept(place), number


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


@pytest.mark.campaign
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", WORKS)
def test_campaign(name, tmp_path):
    kill_and_go_on(name, range(CAMPAIGN), tmp_path)
