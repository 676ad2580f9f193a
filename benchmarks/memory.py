"""Peak memory of a training step, each contender in a fresh process.

Linux only: the high-water mark of the resident set (VmHWM) is reset before the step and read after it, above what the
process held after the same contender had trained a tiny network: so libraries and compilers do not count, and what a
contender holds on to between steps does. Without Linux the rows say so.
"""

import argparse
import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from benchmarks.problem import GRIDS, MIDPOINT, Problem, Size
from benchmarks.timing import Row

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
TINY = Size(layers=(4, 4, 4), batch=4, samples=4, readout=2)
GRID = "128 midpoint"


def memory(asked: argparse.Namespace) -> list[Row]:
    """Measure all contenders, with 1 and 10 networks and midpoint steps."""
    rows = []
    for members in (1, 10):
        for name, contender in CONTENDERS.items():
            row = {"members": members, "grid": GRID, "contender": name}
            reason = contender.lacks() or "left out by --without" * (name in asked.without)
            reason = reason or "measured on Linux only" * (not RESET.exists())
            peak = 0 if reason else in_fresh_process(name, members)
            rows.append(row | ({"lacks": reason} if reason else {"peak_bytes": peak}))
            print(f"  {members:2} x {name:18} {reason or f'{peak / 1e6:8.1f} MB'}", flush=True)
    return rows


def in_fresh_process(name: str, members: int) -> int:
    """Call this module as a program; it inherits threads and cores."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", name, str(members)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"measuring the memory of {name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def peak_bytes(name: str, members: int) -> int:
    """Give the peak of a training step above what this process holds after a tiny one."""
    contender = CONTENDERS[name]
    contender.prepare(Problem(TINY, MIDPOINT)).train()
    before = held()
    train = contender.prepare(Problem(Size(members), GRIDS[GRID])).train
    train()
    held()
    RESET.write_text("5")
    train()
    return status("VmHWM") - before


def held() -> int:
    """Give the resident set in bytes, after everything that is free went back to the system."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc
        libc.malloc_trim(0)
    return status("VmRSS")


def status(field: str) -> int:
    lines = STATUS.read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def main() -> None:
    import torch

    torch.set_num_threads(1)
    print(peak_bytes(sys.argv[1], int(sys.argv[2])))


if __name__ == "__main__":
    main()
