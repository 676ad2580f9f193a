"""Measure speed and memory on this machine: make bench, or .venv/bin/python benchmarks/run.py.

    compare   a training step of every contender, in turns in one process: on one thread, then on two   9 minutes
    grow      how it grows with neurons, synapses, steps and networks                                   4 minutes
    memory    peak memory of each contender                                                             3 minutes
    breakdown where the engine's time goes, and what the arithmetic alone must take                     1 minute

Each part is a fresh process that may use just as many cores as it has threads, so that no library can take more than
its share. Writes results.json, and from it the tables of README.md and the pictures. Parts that are left out keep their
figures of before. A contender that is not installed is listed as such: pip install -c constraints.txt -e '.[bench]'.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# In place of this folder: the benchmarks are a package.
sys.path[0] = str(HERE.parent)

PARTS = ("compare", "grow", "memory", "breakdown")
MODULES = {"compare": "compare", "grow": "growth", "memory": "memory", "breakdown": "breakdown"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=PARTS, help="parts, e.g. compare,memory")
    parser.add_argument("--repeats", type=int, default=7, help="turns of each contender (default 7)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="for the comparison (default 1 2)")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave a contender out")
    parser.add_argument("--out", type=Path, default=HERE / "results.json", help="file to write")
    parser.add_argument("--table", action="store_true", help="measure nothing: rewrite tables and pictures")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := set(asked.only) - set(PARTS):
        parser.error(f"--only takes {', '.join(PARTS)}, not {', '.join(unknown)}")
    from benchmarks.contenders import CONTENDERS

    if unknown := set(asked.without) - set(CONTENDERS):
        parser.error(f"--without takes {', '.join(CONTENDERS)}, not {', '.join(unknown)}")
    return asked


def main() -> None:
    asked = arguments()
    if asked.worker:
        work(asked)
        return
    if not asked.table:
        measure(asked)
    from benchmarks import pictures, table

    results = json.loads(asked.out.read_text())
    if asked.out.parent == HERE:
        table.rewrite(HERE / "README.md", results)
        pictures.draw(results, HERE / "pictures")
    else:
        print(table.tables(results))


def measure(asked: argparse.Namespace) -> None:
    """Run the parts one after another, each in a process of its own, and keep what each gives at once."""
    from benchmarks.machine import machine
    from spinhw.cores import usable_cores

    results: dict[str, Any] = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for part in asked.only:
            for threads in asked.threads if part == "compare" else [1]:
                if threads > usable_cores():
                    print(f"{part}: there are no {threads} cores to use here, left out")
                    continue
                where, begin = machine(), time.perf_counter()
                print(f"\n== {part} on {threads} thread(s); load of others {where['load']}", flush=True)
                rows = in_worker(part, threads, asked, Path(folder))
                took = time.perf_counter() - begin
                name = f"{part}_{threads}" if part == "compare" else part
                results[name] = {"machine": where, "repeats": asked.repeats, "took_s": round(took), "rows": rows}
                asked.out.write_text(json.dumps(results, indent=1) + "\n")
                print(f"== {part} took {took:.0f} s; written to {asked.out}", flush=True)


def in_worker(part: str, threads: int, asked: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Measure one part in a process with as many cores as threads."""
    out = folder / "rows.json"
    command = [sys.executable, str(HERE / "run.py"), "--worker", part, "--threads", str(threads), "--out", str(out)]
    command += ["--repeats", str(asked.repeats), *(f"--without={name}" for name in asked.without)]
    environment = {
        "OMP_NUM_THREADS": str(threads),
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false" if threads == 1 else "",
        # Compiled once in a run and forgotten after it, so that the time to compile is that of a first use.
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }
    subprocess.run(command, env=os.environ | environment, check=True)
    return json.loads(out.read_text())


def work(asked: argparse.Namespace) -> None:
    """Be the process of one part."""
    asked.threads = asked.threads[0]
    if hasattr(os, "sched_setaffinity"):
        # Before torch and JAX count the cores. XLA's own pool takes as many threads as it finds.
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-asked.threads :]))
    import importlib

    import torch

    torch.set_num_threads(asked.threads)
    module = importlib.import_module(f"benchmarks.{MODULES[asked.worker]}")
    rows = getattr(module, asked.worker)(asked)
    asked.out.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
