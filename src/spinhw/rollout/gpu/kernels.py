"""Triton kernels: many time steps of one member's tile of samples in one program, forward and adjoint.

Programs share nothing, so the same call gives the same bits. Arrays are in the public layout, (member, batch, time,
neuron). A launch covers `count` steps from step `begin`; arrays of the trajectory start at that step, signals at 0.
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
    shift_of,
)

_ANY = ["count", "begin", "substeps", "samples", "recorded_from"]  # integers whose value need not be compiled in


@triton.jit
def _external(
    held, nodes, rows, columns, inside, samples, interval, last, step, neurons,
    MIDDLE: tl.constexpr, HELD: tl.constexpr, NODES: tl.constexpr, TILE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Give what drives a tile from outside, at the start or the middle of a step; `last` is the last node + 1."""
    total = tl.zeros([TILE, WIDTH], tl.float32)
    if HELD:
        total += tl.load(held + place(rows, columns, samples, interval, neurons), mask=inside, other=0.0)
    if NODES:
        here = tl.load(nodes + place(rows, columns, last, step, neurons), mask=inside, other=0.0)
        if MIDDLE:
            here = 0.5 * (here + tl.load(nodes + place(rows, columns, last, step + 1, neurons), mask=inside, other=0.0))
        total += here
    return total


@triton.jit
def _normals(noise, rows, columns, inside, steps, step, neurons):
    """Give the two normal numbers of every neuron for a step; noise is (member, batch, steps, neuron, 2)."""
    where = 2 * place(rows, columns, steps, step, neurons)
    return tl.load(noise + where, mask=inside, other=0.0), tl.load(noise + where + 1, mask=inside, other=0.0)


