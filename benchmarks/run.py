"""Time a training step of the paper's network on this machine: make bench, or .venv/bin/python benchmarks/run.py.

A training step is here forward and backward for one batch of 120 images of 64 samples; loading data and the optimiser
come on top. Side by side in one process, in turns, so that whatever else the machine does meets all of them: the
reference rollout, eager PyTorch layer by layer (eager.py), and the compiled CPU engine. First all three must give the
same loss. Given is the median over the repeats, of processor time, which other programs disturb least (with several
threads: summed over them), and of wall time. Then the CPU engine alone, as the number of synapses grows.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import eager
import torch

from spinhw import __version__
from spinhw.rollout import Neurons, Sparsity, Steps, Weights, rollout
from spinhw.streams import torch_stream
from spinhw.topology import Topology, draw_masks

BATCH, SAMPLES, READOUT, LAYERS = 120, 64, 8, (32, 32, 32)
TAU_S, CUTOFF_HZ, GAIN, DRIVE_RATE_PER_S = 5e-9, 44e6, 0.5, 1e9
NEURONS = Neurons.nominal(sum(LAYERS), tau_s=TAU_S, cutoff_hz=CUTOFF_HZ, gain=GAIN, drive_over_gamma=(0.0, 4.0))
GRIDS = {"order 1, 64 steps": Steps(1e-9, 1, 1), "midpoint, 128 steps": Steps(1e-9, 2, 2)}
DENSITIES = (0.05, 0.25, 0.5, 0.75, 1.0)

Seconds = tuple[float, float]  # processor, wall


class Network:
    """Weights of an ensemble with a share of its synapses, and a batch of inputs."""

    def __init__(self, members: int, density: float = 0.5) -> None:
        shape = Topology(1, LAYERS, 10, density_input=density, density_inter=density, density_intra=density)
        masks = [draw_masks(shape, torch_stream("bench", "mask", member)) for member in range(members)]
        stacked = {name: torch.stack([each[name] for each in masks]) for name in shape.masked_shapes()}
        kinds = [[f"{kind}.{layer}" for layer in range(len(LAYERS))] for kind in ("w_ext", "w_int")]
        self.masks = [[stacked[name].bool() for name in kind] for kind in kinds]
        self.drawn = [[self._leaf(name, stacked[name]) for name in kind] for kind in kinds]
        self.biases = tuple(torch.zeros(members, size, requires_grad=True) for size in LAYERS)
        self.sparsity = Sparsity.of(*self.masks)
        self.synapses = sum(int(mask.sum()) for kind in self.masks for mask in kind) // members
        u = torch.rand(1, BATCH, SAMPLES, 1, generator=torch_stream("bench", "inputs"))
        self.inputs = (4 * (u - 0.3)).expand(members, -1, -1, -1)  # (member, batch, time, input)

    def _leaf(self, name: str, mask: torch.Tensor) -> torch.Tensor:
        values = torch.rand(mask.shape, generator=torch_stream("bench", name)) * 2 - 1
        return (values / mask.shape[-1] ** 0.5).requires_grad_()

    def masked(self) -> list[tuple[torch.Tensor, ...]]:
        """Give W_ext and W_int with zeros where there is no synapse, as each training step makes them."""
        pairs = zip(self.drawn, self.masks, strict=True)
        return [tuple(w * mask for w, mask in zip(*each, strict=True)) for each in pairs]


def with_rollout(network: Network, steps: Steps, engine: str) -> torch.Tensor:
    w_ext, w_int = network.masked()
    weights = Weights(w_ext, w_int, network.biases, network.sparsity)
    run = rollout(weights, NEURONS, network.inputs, steps, initial="half", record_last=READOUT, engine=engine)
    return run.filtered[..., -LAYERS[-1] :]


def with_eager(network: Network, steps: Steps) -> torch.Tensor:
    constants = eager.Constants(TAU_S, CUTOFF_HZ, GAIN, DRIVE_RATE_PER_S, steps.step_s, steps.substeps, steps.order)
    return eager.run(*network.masked(), network.biases, network.inputs, constants, READOUT)


CONTENDERS: dict[str, Callable[[Network, Steps], torch.Tensor]] = {
    "reference": lambda network, steps: with_rollout(network, steps, "reference"),
    "eager per layer": with_eager,
    "cpu": lambda network, steps: with_rollout(network, steps, "cpu"),
}


def training_step(network: Network, steps: Steps, forward: Callable[[Network, Steps], torch.Tensor]) -> float:
    loss = forward(network, steps).mean(2).square().sum()
    loss.backward()
    return float(loss.detach())


def seconds(action: Callable[[], object]) -> Seconds:
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return time.process_time() - processor, time.perf_counter() - wall


def medians(actions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Seconds]:
    """Time all actions in turns."""
    times: dict[str, list[Seconds]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            times[name].append(seconds(action))
    return {
        name: (statistics.median(c for c, _ in each), statistics.median(w for _, w in each))
        for name, each in times.items()
    }


def compare(repeats: int) -> list[dict[str, Any]]:
    rows = []
    print(f"{'networks':>8}  {'steps':20} {'engine':16} {'processor ms':>12} {'wall ms':>9} {'eager / this':>12}")
    for members in (1, 10):
        for grid, steps in GRIDS.items():
            network = Network(members)
            losses = {name: training_step(network, steps, forward) for name, forward in CONTENDERS.items()}
            if max(losses.values()) - min(losses.values()) > 1e-3 * max(losses.values()):
                raise RuntimeError(f"the contenders do not compute the same thing: losses {losses}")
            actions = {
                name: lambda n=network, s=steps, f=forward: training_step(n, s, f)
                for name, forward in CONTENDERS.items()
            }
            found = medians(actions, repeats)
            for name, (processor, wall) in found.items():
                ratio = found["eager per layer"][0] / processor
                print(
                    f"{members:8}  {grid:20} {name:16} {1e3 * processor:12.1f} {1e3 * wall:9.1f} {ratio:12.1f}",
                    flush=True,
                )
                rows.append(
                    {
                        "members": members,
                        "steps": grid,
                        "engine": name,
                        "processor_s": processor,
                        "wall_s": wall,
                        "eager_over_this": ratio,
                    }
                )
    return rows


def grow(repeats: int) -> dict[str, Any]:
    """Time the CPU engine on sparser and denser networks, and fit A + B x synapses."""
    steps, networks = GRIDS["midpoint, 128 steps"], {density: Network(1, density) for density in DENSITIES}
    actions = {
        str(density): lambda n=network: training_step(n, steps, CONTENDERS["cpu"])
        for density, network in networks.items()
    }
    for action in actions.values():
        action()
    times = [processor for processor, _ in medians(actions, 3 * repeats).values()]
    counts = [network.synapses for network in networks.values()]
    slope, constant = statistics.linear_regression(counts, times)
    print(f"\nCPU engine, one network, midpoint: {1e3 * constant:.1f} ms + {1e9 * slope:.0f} ns for each synapse")
    print(f"{'synapses':>8} {'processor ms':>12} {'fit':>8} {'off by':>8}")
    rows = []
    for count, processor in zip(counts, times, strict=True):
        fit = constant + slope * count
        off = processor / fit - 1
        print(f"{count:8} {1e3 * processor:12.1f} {1e3 * fit:8.1f} {100 * off:+7.0f}%", flush=True)
        rows.append({"synapses": count, "processor_s": processor, "off_by": off})
    return {"constant_s": constant, "per_synapse_s": slope, "rows": rows}


def machine(threads: int) -> dict[str, Any]:
    """Say where this was measured."""
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "spinhw": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "date": datetime.now(UTC).date().isoformat(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="timed runs of each row (default 7)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1: nobody waits for anybody)")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.json"), help="file to write")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    where = machine(options.threads)
    print(", ".join(f"{name} {value}" for name, value in where.items() if name != "load"))
    if where["load"] and where["load"][0] > 0.5:
        print(f"Others keep {where['load'][0]:.1f} processors busy: trust the ratios, not the times.")
    compiling, _ = seconds(lambda: training_step(Network(1), GRIDS["order 1, 64 steps"], CONTENDERS["cpu"]))
    print(f"First call of the CPU engine: {compiling:.1f} s (a minute where nothing is compiled yet)\n", flush=True)
    results = {
        "machine": where,
        "repeats": options.repeats,
        "training_step": compare(options.repeats),
        "growth": grow(options.repeats),
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\nWritten to {options.out}")


if __name__ == "__main__":
    main()
