"""The network as an ordinary differential equation for diffrax, with as many fixed steps as the others take.

The state is x and y, and dy/dt contains dx/dt. The input is held over each sample interval, as a look-up by time:
diffrax interpolates linearly or by cubics, and neither holds. Euler takes the place of the exact first-order step and
Midpoint that of the midpoint drive: the same number of evaluations, another discretisation.
"""

import math

import diffrax
import jax
import jax.numpy as jnp

from benchmarks.contenders.base import Prepared
from benchmarks.contenders.jax_scan import Arrays, Loss, jitted, recurrence_of
from benchmarks.problem import CUTOFF_HZ, SAMPLE_INTERVAL_S, TAU_S, Problem

# Time is in units of the sample interval: steps of 1 or 1/2 add up exactly in single precision.
RATE, ANGULAR = SAMPLE_INTERVAL_S / TAU_S, 2 * math.pi * CUTOFF_HZ * SAMPLE_INTERVAL_S
Pair = tuple[jax.Array, jax.Array]


def prepare(problem: Problem) -> Prepared:
    return jitted(problem, loss_of(problem))


def loss_of(problem: Problem) -> Loss:
    size, steps = problem.size, problem.steps
    inputs = jnp.moveaxis(jnp.asarray(problem.inputs.numpy()), 2, 0)  # (time, member, batch, input)
    recurrence, last, total = recurrence_of(problem), size.layers[-1], size.samples
    shape = (size.members, size.batch, sum(size.layers))

    def rates(t: jax.Array, state: Pair, weights: tuple[jax.Array, ...]) -> Pair:
        x, y = state
        matrix, held = weights
        drive = 4 * jax.nn.sigmoid(y @ matrix + held[jnp.floor(t).astype(int)])
        change = RATE * ((drive - 1) * x - drive * x * x)
        return change, change - ANGULAR * y

    def loss(leaves: tuple[Arrays, Arrays, Arrays]) -> jax.Array:
        matrix, w_in, offset = recurrence(*leaves)
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(rates),
            diffrax.Euler() if steps.order == 1 else diffrax.Midpoint(),
            t0=0.0,
            t1=float(total),
            dt0=1 / steps.substeps,
            y0=(jnp.full(shape, 0.5), jnp.zeros(shape)),
            args=(matrix, inputs @ w_in + offset),
            saveat=diffrax.SaveAt(
                ts=jnp.arange(total - size.readout + 1.0, total + 1.0), fn=lambda t, state, args: state[1][..., -last:]
            ),
            stepsize_controller=diffrax.ConstantStepSize(),
            max_steps=total * steps.substeps,
            adjoint=diffrax.RecursiveCheckpointAdjoint(),
        )
        return jnp.square(solution.ys.mean(0)).sum()

    return loss
