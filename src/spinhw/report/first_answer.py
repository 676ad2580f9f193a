"""What a first look at one's own data gave, for people who have never seen a recipe."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spinhw.energy import EnergyLedger
from spinhw.errors import some_of
from spinhw.report.tables import joules
from spinhw.training.measures import Measure
from spinhw.units import show_quantity

_LISTED = 6


@dataclass(frozen=True)
class Reached:
    """What something reached on the held-out part.

    Args:
        name: What it is.
        mean: Mean over seeds.
        interval: 95 %, [low, high]; None where it is not known.
        about: More of it, in a few words.
    """

    name: str
    mean: float
    interval: Sequence[float] | None
    about: str = ""


def print_rows(console: Console, title: str, rows: Iterable[Sequence[str]]) -> None:
    """Print a title and below it rows in columns, the last of which may take several lines."""
    listed = list(rows)
    if not listed:
        return
    console.print(title, markup=False)
    table = Table.grid(padding=(0, 2))
    for number in range(max(map(len, listed))):
        table.add_column(no_wrap=number == 0)
    for row in listed:
        table.add_row(*(Text(cell) for cell in (f"  {row[0]}", *row[1:])))
    console.print(table)


def print_what_was_read(console: Console, file: str, facts: Mapping[str, Any]) -> None:
    """Print how many sequences there are, of which length, in which parts, and with which classes."""
    parts = facts["parts"]
    shortest, longest = (
        pick(part[key] for part in parts.values()) for pick, key in ((min, "shortest"), (max, "longest"))
    )
    samples = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    channels = facts["channels"]
    of = "channel" if len(channels) == 1 else "channels"
    total = sum(part["sequences"] for part in parts.values())
    word = "windows" if facts["window"]["samples"] else "sequences"
    lines = [f"{file}: {total} {word} of {samples} samples, {len(channels)} {of}"]
    if "classes" in facts:
        counts: dict[str, int] = {}
        for part in parts.values():
            for name, count in part["by_class"].items():
                counts[name] = counts.get(name, 0) + count
        shown = some_of([f"{name} {count}" for name, count in counts.items()], _LISTED)
        lines.append(f"  {len(counts)} classes: {shown}")
    shares = ", ".join(f"{part['sequences']} {_PARTS[name]}" for name, part in parts.items())
    lines.append(f"  {word}: {shares}")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


_PARTS = {"train": "to train", "validation": "to validate", "test": "for the test, which is not looked at"}


def print_reached(console: Console, measure: Measure, title: str, reached: Sequence[Reached]) -> None:
    """Print what the network and others reached, side by side."""
    rows = []
    for one in reached:
        bounds = (
            ""
            if one.interval is None
            else " to ".join(measure.text(b, 1).removesuffix(measure.unit) for b in one.interval)
        )
        rows.append((one.name, measure.text(one.mean, 1), bounds, one.about))
    console.print(title, markup=False)
    table = Table.grid(padding=(0, 2))
    for column in ("", measure.called, "95 % interval", ""):
        table.add_column(column, justify="right" if column else "left")
    table.show_header = True
    for row in rows:
        table.add_row(*(Text(cell) for cell in (f"  {row[0]}", *row[1:])))
    console.print(table)


def difference_text(measure: Measure, network: Reached, linear: Reached, apart: Sequence[float], noun: str) -> str:
    """Say by how much network and linear model differ, pair by pair; a difference of shares is in points."""
    scale, unit, digits = (100, " points", 1) if measure.is_share else (1, "", 3)
    mean, low, high = (f"{scale * one:+.{digits}f}" for one in (network.mean - linear.mean, *apart))
    return f"network less linear, on the same {noun}s: {mean}{unit}, 95 % interval {low} to {high}"


def verdict(
    measure: Measure, network: Reached, linear: Reached, guess: Reached, apart: Sequence[float], draws: str
) -> str:
    """Say in a sentence what the figures amount to.

    Args:
        measure: What is measured.
        network: What the network reached.
        linear: What the linear model reached.
        guess: What the plain guess reached.
        apart: 95 % interval of network less linear model, [low, high].
        draws: Of how many sequences the figures are, such as "40 sequences".
    """
    low, high = network.interval or (network.mean, network.mean)
    if low <= guess.mean <= high or not measure.better(network.mean, guess.mean):
        return f"no better than {guess.name}: the network has not learned (longer training, more data, other columns)"
    if apart[0] <= 0 <= apart[1]:
        return f"network and linear baseline are as good as each other, as far as {draws} can tell"
    ahead = measure.better(network.mean, linear.mean)
    return f"the network is {'ahead of' if ahead else 'behind'} the linear baseline"


def energy_text(account: EnergyLedger, noun: str) -> str:
    """Write what an inference costs and of what it is made, on one line."""
    lines = [line for line in account.of("inference") if line.form == "power"]
    counts = {"neurons": account.neurons, "synapses": account.synapses}
    parts = ", ".join(f"{counts.get(line.part, '')} {line.part} {joules(line.energy_j)}".strip() for line in lines)
    took = show_quantity(account.duration_s, "s")
    step = "" if account.per_step_j is None else f", {joules(account.per_step_j)} per sample"
    total = f"{joules(account.scaled_per_inference_j)} per {noun} of {took}{step}"
    return f"{total} ({parts}; estimated, junctions of 20 nm)"
