"""Commands that work for long, with what must be equal and what must not be lost when they are killed and go on."""

import csv
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from fakes.runs import bits, plain, tiny, without_times
from spinhw.calibration import load_taken
from spinhw.calibration.synapses import load_read
from spinhw.config import load, shipped
from spinhw.records import load_either
from spinhw.training import RunFolder
from spinhw.tuning import Search, SpaceSettings

# Timing how fast this machine is takes seconds, and is no work that could be lost.
UNTIMED = """
import spinhw.studies.run
spinhw.studies.run.forecast_s = lambda points: {point.key: 1.0 for point in points}
"""
# A trial takes no time, and every statement to the database is a point: SQLite moves no file that Python sees.
SCORED = """
import functools, sqlite3
import spinhw.tuning.trial
spinhw.tuning.trial.trial_score = lambda settings: 1e8 * settings.network.tau_s % 1.0
def at_second_trial(settings, begun=[]):
    begun.append(settings)
    if len(begun) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0.5
class Cursor(sqlite3.Cursor):
    execute, executemany = counted(sqlite3.Cursor.execute), counted(sqlite3.Cursor.executemany)
class Connection(sqlite3.Connection):
    commit = counted(sqlite3.Connection.commit)
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        super().cursor().execute("PRAGMA synchronous = OFF")  # No kill of a process needs the disk.
    def cursor(self, factory=Cursor):
        return super().cursor(factory)
sqlite3.connect = functools.partial(sqlite3.connect, factory=Connection)
"""
CHIP = {
    "spread": {"gamma": 0.2},
    "power_readout": {"noise": 0.01},
    "drift": {"individual_per_1000_shots": 0.2},
    "thermal_power": 1e-4,
}
CHAIN = {
    "output_readout": {"noise": 1e-3},
    "synapses": {"limit": 4.0, "scale_spread": 0.1, "repeatability": 0.01, "rf": {"frequency_spread": 0.001}},
}
PLAN = {
    "name": "short",
    "experiments": [
        {"kind": "noise", "segments": 2, "samples": 32},
        {"kind": "drive_sweep", "levels": 7, "samples": 48},
        {"kind": "pseudo_random", "segments": 4, "samples": 48},
    ],
}
CHAIN_PLAN = {
    "kind": "synapses",
    "name": "short",
    "experiments": [
        {"kind": "no_tone"},
        {"kind": "detuning_sweep", "levels": 5, "tones": 15, "reach": 5},
        {"kind": "crosstalk"},
        {"kind": "programming", "targets": 4, "repeats": 3},
    ],
}
GRID = {
    "plateau": {"rise": 0.5, "most": 2},
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


def write(path: Path, data: Any) -> None:
    path.write_text(yaml.safe_dump(data), encoding="utf-8")


class Training:
    """A run with a chip in the loop, recorded: weights and metrics to the bit."""

    before, points_least = "", 20

    def prepare(self, folder: Path) -> None:
        write(folder / "run.yaml", tiny().model_dump(mode="json", by_alias=True) | {"recording": "observed"})

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
        rows = [without_times(row) for row in RunFolder(folder / "run").metrics()]
        return rows, {name: tensor.numpy().tobytes() for name, tensor in bits(folder / "run").items()}

    def kept(self, folder: Path) -> set[object]:
        """Batches that were measured, by file; those set aside are there too."""
        return {path.stat().st_ino for path in (folder / "run" / "recording").rglob("*.nc")}


class Calibrating:
    """A calibration of a simulated device: what was played is not played again, and all that was found is the same."""

    before, points_least = "", 10

    def __init__(self, chip: Any, plan: Any) -> None:
        self._device, self._plan = {"kind": "simulated", "chip": chip}, plan

    def prepare(self, folder: Path) -> None:
        write(folder / "plan.yaml", self._plan)
        write(folder / "chip.yaml", self._device)
        write(folder / "run.yaml", {"task": {"kind": "sequential_digits"}, "network": {"layers": [3, 3]}})

    def command(self, folder: Path) -> list[object]:
        named = {"device": "chip.yaml", "plan": "plan.yaml", "config": "run.yaml", "out": "record.yaml"}
        options = [part for name, file in named.items() for part in (f"--{name}", folder / file)]
        options += ["--resonators", "4"]
        record = folder / "record.yaml"
        return ["calibrate", "show", record] if record.exists() else ["calibrate", *options]

    def result(self, folder: Path) -> object:
        record = load_either(folder / "record.yaml").model_dump(mode="json", by_alias=True)
        for name in ("time", "wall"):
            assert record["made"].pop(name)
        traces = {path.name: plain(self._load(path)) for path in self._traces(folder)}
        for one in traces.values():
            assert one.pop("started_unix_s")
        return record, traces

    def kept(self, folder: Path) -> set[object]:
        return {(one.name, self._load(one).started_unix_s) for one in self._traces(folder)}

    def _traces(self, folder: Path) -> list[Path]:
        return sorted((folder / "record.traces").glob("0*.nc"))

    def _load(self, path: Path) -> Any:
        return (load_read if self._plan.get("kind") == "synapses" else load_taken)(path)


class Studying:
    """A study of two points, each trained on to its plateau: outcomes and weights to the bit."""

    before, points_least = UNTIMED, 20

    def __init__(self, jobs: int = 1) -> None:
        self._jobs = jobs

    def prepare(self, folder: Path) -> None:
        write(folder / "grid.yaml", GRID)

    def command(self, folder: Path) -> list[object]:
        return ["study", "fig2b", "--grid", folder / "grid.yaml", "--out", folder / "out", "--jobs", self._jobs]

    def result(self, folder: Path) -> object:
        weights = [plain(bits(path / "run")) for path in sorted((folder / "out" / "points").iterdir())]
        table = (folder / "out" / "fig2b.csv").read_text(encoding="utf-8")
        assert (folder / "out" / "fig2b.png").is_file()
        rows = csv.DictReader(self._lines(folder))
        found = {row.pop("point"): {**row, "wall_s": "", "cpu_s": ""} for row in rows}
        return found, weights, table

    def kept(self, folder: Path) -> set[object]:
        return set(self._lines(folder))

    def _lines(self, folder: Path) -> list[str]:
        """Read the whole lines of the table."""
        path = folder / "out" / "points.csv"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]


