"""The same network in JAX: `jax.jit` of `value_and_grad` around `lax.scan` over the samples.

All layers advance in one product with a block matrix, (neuron, neuron) for each network; an ensemble is one batched
product. Of a sample interval only its start (one network: and its products) is kept for the adjoint, the rest is
computed again (`jax.checkpoint`): two to three times as fast as keeping everything. Also tried, and not faster on a
processor: one product for each layer, `vmap` and `lax.map` over the networks, several intervals in one iteration.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders.base import Prepared
from benchmarks.contenders.eager import UNIT, Constants
from benchmarks.problem import Problem

Arrays = list[jax.Array]
Loss = Callable[[tuple[Arrays, Arrays, Arrays]], jax.Array]


def prepare(problem: Problem) -> Prepared:
    return jitted(problem, loss_of(problem))


def jitted(problem: Problem, loss: Loss) -> Prepared:
    """Make a contender of a loss in JAX; the weights stay where JAX has them."""
    leaves = (*map(arrays, problem.drawn), arrays(problem.biases))
    both, alone, kept = jax.jit(jax.value_and_grad(loss)), jax.jit(loss), {}

    def train() -> float:
        value, kept["gradients"] = jax.block_until_ready(both(leaves))
        return float(value)

    def gradients() -> list[np.ndarray]:
        return [np.asarray(each) for kind in kept["gradients"] for each in kind]

    return Prepared(train, lambda: float(alone(leaves)), gradients)


def arrays(tensors: list) -> Arrays:
    return [jnp.asarray(tensor.cpu().numpy()) for tensor in tensors]


def recurrence_of(problem: Problem) -> Callable[[Arrays, Arrays, Arrays], tuple[jax.Array, jax.Array, jax.Array]]:
    """Make the function that masks the weights and assembles them, in units of gamma.

    It gives the matrix between all neurons, (member, source, neuron), the weights of the input, (member, input,
    neuron), and the offset (member, 1, neuron).
    """
    ext_masks, own_masks = map(arrays, problem.masks)
    sizes = problem.size.layers

    def recurrence(w_ext: Arrays, w_int: Arrays, biases: Arrays) -> tuple[jax.Array, jax.Array, jax.Array]:
        ext = [w * mask for w, mask in zip(w_ext, ext_masks, strict=True)]
        own = [w * mask for w, mask in zip(w_int, own_masks, strict=True)]
        rows = []
        for layer, size in enumerate(sizes):
            blocks = [jnp.zeros((problem.size.members, size, source)) for source in sizes]
            blocks[layer] = own[layer]
            if layer > 0:
                blocks[layer - 1] = ext[layer]
            rows.append(jnp.concatenate(blocks, -1))
        matrix = jnp.swapaxes(jnp.concatenate(rows, -2), 1, 2) * UNIT
        held = jnp.swapaxes(jnp.pad(ext[0], ((0, 0), (0, sum(sizes[1:])), (0, 0))), 1, 2) * UNIT
        return matrix, held, jnp.concatenate(biases, -1)[:, None] * UNIT

    return recurrence


def loss_of(problem: Problem) -> Loss:
    """Make the loss as a function of what was drawn."""
    c, size = Constants.of(problem), problem.size
    inputs = jnp.moveaxis(jnp.asarray(problem.inputs.cpu().numpy()), 2, 0)  # (time, member, batch, input)
    recurrence, last = recurrence_of(problem), size.layers[-1]

    def advanced(x: jax.Array, drive: jax.Array) -> jax.Array:
        z = (drive - 1) * c.damping
        e = jnp.expm1(-z)
        return x / (1 + e - drive * c.damping * (e / z) * x)

    def loss(leaves: tuple[Arrays, Arrays, Arrays]) -> jax.Array:
        matrix, w_in, offset = recurrence(*leaves)

        def interval(state: tuple[jax.Array, jax.Array], sample: jax.Array) -> tuple:
            x, y = state
            held = sample @ w_in + offset
            for _ in range(c.substeps):
                new = advanced(x, 4 * jax.nn.sigmoid(y @ matrix + held))
                if c.order == 2:
                    middle = (y + c.decay * y + c.passed * (new - x)) / 2
                    new = advanced(x, 4 * jax.nn.sigmoid(middle @ matrix + held))
                x, y = new, c.decay * y + c.passed * (new - x)
            return (x, y), y[..., -last:]

        products = jax.checkpoint_policies.dots_saveable if size.members == 1 else None
        interval = jax.checkpoint(interval, policy=products)
        shape = (size.members, size.batch, sum(size.layers))
        state = jnp.full(shape, 0.5), jnp.zeros(shape)
        first = size.samples - size.readout
        state, _ = jax.lax.scan(lambda s, u: (interval(s, u)[0], None), state, inputs[:first])
        _, kept = jax.lax.scan(interval, state, inputs[first:])
        return jnp.square(kept.mean(0)).sum()

    return loss
