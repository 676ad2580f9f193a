"""The tables of README.md, from results.json: text and figures cannot disagree."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.growth import NAMES, line
from benchmarks.timing import Row

BEGIN, END = "<!-- figures: begin; written by run.py, do not edit -->", "<!-- figures: end -->"
OURS = "spinhw cpu"
CELLS = [(members, grid) for members in (1, 10) for grid in ("64 first-order", "128 midpoint")]
Results = dict[str, Any]
Show = Callable[[Row], str]


def rewrite(readme: Path, results: Results) -> None:
    """Put the tables between the marks of a file."""
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n\n{tables(results)}\n{END}{after}", encoding="utf-8")


def tables(results: Results) -> str:
    """Give all tables that the results have rows for, in Markdown."""
    writers = {
        "compare_1": one_thread,
        "compare_2": two_threads,
        "grow": growth,
        "memory": memory,
        "breakdown": breakdown,
    }
    return "\n".join(writer(results) for part, writer in writers.items() if part in results)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table, the first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(each)} |" for each in lines) + "\n"


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.1f}" if seconds < 0.1 else f"{1e3 * seconds:.0f}"


def where(part: dict[str, Any]) -> str:
    """Say where, when and with what a part was measured."""
    machine = part["machine"]
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items() if value)
    load = "" if machine["load"] is None else f", load before {machine['load']:.1f}"
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, "
        f"{versions}; {machine['date']}, {part['repeats']} turns{load}.\n"
    )


def by_contender(rows: list[Row], show: Show) -> list[list[str]]:
    """Give a line for each contender, with a column for each of CELLS."""
    names = list(dict.fromkeys(row["contender"] for row in rows))
    found = {(row["contender"], row["members"], row["grid"]): row for row in rows}
    return [[name, *(show(found[name, *cell]) if (name, *cell) in found else "-" for cell in CELLS)] for name in names]


HEAD = ["", *(f"{members} network{'s' * (members > 1)}, {grid}" for members, grid in CELLS)]


def timed(rows: list[Row], clock: str) -> str:
    """Give the times of a training step, with how many times that of the CPU engine each is."""
    ours = {(row["members"], row["grid"]): row["train"][clock] for row in rows if row["contender"] == OURS}

    def show(row: Row) -> str:
        if "train" not in row:
            return row["lacks"]
        taken = row["train"][clock]
        return f"{milliseconds(taken)} ms, x {taken / ours[row['members'], row['grid']]:.1f}"

    return markdown(HEAD, by_contender(rows, show))


def one_thread(results: Results) -> str:
    part = results["compare_1"]
    return "\n".join(
        (
            "### A training step on one thread: processor time, and how many times that of the CPU engine\n",
            where(part),
            timed(part["rows"], "processor_s"),
            "### Forward alone, and what the adjoint takes in addition, as a multiple of it (one thread)\n",
            markdown(HEAD, by_contender(part["rows"], forward_and_adjoint)),
            "### First training step, compiling included, and its loss against the reference's (one thread)\n",
            markdown(HEAD, by_contender(part["rows"], first_call)),
        )
    )


def two_threads(results: Results) -> str:
    part = results["compare_2"]
    return "\n".join(
        (
            "### The same on two threads: wall time, and how many times that of the CPU engine\n",
            where(part),
            timed(part["rows"], "wall_s"),
        )
    )


def forward_and_adjoint(row: Row) -> str:
    if "train" not in row:
        return row["lacks"]
    train, infer = row["train"]["processor_s"], row["infer"]["processor_s"]
    return f"{milliseconds(infer)} ms, + {train / infer - 1:.1f}"


def first_call(row: Row) -> str:
    if "train" not in row:
        return row["lacks"]
    off = row["loss_off_by"]
    return f"{row['first_train_s']:.1f} s, {'same' if abs(off) < 1e-3 else f'{100 * off:+.0f} %'}"


def growth(results: Results) -> str:
    part = results["grow"]
    sweeps = list(dict.fromkeys(row["grows"] for row in part["rows"]))
    tables = (growing(part["rows"], what) for what in sweeps)
    return "\n".join(["### Growth: processor time of a training step, one thread\n", where(part), *tables, fits(part)])


def growing(rows: list[Row], what: str) -> str:
    chosen = [row for row in rows if row["grows"] == what]
    found = {(row["value"], row["contender"]): row for row in chosen}
    first = {row["value"]: row for row in chosen}
    lines = (
        [
            f"{value:g}",
            f"{row['synapses']}",
            f"{row['members']} x {row['steps']}",
            *(f"{milliseconds(found[value, n]['processor_s'])} ms" if (value, n) in found else "-" for n in NAMES),
        ]
        for value, row in first.items()
    )
    return markdown([what, "synapses of a network", "networks x steps", *NAMES], lines)


def fits(part: dict[str, Any]) -> str:
    """Say how straight the engine's growth is."""
    lines = []
    for what, by, unit in (
        ("share of the synapses", "synapses", "synapse"),
        ("midpoint steps", "steps", "step"),
        ("networks", "members", "network"),
    ):
        constant, slope, off = line(part["rows"], what, by)
        lines.append(
            f"- CPU engine, {what}: {1e3 * constant:.2f} ms + {1e6 * slope:.3g} us for each {unit}; "
            f"no measurement is more than {100 * off:.0f} % off that line."
        )
    return "\n".join(lines) + "\n"


def memory(results: Results) -> str:
    part = results["memory"]
    rows = part["rows"]
    found = {(row["contender"], row["members"]): row for row in rows}
    names = list(dict.fromkeys(row["contender"] for row in rows))

    def shown(row: Row) -> str:
        return f"{row['peak_bytes'] / 1e6:.0f} MB" if "peak_bytes" in row else row["lacks"]

    lines = ([name, *(shown(found[name, members]) for members in (1, 10))] for name in names)
    head = ["", "1 network", "10 networks"]
    return f"### Peak memory of a training step, 128 midpoint steps\n\n{where(part)}\n{markdown(head, lines)}"


def breakdown(results: Results) -> str:
    """Say where the engine's time goes, and compare it with what the multiply-adds alone take."""
    part = results["breakdown"]
    rows, names = part["rows"], list(part["rows"][0]["parts_s"])
    totals = [sum(row["parts_s"].values()) for row in rows]
    lines = [
        [name, *(share(row["parts_s"][name], total) for row, total in zip(rows, totals, strict=True))] for name in names
    ]
    lines.append(["**all**", *(f"**{milliseconds(total)} ms**" for total in totals)])
    least = [sum(row["least_s"].values()) for row in rows]
    lines.append(["multiply-adds alone", *(share(each, total) for each, total in zip(least, totals, strict=True))])
    head = ["", *(f"{row['members']} network{'s' * (row['members'] > 1)}, {row['grid']}" for row in rows)]
    rate = max(row["flops_per_s"] for row in rows) / 1e9
    title = f"### Where the CPU engine's time goes, one thread; multiply-adds alone at {rate:.0f} Gflop/s\n"
    return "\n".join((title, where(part), markdown(head, lines)))


def share(seconds: float, total: float) -> str:
    return f"{milliseconds(seconds)} ms, {100 * seconds / total:.0f} %"
