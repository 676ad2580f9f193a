"""The same training step side by side: every contender, 1 and 10 networks, first order and midpoint."""

import argparse

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.contenders.base import Prepared
from benchmarks.problem import GRIDS, Problem, Size
from benchmarks.timing import Row, in_turns, once

REFERENCE = "spinhw reference"
SAME = 1e-3
"""Largest relative difference of the loss from the reference's, for contenders with its discretisation."""
CLOSE = {1: 3.0, 2: 0.02}
"""The same for solvers with another discretisation, by order. They solve the same equation, which tests show at small
steps; at these steps Euler is far off, and that belongs to the result."""


def compare(asked: argparse.Namespace) -> list[Row]:
    """Compare on the threads that this process was given; rows in the order of GRIDS and CONTENDERS."""
    rows = []
    for members in (1, 10):
        for grid in GRIDS:
            rows += cell(members, grid, asked)
    return rows


def cell(members: int, grid: str, asked: argparse.Namespace) -> list[Row]:
    """Compare all contenders on one problem."""
    problem = Problem(Size(members), GRIDS[grid])
    print(f"\n{members} network{'s' * (members > 1)}, {grid} steps, {asked.threads} thread(s)", flush=True)
    rows, ready = {}, {}
    for name, contender in CONTENDERS.items():
        row = {"threads": asked.threads, "members": members, "grid": grid, "contender": name}
        if reason := contender.lacks() or "left out by --without" * (name in asked.without):
            rows[name] = row | {"lacks": reason}
            print(f"  {name:18} {reason}", flush=True)
            continue
        ready[name], measured = first_calls(contender, problem)
        rows[name] = row | measured
    # Where the reference is left out it is not timed, but still says what is right.
    found = rows[REFERENCE].get("loss")
    wanted = CONTENDERS[REFERENCE].prepare(problem).train() if found is None else found
    agree(rows, problem.steps.order, wanted)
    for what in ("train", "infer"):
        actions = {name: getattr(prepared, what) for name, prepared in ready.items()}
        for name, times in in_turns(actions, asked.repeats).items():
            rows[name][what] = times
    for row in rows.values():
        show(row)
    return list(rows.values())


def first_calls(contender: Contender, problem: Problem) -> tuple[Prepared, Row]:
    """Call everything once: what is slow then is compiling."""
    prepared, measured = contender.prepare(problem), {}

    def train() -> None:
        measured["loss"] = prepared.train()

    _, measured["first_train_s"] = once(train)
    _, measured["first_infer_s"] = once(prepared.infer)
    print(f"  {contender.name:18} first calls {measured['first_train_s']:.1f} s and {measured['first_infer_s']:.1f} s")
    return prepared, measured


def agree(rows: dict[str, Row], order: int, wanted: float) -> None:
    """Refuse to time contenders that do not compute the same thing: whose loss is not the wanted one."""
    for name, row in rows.items():
        if "loss" not in row:
            continue
        row["loss_off_by"] = row["loss"] / wanted - 1
        allowed = SAME if CONTENDERS[name].same_steps else CLOSE[order]
        if not abs(row["loss_off_by"]) <= allowed:
            raise RuntimeError(f"{name} gives a loss of {row['loss']}, the reference {wanted}: not the same task")


def show(row: Row) -> None:
    if "train" not in row:
        return
    train, infer = row["train"], row["infer"]
    print(
        f"  {row['contender']:18} training {1e3 * train['processor_s']:9.1f} ms processor {1e3 * train['wall_s']:9.1f} "
        f"ms wall   forward alone {1e3 * infer['processor_s']:8.1f} ms   loss {100 * row['loss_off_by']:+.3f} %",
        flush=True,
    )
