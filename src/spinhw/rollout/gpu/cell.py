"""Device functions on one tile of neurons: the step of a cell, its derivatives, the drive and the recurrent product.

All work on (sample, neuron) tiles, or broadcast to them. Symbols, per neuron and sample:

    s               drive as the saturation leaves it: sigmoid(u) in (0, 1), or u itself where nothing saturates
    p1, p0, damping oscillator: z = a h = p1 s + p0 and d h = gamma (1 + Q) h;   CTRNN: x' = p0 x + p1 s
"""

import triton
import triton.language as tl


@triton.jit
def decay_parts(w):
    """Give e^-w, its mean (1 - e^-w) / w over 0 to w, and minus the derivative of that mean, for w >= 0."""
    e = tl.exp(-w)
    near = w < 0.5
    # The direct forms cancel near 0; each branch gets an argument that is harmless to it.
    small, large = tl.where(near, w, 0.0), tl.where(near, 1.0, w)
    series = 0.5 - small * (
        1 / 3
        - small
        * (1 / 8 - small * (1 / 30 - small * (1 / 144 - small * (1 / 840 - small * (1 / 5760 - small / 45360)))))
    )
    mean = tl.where(near, e + small * series, (1.0 - e) / large)
    return e, mean, tl.where(near, series, (mean - e) / large)


@triton.jit
def hyperbolic_tangent(x):
    """Give tanh x, accurate near 0 too."""
    size = tl.abs(x + x)
    e, mean, _ = decay_parts(size)
    return tl.where(x > 0.0, 1.0, -1.0) * size * mean / (1.0 + e)


@triton.jit
def saturated(u, SATURATE: tl.constexpr):
    """Give s for the argument u of the saturation."""
    s = u
    if SATURATE:
        e = tl.exp(-tl.abs(u))
        s = tl.where(u > 0.0, 1.0, e) / (1.0 + e)
    return s


@triton.jit
def advanced(x, s, p1, p0, damping, CTRNN: tl.constexpr):
    """Give the state after a step of held drive; see `linearised` for the formula."""
    if CTRNN:
        following = p0 * x + p1 * s
    else:
        z = p1 * s + p0
        growing = z > 0.0
        e, mean, _ = decay_parts(tl.abs(z))
        gain, loss = tl.where(growing, 1.0, e), tl.where(growing, e, 1.0)
        following = x * gain / ((1.0 - x) * loss + x * (gain + damping * mean))
    return following


@triton.jit
def linearised(x, s, p1, p0, damping, CTRNN: tl.constexpr):
    """Give the state after a step of held drive, and its derivatives by x, by s (over p1), by p0 and by damping.

    For the oscillator, with e = exp(-|z|) and the mean m of decay_parts(|z|), x' = x gain / D, where
    D = (1 - x) loss + x (gain + damping m), (gain, loss) = (1, e) for z > 0 and (e, 1) otherwise. Every sum below is
    one of terms >= 0.
    """
    if CTRNN:
        following = p0 * x + p1 * s
        by_x = p0 + 0.0 * x
        by_s = 1.0 + 0.0 * x
        by_p0 = x
        by_damping = 0.0 * x
    else:
        z = p1 * s + p0
        growing = z > 0.0
        e, mean, slope = decay_parts(tl.abs(z))
        gain, loss = tl.where(growing, 1.0, e), tl.where(growing, e, 1.0)
        rest = 1.0 - x
        inverse = 1.0 / (rest * loss + x * (gain + damping * mean))
        following = x * gain * inverse
        by_x = e * inverse * inverse
        by_p0 = following * inverse * (rest * loss + x * damping * tl.where(growing, slope, mean - slope))
        by_s = by_p0
        by_damping = -following * inverse * x * mean
    return following, by_x, by_s, by_p0, by_damping


@triton.jit
def place(rows, columns, times, time, neurons):
    """Give the offsets of a tile in an array (member * batch, times, neuron)."""
    return ((rows * times + time) * neurons)[:, None] + columns[None, :]


@triton.jit
def loaded(matrix, member, columns, WIDTH: tl.constexpr, RESIDENT: tl.constexpr):
    """Give a member's matrix, or, not RESIDENT, its address; (member, WIDTH, WIDTH), padded with zeros."""
    own = matrix + member.to(tl.int64) * WIDTH * WIDTH
    if RESIDENT:
        own = tl.load(own + tl.arange(0, WIDTH)[:, None] * WIDTH + columns[None, :])
    return own


@triton.jit
def product(
    total, tile, matrix, source, rows, columns, times, time, neurons, batched,
    WIDTH: tl.constexpr, CHUNK: tl.constexpr, RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Add tile @ matrix to a tile; the same tile was just stored in source[rows, time].

    RESIDENT: the matrix was loaded before the first step and stays in shared memory. Otherwise both factors are read in
    chunks, the matrix from the cache, and the tile from where it was stored: another thread of this program may hold
    what one needs, hence the barrier.
    """
    if RESIDENT:
        # Not as the start of the dot's own sum: ptxas would then hold the whole matrix in registers, and spill.
        total = tl.fma(tl.dot(tile, matrix, input_precision=PRECISION), 1.0, total)
    else:
        tl.debug_barrier()
        for first in range(0, WIDTH, CHUNK):
            inner = first + tl.arange(0, CHUNK)
            mask = batched[:, None] & (inner < neurons)[None, :]
            left = tl.load(source + place(rows, inner, times, time, neurons), mask=mask, other=0.0)
            right = tl.load(matrix + inner[:, None] * WIDTH + columns[None, :])
            total = tl.dot(left, right, total, input_precision=PRECISION)
    return total


@triton.jit
def coefficient(cell, row, member, columns, neurons):
    """Give one of the six coefficients of a member's neurons, (1, neuron); cell is (member, 6, neuron)."""
    return tl.load(cell + (member * 6 + row) * neurons + columns, mask=columns < neurons, other=0.0)[None, :]
