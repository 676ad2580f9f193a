"""How the time of a training step grows with neurons, density, steps and networks, for the three fastest contenders."""

import argparse
import statistics
from collections.abc import Iterator

from benchmarks.contenders import CONTENDERS
from benchmarks.problem import MIDPOINT, Problem, Size
from benchmarks.timing import Row, in_turns

NAMES = ("spinhw cpu", "eager PyTorch", "JAX scan")
SHORT = {"samples": 8, "readout": 4}
"""Series of 16 midpoint steps, where the networks are large or many."""
FAN_IN = 16
"""Synapses that a neuron of the paper's network has from each layer it listens to."""


def sweeps() -> Iterator[tuple[str, float, Size]]:
    """Give (what grows, its value, the size of the problem)."""
    for width in (32, 64, 128, 256, 512, 1024):
        yield "neurons of a layer, half of the synapses", width, Size(layers=(width,) * 3, **SHORT)
    for width in (32, 64, 128, 256, 512, 1024):
        small = Size(layers=(width,) * 3, density=FAN_IN / width, **SHORT)
        yield "neurons of a layer, 16 synapses from each layer", width, small
    for density in (0.05, 0.25, 0.5, 0.75, 1.0):
        yield "share of the synapses", density, Size(density=density, readout=4)
    for samples in (8, 16, 32, 64, 128, 256):
        yield "midpoint steps", samples * MIDPOINT.substeps, Size(samples=samples, readout=4)
    for members in (1, 2, 5, 10, 20, 50):
        yield "networks", members, Size(members, **SHORT)


def grow(asked: argparse.Namespace) -> list[Row]:
    rows = []
    for what, value, size in sweeps():
        problem = Problem(size, MIDPOINT)
        ready = {name: CONTENDERS[name].prepare(problem) for name in NAMES if not CONTENDERS[name].lacks()}
        for prepared in ready.values():
            prepared.train()
        times = in_turns({name: prepared.train for name, prepared in ready.items()}, max(3, asked.repeats // 2))
        rows += [row(what, value, problem, name, each["processor_s"]) for name, each in times.items()]
        found = "   ".join(f"{name} {1e3 * each['processor_s']:8.1f} ms" for name, each in times.items())
        print(f"  {what:48} {value:7g}   {found}", flush=True)
    return rows


def row(what: str, value: float, problem: Problem, name: str, processor_s: float) -> Row:
    size = problem.size
    return {
        "grows": what,
        "value": value,
        "contender": name,
        "members": size.members,
        "neurons": sum(size.layers),
        "synapses": problem.synapses,
        "steps": size.samples * problem.steps.substeps,
        "processor_s": processor_s,
    }


def line(rows: list[Row], what: str, by: str, name: str = NAMES[0]) -> tuple[float, float, float]:
    """Fit processor time = constant + slope x `by`.

    Returns:
        Constant and slope, in seconds, and the largest relative distance of a measurement from the line.
    """
    chosen = [each for each in rows if each["grows"] == what and each["contender"] == name]
    counts, times = [each[by] for each in chosen], [each["processor_s"] for each in chosen]
    slope, constant = statistics.linear_regression(counts, times)
    off = max(abs(t / (constant + slope * n) - 1) for n, t in zip(counts, times, strict=True))
    return constant, slope, off
