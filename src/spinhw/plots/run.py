"""All figures of a finished run."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from spinhw.atomic import make_folder
from spinhw.network import SigmoidSaturation
from spinhw.plots.confusion import Confusion, draw_confusion, plot_confusion, shortened
from spinhw.plots.drift import plot_drift
from spinhw.plots.energy import energy_unit, plot_energy
from spinhw.plots.learning import LearningCurves, plot_learning
from spinhw.plots.overview import plot_overview
from spinhw.plots.prediction import draw_cloud, draw_first_sequence, plot_prediction
from spinhw.plots.traces import Traces, plot_traces
from spinhw.training import RunResults
from spinhw.training.measures import headline_of, measure_of, noun_of

# As many digits as can be told apart in one picture.
_DIGITS = 5


def draw_run(results: RunResults, folder: Path) -> dict[str, Path]:
    """Draw every figure of a run as PNG into a folder, which is made; return the files by name."""
    make_folder(folder)
    confusion, traces, predictions = run_confusion(results), run_traces(results), results.predictions
    learning = headline_of(results.settings.task)
    curve = "accuracy" if learning.is_share else learning.name
    names = (
        *(("confusion",) if confusion is not None else ()),
        *(("prediction",) if predictions.per_step or not predictions.classes else ()),
        *("traces", "energy"),
        *((curve, "overview") if results.metrics else ()),
    )
    files = {name: folder / f"{name}.png" for name in names}
    if confusion is not None:
        plot_confusion(confusion, files["confusion"])
    if "prediction" in files:
        plot_prediction(predictions, results.settings.task.sample_interval_s, files["prediction"])
    plot_traces(traces, files["traces"])
    plot_energy(results.energy, files["energy"])
    watched = [look for row in results.metrics for look in row.get("watch", [])]
    if watched:
        files["drift"] = folder / "drift.png"
        plot_drift(watched, results.summary["drift_alarms"], files["drift"])
    if results.metrics:
        curves = learning_curves(results)
        plot_learning(curves, files[curve])
        lower = _lower_left(results, confusion)
        plot_overview(curves, lower, traces, results.energy, files["overview"], _title(results))
    return files


def run_confusion(results: RunResults) -> Confusion | None:
    """Take which classes were taken for which; None of values."""
    if "confusion" not in results.summary:
        return None
    task, digits = results.settings.task, results.settings.task.kind == "sequential_digits"
    noun = "step" if task.per_step else task.noun
    shown = "digit shown" if digits else f"class of the {noun}"
    return Confusion(np.asarray(results.summary["confusion"]), noun, shown, task.class_names)


def _lower_left(results: RunResults, confusion: Confusion | None) -> Callable[[Axes], None]:
    """Say what stands beside the learning curve in the overview: the confusion of classes, or values beside right."""
    if confusion is not None:
        return partial(draw_confusion, confusion=confusion)
    found = results.predictions
    if found.per_step:
        return partial(draw_first_sequence, found=found, interval_s=results.settings.task.sample_interval_s)
    return partial(draw_cloud, found=found)


def learning_curves(results: RunResults) -> LearningCurves:
    """Take the looks at the validation part; where there were none, the training images as they were shown."""
    measure, task = measure_of(results.summary), results.settings.task
    looks = [row for row in results.metrics if row.get(measure.name) is not None]
    rows, name = (looks, measure.name) if looks else (results.metrics, "train_accuracy")
    if name not in rows[0]:  # Neither looks nor classes: the loss alone.
        name = "loss"
    return LearningCurves(
        epochs=np.array([row["epoch"] for row in rows]),
        values=np.array([row[name] for row in rows]),
        loss=np.array([row["loss"] for row in results.metrics]),
        loss_epochs=np.array([row["epoch"] for row in results.metrics]),
        converged=np.array(results.summary[f"{measure.name}_converged"]["per_seed"]) if name != "loss" else None,
        part="validation" if looks else "training",
        final=results.summary["held_out"],
        noun=task.noun,
        measure=None if name == "loss" else measure,
        nats=results.predictions.classes,
    )


def run_traces(results: RunResults) -> Traces:
    """Take the neuron of each layer that moves most, for the first digits or sequences."""
    shown, network = results.examples, results.settings.network
    ends = np.cumsum(shown.layers)
    places = [slice(end - size, end) for end, size in zip(ends, shown.layers, strict=True)]
    liveliest = [int(shown.state[:, :, place].std(axis=1).mean(axis=0).argmax()) for place in places]
    columns = [place.start + neuron for place, neuron in zip(places, liveliest, strict=True)]
    limits, spintronic, bounds = network.saturation, network.kind == "spintronic", None
    if isinstance(limits, SigmoidSaturation):
        bounds = (limits.lowest_over_gamma, limits.highest_over_gamma)
    return Traces(
        labels=_called(results, shown.labels[:_DIGITS].tolist()),
        neurons=tuple(liveliest),
        sample_interval_s=shown.sample_interval_s,
        drive=shown.drive_over_gamma[:_DIGITS, :, columns].astype(np.float64),
        state=shown.state[:_DIGITS, :, columns].astype(np.float64),
        bounds=bounds,
        rest=float(shown.state[0, 0, columns[0]]) if spintronic and network.initial_state == "rest" else None,
        spintronic=spintronic,
        title=_legend(results),
        lengths=tuple(shown.lengths[:_DIGITS].tolist()),
    )


def _called(results: RunResults, labels: Sequence[int]) -> tuple[int | str, ...]:
    """Name sequences: by their class where it has a name."""
    names = results.settings.task.class_names
    if names is None or not _of_classes(results):
        return tuple(labels)
    return tuple(shortened(names[label]) for label in labels)


def _legend(results: RunResults) -> str:
    if results.settings.task.kind == "sequential_digits":
        return "digit"
    return "class" if _of_classes(results) else results.settings.task.noun


def _of_classes(results: RunResults) -> bool:
    """Tell whether each sequence has a class."""
    return results.predictions.classes and not results.predictions.per_step


def _title(results: RunResults) -> str:
    facts = results.summary
    measure = measure_of(facts)
    figure, seeds = facts[f"{measure.name}_converged"], len(facts["seeds"])
    scale, form = measure.scale, ".1f" if measure.is_share else "#.3g"
    spread = "" if figure["std"] is None else f" ± {scale * figure['std']:{form}}"
    one_j, unit = energy_unit(facts["energy_per_image_j"])
    energy = f"{facts['energy_per_image_j'] / one_j:.2f} {unit}" + (
        " of arithmetic" if facts["network"] == "ctrnn" else ""
    )
    count = f"{seeds} seeds" if seeds > 1 else "one seed"
    size = f"{facts['neurons']} neurons, {facts['synapses']} synapses"
    name = "Sequential digits" if facts["task"] == "sequential_digits" else f"{facts['task']}, {measure.called}"
    value = f"{scale * figure['mean']:{form}}{spread}{measure.unit}"
    return f"{name}: {value} converged ({count}), {energy} per {noun_of(facts)}, {size}"
