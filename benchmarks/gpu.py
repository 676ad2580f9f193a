"""Check and time the GPU engine: .venv/bin/python benchmarks/gpu.py [--out FILE]; needs a CUDA device and triton.

Not measured yet: this script was written where no GPU was at hand. What is known without one: the kernels give the
reference's numbers and gradients in Triton's interpreter, and ptxas compiles them for compute capability 9.0, at the
width of the paper's network without spilled registers. No speed is claimed before this has run.

First the equality of values and gradients with the reference, in float32 on the GPU; a difference above 1e-5 ends the
script. Then the time of one forward pass and one training step (forward and backward; no optimiser) on batches of 120
images of 64 samples, 2 midpoint steps per sample: the reference in eager torch, the same replayed as a CUDA graph, and
the GPU engine, also in other layouts of its kernels. Then one training step of the network of `make bench` with the
GPU engine, eager PyTorch layer by layer and its CUDA graph, torch.compile, and JAX (which needs 'jax[cuda12]'). Median
of the repeats after warming up; compiling is not counted.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

# In place of this folder, whose profile.py would otherwise hide that of the standard library.
sys.path[0] = str(Path(__file__).parents[1])
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX would take most of the memory at its start.

import torch  # noqa: E402

from spinhw.rollout import Engine, Extras, Neurons, Steps, Weights, rollout  # noqa: E402

BATCH, SAMPLES, TOLERANCE = 120, 64, 1e-5
STEPS = Steps(sample_interval_s=1e-9, substeps=2, order=2)

Action = Callable[[], object]


class Case:
    """A network with half of its synapses, its leaves and its inputs.

    Args:
        members: Networks side by side.
        layer: Neurons in each of the three layers.
        batch: Samples.
        cell: Kind of neuron.
        bounded: Whether the drive saturates.
        extras: Whether there are noise, a defect and an override, and gradients for every parameter of the neurons.
    """

    def __init__(
        self,
        members: int = 1,
        layer: int = 32,
        batch: int = BATCH,
        cell: str = "spintronic",
        bounded: bool = True,
        extras: bool = False,
    ) -> None:
        self.generator, self.leaves = torch.Generator().manual_seed(0), []
        sizes = (layer,) * 3
        self.weights = Weights(
            tuple(self.synapses(members, size, source) for size, source in zip(sizes, (1, *sizes[:-1]), strict=True)),
            tuple(self.synapses(members, size, size) for size in sizes),
            tuple(self.leaf(torch.zeros(members, size)) for size in sizes),
        )
        neurons = Neurons.nominal(
            3 * layer, tau_s=5e-9, cutoff_hz=44e6, gain=0.5, drive_over_gamma=(0.0, 4.0) if bounded else None
        )
        self.neurons = neurons.to(torch.device("cuda"))
        self.inputs = 4 * (torch.rand(members, batch, SAMPLES, 1, generator=self.generator) - 0.3).cuda()
        self.cell, self.options = cell, {}
        if extras:
            self.add_extras(members, batch, layer)

    def leaf(self, values: torch.Tensor) -> torch.Tensor:
        self.leaves.append(values.cuda().requires_grad_())
        return self.leaves[-1]

    def synapses(self, members: int, size: int, source: int) -> torch.Tensor:
        values = torch.rand(members, size, source, generator=self.generator) * 2 - 1
        return self.leaf(values / source**0.5 * (torch.rand(values.shape, generator=self.generator) < 0.5))

    def add_extras(self, members: int, batch: int, layer: int) -> None:
        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(members, *shape, generator=self.generator)

        nodes, size = SAMPLES * STEPS.substeps + 1, 3 * layer
        noise, diffusion = normal(batch, nodes - 1, size, 2).cuda(), torch.full((members, size), 1e5).cuda()
        defect = self.leaf(0.01 * normal(batch, nodes, size))
        self.options = {
            "extras": Extras(noise, diffusion, defect),
            "overrides": {2: self.leaf(0.1 * normal(batch, nodes, layer))},
        }
        names = ("gamma", "sigma", "q", "cutoff_hz", "gain", "bias_drive")
        self.neurons = replace(self.neurons, **{name: self.leaf(getattr(self.neurons, name).cpu()) for name in names})

    def forward(self, engine: Engine) -> torch.Tensor:
        return rollout(
            self.weights, self.neurons, self.inputs, STEPS, cell=self.cell, engine=engine, **self.options
        ).filtered

    def infer(self, engine: Engine) -> torch.Tensor:
        with torch.no_grad():
            return self.forward(engine)

    def train(self, engine: Engine) -> tuple[torch.Tensor, ...]:
        loss = self.forward(engine)[:, :, -4:].square().mean()
        return torch.autograd.grad(loss, self.leaves, allow_unused=True)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return ((one - other).norm() / other.norm().clamp_min(1e-30)).item()


def check(name: str, case: Case) -> dict:
    """Compare with the reference: the largest relative difference, of norms, of the values and of each gradient."""
    values = difference(case.infer("gpu"), case.infer("reference"))
    pairs = zip(case.train("gpu"), case.train("reference"), strict=True)
    gradients = max(difference(found, wanted) for found, wanted in pairs if wanted is not None)
    again = all(torch.equal(one, other) for one, other in zip(case.train("gpu"), case.train("gpu"), strict=True)
                if one is not None)  # fmt: skip
    sys.stdout.write(f"{name:34} values {values:.1e}  gradients {gradients:.1e}  same bits again: {again}\n")
    return {"check": name, "values": values, "gradients": gradients, "same_bits": again}


def milliseconds(action: Action, repeats: int) -> list[float]:
    for _ in range(3):
        action()
    times = []
    for _ in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        action()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return times


def graphed(action: Action) -> Action:
    """Capture an action as a CUDA graph, after three runs beside the default stream as torch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            action()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        action()
    return graph.replay


