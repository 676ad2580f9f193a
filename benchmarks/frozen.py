"""Whether a change of the house leaves what it computes as it was: short runs of two revisions, compared bit for bit.

    python benchmarks/frozen.py                    # the parent commit against the working tree
    python benchmarks/frozen.py --against v0.1.0 --only digits --only loop

Each case is a command that a user types, run once by each side with the recipes of its own revision, in processes of
their own side by side. Compared are every tensor of every checkpoint, every number of the results and the metrics,
every recorded array and every calibration record; times, versions and paths are left out. Exit code 1: something
differs. No number is kept: last bits belong to a processor, so both sides run on the same one.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from rich.console import Console
from rich.table import Table
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[1]
# Never the same twice, or said of this machine and not of the result.
_NOT_COMPARED = re.compile(
    r"(_s|time|when|date|versions?|path|folder|file|command|created|host|instant|wall)$|^(spinhw|note)$"
)
_SETTINGS = {"config.yaml", "provenance.json"}


@dataclass(frozen=True)
class Case:
    """One thing to run.

    Args:
        command: What is typed after `spinhw`; OUT stands for the folder or file that it writes.
        before: The same as the older revision spells it, where that differs.
        changed: What is meant to differ: a pattern of names.
    """

    command: str
    before: str | None = None
    changed: str | None = None


# Since the test part is measured once, in the end, learning curves show no test accuracy, and fewer images are shown.
_LOOKS = r"metrics.jsonl:/\d+/accuracy|summary.json:/(inferences|energy_of_all)"
_SHORT = "--set training.seeds=[0,1] --set task.train_fraction=0.2"
CASES = {
    "digits": Case(f"train examples/digits.yaml {_SHORT} --set training.epochs=4 --out OUT", changed=_LOOKS),
    "validation": Case(
        "train examples/ctrnn.yaml --set training.seeds=[3] --set training.epochs=2 --set task.train_fraction=0.2 "
        "--set task.held_out=validation --out OUT"
    ),
    "loop": Case(
        f"train examples/chip_in_the_loop.yaml {_SHORT} --set training.epochs=3 --set training.loop.epochs=2 "
        "--set task.held_out=validation --out OUT"
    ),
    "multiplexed": Case(
        "train examples/one_oscillator.yaml --set task.train_fraction=0.015 --set task.held_out=validation "
        "--set training.batch_size=9 --set training.epochs=2 --set training.loop.epochs=1 --set network.layers=[4,4] "
        "--set training.evaluate_every=2 --out OUT"
    ),
    "bench": Case(
        "train examples/digits.yaml --device bench-virtual --set training.seeds=[0] --set training.epochs=2 "
        "--set task.train_fraction=0.05 --set task.held_out=validation --set training.loop.epochs=1 "
        "--set training.gradient=output --set recording=all --out OUT"
    ),
    "flipflop quick": Case(
        "flipflop train quick --set training.epochs=1 --set task.sequences=640 --set training.evaluate_every=5 "
        "--set network.units=100 --out OUT",
        before="flipflop train quick --set training.epochs=1 --set training.sequences=640 "
        "--set training.evaluate_every=5 --set network.units=100 --out OUT",
    ),
    "flipflop oscillators": Case(
        "flipflop train oscillators --device imperfect-chip --set training.seeds=[0,1] --set training.epochs=2 "
        "--set task.sequences=640 --set training.loop.epochs=1 --out OUT"
    ),
    "calibrate quick": Case("calibrate --device imperfect-chip --plan quick --out OUT/record.yaml"),
}


def main() -> int:
    """Run the cases and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", default="HEAD~1", help="revision to compare with (default: HEAD~1)")
    parser.add_argument("--only", action="append", choices=CASES, help="a case; may be given several times")
    parser.add_argument("--keep", type=Path, help="folder to leave the runs in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        older = Path(scratch) / "older"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", older, asked.against], cwd=ROOT, check=True)
        try:
            return _compare_all(asked.only or list(CASES), older, asked.keep or Path(scratch))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", older], cwd=ROOT, check=True)


def _compare_all(names: list[str], older: Path, home: Path) -> int:
    table = Table("case", "compared", "largest difference")
    failed = False
    for name in names:
        case = CASES[name]
        sides = [(older, _as_then(case, older), "before"), (ROOT, case.command, "after")]
        folders = [home / name.replace(" ", "-") / side for _, _, side in sides]
        with ThreadPoolExecutor() as pool:
            said = list(pool.map(_run, [one[0] for one in sides], [one[1] for one in sides], folders))
        if problems := [text for text in said if text]:
            table.add_row(name, "", "\n".join(problems))
            failed = True
            continue
        left_out = re.compile(case.changed or r"(?!)")
        sides_found = [{key: value for key, value in _values(folder) if not left_out.search(key)} for folder in folders]
        found = differences(*sides_found)
        failed |= bool(found.different)
        table.add_row(name, f"{found.same + len(found.different)} values", found.text())
        Console().print(f"{name}: {found.text()}")
    Console().print(table)
    return int(failed)


