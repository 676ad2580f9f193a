"""The network as an ordinary differential equation for torchdiffeq, with as many fixed steps as the others take.

State and equation are those of diffrax_ode.py: Euler or midpoint, backpropagation through the solver. `odeint_adjoint`,
which would integrate backwards in time, is left out: the high-pass and the oscillators forget, so that their state
grows by a factor of e every 3.6 ns on the way back.
"""

import math

import torch
from torch import Tensor
from torchdiffeq import odeint

from benchmarks.contenders.base import Layers, Prepared, TorchStep
from benchmarks.contenders.eager import UNIT
from benchmarks.problem import CUTOFF_HZ, SAMPLE_INTERVAL_S, TAU_S, Problem
from spinhw.rollout import Weights
from spinhw.rollout.recurrence import recurrence

# Time is in units of the sample interval: steps of 1 or 1/2 add up exactly in single precision.
RATE, ANGULAR = SAMPLE_INTERVAL_S / TAU_S, 2 * math.pi * CUTOFF_HZ * SAMPLE_INTERVAL_S


def prepare(problem: Problem) -> Prepared:
    size, steps, last = problem.size, problem.steps, problem.size.layers[-1]
    times = torch.tensor([0.0, *range(size.samples - size.readout + 1, size.samples + 1)])
    method = "euler" if steps.order == 1 else "midpoint"
    shape = (size.members, size.batch, sum(size.layers))

    def forward(w_ext: Layers, w_int: Layers, biases: Layers) -> Tensor:
        synapses = recurrence(Weights(w_ext, w_int, biases), problem.inputs, {})
        matrix = synapses.matrix.transpose(1, 2) * UNIT
        held = (synapses.held * UNIT).unbind(2)

        def rates(t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            x, y = state
            drive = 4 * torch.sigmoid(torch.baddbmm(held[int(t)], y, matrix))
            change = RATE * ((drive - 1) * x - drive * x * x)
            return change, change - ANGULAR * y

        begin = torch.full(shape, 0.5), torch.zeros(shape)
        _, y = odeint(rates, begin, times, method=method, options={"step_size": 1 / steps.substeps})
        return y[1:, ..., -last:].movedim(0, 2)

    return TorchStep.prepared(problem, forward)
