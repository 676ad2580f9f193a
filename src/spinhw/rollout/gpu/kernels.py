"""Triton kernels: many time steps of one member's tile of samples in one program, forward and adjoint.

Programs share nothing, so the same call gives the same bits. Arrays are in the public layout, (member, batch, time,
neuron). A launch covers `count` steps from step `begin`; arrays of the trajectory start at that step, signals at 0.
A step takes PHASES evaluations of the drive, one, or two for the midpoint of a coupled network: predictor and final.
They are turns of one loop, not code twice, because a compiler that sees two products with one matrix keeps it in
registers between them, where it does not fit.
"""

import triton
import triton.language as tl

from spinhw.rollout.gpu.cell import (
    advanced,
    coefficient,
    hyperbolic_tangent,
    linearised,
    loaded,
    place,
    product,
    saturated,
)

_ANY = ["count", "begin", "substeps", "samples", "recorded_from"]  # integers whose value need not be compiled in
TINY = tl.constexpr(1.1754944e-38)  # smallest normal number: see spinhw.physics.thermal_step


@triton.jit
def _external(
    held, nodes, rows, columns, inside, samples, substeps, step, middle, neurons,
    HELD: tl.constexpr, NODES: tl.constexpr, TILE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Give what drives a tile from outside: at the start of a step, or at its middle (1 for `middle`, 0 otherwise)."""
    total = tl.zeros([TILE, WIDTH], tl.float32)
    if HELD:
        total += tl.load(held + place(rows, columns, samples, step // substeps, neurons), mask=inside, other=0.0)
    if NODES:
        times = samples * substeps + 1
        left = tl.load(nodes + place(rows, columns, times, step, neurons), mask=inside, other=0.0)
        right = tl.load(nodes + place(rows, columns, times, step + middle, neurons), mask=inside, other=0.0)
        total += 0.5 * (left + right)
    return total


@triton.jit
def _shift(
    defect, rows, columns, inside, times, step, neurons,
    DEFECT: tl.constexpr, TILE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Give the change of the defect over a step; `times` is the number of nodes."""
    change = tl.zeros([TILE, WIDTH], tl.float32)
    if DEFECT:
        before = tl.load(defect + place(rows, columns, times, step, neurons), mask=inside, other=0.0)
        after = tl.load(defect + place(rows, columns, times, step + 1, neurons), mask=inside, other=0.0)
        change = after - before
    return change


@triton.jit
def _disturbed(x, noise, rows, columns, inside, times, step, neurons, kick):
    """Give x after the thermal noise of a step, and the derivative by x; noise is (member, batch, steps, neuron, 2)."""
    where = 2 * place(rows, columns, times, step, neurons)
    one = kick * tl.load(noise + where, mask=inside, other=0.0)
    two = kick * tl.load(noise + where + 1, mask=inside, other=0.0)
    root = tl.sqrt(tl.maximum(x, TINY))
    return (root + one) * (root + one) + two * two, tl.where(x > TINY, 1.0 + one / root, 0.0)


@triton.jit(do_not_specialize=_ANY)
def forward_kernel(
    # in: signals, (member, batch, ...), and the state at step `begin`
    matrix, held, nodes, defect, noise, cell, start_x, start_y,
    # out: the record, the state at the end, the trajectory
    power, filtered, end_x, end_y, xs, sources, drives,
    batch, neurons, count, begin, substeps, samples, recorded_from,
    CTRNN: tl.constexpr, ORDER: tl.constexpr, SATURATE: tl.constexpr, COUPLED: tl.constexpr, PHASES: tl.constexpr,
    HELD: tl.constexpr, NODES: tl.constexpr, DEFECT: tl.constexpr, NOISE: tl.constexpr, KEEP: tl.constexpr,
    TILE: tl.constexpr, WIDTH: tl.constexpr, CHUNK: tl.constexpr, RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Integrate `count` steps.

    Trajectory: x at count + 1 nodes, and for each evaluation the y that enters the product (sources) and the s that
    comes out of the saturation (drives). Not KEEP: only sources is there, for the product where the matrix is not
    RESIDENT, with room for two.
    """
    member = tl.program_id(1)
    sample = tl.program_id(0) * TILE + tl.arange(0, TILE)
    columns = tl.arange(0, WIDTH)
    batched = sample < batch
    inside = batched[:, None] & (columns < neurons)[None, :]
    rows = member.to(tl.int64) * batch + sample
    if COUPLED:
        matrix = loaded(matrix, member, columns, WIDTH, RESIDENT)
    p1, p0 = coefficient(cell, 0, member, columns, neurons), coefficient(cell, 1, member, columns, neurons)
    damping, decay = coefficient(cell, 2, member, columns, neurons), coefficient(cell, 3, member, columns, neurons)
    passed, kick = coefficient(cell, 4, member, columns, neurons), coefficient(cell, 5, member, columns, neurons)
    state = place(rows, columns, 1, 0, neurons)
    x = tl.load(start_x + state, mask=inside, other=0.0)
    y = tl.load(start_y + state, mask=inside, other=0.0)
    slots = 2
    if KEEP:
        slots = count * PHASES
        tl.store(xs + place(rows, columns, count + 1, 0, neurons), x, mask=inside)
    for k in range(0, count):
        step = begin + k
        shift = _shift(
            defect, rows, columns, inside, samples * substeps + 1, step, neurons, DEFECT, TILE, WIDTH
        )  # fmt: skip
        source, before_x, before_y = y, x, y
        for phase in range(0, PHASES):
            final = phase == PHASES - 1
            middle = tl.where(final, ORDER - 1, 0)
            slot = (k * PHASES + phase) % slots
            if KEEP or (COUPLED and not RESIDENT):
                tl.store(sources + place(rows, columns, slots, slot, neurons), source, mask=inside)
            u = _external(
                held, nodes, rows, columns, inside, samples, substeps, step, middle, neurons,
                HELD, NODES, TILE, WIDTH,
            )  # fmt: skip
            if COUPLED:
                u = product(
                    u, source, matrix, sources, rows, columns, slots, slot, neurons, batched,
                    WIDTH, CHUNK, RESIDENT, PRECISION,
                )  # fmt: skip
            s = saturated(u, SATURATE)
            if KEEP:
                tl.store(drives + place(rows, columns, slots, slot, neurons), s, mask=inside)
            x = advanced(before_x, s, p1, p0, damping, CTRNN)
            if NOISE:
                noisy, _ = _disturbed(x, noise, rows, columns, inside, samples * substeps, step, neurons, kick)
                x = tl.where(final, noisy, x)
            if CTRNN:
                y = hyperbolic_tangent(x)
            else:
                y = decay * before_y + passed * (x - before_x + shift)
            source = 0.5 * (before_y + y)
        if KEEP:
            tl.store(xs + place(rows, columns, count + 1, k + 1, neurons), x, mask=inside)
        interval = step // substeps
        ends = ((step + 1) % substeps == 0) & (interval >= recorded_from)
        record = place(rows, columns, samples - recorded_from, interval - recorded_from, neurons)
        tl.store(power + record, x, mask=inside & ends)
        tl.store(filtered + record, y, mask=inside & ends)
    tl.store(end_x + state, x, mask=inside)
    tl.store(end_y + state, y, mask=inside)


@triton.jit(do_not_specialize=_ANY)
def adjoint_kernel(
    # in: signals and the trajectory that the forward kernel kept, gradients of the record
    matrix, defect, noise, cell, xs, sources, drives, g_power, g_filtered,
    # in and out: gradients of the state; out: those by u and by the change of the defect, sums for the coefficients
    g_state_x, g_state_y, g_u, g_shift, sums,
    batch, neurons, count, begin, substeps, samples, recorded_from,
    CTRNN: tl.constexpr, ORDER: tl.constexpr, SATURATE: tl.constexpr, COUPLED: tl.constexpr, PHASES: tl.constexpr,
    DEFECT: tl.constexpr, NOISE: tl.constexpr, POWER: tl.constexpr, FILTERED: tl.constexpr,
    WANT_CELL: tl.constexpr, WANT_DEFECT: tl.constexpr,
    TILE: tl.constexpr, WIDTH: tl.constexpr, CHUNK: tl.constexpr, RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Walk back through `count` steps, from the gradients of x and y after them to those before them.

    The gradients by u, the argument of the saturation, of every evaluation are the main result: those by weights and
    external drives are sums of them, which one matrix product over all evaluations forms afterwards.
    """
    member = tl.program_id(1)
    sample = tl.program_id(0) * TILE + tl.arange(0, TILE)
    columns = tl.arange(0, WIDTH)
    batched = sample < batch
    inside = batched[:, None] & (columns < neurons)[None, :]
    rows = member.to(tl.int64) * batch + sample
    if COUPLED:
        matrix = loaded(matrix, member, columns, WIDTH, RESIDENT)
    p1, p0 = coefficient(cell, 0, member, columns, neurons), coefficient(cell, 1, member, columns, neurons)
    damping, decay = coefficient(cell, 2, member, columns, neurons), coefficient(cell, 3, member, columns, neurons)
    passed, kick = coefficient(cell, 4, member, columns, neurons), coefficient(cell, 5, member, columns, neurons)
    state = place(rows, columns, 1, 0, neurons)
    g_x = tl.load(g_state_x + state, mask=inside, other=0.0)
    g_y = tl.load(g_state_y + state, mask=inside, other=0.0)
    zero = tl.zeros([TILE, WIDTH], tl.float32)
    sum_p1, sum_p0, sum_damping, sum_decay, sum_passed = zero, zero, zero, zero, zero
    evaluations = count * PHASES
    for back in range(0, count):
        k = count - 1 - back
        step = begin + k
        interval = step // substeps
        ends = ((step + 1) % substeps == 0) & (interval >= recorded_from)
        record = place(rows, columns, samples - recorded_from, interval - recorded_from, neurons)
        if POWER:
            g_x += tl.load(g_power + record, mask=inside & ends, other=0.0)
        if FILTERED:
            g_y += tl.load(g_filtered + record, mask=inside & ends, other=0.0)
        x = tl.load(xs + place(rows, columns, count + 1, k, neurons), mask=inside, other=0.0)
        y = tl.load(sources + place(rows, columns, evaluations, k * PHASES, neurons), mask=inside, other=0.0)
        shift = _shift(
            defect, rows, columns, inside, samples * substeps + 1, step, neurons, DEFECT, TILE, WIDTH
        )  # fmt: skip
        # g_moved and g_output: gradients by the state and the output that an evaluation leads to, the final one first.
        g_moved, g_output = g_x, g_y
        g_x, g_y, g_change = zero, zero, zero
        for turn in range(0, PHASES):
            slot = (k + 1) * PHASES - 1 - turn
            s = tl.load(drives + place(rows, columns, evaluations, slot, neurons), mask=inside, other=0.0)
            moved, by_x, by_s, by_p0, by_damping = linearised(x, s, p1, p0, damping, CTRNN)
            if CTRNN:
                output = hyperbolic_tangent(moved)
                g = g_moved + (1.0 - output * output) * g_output
            else:
                g = g_moved + passed * g_output
            if NOISE:
                noisy, by_moved = _disturbed(
                    moved, noise, rows, columns, inside, samples * substeps, step, neurons, kick
                )  # fmt: skip
                g = tl.where(turn == 0, g * by_moved, g)
                moved = tl.where(turn == 0, noisy, moved)
            g_x += g * by_x - passed * g_output
            g_y += decay * g_output
            g_change += passed * g_output
            pull = g * by_s
            if WANT_CELL:
                sum_p1 += pull * s
                sum_p0 += g * by_p0
                sum_damping += g * by_damping
                sum_decay += g_output * y
                sum_passed += g_output * (moved - x + shift)
            u = pull * p1
            if SATURATE:
                u *= s * (1.0 - s)
            tl.store(g_u + place(rows, columns, evaluations, slot, neurons), u, mask=inside)
            if COUPLED:
                # By the y that entered the product: y itself, or the mean of y and what the predictor led to.
                g_output = tl.where(turn == PHASES - 1, 1.0, 0.5) * product(
                    zero, u, matrix, g_u, rows, columns, evaluations, slot, neurons, batched,
                    WIDTH, CHUNK, RESIDENT, PRECISION,
                )  # fmt: skip
                g_y += g_output
                g_moved = zero
        if WANT_DEFECT:
            tl.store(g_shift + place(rows, columns, count, k, neurons), g_change, mask=inside)
    tl.store(g_state_x + state, g_x, mask=inside)
    tl.store(g_state_y + state, g_y, mask=inside)
    if WANT_CELL:
        # sums is (member, tile, 5, neuron).
        target = sums + (member * tl.num_programs(0) + tl.program_id(0)) * 5 * neurons + columns
        tl.store(target, tl.sum(sum_p1, 0), mask=columns < neurons)
        tl.store(target + neurons, tl.sum(sum_p0, 0), mask=columns < neurons)
        tl.store(target + 2 * neurons, tl.sum(sum_damping, 0), mask=columns < neurons)
        tl.store(target + 3 * neurons, tl.sum(sum_decay, 0), mask=columns < neurons)
        tl.store(target + 4 * neurons, tl.sum(sum_passed, 0), mask=columns < neurons)
