"""How far the CPU engine is from what the arithmetic alone must take, and where the rest goes.

The arithmetic of a training step, for each series, step and evaluation of the drive (two in a midpoint step):

- a synapse: one fused multiply-add forward and two in the adjoint, 6 floating-point operations;
- a neuron: about 51 vector instructions forward (sigmoid 19, exponential 23, step and high-pass 9) and 55 in the
  adjoint, counted by hand in `spinhw/rollout/cpu/kernels/rows.py`. Each takes the place of a multiply-add, which is 2
  operations. Divisions, three of them, are counted like the rest although they take several times as long.

Both leave out every load, store and loop, so the bound is a lower one. The rate is that of the fastest of several
products of two matrices, single precision, in torch on the same core.
"""

import argparse
import time

import torch

from benchmarks.problem import BATCH, GRIDS, LAYERS, Problem, Size
from benchmarks.timing import Row

FLOPS_SYNAPSE, FLOPS_NEURON = 6, 2 * 106
MATRIX, TRIES = 768, 12


def bound(asked: argparse.Namespace) -> list[Row]:
    """Give the least time that the arithmetic of a training step takes here, for one network."""
    rate = flops_per_s()
    print(f"  matrix products: {rate / 1e9:.1f} Gflop/s on {asked.threads} thread(s)")
    rows = []
    for grid, steps in GRIDS.items():
        problem = Problem(Size(), steps)
        evaluations = BATCH * problem.evaluations
        synapses = FLOPS_SYNAPSE * problem.synapses * evaluations
        neurons = FLOPS_NEURON * sum(LAYERS) * evaluations
        rows.append(
            {
                "grid": grid,
                "flops_per_s": rate,
                "synapses_flops": synapses,
                "neurons_flops": neurons,
                "synapses_s": synapses / rate,
                "neurons_s": neurons / rate,
            }
        )
        print(f"  {grid}: synapses {1e3 * synapses / rate:.2f} ms, neurons {1e3 * neurons / rate:.2f} ms")
    return rows


def flops_per_s() -> float:
    """Give the fastest rate of a few matrix products, in floating-point operations a second of processor time."""
    one = torch.rand(MATRIX, MATRIX)
    two, out = torch.rand(MATRIX, MATRIX), torch.empty(MATRIX, MATRIX)
    times = []
    for _ in range(TRIES):
        begin = time.process_time()
        torch.mm(one, two, out=out)
        times.append(time.process_time() - begin)
    return 2 * MATRIX**3 / min(times)