@triton.jit(do_not_specialize=_ANY)
def forward_kernel(
    # in: signals, (member, batch, ...), and the state at step `begin`
    matrix, held, nodes, defect, noise, cell, start_x, start_y,
    # out: the record, the state at the end, the trajectory
    power, filtered, end_x, end_y, xs, ys, middles, firsts, finals,
    batch, neurons, count, begin, substeps, samples, recorded_from,
    CTRNN: tl.constexpr, ORDER: tl.constexpr, SATURATE: tl.constexpr, COUPLED: tl.constexpr, HELD: tl.constexpr,
    NODES: tl.constexpr, DEFECT: tl.constexpr, NOISE: tl.constexpr, KEEP: tl.constexpr,
    TILE: tl.constexpr, WIDTH: tl.constexpr, CHUNK: tl.constexpr, RESIDENT: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Integrate `count` steps.

    Trajectory: xs, ys at count + 1 nodes, and for each step the y at its middle and the s of its predictor (firsts) and
    of its final evaluation (finals). Not KEEP: only ys and middles are there, as rings of 2 and 1, for the recurrent
    product where the matrix is not RESIDENT.
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
        slots = count + 1
        tl.store(xs + place(rows, columns, slots, 0, neurons), x, mask=inside)
    if KEEP or (COUPLED and not RESIDENT):
        tl.store(ys + place(rows, columns, slots, 0, neurons), y, mask=inside)
    last = samples * substeps + 1
    for k in range(0, count):
        step = begin + k
        interval = step // substeps
        slot = k % slots
        middle_slot = k % (slots - 1)
        shift = tl.zeros([TILE, WIDTH], tl.float32)
        if DEFECT:
            shift = shift_of(defect, rows, columns, inside, last, step, neurons)
        if COUPLED and ORDER == 2:
            u = _external(
                held, nodes, rows, columns, inside, samples, interval, last, step, neurons,
                False, HELD, NODES, TILE, WIDTH,
            )  # fmt: skip
            u = product(
                u, y, matrix, ys, rows, columns, slots, slot, neurons, batched, WIDTH, CHUNK, RESIDENT, PRECISION
            )
            first = saturated(u, SATURATE)
            predicted = advanced(x, first, p1, p0, damping, CTRNN)
            if CTRNN:
                middle = 0.5 * (y + hyperbolic_tangent(predicted))
            else:
                middle = 0.5 * (y + decay * y + passed * (predicted - x + shift))
            if KEEP or not RESIDENT:
                tl.store(middles + place(rows, columns, slots - 1, middle_slot, neurons), middle, mask=inside)
            if KEEP:
                tl.store(firsts + place(rows, columns, count, k, neurons), first, mask=inside)
        u = _external(
            held, nodes, rows, columns, inside, samples, interval, last, step, neurons,
            ORDER == 2, HELD, NODES, TILE, WIDTH,
        )  # fmt: skip
        if COUPLED and ORDER == 2:
            u = product(
                u, middle, matrix, middles, rows, columns, slots - 1, middle_slot, neurons, batched,
                WIDTH, CHUNK, RESIDENT, PRECISION,
            )  # fmt: skip
        elif COUPLED:
            u = product(
                u, y, matrix, ys, rows, columns, slots, slot, neurons, batched, WIDTH, CHUNK, RESIDENT, PRECISION
            )
        final = saturated(u, SATURATE)
        following = advanced(x, final, p1, p0, damping, CTRNN)
        if NOISE:
            one, two = _normals(noise, rows, columns, inside, samples * substeps, step, neurons)
            amplitude = tl.sqrt(tl.maximum(following, 1.1754944e-38)) + kick * one
            following = amplitude * amplitude + kick * two * (kick * two)
        if CTRNN:
            y = hyperbolic_tangent(following)
        else:
            y = decay * y + passed * (following - x + shift)
        x = following
        if KEEP:
            tl.store(finals + place(rows, columns, count, k, neurons), final, mask=inside)
            tl.store(xs + place(rows, columns, slots, k + 1, neurons), x, mask=inside)
        if KEEP or (COUPLED and not RESIDENT):
            tl.store(ys + place(rows, columns, slots, (k + 1) % slots, neurons), y, mask=inside)
        ends = ((step + 1) % substeps == 0) & (interval >= recorded_from)
        record = place(rows, columns, samples - recorded_from, interval - recorded_from, neurons)
        tl.store(power + record, x, mask=inside & ends)
        tl.store(filtered + record, y, mask=inside & ends)
    tl.store(end_x + state, x, mask=inside)
    tl.store(end_y + state, y, mask=inside)


@triton.jit(do_not_specialize=_ANY)
def adjoint_kernel(
    # in: signals and the trajectory that the forward kernel kept, gradients of the record
    matrix, defect, noise, cell, xs, ys, firsts, finals, g_power, g_filtered,
    # in and out: gradients of the state; out: gradients of u and of the defect's change, sums for the coefficients
    g_state_x, g_state_y, u_firsts, u_finals, g_shift, sums,
    batch, neurons, count, begin, substeps, samples, recorded_from,
    CTRNN: tl.constexpr, ORDER: tl.constexpr, SATURATE: tl.constexpr, COUPLED: tl.constexpr,
    DEFECT: tl.constexpr, NOISE: tl.constexpr, POWER: tl.constexpr, FILTERED: tl.constexpr,
    WANT_CELL: tl.constexpr, WANT_DEFECT: tl.constexpr,
    TILE: tl.constexpr, WIDTH: tl.constexpr, CHUNK: tl.constexpr, RESIDENT: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Walk back through `count` steps, from the gradients of x and y after them to those before them.

    The gradients by u, the argument of the saturation, of both evaluations of each step are the main result: those by
    weights and external drives are sums of them, which one matrix product over all steps forms afterwards.
    """
    member = tl.program_id(1)
    tile = tl.program_id(0)
    sample = tile * TILE + tl.arange(0, TILE)
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
    sum_p1 = tl.zeros([TILE, WIDTH], tl.float32)
    sum_p0 = tl.zeros([TILE, WIDTH], tl.float32)
    sum_damping = tl.zeros([TILE, WIDTH], tl.float32)
    sum_decay = tl.zeros([TILE, WIDTH], tl.float32)
    sum_passed = tl.zeros([TILE, WIDTH], tl.float32)
    last = samples * substeps + 1
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
        here = place(rows, columns, count, k, neurons)
        x = tl.load(xs + place(rows, columns, count + 1, k, neurons), mask=inside, other=0.0)
        y = tl.load(ys + place(rows, columns, count + 1, k, neurons), mask=inside, other=0.0)
        final = tl.load(finals + here, mask=inside, other=0.0)
        shift = tl.zeros([TILE, WIDTH], tl.float32)
        if DEFECT:
            shift = shift_of(defect, rows, columns, inside, last, step, neurons)
        # The evaluation that ends the step. g is the gradient by its state before the noise.
        following, by_x, by_s, by_p0, by_damping = linearised(x, final, p1, p0, damping, CTRNN)
        if CTRNN:
            output = hyperbolic_tangent(following)
            g = g_x + (1.0 - output * output) * g_y
        else:
            g = g_x + passed * g_y
            if WANT_CELL:
                reached = tl.load(xs + place(rows, columns, count + 1, k + 1, neurons), mask=inside, other=0.0)
                sum_decay += g_y * y
                sum_passed += g_y * (reached - x + shift)
        if NOISE:
            one, _ = _normals(noise, rows, columns, inside, samples * substeps, step, neurons)
            free = following > 1.1754944e-38
            g *= tl.where(free, 1.0 + kick * one / tl.sqrt(tl.where(free, following, 1.0)), 0.0)
        g_x = g * by_x - passed * g_y
        change = passed * g_y
        g_y = decay * g_y
        pull = g * by_s
        if WANT_CELL:
            sum_p1 += pull * final
            sum_p0 += g * by_p0
            sum_damping += g * by_damping
        u_final = pull * p1
        if SATURATE:
            u_final *= final * (1.0 - final)
        tl.store(u_finals + here, u_final, mask=inside)
        zero = tl.zeros([TILE, WIDTH], tl.float32)
        if COUPLED and ORDER == 1:
            g_y += product(
                zero, u_final, matrix, u_finals, rows, columns, count, k, neurons, batched,
                WIDTH, CHUNK, RESIDENT, PRECISION,
            )  # fmt: skip
        if COUPLED and ORDER == 2:
            # The predictor. half is the gradient by y at the end of the step as predicted, and by y at its start.
            half = 0.5 * product(
                zero, u_final, matrix, u_finals, rows, columns, count, k, neurons, batched,
                WIDTH, CHUNK, RESIDENT, PRECISION,
            )  # fmt: skip
            first = tl.load(firsts + here, mask=inside, other=0.0)
            predicted, by_x, by_s, by_p0, by_damping = linearised(x, first, p1, p0, damping, CTRNN)
            if CTRNN:
                output = hyperbolic_tangent(predicted)
                g = (1.0 - output * output) * half
            else:
                g = passed * half
                if WANT_CELL:
                    sum_decay += half * y
                    sum_passed += half * (predicted - x + shift)
            g_x += g * by_x - passed * half
            g_y += half + decay * half
            change += passed * half
            pull = g * by_s
            if WANT_CELL:
                sum_p1 += pull * first
                sum_p0 += g * by_p0
                sum_damping += g * by_damping
            u_first = pull * p1
            if SATURATE:
                u_first *= first * (1.0 - first)
            tl.store(u_firsts + here, u_first, mask=inside)
            g_y += product(
                zero, u_first, matrix, u_firsts, rows, columns, count, k, neurons, batched,
                WIDTH, CHUNK, RESIDENT, PRECISION,
            )  # fmt: skip
        if WANT_DEFECT:
            tl.store(g_shift + here, change, mask=inside)
    tl.store(g_state_x + state, g_x, mask=inside)
    tl.store(g_state_y + state, g_y, mask=inside)
    if WANT_CELL:
        # sums is (member, tile, 5, neuron).
        target = sums + (member * tl.num_programs(0) + tile) * 5 * neurons + columns
        tl.store(target, tl.sum(sum_p1, 0), mask=columns < neurons)
        tl.store(target + neurons, tl.sum(sum_p0, 0), mask=columns < neurons)
        tl.store(target + 2 * neurons, tl.sum(sum_damping, 0), mask=columns < neurons)
        tl.store(target + 3 * neurons, tl.sum(sum_decay, 0), mask=columns < neurons)
        tl.store(target + 4 * neurons, tl.sum(sum_passed, 0), mask=columns < neurons)
