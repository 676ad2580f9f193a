"""All figures of a finished run."""

from pathlib import Path

import numpy as np

from spinhw.atomic import make_folder
from spinhw.network import SigmoidSaturation
from spinhw.plots.confusion import plot_confusion
from spinhw.plots.drift import plot_drift
from spinhw.plots.energy import energy_unit, plot_energy
from spinhw.plots.learning import LearningCurves, plot_learning
from spinhw.plots.overview import plot_overview
from spinhw.plots.traces import Traces, plot_traces
from spinhw.training import RunResults
from spinhw.training.measures import SHARES, measure_of

# As many digits as can be told apart in one picture.
_DIGITS = 5


def draw_run(results: RunResults, folder: Path) -> dict[str, Path]:
    """Draw every figure of a run as PNG into a folder, which is made; return the files by name."""
    make_folder(folder)
    counts = np.asarray(results.summary["confusion"]) if "confusion" in results.summary else None
    names = ("traces", "energy") + (("accuracy", "overview") if results.metrics else ())
    files = {name: folder / f"{name}.png" for name in (*(("confusion",) if counts is not None else ()), *names)}
    traces = run_traces(results)
    if counts is not None:
        plot_confusion(counts, files["confusion"])
    plot_traces(traces, files["traces"])
    plot_energy(results.energy, files["energy"])
    watched = [look for row in results.metrics for look in row.get("watch", [])]
    if watched:
        files["drift"] = folder / "drift.png"
        plot_drift(watched, results.summary["drift_alarms"], files["drift"])
    if results.metrics:
        curves = learning_curves(results)
        plot_learning(curves, files["accuracy"])
        plot_overview(curves, counts, traces, results.energy, files["overview"], _title(results))
    return files


def learning_curves(results: RunResults) -> LearningCurves:
    """Take the looks at the validation part; where there were none, the training images as they were shown."""
    measure, called = measure_of(results.summary)
    looks = [row for row in results.metrics if row.get(measure) is not None]
    rows, name = (looks, measure) if looks else (results.metrics, "train_accuracy")
    if name not in rows[0]:  # Neither looks nor classes: the loss alone.
        name = "loss"
    return LearningCurves(
        epochs=np.array([row["epoch"] for row in rows]),
        accuracy=np.array([row[name] for row in rows]),
        loss=np.array([row["loss"] for row in results.metrics]),
        loss_epochs=np.array([row["epoch"] for row in results.metrics]),
        converged=np.array(results.summary[f"{measure}_converged"]["per_seed"]) if name != "loss" else None,
        images="validation" if looks else "training",
        final=results.summary["held_out"],
        measure="loss" if name == "loss" else called,
        is_share=name != "loss" and measure in SHARES,
    )


def run_traces(results: RunResults) -> Traces:
    """Take the neuron of each layer that moves most, for the first digits."""
    shown, network = results.examples, results.settings.network
    ends = np.cumsum(shown.layers)
    places = [slice(end - size, end) for end, size in zip(ends, shown.layers, strict=True)]
    liveliest = [int(shown.state[:, :, place].std(axis=1).mean(axis=0).argmax()) for place in places]
    columns = [place.start + neuron for place, neuron in zip(places, liveliest, strict=True)]
    limits, spintronic, bounds = network.saturation, network.kind == "spintronic", None
    if isinstance(limits, SigmoidSaturation):
        bounds = (limits.lowest_over_gamma, limits.highest_over_gamma)
    return Traces(
        labels=tuple(int(label) for label in shown.labels[:_DIGITS]),
        neurons=tuple(liveliest),
        sample_interval_s=shown.sample_interval_s,
        drive=shown.drive_over_gamma[:_DIGITS, :, columns].astype(np.float64),
        state=shown.state[:_DIGITS, :, columns].astype(np.float64),
        bounds=bounds,
        rest=float(shown.state[0, 0, columns[0]]) if spintronic and network.initial_state == "rest" else None,
        spintronic=spintronic,
        title="digit" if results.settings.task.kind == "sequential_digits" else "sequence",
    )


def _title(results: RunResults) -> str:
    facts = results.summary
    measure, called = measure_of(facts)
    figure, seeds = facts[f"{measure}_converged"], len(facts["seeds"])
    scale, digits = (100.0, 1) if measure in SHARES else (1.0, 4)
    spread = "" if figure["std"] is None else f" ± {scale * figure['std']:.{digits}f}"
    one_j, unit = energy_unit(facts["energy_per_image_j"])
    energy = f"{facts['energy_per_image_j'] / one_j:.2f} {unit}" + (
        " of arithmetic" if facts["network"] == "ctrnn" else ""
    )
    count = f"{seeds} seeds" if seeds > 1 else "one seed"
    size = f"{facts['neurons']} neurons, {facts['synapses']} synapses"
    sequence = "image" if measure == "accuracy" else "sequence"
    name = "Sequential digits" if facts["task"] == "sequential_digits" else f"{facts['task']}, {called}"
    unit_text = " %" if measure in SHARES else ""
    value = f"{scale * figure['mean']:.{digits}f}{spread}{unit_text}"
    return f"{name}: {value} converged ({count}), {energy} per {sequence}, {size}"
