"""Studies as text: one CSV line for each network, and the list of claims."""

import csv
import io
from collections.abc import Sequence

from spinhw import __version__
from spinhw.studies.claim import Claim
from spinhw.studies.measured import MeasuredCurve
from spinhw.studies.outcome import cumulative_drive
from spinhw.studies.study import Study

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
    "look",
    "epochs",
    "on_plateau",
    "substeps",
    "seed",
    "measure",
    "score",
    "score_converged",
    "mean_weight",
    "cumulative_drive",
    "point",
)


def as_csv(study: str, curves: Sequence[MeasuredCurve]) -> str:
    """Write one line for each network of each point; shares in 0 to 1, empty where training diverged.

    `measure` says what a score is: the headline of the task, such as accuracy.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in curves:
        for row in _rows(each):
            writer.writerow((study, each.curve.protocol, each.curve.kind, each.curve.label, *row))
    return text.getvalue()


def _rows(each: MeasuredCurve) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for point, outcome in zip(each.curve.points, each.outcomes, strict=True):
        task, network, training = point.settings.task, point.settings.network, point.settings.training
        fixed = (
            f"{task.sample_interval_s:.6g}",
            f"{network.tau_s:.6g}",
            training.optimiser.learning_rate,
            network.density_input,
            network.density_inter,
            network.density_intra,
            each.curve.look,
            training.epochs if outcome.epochs is None else outcome.epochs,
            "" if outcome.on_plateau is None else outcome.on_plateau,
            training.substeps,
        )
        drives = cumulative_drive(point.settings, outcome.mean_weight)
        columns = (outcome.score, outcome.score_converged, outcome.mean_weight, drives)
        rows += [
            (*fixed, seed, each.measure.name, *(_short(value) for value in values), point.key)
            for seed, *values in zip(outcome.seeds, *columns, strict=True)
        ]
    return rows


def _short(value: float | None) -> object:
    return "" if value is None else round(value, 6)


def as_page(studies: Sequence[Study], claims: Sequence[Claim], points: int, networks: int, took_s: float) -> str:
    """Write pictures and claims of all studies as one Markdown page.

    Args:
        studies: The studies.
        claims: What they say about the paper's claims.
        points: How many different points they have.
        networks: How many networks were trained for them.
        took_s: Time that it took, summed over the processes, in seconds.
    """
    judged = [each for each in claims if each.holds is not None and not each.by_construction]
    holding = sum(each.holds is True for each in judged)
    tested = f"Of {len(judged)} claims tested, {holding} hold; one that does not is a result too."
    if not claims:
        tested = "None of the paper's claims is tested: they are about its own task and figures."
    every = {study.nouns for study in studies}
    nouns = every.pop() if len(every) == 1 else "sequences"
    parts = [
        "# The paper's figures, repeated\n\n"
        f"{networks} networks at {points} points, {took_s / 60:.0f} minutes of one core in all, spinhw {__version__}. "
        f"{_measures(studies)} those of the test {nouns}, converged at 16 steps per ns; `grid.yaml` says what was "
        f"varied, and each CSV file has a line for every network, with the name of its point. {tested}\n"
    ]
    for study in studies:
        about = as_markdown([each for each in claims if each.study == study.name])
        parts.append(f"## {study.title}\n\n![{study.title}]({study.name}.png)\n" + (f"\n{about}" if about else ""))
    return "\n".join(parts)


def _measures(studies: Sequence[Study]) -> str:
    called = {curve.measure.called for study in studies for curve in study.curves}
    return "Accuracies are" if called == {"accuracy"} else f"Values of {', '.join(sorted(called))} are"


def as_markdown(claims: Sequence[Claim]) -> str:
    """Write claims as a Markdown table, one line each; empty for none."""
    head = "| protocol | the paper says | holds here if | measured | holds |\n|---|---|---|---|---|\n"
    rows = [(each.protocol, each.says, each.test, each.measured, _verdict(each)) for each in claims]
    # What stands between two bars ends a cell, were they not escaped.
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows]
    return head + "".join(lines) if lines else ""


def _verdict(claim: Claim) -> str:
    """Say whether a claim holds, why it is no test, and which measurements say otherwise."""
    verdict = claim.verdict if claim.holds and not claim.by_construction else f"**{claim.verdict}**"
    reason = f" ({claim.by_construction})" if claim.by_construction else ""
    return verdict + reason + "".join(f"; {each.how}: {each.verdict}, {each.measured}" for each in claim.differing)
