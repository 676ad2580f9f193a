"""Studies as text: one CSV line for each network, and the list of claims."""

import csv
import io
from collections.abc import Sequence

from spinhw.studies.claim import Claim
from spinhw.studies.measured import Measured
from spinhw.studies.outcome import cumulative_drive

COLUMNS = (
    "study",
    "protocol",
    "network",
    "curve",
    "sample_interval_s",
    "tau_s",
    "learning_rate",
    "density_input",
    "density_inter",
    "density_intra",
    "epochs",
    "substeps",
    "seed",
    "accuracy",
    "accuracy_converged",
    "mean_weight",
    "cumulative_drive",
    "point",
)


def as_csv(study: str, curves: Sequence[Measured]) -> str:
    """Write one line for each network of each point; shares in 0 to 1, empty where training diverged."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in curves:
        for row in _rows(each):
            writer.writerow((study, each.curve.protocol, each.curve.kind, each.curve.label, *row))
    return text.getvalue()


def _rows(each: Measured) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for point, outcome in zip(each.curve.points, each.outcomes, strict=True):
        task, network, training = point.settings.task, point.settings.network, point.settings.training
        fixed = (
            f"{task.sample_interval_s:.6g}",
            f"{network.tau_s:.6g}",
            training.learning_rate,
            network.density_input,
            network.density_inter,
            network.density_intra,
            training.epochs,
            training.substeps,
        )
        drives = cumulative_drive(point.settings, outcome.mean_weight)
        columns = (outcome.seeds, outcome.accuracy, outcome.accuracy_converged, outcome.mean_weight, drives)
        rows += [(*fixed, *(_short(value) for value in values), point.key) for values in zip(*columns, strict=True)]
    return rows


def _short(value: float | None) -> object:
    return "" if value is None else round(value, 6)


def as_markdown(claims: Sequence[Claim]) -> str:
    """Write the claims as a Markdown table, one line each."""
    head = "| study | protocol | the paper says | holds here if | measured | holds |\n|---|---|---|---|---|---|\n"
    return head + "".join(
        f"| {each.study} | {each.protocol} | {each.says} | {each.test} | {each.measured} | "
        f"{each.verdict if each.holds else f'**{each.verdict}**'} |\n"
        for each in claims
    )
