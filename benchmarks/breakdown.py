"""Where the time of a training step of the CPU engine goes, and how far it is from what the arithmetic must take.

The engine's own parts are timed alone, over and over on one tile of samples that stays in
the cache; what the whole takes beyond their sum is memory traffic, copies and records. The bound counts multiply-adds:
three for each synapse, evaluation and sample (forward, adjoint, gradient of the weight), and for each neuron what its
formulas have; the rate comes from a loop of nothing else. All is processor time, one thread, everything in turns.
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from benchmarks.contenders.rollouts import cpu
from benchmarks.problem import BATCH, GRIDS, LAYERS, Problem, Size
from benchmarks.timing import Row, once
from spinhw.rollout.cpu import plain
from spinhw.rollout.cpu.kernels import plain_rows, rows
from spinhw.rollout.cpu.kernels.vector import JIT_ENTRY, gather_add, gather_sum, outer_dots, row_kernel
from spinhw.rollout.cpu.pattern import pattern_of
from spinhw.rollout.cpu.workspace import Loan

Part = Callable[[Any, Any, Any, Any], Any]  # of (neuron, tiles, synapses, sums)
HERE = {name: value for name, value in JIT_ENTRY.items() if name != "cache"}
FLOAT, LANES, NEURONS = np.float32, 64, sum(LAYERS)
CHAIN = 32  # multiply-adds of each element of the loop that measures the rate
P1, P0, P2, DECAY, KAPPA = (FLOAT(each) for each in (0.8, -0.2, 0.1, 0.76, 0.88))
# Multiplications and multiply-adds of one element; a division counts as three, which take as long.
OPERATIONS = {"drive": 14, "advance": 16, "linearise": 24, "retreat": 5}


@row_kernel("out")
def chain(x, a):
    for _ in range(CHAIN):
        x = x * a + a
    return x


def over(function: Part) -> Any:
    """Compile a part together with a loop over all neurons."""
    inner = njit(**HERE)(function)

    def loop(t: Any, syn: Any, sums: Any) -> None:
        for i in range(NEURONS):
            inner(i, t, syn, sums)

    return njit(**HERE)(loop)


FORWARD: dict[str, Part] = {
    "synapses": lambda i, t, syn, sums: gather_sum(t[8][0], t[0], syn[2], syn[1], syn[0][i], syn[0][i + 1]),
    "drive": lambda i, t, syn, sums: rows.saturate(i, t[2], t[0], P1),
    "advance": lambda i, t, syn, sums: plain_rows.advance(
        i, t[3], t[4], t[0], t[1], t[2], P1, P0, P2, DECAY, KAPPA
    ),
}  # fmt: skip
ADJOINT: dict[str, Part] = {
    "linearise": lambda i, t, syn, sums: plain_rows.linearise(
        i, t[3], t[4], t[5], t[6], t[0], t[1], t[2], P1, P0, P2, DECAY, KAPPA
    ),
    "retreat": lambda i, t, syn, sums: plain_rows.retreat(
        i, t[7], t[3], t[4], t[5], t[6], t[3], t[4], DECAY, KAPPA
    ),
    "gradient": lambda i, t, syn, sums: outer_dots(sums, 0, t[1], i, t[0], syn[1], syn[0][i], syn[0][i + 1]),
    "back": lambda i, t, syn, sums: gather_add(t[8], t[0], syn[2], syn[1], syn[0][i], syn[0][i + 1], i),
}  # fmt: skip
RATE: dict[str, Part] = {"rate": lambda i, t, syn, sums: chain(i, t[8], t[0], P0)}


def parts(repeats: int) -> dict[str, float]:
    """Seconds of each part for all neurons of one tile and evaluation, and of one vector multiply-add ("rate")."""
    problem = Problem(Size(), GRIDS["64 first-order"])
    pattern = pattern_of(problem.sparsity.recurrent, problem.sparsity.inputs, 1)
    room = Loan([(9, NEURONS + 1, LANES), (pattern.row.size, 8), (pattern.row.size,)], np.dtype(FLOAT))
    tiles, sums, value = room.arrays
    tiles[:], sums[:], value[:] = 0.5, 0.0, 0.01
    given, found = (tiles, (pattern.start, pattern.column, value), sums), {}
    compiled = {name: over(part) for name, part in (FORWARD | ADJOINT | RATE).items()}
    for _ in range(repeats + 1):  # the first compiles
        for name, function in compiled.items():
            tiles[3:5] = 0.5
            found.setdefault(name, []).append(once(lambda f=function: [f(*given) for _ in range(50)])[0] / 50)
    seconds = {name: statistics.median(each[1:]) for name, each in found.items()}
    return seconds | {"rate": seconds["rate"] / (CHAIN * NEURONS * LANES // 8)}


def watched(name: str, times: list[float]) -> None:
    """Note the time of every call of a kernel."""
    kernel = getattr(plain, name)
    setattr(plain, name, lambda *arguments: times.append(once(lambda: kernel(*arguments))[0]))


def whole(problem: Problem, repeats: int, kernels: dict[str, list[float]]) -> dict[str, float]:
    """Seconds of the two kernels and of everything around them, for one training step."""
    train, totals = cpu(problem).train, []
    for turn in range(repeats + 2):
        total, _ = once(train)
        if turn > 1:
            totals.append(total)
    found = {name: statistics.median(each[-repeats:]) for name, each in kernels.items()}
    return found | {"around": statistics.median(totals) - sum(found.values())}


def row_of(members: int, grid: str, asked: argparse.Namespace, kernels: dict[str, list[float]]) -> Row:
    """Break one training step down."""
    problem = Problem(Size(members), GRIDS[grid])
    found, alone = whole(problem, asked.repeats, kernels), parts(asked.repeats)
    evaluations = members * -(-BATCH // LANES) * problem.evaluations
    shares: dict[str, float] = {}
    for kernel, names in (("forward", FORWARD), ("adjoint", ADJOINT)):
        shares |= {f"{kernel}: {name}": evaluations * alone[name] for name in names}
        shares[f"{kernel}: memory, copies, records"] = found[kernel] - evaluations * sum(alone[name] for name in names)
    shares["Python and torch around them"] = found["around"]
    vectors = {"synapses": 3 * problem.synapses, "neurons": NEURONS * sum(OPERATIONS.values())}
    least = {name: evaluations * count * LANES / 8 * alone["rate"] for name, count in vectors.items()}
    total = sum(shares.values())
    print(f"\n{members} network(s), {grid}: {1e3 * total:.1f} ms, multiply-adds {1e3 * sum(least.values()):.1f} ms")
    for name, share in shares.items():
        print(f"  {name:36} {1e3 * share:8.2f} ms {100 * share / total:5.0f}%", flush=True)
    rate = 16 / alone["rate"]
    return {"members": members, "grid": grid, "parts_s": shares, "least_s": least, "flops_per_s": rate}


def breakdown(asked: argparse.Namespace) -> list[Row]:
    """Break the training step of 1 and 10 networks down."""
    kernels: dict[str, list[float]] = {"forward": [], "adjoint": []}
    for name, times in kernels.items():
        watched(f"plain_{name}_tasks", times)
    return [row_of(members, grid, asked, kernels) for members in (1, 10) for grid in GRIDS]
