"""The table of figures of merit."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# Samples for each state below which the read-out fits a good part of what chance does.
_FEW = 20


def print_merit(console: Console, found: Mapping[str, Any]) -> None:
    """Print figures of merit with their intervals over seeds and the thresholds below which nothing counts.

    Args:
        console: Where to write.
        found: As `spinhw.merit.measure_merit` gives it.
    """
    table = Table(title=escape(_title(found)))
    for column in ("figure", "mean", "std", "95 % interval of the mean", "counts above", "at most"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, figure in found["figures"].items():
        low_high = figure["interval95"]
        table.add_row(
            name,
            _number(figure["mean"]),
            "" if figure["std"] is None else _number(figure["std"]),
            "one seed" if low_high is None else " to ".join(map(_number, low_high)),
            f"{figure['threshold']:.4f}" if "threshold" in figure else "",
            str(found["states"]) if "nrmse" not in name else "",
        )
    table.add_row("the same without a network, 10 inputs", _number(found["narma10_without_a_network"]), "", "", "", "")
    console.print(table)
    for one in _mind(found):
        console.print(f"[bold yellow]mind:[/] {escape(one)}")


def _title(found: Mapping[str, Any]) -> str:
    where = "on the simulator" if found["device"] is None else f"on {', '.join(dict.fromkeys(found['device']))}"
    seeds = len(found["seeds"])
    return f"figures of merit {where}: {found['states']} states, {seeds} seed{'s' if seeds > 1 else ''}"


def _number(value: float) -> str:
    return f"{value:.3f}"


def _mind(found: Mapping[str, Any]) -> list[str]:
    notes = []
    if found["rows"] < _FEW * found["states"]:
        notes.append(
            f"{found['rows']} samples for {found['states']} states: chance alone gives a capacity of "
            f"{found['states'] / found['rows']:.3f} for every target; choose more --sequences"
        )
    share = found["good_share"]
    if share is not None and share < 1:
        notes.append(f"{100 * (1 - share):.2g} % of the samples were not good; they count as 0")
    return notes