def _as_then(case: Case, older: Path) -> str:
    """Return the command as an older revision spells it."""
    if (older / "src" / "spinhw" / "training" / "loop_settings.py").is_file():
        return case.command
    return (case.before or case.command).replace("training.loop.epochs", "training.loop_epochs")


def _run(tree: Path, command: str, out: Path) -> str:
    """Run a command with the sources and recipes of a tree; return what went wrong."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if "OUT/" in command:
        out.mkdir()
    words = [word.replace("OUT", str(out)) for word in command.split()]
    environment = os.environ | {
        "PYTHONPATH": str(tree / "src"),
        "OMP_NUM_THREADS": "1",
        "SPINHW_SHARED": str(out.parent / f"shared-{out.name}"),
        "NUMBA_CACHE_DIR": str(tree / ".pytest_cache" / "numba"),
    }
    code = "from spinhw.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tree, env=environment, capture_output=True, text=True
    )
    return "" if done.returncode == 0 else f"{out.name}: exit code {done.returncode}\n{done.stderr[-2000:]}"


def _values(folder: Path) -> Iterator[tuple[str, Any]]:
    """Give everything that a folder holds as names and arrays or plain values."""
    readers: dict[str, Callable[[Path], Iterator[tuple[str, Any]]]] = {
        ".safetensors": lambda path: iter(load_file(path).items()),
        ".json": lambda path: _flat(json.loads(path.read_text(encoding="utf-8"))),
        ".jsonl": lambda path: _flat([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]),
        ".yaml": lambda path: _flat(yaml.safe_load(path.read_text(encoding="utf-8"))),
        ".h5": _arrays,
        ".nc": _arrays,
    }
    for path in sorted(folder.rglob("*")):
        if path.suffix in readers and path.name not in _SETTINGS:
            for name, value in readers[path.suffix](path):
                yield f"{path.relative_to(folder)}:{name}", value


def _flat(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        for key, value in data.items():
            if not _NOT_COMPARED.search(str(key)):
                yield from _flat(value, f"{name}/{key}")
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _flat(value, f"{name}/{place}")
    else:
        yield name, data


def _arrays(path: Path) -> Iterator[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.append((name, item[()])) if isinstance(item, h5py.Dataset) else None)
    return iter([one for one in found if not _NOT_COMPARED.search(one[0])])


@dataclass(frozen=True)
class Found:
    """What a comparison found.

    Args:
        same: Values that are equal to the bit.
        different: Name and size of each difference; infinite where there is nothing to compare with.
    """

    same: int
    different: list[tuple[str, float]]

    def text(self) -> str:
        """Say it in one or a few lines."""
        if not self.different:
            return f"none ({self.same} equal to the bit)" if self.same else "nothing was written"
        worst = sorted(self.different, key=lambda one: -one[1])
        lines = [f"{size:.2g}  {name}" for name, size in worst[:5]]
        return "\n".join([*lines, f"{len(worst)} of {len(worst) + self.same} differ"])


def differences(before: dict[str, Any], after: dict[str, Any]) -> Found:
    """Compare what two sides wrote: a difference is relative to the largest value of its array."""
    different = [(f"only {side}: {name}", float("inf")) for side, name in _alone(before, after)]
    common = before.keys() & after.keys()
    for name in sorted(common):
        size = _difference(before[name], after[name])
        if size:
            different.append((name, size))
    return Found(len(common) - sum(1 for name, _ in different if not name.startswith("only ")), different)


def _alone(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    return [("before", one) for one in before.keys() - after.keys()] + [
        ("after", one) for one in after.keys() - before.keys()
    ]


def _difference(one: Any, other: Any) -> float:
    first, second = (np.squeeze(np.asarray(value)) for value in (one, other))  # An axis of length one is no difference.
    if first.shape != second.shape or first.dtype.kind != second.dtype.kind:
        return float("inf")
    if first.dtype.kind not in "fiu":
        return 0.0 if np.array_equal(first, second) else float("inf")
    if first.tobytes() == second.tobytes():
        return 0.0
    scale = max(float(np.nanmax(np.abs(first), initial=0.0)), 1e-300)
    return float(np.nanmax(np.abs(first.astype(float) - second.astype(float)))) / scale or float("inf")


if __name__ == "__main__":
    sys.exit(main())
