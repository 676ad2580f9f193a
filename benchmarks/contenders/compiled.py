"""The eager network through `torch.compile`: the steps of one sample interval are one compiled function.

The whole loop in one graph would save the calls between the samples, but compiling grows with it: eight samples in one
graph were not compiled after five minutes on a busy machine, while one takes about a minute there.
"""

import torch
from torch import Tensor

from benchmarks.contenders.base import Layers, Prepared, TorchStep
from benchmarks.contenders.eager import Constants, folded, interval_of, start
from benchmarks.problem import Problem


def prepare(problem: Problem) -> Prepared:
    torch.compiler.reset()  # Else the functions of all problems share one limit of recompilations.
    size, single = problem.size, problem.size.members == 1
    interval = torch.compile(interval_of(Constants.of(problem)), fullgraph=True, dynamic=False)
    # As many copies as there are samples would tell the compiler of different strides.
    samples = [each.contiguous() for each in (problem.inputs[0] if single else problem.inputs).unbind(-2)]

    def forward(w_ext: Layers, w_int: Layers, biases: Layers) -> Tensor:
        blocks, offsets = folded(w_ext, w_int, biases, single)
        (xs, ys), kept = start(problem.inputs[0] if single else problem.inputs, blocks), []
        for sample in samples:
            xs, ys = interval(blocks, offsets, xs, ys, sample)
            kept.append(ys[-1])
        found = torch.stack(kept[-size.readout :], -2)
        return found if found.ndim == 4 else found[None]

    return TorchStep.prepared(problem, forward)
