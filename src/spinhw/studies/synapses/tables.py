"""The study of resonators as synapses as text: one CSV line for each network, and a page."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from spinhw import __version__
from spinhw.studies.claim import Claim
from spinhw.studies.compared import in_points
from spinhw.studies.in_loop.tables import claims_table, mean_text, short
from spinhw.studies.synapses.axes import SWEPT_AXES
from spinhw.studies.synapses.catalogue import WITH, WITHOUT, sweeps_of
from spinhw.studies.synapses.claims import answer
from spinhw.studies.synapses.measured import SynapsesFound
from spinhw.studies.synapses.settings import SynapseGridSettings

COLUMNS = (
    "study",
    "chips",
    *SWEPT_AXES,
    "method",
    "epochs",
    "seed",
    "accuracy_on_device",
    "accuracy_converged",
    "inferences",
    "readings",
    "cpu_s",
    "point",
)


def synapse_csv(found: SynapsesFound) -> str:
    """Write one line for each network; shares in 0 to 1, empty where training diverged.

    `accuracy_converged` is by the model that the network has of its chip, `inferences` what it played there for
    training, `readings` those of its chains to program them; `cpu_s` its share of the processor time.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry, outcome in found.done:
        networks, training = len(outcome.seeds), entry.point.settings.training
        chips = ("ideal" if entry.ideal else "imperfect", *(_of(entry.ideal, entry.chips, axis) for axis in SWEPT_AXES))
        took = "" if outcome.cpu_s is None else round(outcome.cpu_s / networks, 2)
        on_device = outcome.score_on_device or [None] * networks
        for seed, there, here in zip(outcome.seeds, on_device, outcome.score_converged, strict=True):
            how = (entry.method, training.epochs, seed, short(there), short(here))
            counts = (outcome.inferences // networks, outcome.readings // networks, took, entry.point.key)
            writer.writerow((found.study.name, *chips, *how, *counts))
    return text.getvalue()


def _of(ideal: bool, chips: object, axis: str) -> object:
    """Return a quantity of chips; of ideal ones only the spacing is one."""
    return "" if ideal and axis != "spacing" else getattr(chips, axis)


def synapse_page(found: SynapsesFound, grid: SynapseGridSettings, claims: Sequence[Claim]) -> str:
    """Write answer, picture, claims and tables as one Markdown page."""
    study = found.study
    parts = [
        f"# {study.title}\n\n{_head(found, grid)}",
        f"## Which spacing does a designer need?\n\n{answer(found, grid)}\n",
        f"![{study.title}]({study.name}.png)\n",
        "## Claims\n\n" + claims_table(claims),
        f"## Accuracy on the chip\n\nIn percent. What is not varied: {_around(grid)}.\n",
        *(_axis(found, grid, axis) for axis in sweeps_of(grid)),
        "## The crosstalk in the model\n\n" + _models(found, grid),
        "## What it took\n\n" + _costs(found, grid),
    ]
    return "\n".join(parts)


def _head(found: SynapsesFound, grid: SynapseGridSettings) -> str:
    study, missing = found.study, len(found.missing)
    took = sum(outcome.cpu_s or 0.0 for outcome in found.outcomes.values())
    left = (
        f" **{missing} of {len(study.entries)} runs are not done yet**; the same command goes on with them."
        if missing
        else ""
    )
    return (
        f"`spinhw study {study.name}`, spinhw {__version__}: {len(found.done)} runs of {len(grid.seeds)} networks, "
        f"each on a chip of its own, {took / 60:.0f} minutes of one core.{left} All start from networks trained by "
        f"`{grid.recipe}` on the simulator alone, once for each spacing. Accuracies are those of the test images on "
        "the chip, which integrates at 16 steps per ns; +- is the standard deviation over chips, an interval is a "
        f"bootstrap over pairs of the same chip and seed. `{study.name}.yaml` says what was varied, `{study.name}.csv` "
        "has a line for every network.\n"
    )


def _around(grid: SynapseGridSettings) -> str:
    return ", ".join(f"{axis.title} {_number(grid.chips, name)} {axis.unit}" for name, axis in SWEPT_AXES.items())


def _number(chips: object, axis: str) -> str:
    return f"{SWEPT_AXES[axis].scale * getattr(chips, axis):g}"


def _axis(found: SynapsesFound, grid: SynapseGridSettings, axis: str) -> str:
    head = f"| {SWEPT_AXES[axis].label} | " + " | ".join(each.label for each in grid.methods.values()) + " |\n"
    rows = [
        f"| {_number(chips, axis)} | "
        + " | ".join(mean_text(found.accuracy(chips, name)) for name in grid.methods)
        + " |\n"
        for chips in sweeps_of(grid)[axis]
    ]
    return head + "|---:" * (1 + len(grid.methods)) + "|\n" + "".join(rows)


def _models(found: SynapsesFound, grid: SynapseGridSettings) -> str:
    head = (
        "Networks deployed as they were trained, on chips that are ideal but for their crosstalk: with the crosstalk "
        "in the model of the training, and with resonators that hear their own tone alone. In percent.\n\n"
        f"| {SWEPT_AXES['spacing'].label} | in the model | not in the model | difference |\n|---:|---:|---:|---|\n"
    )
    rows = []
    for chips in sweeps_of(grid)["spacing"]:
        one, other = found.accuracy(chips, WITH), found.accuracy(chips, WITHOUT)
        lost = "" if one is None or other is None else in_points(other - one)
        rows.append(f"| {chips.spacing:g} | {mean_text(one)} | {mean_text(other)} | {lost} |\n")
    return head + "".join(rows)


def _costs(found: SynapsesFound, grid: SynapseGridSettings) -> str:
    head = (
        "For each chip, mean over all runs; processor time is that of the simulation.\n\n"
        "| | inferences for training | readings of chains | processor time |\n|---|---:|---:|---:|\n"
    )
    rows = []
    for name, method in grid.methods.items():
        runs = [outcome for entry, outcome in found.done if entry.method == name]
        if runs:
            counts = [[each.inferences, each.readings, each.cpu_s or 0.0] for each in runs]
            inferences, readings, took = np.mean(np.array(counts) / [[len(each.seeds)] for each in runs], axis=0)
            rows.append(f"| {method.label} | {inferences:.0f} | {readings:.0f} | {took:.1f} s |\n")
    return head + "".join(rows)