def measure(labels: dict, action: Action, repeats: int) -> dict:
    """Time an action; what the GPU refuses (memory, registers) is a result too."""
    torch.cuda.reset_peak_memory_stats()
    try:
        times = milliseconds(action, repeats)
    except Exception as error:  # triton and torch raise many kinds
        sys.stdout.write(f"{describe(labels)} failed: {str(error).splitlines()[0][:80]}\n")
        return labels | {"error": str(error)}
    peak = torch.cuda.max_memory_allocated() / 1e6
    sys.stdout.write(f"{describe(labels)} {statistics.median(times):9.3f} ms {peak:9.0f} MB\n")
    return labels | {"median_ms": statistics.median(times), "least_ms": min(times), "peak_mb": peak}


def describe(labels: dict) -> str:
    return f"{labels['members']:3} x {labels['neurons']:4} neurons  {labels['what']:9} {labels['with']:28}"


def compare(members: int, layer: int, repeats: int) -> list[dict]:
    case, rows = Case(members, layer), []
    for what, run in (("forward", case.infer), ("training", case.train)):
        labels = {"members": members, "neurons": 3 * layer, "what": what}

        def reference(run: Callable = run) -> object:
            return run("reference")

        def fast(run: Callable = run) -> object:
            return run("gpu")

        rows.append(measure(labels | {"with": "reference, eager"}, reference, max(3, repeats // 10)))
        try:
            replay = graphed(reference)
        except Exception as error:  # torch raises many kinds
            rows.append(labels | {"with": "reference, CUDA graph", "error": str(error)})
        else:
            rows.append(measure(labels | {"with": "reference, CUDA graph"}, replay, repeats))
        rows.append(measure(labels | {"with": "gpu"}, fast, repeats))
        rows += layouts(labels, fast, repeats)
    return rows


def layouts(labels: dict, action: Action, repeats: int) -> list[dict]:
    """Time other layouts of the kernels than the one that `launch_of` chooses."""
    from spinhw.rollout.gpu import engine
    from spinhw.rollout.gpu.launch import launch_of, padded_width

    chosen, rows = launch_of(padded_width(labels["neurons"]), torch.device("cuda", torch.cuda.current_device())), []
    changes = (
        {"tile": chosen.tile // 2},
        {"tile": chosen.tile // 4},
        {"tile": chosen.tile * 2},
        {"warps": chosen.warps // 2},
        {"resident": not chosen.resident},
        {"precision": "tf32x3"},
    )
    for change in changes:
        with patch.object(engine, "launch_of", lambda *_, change=change: replace(chosen, **change)):
            name = ", ".join(f"{key} {value}" for key, value in change.items())
            rows.append(measure(labels | {"with": f"gpu, {name}"}, action, repeats))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, nargs="+", default=[1, 10, 100], help="networks side by side")
    parser.add_argument("--layer", type=int, nargs="+", default=[32, 64, 128], help="neurons in each of three layers")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/gpu.json"))
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py needs a CUDA device, and this torch sees none: nothing was checked or measured")
    machine = f"{torch.cuda.get_device_name()}, torch {torch.__version__}, Python {platform.python_version()}"
    sys.stdout.write(f"{machine}\n")
    checks = [
        check("oscillators, bounded drive", Case(2, batch=37)),
        check("oscillators, unbounded drive", Case(2, batch=37, bounded=False)),
        check("CTRNN", Case(2, batch=37, cell="ctrnn")),
        check("noise, defect, override, all leaves", Case(2, batch=37, extras=True)),
        check("192 neurons", Case(2, layer=64, batch=37)),
    ]
    rows = [] if failed(checks) else compare_all(asked)
    asked.out.write_text(json.dumps({"machine": machine, "checks": checks, "rows": rows}, indent=1) + "\n")
    if failed(checks):
        sys.exit(f"The GPU engine differs from the reference by more than {TOLERANCE:g}: see {asked.out}")


def compare_all(asked: argparse.Namespace) -> list[dict]:
    """Vary the networks side by side at the paper's size, then the size of one."""
    pairs = [(members, 32) for members in asked.members] + [(1, layer) for layer in asked.layer if layer != 32]
    rows = [row for members, layer in pairs for row in compare(members, layer, asked.repeats)]
    from benchmarks.gpu_contenders import compare_libraries

    for members in asked.members:
        rows += compare_libraries(members, asked.repeats, measure, graphed)
    return rows


def failed(checks: list[dict]) -> bool:
    return any(max(row["values"], row["gradients"]) > TOLERANCE or not row["same_bits"] for row in checks)


if __name__ == "__main__":
    main()
