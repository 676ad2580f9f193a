"""The GPU engine beside what others would use on the same GPU: eager PyTorch, its CUDA graph, torch.compile, JAX.

Called by gpu.py. Not run yet where there is a GPU. A training step each, of problem.py's network: the loss must agree
with the reference's on the processor before anything is timed.
"""

import sys
from collections.abc import Callable

import torch

from benchmarks.contenders import CONTENDERS
from benchmarks.contenders.base import Layers, Prepared, TorchStep
from benchmarks.problem import GRIDS, MIDPOINT, Problem, Size
from benchmarks.timing import Row
from spinhw.rollout import Weights, rollout

SAME = 1e-3
GRID = "128 midpoint"
Timer = Callable[[dict, Callable[[], object], int], dict]


def engine(problem: Problem) -> Prepared:
    """Prepare the GPU engine as rollouts.py does the others."""
    last = problem.size.layers[-1]

    def forward(w_ext: Layers, w_int: Layers, biases: Layers) -> torch.Tensor:
        weights = Weights(w_ext, w_int, biases)
        run = rollout(weights, problem.neurons, problem.inputs, problem.steps, initial="half", engine="gpu",
                      record_last=problem.size.readout)  # fmt: skip
        return run.filtered[..., -last:]

    return TorchStep.prepared(problem, forward)


def jax_lacks() -> str:
    """Say why JAX cannot run on the GPU here; empty where it can."""
    if reason := CONTENDERS["JAX scan"].lacks():
        return reason
    import jax

    seen = jax.default_backend()
    return "" if seen == "gpu" else f"JAX runs on the {seen} here: pip install 'jax[cuda12]'"


def compare_libraries(members: int, repeats: int, measure: Timer, graphed: Callable) -> list[Row]:
    """Time a training step of each.

    Args:
        members: Networks side by side.
        repeats: Timed steps.
        measure: Times an action and gives a row, see gpu.py.
        graphed: Captures an action as a CUDA graph.
    """
    size = Size(members)
    wanted = CONTENDERS["spinhw reference"].prepare(Problem(size, MIDPOINT)).infer()
    problem = Problem(size, GRIDS[GRID]).to("cuda")
    labels = {"members": members, "neurons": sum(size.layers), "what": "libraries"}

    def eager() -> Prepared:
        return CONTENDERS["eager PyTorch"].prepare(problem)

    def compiled() -> Prepared:
        return CONTENDERS["torch.compile"].prepare(problem)

    def with_jax() -> Prepared:
        if reason := jax_lacks():
            raise RuntimeError(reason)
        return CONTENDERS["JAX scan"].prepare(problem)

    makers = {"gpu": lambda: engine(problem), "eager PyTorch": eager, "torch.compile": compiled, "JAX scan": with_jax}
    rows = []
    for name, make in makers.items():
        row = labels | {"with": name}
        try:
            prepared = make()
            off = prepared.train() / wanted - 1
        except Exception as error:  # Each library raises its own kinds; what cannot run is a result too.
            sys.stdout.write(f"{name}: {error}\n")
            rows.append(row | {"error": str(error)})
            continue
        if abs(off) > SAME:
            raise RuntimeError(f"{name} gives a loss {100 * off:+.2f} % off the reference's: not the same task")
        rows.append(measure(row, prepared.train, repeats))
        if name in ("gpu", "eager PyTorch"):
            rows.append(in_graph(row | {"with": f"{name}, CUDA graph"}, prepared, repeats, measure, graphed))
    return rows


def in_graph(row: Row, prepared: Prepared, repeats: int, measure: Timer, graphed: Callable) -> Row:
    try:
        replay = graphed(prepared.step)
    except Exception as error:  # torch raises many kinds
        return row | {"error": str(error)}
    return measure(row, replay, repeats)
