"""Say where the time of a training step of the CPU engine goes: .venv/bin/python benchmarks/breakdown.py.

A training step as in run.py. The engine's own parts are timed alone, over and over on one tile of samples that stays in
the cache; what the whole takes beyond their sum is memory traffic, copies and records. The bound counts multiply-adds:
three for each synapse, evaluation and sample (forward, adjoint, gradient of the weight), and for each neuron what its
formulas have; the rate comes from a loop of nothing else. All is processor time, one thread, everything in turns.
"""

import argparse
import json
import resource
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import run
import torch
from numba import njit

from spinhw.rollout.cpu import plain
from spinhw.rollout.cpu.kernels import plain_rows, rows
from spinhw.rollout.cpu.kernels.vector import JIT_ENTRY, gather_add, gather_sum, outer_dots, row_kernel
from spinhw.rollout.cpu.pattern import pattern_of
from spinhw.rollout.cpu.workspace import Loan

Part = Callable[[Any, Any, Any, Any], Any]  # of (neuron, tiles, synapses, sums)
HERE = {name: value for name, value in JIT_ENTRY.items() if name != "cache"}
FLOAT, LANES, NEURONS = np.float32, 64, sum(run.LAYERS)
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
    network = run.Network(1)
    pattern = pattern_of(network.sparsity.recurrent, network.sparsity.inputs, 1)
    room = Loan([(9, NEURONS + 1, LANES), (pattern.row.size, 8), (pattern.row.size,)], np.dtype(FLOAT))
    tiles, sums, value = room.arrays
    tiles[:], sums[:], value[:] = 0.5, 0.0, 0.01
    given, found = (tiles, (pattern.start, pattern.column, value), sums), {}
    compiled = {name: over(part) for name, part in (FORWARD | ADJOINT | RATE).items()}
    for _ in range(repeats + 1):  # the first compiles
        for name, function in compiled.items():
            tiles[3:5] = 0.5
            found.setdefault(name, []).append(run.seconds(lambda f=function: [f(*given) for _ in range(50)])[0] / 50)
    seconds = {name: statistics.median(each[1:]) for name, each in found.items()}
    return seconds | {"rate": seconds["rate"] / (CHAIN * NEURONS * LANES // 8)}


def watched(name: str, times: list[float]) -> None:
    """Note the time of every call of a kernel."""
    kernel = getattr(plain, name)
    setattr(plain, name, lambda *arguments: times.append(run.seconds(lambda: kernel(*arguments))[0]))


def whole(members: int, grid: str, repeats: int, kernels: dict[str, list[float]]) -> dict[str, float]:
    """Seconds of the two kernels and of everything around them, and page faults, for one training step."""
    network, faults, totals = run.Network(members), [], []
    for turn in range(repeats + 2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        total, _ = run.seconds(lambda: run.training_step(network, run.GRIDS[grid], run.CONTENDERS["cpu"]))
        if turn > 1:
            totals.append(total)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    found = {name: statistics.median(each[-repeats:]) for name, each in kernels.items()}
    around = statistics.median(totals) - sum(found.values())
    return found | {"around": around, "page_faults": statistics.median(faults), "synapses": network.synapses}


def report(members: int, grid: str, found: dict[str, float], alone: dict[str, float]) -> dict[str, Any]:
    steps = run.GRIDS[grid]
    evaluations = members * -(-run.BATCH // LANES) * run.SAMPLES * steps.substeps * steps.order
    lines = []
    for kernel, names in (("forward", FORWARD), ("adjoint", ADJOINT)):
        shares = {name: evaluations * alone[name] for name in names}
        lines += [(f"{kernel}: {name}", share) for name, share in shares.items()]
        lines.append((f"{kernel}: memory, copies, records", found[kernel] - sum(shares.values())))
    lines.append(("Python and torch around them", found["around"]))
    total = sum(share for _, share in lines)
    vectors = 3 * found["synapses"] + NEURONS * sum(OPERATIONS.values())
    bound = evaluations * vectors * LANES / 8 * alone["rate"]
    print(f"\n{members} network(s), {grid}: {1e3 * total:.1f} ms, {found['page_faults']:.0f} page faults")
    for name, share in lines:
        print(f"  {name:36} {1e3 * share:8.2f} ms {100 * share / total:5.0f}%")
    print(f"  {'multiply-adds alone would take':36} {1e3 * bound:8.2f} ms {100 * bound / total:5.0f}%", flush=True)
    return {"members": members, "steps": grid, "seconds": dict(lines), "bound_s": bound} | found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, help="timed runs (default 9)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kernels: dict[str, list[float]] = {"forward": [], "adjoint": []}
    for name, times in kernels.items():
        watched(f"plain_{name}_tasks", times)
    rows_found = []
    for members in (1, 10):
        for grid in run.GRIDS:
            found = whole(members, grid, options.repeats, kernels)
            rows_found.append(report(members, grid, found, parts(options.repeats)))
    if options.out:
        options.out.write_text(json.dumps(rows_found, indent=1) + "\n")


if __name__ == "__main__":
    main()
