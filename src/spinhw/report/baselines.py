"""The table of a comparison with baselines: in a terminal, and as a page beside its picture."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spinhw.training.measures import Measure, measure_of
from spinhw.units import show_quantity


def print_baselines(console: Console, found: Mapping[str, Any]) -> None:
    """Print each model over seeds, its distance from the first one, weights and energy, and the looks so far.

    Args:
        console: Where to write.
        found: As `spinhw.baselines.compare` gives it.
    """
    measure = measure_of(found)
    console.print(_what(found), markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("model", no_wrap=True)
    for column in ("mean", "interval", "difference", "weights", "energy"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, model in found["models"].items():
        table.add_row(escape(name), *_cells(measure, model))
    console.print(table)
    for line in _notes(found):
        console.print(line, markup=False, soft_wrap=True)


def baselines_page(found: Mapping[str, Any]) -> str:
    """Return a comparison as a page in Markdown, which shows ``baselines.png`` beside it.

    Args:
        found: As `spinhw.baselines.compare` gives it.
    """
    measure = measure_of(found)
    lines = [
        f"# {found['name']}\n",
        "![Every seed a dot, the mean with its interval](baselines.png)\n",
        f"{_what(found)}.\n",
        "| model | mean | interval | difference | weights | energy | chosen |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, model in found["models"].items():
        chosen = ", ".join(f"{key} {_value(value)}" for key, value in model["chosen"].items())
        lines.append("| " + " | ".join([name, *_cells(measure, model), chosen]) + " |")
    notes = "\n".join(f"- {line}" for line in _notes(found))
    return "\n".join(lines) + f"\n\n{notes}\n"


def _what(found: Mapping[str, Any]) -> str:
    measure, seeds = measure_of(found), len(found["seeds"])
    return (
        f"{found['name']}: {measure.axis} on the {found['part']} part, {seeds} seed{'s' if seeds > 1 else ''}; "
        f"differences from {next(iter(found['models']))} seed by seed, all intervals 95 % of the mean"
    )


def _cells(measure: Measure, model: Mapping[str, Any]) -> list[str]:
    """Return mean, interval, difference, weights and energy."""
    spread = "" if model["std"] is None else f" ± {_number(measure, model['std'])}"
    return [
        f"{_number(measure, model['mean'])}{spread}",
        _interval(measure, model["interval95"]),
        _difference(measure, model["difference"]),
        str(model["weights"]),
        show_quantity(model["energy_j"], "J", 3),
    ]


def _value(value: float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _notes(found: Mapping[str, Any]) -> list[str]:
    trials = {name: model["trials"] for name, model in found["models"].items()}
    by_count = {count: [name for name in trials if trials[name] == count] for count in trials.values()}
    told = "; ".join(f"{', '.join(names)} {count or 'none'}" for count, names in by_count.items())
    looks = [
        f"looks at the {part} part so far: {', '.join(f'{name} {count}' for name, count in counts.items())}"
        for part, counts in found["looks"].items()
    ]
    return [f"trials here: {told}", *looks]


def _number(measure: Measure, value: float) -> str:
    return measure.text(value, 1).removesuffix(measure.unit)


def _interval(measure: Measure, bounds: list[float] | None) -> str:
    return "" if bounds is None else ", ".join(_number(measure, bound) for bound in bounds)


def _difference(measure: Measure, difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return ""
    mean = f"{'+' if difference['mean'] > 0 else ''}{_number(measure, difference['mean'])}"
    bounds = difference["interval95"]
    return mean if bounds is None else f"{mean} ({_interval(measure, bounds)})"
