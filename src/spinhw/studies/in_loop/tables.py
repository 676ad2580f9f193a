"""A study of chips in the loop as text: one CSV line for each network, and a page with tables and claims."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from spinhw import __version__
from spinhw.studies.claim import Claim
from spinhw.studies.compared import in_points
from spinhw.studies.in_loop.catalogue import worst_of
from spinhw.studies.in_loop.measured import LoopFound, cells_in, differences, on_ideal, over_cells
from spinhw.studies.in_loop.settings import LoopGridSettings
from spinhw.studies.measured import Floats

COLUMNS = (
    "study",
    "device",
    "mismatch",
    "noise",
    "synapse_error",
    "method",
    "averages",
    "epochs",
    "seed",
    "accuracy_on_device",
    "accuracy_converged",
    "inferences",
    "cpu_s",
    "point",
)


def loop_csv(found: LoopFound) -> str:
    """Write one line for each network; shares in 0 to 1, empty where training diverged.

    `inferences` is what this network played on its device for training; `cpu_s` its share of the processor time.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry, outcome in found.done:
        cell, training = entry.chips, entry.point.settings.training
        chips = (found.study.name, cell.device, cell.mismatch, cell.noise, cell.synapse_error)
        networks = len(outcome.seeds)
        took = "" if outcome.cpu_s is None else round(outcome.cpu_s / networks, 2)
        on_device = outcome.score_on_device or [None] * networks
        for seed, there, here in zip(outcome.seeds, on_device, outcome.score_converged, strict=True):
            how = (entry.method, entry.averages, training.epochs, seed, short(there), short(here))
            writer.writerow((*chips, *how, outcome.inferences // networks, took, entry.point.key))
    return text.getvalue()


def short(value: float | None) -> object:
    """Write a share in a cell; empty for none."""
    return "" if value is None else round(value, 6)


def loop_page(found: LoopFound, grid: LoopGridSettings, claims: Sequence[Claim]) -> str:
    """Write picture, tables and claims as one Markdown page."""
    study = found.study
    parts = [f"# {study.title}\n\n{_head(found, grid)}", f"![{study.title}]({study.name}.png)\n"]
    parts += _of_averaging(found, grid) if study.name == "averaging" else _of_cells(found, grid, claims)
    return "\n".join(parts)


def _head(found: LoopFound, grid: LoopGridSettings) -> str:
    study, seeds = found.study, len(grid.seeds)
    took = sum(outcome.cpu_s or 0.0 for _, outcome in found.done)
    missing = len(found.missing)
    left = (
        f" **{missing} of {len(study.entries)} runs are not done yet**; the same command goes on with them."
        if missing
        else ""
    )
    return (
        f"`spinhw study {study.name}`, spinhw {__version__}: {len(found.done)} runs of {seeds} networks, each on a "
        f"chip of its own, {took / 60:.0f} minutes of one core.{left} Every run starts from the same networks, trained "
        f"by `{grid.recipe}` on the simulator alone. Accuracies are those of the test images on the chip, which "
        "integrates at 16 steps per ns; +- is the standard deviation over chips, an interval is a bootstrap over pairs "
        f"of the same chip and seed. `{study.name}.yaml` says what was varied, `{study.name}.csv` has a line for every "
        "network.\n"
    )


def _of_cells(found: LoopFound, grid: LoopGridSettings, claims: Sequence[Claim]) -> list[str]:
    methods = {name: method.label for name, method in grid.methods.items() if method.cells == "all"}
    others = {name: method.label for name, method in grid.methods.items() if method.cells != "all"}
    parts = [
        "## Claims\n\n" + claims_table(claims),
        "## Accuracy on the chip\n\nIn percent.\n\n" + _accuracies(found, methods),
    ]
    if others:
        parts.append(f"In the worst cell ({worst_of(grid).label}) also:\n\n" + _others(found, grid, others))
    parts.append(f"## Below {grid.methods[grid.truth].label}\n\n" + _differences(found, grid, methods))
    parts.append("## What it took\n\n" + _costs(found, grid))
    return parts


def claims_table(claims: Sequence[Claim]) -> str:
    """Write claims as a Markdown table, one line each."""
    head = "| claim | holds if | measured | holds |\n|---|---|---|---|\n"
    return head + "".join(
        f"| {each.says} | {each.test} | {each.measured} | {each.verdict if each.holds else f'**{each.verdict}**'} |\n"
        for each in claims
    )


def _accuracies(found: LoopFound, methods: dict[str, str]) -> str:
    head = "| mismatch | noise | synapses | " + " | ".join(methods.values()) + " |\n"
    rule = "|---:|---:|---:|" + "---:|" * len(methods) + "\n"
    rows = [
        f"| {100 * cell.mismatch:g} % | {100 * cell.noise:g} % | {100 * cell.synapse_error:g} % | "
        + " | ".join(mean_text(found.accuracy(cell, name)) for name in methods)
        + " |\n"
        for cell in cells_in(found)
    ]
    ideal = [mean_text(on_ideal(found, name)) for name in methods]
    return head + rule + "".join(rows) + "| ideal device | | | " + " | ".join(ideal) + " |\n"


def mean_text(values: Floats | None) -> str:
    """Write mean and standard deviation over networks in percent; empty for none."""
    if values is None:
        return ""
    spread = f" +- {100 * values.std(ddof=1):.1f}" if values.size > 1 else ""
    return f"{100 * values.mean():.1f}{spread}"


def _others(found: LoopFound, grid: LoopGridSettings, methods: dict[str, str]) -> str:
    rows = [f"| {label} | {mean_text(found.accuracy(worst_of(grid), name))} |\n" for name, label in methods.items()]
    return "| | accuracy, % |\n|---|---:|\n" + "".join(rows)


def _differences(found: LoopFound, grid: LoopGridSettings, methods: dict[str, str]) -> str:
    rows = []
    for name, label in methods.items():
        apart = differences(found, name, grid.truth)
        if name == grid.truth or not apart:
            continue
        lowest = min(apart, key=lambda cell: float(apart[cell].mean()))  # noqa: B023 - used at once
        rows.append(
            f"| {label} | {len(apart)} | {in_points(over_cells(apart))} | "
            f"{in_points(apart[lowest])} ({lowest.label}) |\n"
        )
    return "| | cells | mean over cells | lowest cell |\n|---|---:|---|---|\n" + "".join(rows)


def _costs(found: LoopFound, grid: LoopGridSettings) -> str:
    head = (
        "For each chip, mean over the cells. A refit looks at batches that are measured anyway: it takes no shot "
        "and no inference more, only computing time, which here includes that of the simulated chips.\n\n"
        "| | inferences for training | processor time |\n|---|---:|---:|\n"
    )
    rows = []
    for name, method in grid.methods.items():
        runs = [outcome for entry, outcome in found.done if entry.method == name]
        if not runs:
            continue
        inferences = np.mean([outcome.inferences / len(outcome.seeds) for outcome in runs])
        took = np.mean([(outcome.cpu_s or 0.0) / len(outcome.seeds) for outcome in runs])
        rows.append(f"| {method.label} | {inferences:.0f} | {took:.1f} s |\n")
    return head + "".join(rows)


def _of_averaging(found: LoopFound, grid: LoopGridSettings) -> list[str]:
    worst = worst_of(grid)
    head = (
        f"On chips with {100 * worst.mismatch:g} % mismatch and {100 * worst.synapse_error:g} % error of the synapses; "
        "each accuracy is measured with one shot for each image.\n\n"
        "| noise of one shot | averages | epochs | shots of an image | accuracy on the chip, % |\n"
    )
    rows = []
    for entry, outcome in found.done:
        epochs = entry.point.settings.training.epochs
        rows.append(
            f"| {100 * entry.chips.noise:g} % | {entry.averages} | {epochs} | {epochs * entry.averages} | "
            f"{mean_text(outcome.shown())} |\n"
        )
    return [head + "|---:|---:|---:|---:|---:|\n" + "".join(rows)]
