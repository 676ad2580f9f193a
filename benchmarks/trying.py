"""From a CSV to a first answer: `spinhw try` as a whole command, with the integrator compiled and without.

    python -m benchmarks.trying

The file has 1000 sequences of 100 samples, three classes that differ in frequency. The first turn has an empty cache of
compiled kernels, the next ones find it filled. Given are wall time and user time, which other programs disturb less; on
two free cores the wall time is what somebody waits.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SEQUENCES, SAMPLES = 1000, 100
FREQUENCIES = (0.15, 0.2, 0.26)
COMMAND = "from spinhw.cli import main; main()"


def write(path: Path) -> None:
    """Write the file: a row for each sample."""
    rng = np.random.default_rng(0)
    lines = ["sequence,t,x,label"]
    for number in range(SEQUENCES):
        kind = number % len(FREQUENCIES)
        wave = np.sin(rng.uniform(0, 2 * np.pi) + FREQUENCIES[kind] * np.arange(SAMPLES))
        noisy = wave + 0.5 * rng.normal(size=SAMPLES)
        lines += [f"{number},{step},{value:.4f},{'abc'[kind]}" for step, value in enumerate(noisy)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def turn(data: Path, out: Path, cache: Path) -> tuple[float, float, str]:
    """Run the command; return wall and user time in seconds, and what it printed."""
    environment = dict(os.environ) | {"NUMBA_CACHE_DIR": str(cache)}
    arguments = ["try", str(data), "--target", "label", "--out", str(out)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    wall_s = time.perf_counter() - start
    return wall_s, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="turns with the integrator compiled")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(folder / "data.csv")
        for number in range(asked.repeats + 1):
            wall_s, user_s, said = turn(folder / "data.csv", folder / f"run-{number}", folder / "cache")
            print(
                f"{'compiled' if number else 'not compiled'}: {wall_s:.1f} s, {user_s:.1f} s of user time", flush=True
            )
        print(said)


if __name__ == "__main__":
    main()
