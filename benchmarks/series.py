"""What a large series costs: memory beyond that of a small one, and the share of a training step that batches take.

    python -m benchmarks.series

Two processes each train one epoch of the same networks from an NPZ file, one of 100 sequences and one of 100 000, of
64 samples of 4 channels; what they differ by in peak memory is what the data took. Then batches alone are timed against
whole training steps.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SAMPLES, CHANNELS, CLASSES = 64, 4, 10
FEW, MANY = 100, 100_000


def write(folder: Path, sequences: int) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(sequences) % CLASSES
    inputs = rng.standard_normal((sequences, SAMPLES, CHANNELS), dtype=np.float32)
    inputs += labels[:, None, None].astype(np.float32)
    path = folder / f"series-{sequences}.npz"
    np.savez(path, inputs=inputs, targets=labels)
    return path


def settings_of(path: Path, members: int):
    from spinhw.training import RunSettings

    training = {"seeds": list(range(members)), "epochs": 1, "batch_size": 120, "evaluate_every": 1}
    return RunSettings(task={"kind": "series", "file": str(path)}, training=training)


def trained(path: Path, members: int) -> dict:
    """Train, here, and return the peak memory of this process and the time of batches and of steps."""
    import resource

    from spinhw import train

    settings = settings_of(path, members)
    with tempfile.TemporaryDirectory() as folder:
        results = train(settings, Path(folder) / "run")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak_bytes": peak, "train_wall_s": results.summary["train_wall_s"], **batches(settings)}


def batches(settings) -> dict:
    """Time the batches of an epoch, and the reading anew of the file."""
    task, seeds = settings.open_task(), list(settings.training.seeds)
    start = time.perf_counter()
    for batch in range(task.batches):
        task.train(seeds, 1, batch)
    return {"batches": task.batches, "batches_s": time.perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--file", type=Path, help="train from this file alone, and print what it took")
    asked = parser.parse_args()
    if asked.file is not None:
        print(json.dumps(trained(asked.file, asked.members)))
        return
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for sequences in (FEW, MANY):
            command = [sys.executable, "-m", "benchmarks.series", "--file", str(write(Path(folder), sequences))]
            done = subprocess.run(
                [*command, "--members", str(asked.members)], check=True, capture_output=True, text=True
            )
            found[sequences] = json.loads(done.stdout.splitlines()[-1])
    more = found[MANY]["peak_bytes"] - found[FEW]["peak_bytes"]
    share = found[MANY]["batches_s"] / found[MANY]["train_wall_s"]
    print(f"{MANY} sequences: {more / 1e6:.0f} MB beyond {FEW} sequences; batches {100 * share:.1f} % of the training")


if __name__ == "__main__":
    main()
