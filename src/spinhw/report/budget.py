"""The table of what a run will ask of its device."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spinhw.training import Budget
from spinhw.units import show_quantity


def print_budget(console: Console, budget: Budget) -> None:
    """Print how much is measured, how long that takes and what it costs."""
    table = Table(title=f"{escape(budget.device)}: what will be measured")
    columns = ("", "batches", "shots", "uploads", "link", "time", "recording")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for stage in budget.stages:
        table.add_row(
            escape(stage.what),
            f"{stage.batches}",
            f"{stage.shots}",
            f"{stage.uploads}",
            size(stage.link_bytes),
            duration(stage.time_s),
            size(stage.recording_bytes),
        )
    stages = budget.stages
    table.add_section()
    table.add_row(
        "all",
        f"{sum(stage.batches for stage in stages)}",
        f"{sum(stage.shots for stage in stages)}",
        f"{sum(stage.uploads for stage in stages)}",
        size(sum(stage.link_bytes for stage in stages)),
        duration(budget.time_s),
        size(budget.recording_bytes),
    )
    console.print(table)
    console.print(f"energy of the chip, rests included: {show_quantity(budget.energy_j, 'J')} (estimated)")
    if budget.spent_j:
        spent = show_quantity(budget.spent_j, "J")
        console.print(f"spent on the bank in place of that chip: {spent} (estimated)", soft_wrap=True)
    for line in budget.takes:
        console.print(f"programmed, {escape(line)}", soft_wrap=True)
    for line in budget.remarks:
        console.print(escape(line), soft_wrap=True)
    console.print("link: bytes to and from the instruments", soft_wrap=True)
    for basis in dict.fromkeys(stage.effort.basis for stage in stages):
        console.print(f"times: {escape(basis)}; the surrogate's own time comes on top", soft_wrap=True)
    if budget.recording_bytes:
        console.print(
            "recording: before compression, which takes about a third off noise and more off the rest", soft_wrap=True
        )


def print_data(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what the sequences of a task are and the memory that they take."""
    if "size_bytes" not in facts:
        return
    parts = ", ".join(f"{part} {about['sequences']}" for part, about in facts["parts"].items())
    shortest = min(about["shortest"] for about in facts["parts"].values())
    longest = max(about["longest"] for about in facts["parts"].values())
    samples = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    channels = "1 channel" if len(facts["channels"]) == 1 else f"{len(facts['channels'])} channels"
    console.print(
        f"sequences:  {parts}; {samples} samples of {channels} each; "
        f"{size(facts['size_bytes'])} of memory, shared by all networks",
        markup=False,
        soft_wrap=True,
    )


def duration(time_s: float) -> str:
    """Write a time in the unit that people would use."""
    for unit_s, unit in ((3600.0, "h"), (60.0, "min")):
        if time_s >= unit_s:
            return f"{time_s / unit_s:.1f} {unit}"
    return f"{time_s:.2g} s"


def size(count: float) -> str:
    """Write a number of bytes."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"
