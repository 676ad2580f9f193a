"""Time the rollout of the paper's network on this machine: make bench, or .venv/bin/python benchmarks/run.py.

Each row is one batch of 120 images of 64 samples at 2 midpoint steps per sample, after one run to warm up: the median,
the fastest and the slowest of several repeats. A training step here is forward and backward; loading data and the
optimiser come on top. The times depend on what else the machine does: close it down before you compare.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

import torch

from spinhw import __version__
from spinhw.rollout import Neurons, Steps, Weights, rollout
from spinhw.streams import torch_stream
from spinhw.topology import Topology, draw_masks

BATCH, SAMPLES = 120, 64
TOPOLOGY = Topology(1, (32, 32, 32), 10, density_input=0.5, density_inter=0.5, density_intra=0.5)
STEPS = Steps(sample_interval_s=1e-9, substeps=2, order=2)
NEURONS = Neurons.nominal(TOPOLOGY.neurons, tau_s=5e-9, cutoff_hz=44e6, gain=0.5, drive_over_gamma=(0.0, 4.0))


def random_weights(members: int) -> Weights:
    masks = [draw_masks(TOPOLOGY, torch_stream("bench", "mask", member)) for member in range(members)]
    drawn = {}
    for name, (rows, columns) in TOPOLOGY.masked_shapes().items():
        values = torch.rand(members, rows, columns, generator=torch_stream("bench", name)) * 2 - 1
        mask = torch.stack([each[name] for each in masks])
        drawn[name] = (values / columns**0.5 * mask).requires_grad_()  # (member, destination, source)
    layers = range(len(TOPOLOGY.layers))
    biases = [torch.zeros(members, size, requires_grad=True) for size in TOPOLOGY.layers]
    return Weights(
        tuple(drawn[f"w_ext.{i}"] for i in layers), tuple(drawn[f"w_int.{i}"] for i in layers), tuple(biases)
    )


def forward(weights: Weights, inputs: torch.Tensor) -> torch.Tensor:
    return rollout(weights, NEURONS, inputs, STEPS).filtered[:, :, -1]


def inference(weights: Weights, inputs: torch.Tensor) -> None:
    with torch.no_grad():
        forward(weights, inputs)


def training_step(weights: Weights, inputs: torch.Tensor) -> None:
    forward(weights, inputs).square().mean().backward()


def seconds(action: Callable[[], None], repeats: int) -> list[float]:
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="timed runs of each row (default 7)")
    parser.add_argument(
        "--threads", type=int, default=1, help="torch threads (default 1: more only help on idle cores)"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"spinhw {__version__}, torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, "
        f"{os.cpu_count()} cores, {options.threads} threads"
    )
    print(f"{'':14} {'networks':>8} {'median ms':>10} {'fastest':>8} {'slowest':>8} {'images/s':>9}")
    for name, action in (("forward", inference), ("training step", training_step)):
        for members in (1, 10):
            weights = random_weights(members)
            inputs = torch.rand(1, BATCH, SAMPLES, TOPOLOGY.inputs, generator=torch_stream("bench", "inputs"))
            inputs = inputs.expand(members, -1, -1, -1)  # (member, batch, time, input)
            times = seconds(lambda w=weights, u=inputs, run=action: run(w, u), options.repeats)
            median = statistics.median(times)
            row = f"{median * 1e3:10.1f} {min(times) * 1e3:8.1f} {max(times) * 1e3:8.1f}"
            print(f"{name:14} {members:8} {row} {members * BATCH / median:9.0f}", flush=True)


if __name__ == "__main__":
    main()