class Tuning:
    """A search: every trial that was finished counts, to the bit, and there are as many in the end as were asked for.

    A kill leaves a trial behind that counts as begun, so that others are drawn afterwards than would have been: the
    stream begins anew where the trials so far end. From the same database the same ones are drawn.
    """

    before, points_least, trials = SCORED, 100, 5

    def prepare(self, folder: Path) -> None:
        write(folder / "space.yaml", SPACE)

    def command(self, folder: Path) -> list[object]:
        options = ["--space", folder / "space.yaml", "--trials", self.trials, "--out", folder / "out"]
        return ["tune", self._recipe, *options]

    def result(self, folder: Path) -> object:
        out = folder / "out"
        assert (out / "best.yaml").is_file() and (out / "search.png").is_file()
        assert len((out / "trials.csv").read_text(encoding="utf-8").splitlines()) == 1 + self.trials
        found = self.kept(folder)
        assert len({number for number, *_ in found}) == len(found)
        return len(found)

    def kept(self, folder: Path) -> set[object]:
        """Trials that are finished, read from a copy: to open a database mends it."""
        out = folder / "out"
        if not (out / "trials.db").is_file():
            return set()
        with tempfile.TemporaryDirectory() as place:
            for path in out.glob("trials.db*"):
                shutil.copy(path, place)
            space = load(SpaceSettings, folder / "space.yaml")
            search = Search(self._recipe, space, Path(place) / "trials.db", self._recipe.stem)
            return {(one.number, *one.values.items(), one.score) for one in search.tried()}

    @property
    def _recipe(self) -> Path:
        return shipped("examples") / "digits_paper.yaml"


WORKS = {
    "train": Training(),
    "calibrate": Calibrating(CHIP, PLAN),
    "synapses": Calibrating(CHAIN, CHAIN_PLAN),
    "study": Studying(),
    "tune": Tuning(),
}
