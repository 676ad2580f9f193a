"""Drift of 10 % after training in the loop, and during it: what it costs, and how many batches bring it back.

    .venv/bin/spinhw train examples/digits.yaml --out runs/digits
    .venv/bin/python benchmarks/drift.py runs/digits         # about ten minutes on two cores
    .venv/bin/python benchmarks/drift.py --draw              # measure nothing, draw the picture again

Every network of that run is trained on with its own imperfect chip in the loop (devices/imperfect-chip.yaml, the
settings of examples/chip_in_the_loop.yaml, half as many epochs). Then gamma, sigma and the gain of the power read-out
of every oscillator change by 10 % (standard deviation, each its own), and the network is left as it is, or trained on
in the loop, either all of it or only biases and read-out; the model is refitted from the nominal oscillators. "During"
has the same drift build up over the training in the loop. Written: drift.json and pictures/drift.png.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from spinhw.plots.canvas import BLUE, GREEN, GREY, VERMILION, page  # noqa: E402
from spinhw.tasks import metrics  # noqa: E402
from spinhw.training import RunFolder, RunSettings, load_settings, resume, train  # noqa: E402
from spinhw.training.deploy import answer_on_device  # noqa: E402
from spinhw.training.device_loop import open_loop  # noqa: E402
from spinhw.training.learner import Learner  # noqa: E402
from spinhw.training.schedule import learning_rates  # noqa: E402
from spinhw.training.start import start_from  # noqa: E402
from spinhw.training.statistics import bootstrap_interval  # noqa: E402
from spinhw.training.step import train_step  # noqa: E402

RESULTS, PICTURE = ROOT / "benchmarks/drift.json", ROOT / "benchmarks/pictures/drift.png"
RECIPE, DRIFT, EPOCHS = ROOT / "examples/chip_in_the_loop.yaml", 0.1, 6
LOOKS = (0, 2, 4, 8, 16, 32, 48)  # Batches in the loop after the drift at which the accuracy is measured.
TRAINED = {"biases_and_readout": "biases and read-out", "all": "everything"}
AGED = [f"device.chip.drift.individual_per_1000_shots={DRIFT}", "device.chip.drift.aged_shots=1000"]


def settings_of(source: RunSettings, start: Path, *changes: str) -> RunSettings:
    """Put the networks of a run into the loop with imperfect chips."""
    seeds = list(source.training.seeds)
    keys = [f"training.seeds={seeds}", f"task.held_out={source.task.held_out}", f"training.start={start}"]
    return load_settings(
        RECIPE,
        [*keys, f"training.epochs={EPOCHS}", "training.loop.epochs=null", "training.evaluate_every=100", *changes],
    )


def trained_in_loop(settings: RunSettings, folder: Path) -> list[float]:
    """Train a run, or go on with it, and give its accuracy on the chips at the end."""
    if not folder.exists():
        train(settings, folder)
    elif not (folder / "summary.json").exists():
        resume(folder, settings)
    found: list[float] = RunFolder.open(folder).summary()["accuracy_on_device"]["per_seed"]
    return found


def followed(settings: RunSettings) -> list[list[float]]:
    """Train in the loop and give the accuracy on the chips, by look and seed."""
    learner, training = Learner(settings), settings.training
    start_from(learner, settings)
    task, found = settings.open_task(), []
    with open_loop(settings, learner.network) as loop, learner.in_the_loop(loop):
        for number in range(max(LOOKS) + 1):
            if number in LOOKS:
                seen = answer_on_device(
                    learner.network,
                    task,
                    training.seeds,
                    settings.task.final_part,
                    loop.device,
                    lambda done, total: None,
                )
                found.append(metrics(seen.answers, seen.batch)[0].values)
                print(f"  {number:3d} batches: {100 * np.mean(found[-1]):.2f} %", flush=True)
            if number < max(LOOKS):
                learner.epoch, batch = divmod(number, task.batches)
                shown = task.train(training.seeds, learner.epoch, batch)
                train_step(learner, shown, training, learning_rates(training, learner.epoch, 0, 1))
    return found


def measure(run: Path, folder: Path, rate: float) -> dict[str, Any]:
    """Measure everything; what was trained before an interruption is not trained again."""
    source = RunFolder.open(run).settings()
    base = folder / "in_the_loop"
    still = trained_in_loop(settings_of(source, run), base)
    print(f"without drift: {100 * np.mean(still):.2f} %", flush=True)
    # The shots of the training: one for each batch.
    shots = EPOCHS * source.open_task().batches
    meanwhile = f"device.chip.drift.individual_per_1000_shots={DRIFT * (1000 / shots) ** 0.5}"
    during = trained_in_loop(settings_of(source, run, meanwhile), folder / "during")
    print(f"with drift during the training: {100 * np.mean(during):.2f} %", flush=True)
    after = {}
    for trainable in TRAINED:
        print(f"after the drift, trained: {trainable}", flush=True)
        changes = [f"training.trainable={trainable}", f"training.loop.learning_rate={rate}", *AGED]
        after[trainable] = followed(settings_of(source, base, *changes))
    return {
        "machine": machine(),
        "seeds": list(source.training.seeds),
        "held_out": source.task.held_out,
        "drift": DRIFT,
        "learning_rate": rate,
        "batches": list(LOOKS),
        "without_drift": still,
        "during": during,
        "after": after,
    }


def table(found: dict[str, Any]) -> str:
    """Write the figures as a table, in percent: mean, and the 95 % interval of the mean difference to no drift."""
    still, last = found["without_drift"], found["batches"][-1]
    rows = {
        "no drift": still,
        "drift during the training in the loop": found["during"],
        "drift after it, untouched": found["after"]["all"][0],
        **{f"then refit, and {name} for {last} batches": found["after"][key][-1] for key, name in TRAINED.items()},
    }
    lines = ["| | accuracy on the chip | difference to no drift |", "|---|---:|---|"]
    for name, each in rows.items():
        apart = [100 * (one - other) for one, other in zip(each, still, strict=True)]
        low, high = bootstrap_interval(apart)
        spread = f"{np.mean(apart):+.1f} ({low:+.1f} to {high:+.1f})" if name != "no drift" else ""
        lines.append(f"| {name} | {100 * np.mean(each):.1f} ± {100 * np.std(each, ddof=1):.1f} % | {spread} |")
    return "\n".join(lines)


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw accuracy over batches since the drift."""
    batches, still = np.array(found["batches"]), 100 * np.mean(found["without_drift"])
    with page(path, 6.4, 3.6) as figure:
        axes = figure.subplots()
        for (key, name), colour in zip(TRAINED.items(), (VERMILION, BLUE), strict=True):
            each = 100 * np.array(found["after"][key])  # (look, seed)
            bounds = np.array([bootstrap_interval(row.tolist()) for row in each])
            axes.fill_between(batches, bounds[:, 0], bounds[:, 1], color=colour, alpha=0.2, linewidth=0)
            axes.plot(batches, each.mean(1), "o-", color=colour, label=f"refit, {name}", markersize=4)
        axes.axhline(still, color=GREEN, linestyle="--", label="no drift")
        axes.axhline(100 * np.mean(found["after"]["all"][0]), color=GREY, linestyle=":", label="untouched")
        axes.set(xlabel="batches in the loop after the drift", ylabel="accuracy on the chip (%)")
        axes.set_title(f"After a drift of {100 * found['drift']:.0f} %, {len(found['seeds'])} chips, 95 % of the mean")
        axes.grid(axis="y")
        axes.legend(loc="lower right")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", help="run folder of examples/digits.yaml")
    parser.add_argument("--work", type=Path, default=Path("runs/drift"), help="folder for what is trained")
    parser.add_argument("--rate", type=float, default=0.03, help="learning rate after the drift")
    parser.add_argument("--out", type=Path, default=RESULTS, help="file for the figures")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--draw", action="store_true", help="only draw what was measured")
    asked = parser.parse_args(arguments)
    if not asked.draw:
        if asked.run is None:
            parser.error("name a run folder")
        found = measure(asked.run, asked.work, asked.rate)
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    found = json.loads(asked.out.read_text(encoding="utf-8"))
    draw(found, asked.picture)
    print(table(found))


if __name__ == "__main__":
    main()
