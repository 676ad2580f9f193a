"""Compiled forward and adjoint sweeps over (member, tile) tasks.

A task integrates the samples of one tile of one member through all steps; tasks share nothing, so any number of threads gives the same
bits. The adjoint of step k starts from the adjoints of x and y at node k + 1 and ends with those at node k; see `rows` for the symbols.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from spinhw.rollout.cpu import rows
from spinhw.rollout.cpu.rows import OSCILLATOR, SUM_DECAY, SUM_GAIN, SUM_KAPPA, SUM_OFFSET, SUM_P0, SUM_P1, SUM_P2, SUMS
from spinhw.rollout.cpu.tiles import add_tile, load_pair, load_tile, store_tile
from spinhw.rollout.cpu.vector import JIT, JIT_INLINE, gather_sum, outer_dots

P_GAIN, P_OFFSET, P_1, P_0, P_2, P_DECAY, P_KAPPA, P_THERMAL, P_DECAY_MEAN, P_KAPPA_MEAN, CELL_ROWS = range(11)


class Plan(NamedTuple):
    """Integers that steer a sweep; `want_*` say which adjoints to compute."""

    kind: int  # OSCILLATOR or CTRNN
    order: int  # 1 frozen drive, 2 midpoint
    saturate: int  # 1: sigmoid
    steps: int
    substeps: int  # steps per input interval
    batch: int
    neurons: int
    inputs: int  # input channels, appended to y as rows neurons, neurons + 1, ...
    tiles: int  # tiles per member
    piece: int  # width of the partial sums of `outer_dots`
    recorded_from: int  # first input interval that is recorded
    segment: int  # steps between checkpoints (all steps: the whole trajectory is kept)
    want_power: int
    want_filtered: int
    want_weights: int
    want_cell: int
    want_ext: int
    want_nodes: int
    want_inputs: int
    want_defect: int


class Synapses(NamedTuple):
    """Stored weights of all members, row by row, and the same values column by column."""

    start: np.ndarray  # (M * N + 1,) first stored value of each row
    column: np.ndarray  # (stored,) source row of y
    value: np.ndarray  # (stored,) weight times the gain of its row
    back_start: np.ndarray  # (M * (N + inputs) + 1,)
    back_row: np.ndarray  # (stored,) destination
    back_value: np.ndarray  # (stored,)


class Signals(NamedTuple):
    """What enters from outside, in the public layout; an absent one has a first axis of length 0."""

    start: np.ndarray  # (M or 1, B or 1, 1, N) initial state
    ext: np.ndarray  # (M or 1, B, T, N)
    nodes: np.ndarray  # (M or 1, B, S + 1, N)
    inputs: np.ndarray  # (M or 1, B, T, inputs)
    defect: np.ndarray  # (M or 1, B, S + 1, N)
    noise: np.ndarray  # (M or 1, B, S, N, 2)


class Trajectory(NamedTuple):
    """States of one task. With 2 nodes only the last two are kept, as a ring."""

    x: np.ndarray  # (nodes, N, lanes)
    y: np.ndarray  # (nodes, N + inputs, lanes)
    middle: np.ndarray  # (steps, N + inputs, lanes), y at the midpoint (order 2)
    s: np.ndarray  # (steps, N, lanes), drive of the first evaluation of each step
    s_middle: np.ndarray  # (steps, N, lanes), drive of the second (order 2)


class Local(NamedTuple):
    """Work arrays of one thread."""

    held: np.ndarray  # (N, lanes) held external term of the present interval
    node: np.ndarray  # (2, N, lanes) node term at both ends of the step
    external: np.ndarray  # (N, lanes) external term of the present evaluation
    defect: np.ndarray  # (2, N, lanes)
    normals: np.ndarray  # (2, N, lanes)
    predicted: np.ndarray  # (N, lanes) predicted state
    drive: np.ndarray  # (lanes,) weights @ y of one neuron, or an adjoint through the transposed weights
    x_next: np.ndarray  # (lanes,) linearised evaluation of one neuron: next state and its derivatives, see `rows`
    by_x: np.ndarray
    by_s: np.ndarray
    by_p0: np.ndarray
    by_p2: np.ndarray
    g_state: np.ndarray  # (lanes,) adjoint of the next state of one neuron
    e: np.ndarray  # (lanes,) stages of one neuron's step, see `rows`
    rise: np.ndarray
    span: np.ndarray
    twin: np.ndarray


class Adjoint(NamedTuple):
    """Adjoint state of one task."""

    x: np.ndarray  # (N, lanes)
    y: np.ndarray  # (N, lanes)
    v: np.ndarray  # (N, lanes) adjoint of u of the present evaluation
    v_final: np.ndarray  # (N, lanes) the same of a midpoint step's final evaluation
    weights: np.ndarray  # (stored values of the member, piece)
    sums: np.ndarray  # (SUMS, N, lanes)
    ext: np.ndarray  # (N, lanes)
    node: np.ndarray  # (2, N, lanes): node k, node k + 1
    inputs: np.ndarray  # (inputs, lanes)
    defect: np.ndarray  # (2, N, lanes)


class Results(NamedTuple):
    """Adjoints that a task writes; an unwanted one has a first axis of length 0."""

    value: np.ndarray  # (tiles, stored)
    sums: np.ndarray  # (tiles, SUMS, M, N)
    start: np.ndarray  # (M, B, 1, N)
    ext: np.ndarray  # (M, B, T, N), times the gain still to be applied
    nodes: np.ndarray  # (M, B, S + 1, N), likewise
    inputs: np.ndarray  # (M, B, T, inputs)
    defect: np.ndarray  # (M, B, S + 1, N)


# ---------------------------------------------------------------- set-up


def trajectory_shapes(plan: Plan, nodes: int, lanes: int) -> list[tuple[int, ...]]:
    """Shapes of the arrays of a `Trajectory`."""
    n, rows, second = plan.neurons, plan.neurons + plan.inputs, nodes - 1 if plan.order == 2 else 0
    return [(nodes, n, lanes), (nodes, rows, lanes), (second, rows, lanes), (nodes - 1, n, lanes), (second, n, lanes)]


def local_shapes(plan: Plan, lanes: int) -> list[tuple[int, ...]]:
    """Shapes of the arrays of a `Local`."""
    tile, pair = (plan.neurons, lanes), (2, plan.neurons, lanes)
    return [tile, pair, tile, pair, pair, tile, *[(lanes,)] * 11]


def adjoint_shapes(plan: Plan, lanes: int, stored: int) -> list[tuple[int, ...]]:
    """Shapes of the arrays of an `Adjoint`; `stored` is the largest number of stored values of a member."""
    tile, pair = (plan.neurons, lanes), (2, plan.neurons, lanes)
    return [tile, tile, tile, tile, (stored, plan.piece), (SUMS, *tile), tile, pair, (plan.inputs, lanes), pair]


@njit(**JIT)
def clear(tile):
    """tile = 0."""
    for i in range(tile.shape[0]):
        for l in range(tile.shape[1]):
            tile[i, l] = 0


@njit(**JIT)
def copy(target, source, count):
    """target[:count] = source[:count]."""
    for i in range(count):
        for l in range(target.shape[1]):
            target[i, l] = source[i, l]


@njit(**JIT)
def start_trajectory(plan, signals, member, first, trajectory):
    """Node 0: x from the caller, y = 0 (oscillator) or tanh x (CTRNN)."""
    x, y = trajectory.x[0], trajectory.y[0]
    load_tile(signals.start, member, first, 0, x)
    clear(y)
    if plan.kind != OSCILLATOR:
        for i in range(plan.neurons):
            rows.bend(i, y, x)


# ---------------------------------------------------------------- external terms


@njit(**JIT)
def enter_interval(plan, signals, member, first, interval, local):
    """Load the held term of an input interval; zero where there are only node terms, for pooled memory is not."""
    if signals.ext.shape[0] > 0:
        load_tile(signals.ext, member, first, interval, local.held)
    elif signals.nodes.shape[0] > 0:
        clear(local.held)


@njit(**JIT)
def set_inputs(plan, signals, member, first, interval, y):
    """Rows N, N + 1, ... of y: the inputs held over this interval."""
    if plan.inputs > 0:
        load_tile(signals.inputs, member, first, interval, y[plan.neurons :])


@njit(**JIT)
def load_step(plan, signals, member, first, k, local):
    """Load what changes at every step: node terms, defects, normals."""
    if signals.nodes.shape[0] > 0:
        load_tile(signals.nodes, member, first, k, local.node[0])
        load_tile(signals.nodes, member, first, k + 1, local.node[1])
    if signals.defect.shape[0] > 0:
        load_tile(signals.defect, member, first, k, local.defect[0])
        load_tile(signals.defect, member, first, k + 1, local.defect[1])
    if signals.noise.shape[0] > 0:
        load_pair(signals.noise, member, first, k, plan.neurons, local.normals)


@njit(**JIT)
def combine_external(plan, middle, local):
    """local.external = held term + node term, at the start of the step or at its middle."""
    for i in range(plan.neurons):
        if middle:
            rows.average(i, local.external, local.node[0], local.node[1])
            rows.add(i, local.external, local.external, local.held)
        else:
            rows.add(i, local.external, local.held, local.node[0])


# ---------------------------------------------------------------- forward


@njit(**JIT_INLINE)
def external_drive(synapses, cell, member, i, row, y, external, has_external, drive):
    """drive = weights @ y + gain * external term, for one neuron; `row` is its row among those of all members."""
    gather_sum(drive, y, synapses.value, synapses.column, synapses.start[row], synapses.start[row + 1])
    if has_external:
        rows.add_scaled(i, drive, drive, cell[P_GAIN, member, i], external)


@njit(**JIT)
def evaluate_plain(
    plan, synapses, cell, member, y, external, has_external, x, y_before, s, x_next, y_next, middle, local
):
    """Drive from y, into s, state after one step, and its filtered value (the mean with y_before where `middle`): plain oscillators."""
    drive = local.drive
    for i in range(plan.neurons):
        external_drive(synapses, cell, member, i, member * plan.neurons + i, y, external, has_external, drive)
        p1, p0, p2, offset = cell[P_1, member, i], cell[P_0, member, i], cell[P_2, member, i], cell[P_OFFSET, member, i]
        where = P_DECAY_MEAN if middle else P_DECAY
        decay, kappa = cell[where, member, i], cell[where + 1, member, i]
        if plan.saturate:
            rows.saturate(i, s, drive, offset)
        else:
            rows.shift(i, s, drive, offset)
        rows.exponential(i, local.e, local.rise, local.span, s, p1, p0)
        rows.advance(i, x_next, y_next, x, y_before, s, local.e, local.rise, local.span, p1, p2, decay, kappa)


@njit(**JIT)
def evaluate(plan, synapses, cell, member, y, external, has_external, x, s, x_next, local):
    """Drive of every neuron from y, into s, and the state after one step of it, into x_next."""
    drive = local.drive
    for i in range(plan.neurons):
        external_drive(synapses, cell, member, i, member * plan.neurons + i, y, external, has_external, drive)
        if plan.saturate:
            rows.saturate(i, s, drive, cell[P_OFFSET, member, i])
        else:
            rows.shift(i, s, drive, cell[P_OFFSET, member, i])
        if plan.kind == OSCILLATOR:
            rows.logistic(i, x_next, x, s, cell[P_1, member, i], cell[P_0, member, i], cell[P_2, member, i])
        else:
            rows.relax(i, x_next, x, s, cell[P_1, member, i], cell[P_0, member, i])


@njit(**JIT)
def filter_states(plan, cell, member, has_defect, x, x_next, y, defect, y_next):
    """y_next of every neuron."""
    before, after = defect[0], defect[1]
    for i in range(plan.neurons):
        decay, kappa = cell[P_DECAY, member, i], cell[P_KAPPA, member, i]
        if plan.kind != OSCILLATOR:
            rows.bend(i, y_next, x_next)
        elif has_defect:
            rows.high_pass_defect(i, y_next, x, x_next, y, decay, kappa, before, after)
        else:
            rows.high_pass(i, y_next, x, x_next, y, decay, kappa)


@njit(**JIT)
def predict_middle(plan, cell, member, has_defect, x, y, local, middle):
    """middle = mean of y and of the y predicted from local.predicted."""
    filter_states(plan, cell, member, has_defect, x, local.predicted, y, local.defect, middle)
    for i in range(plan.neurons):
        rows.average(i, middle, middle, y)


@njit(**JIT)
def predict(plan, synapses, cell, signals, member, x, y, s, middle, external, has_external, local):
    """First half of a midpoint step: its drive into s, the mean y of the step into middle."""
    has_defect = signals.defect.shape[0] > 0
    if plan.kind == OSCILLATOR and not has_defect:
        evaluate_plain(
            plan, synapses, cell, member, y, external, has_external, x, y, s, local.predicted, middle, True, local
        )
    else:
        evaluate(plan, synapses, cell, member, y, external, has_external, x, s, local.predicted, local)
        predict_middle(plan, cell, member, has_defect, x, y, local, middle)
    for i in range(plan.neurons, y.shape[0]):
        rows.average(i, middle, y, y)


@njit(**JIT)
def finish_step(plan, synapses, cell, signals, member, source, external, has_external, x, y, s, x_next, y_next, local):
    """The evaluation that ends a step: its drive, from `source`, into s, and the next states."""
    has_defect, noisy = signals.defect.shape[0] > 0, signals.noise.shape[0] > 0
    if plan.kind == OSCILLATOR and not has_defect and not noisy:
        evaluate_plain(
            plan, synapses, cell, member, source, external, has_external, x, y, s, x_next, y_next, False, local
        )
        return
    evaluate(plan, synapses, cell, member, source, external, has_external, x, s, x_next, local)
    if noisy:
        first, second = local.normals[0], local.normals[1]
        for i in range(plan.neurons):
            rows.thermal(i, x_next, x_next, cell[P_THERMAL, member, i], first, second)
    filter_states(plan, cell, member, has_defect, x, x_next, y, local.defect, y_next)


@njit(**JIT)
def step(plan, synapses, cell, signals, member, x, y, s, middle, s_middle, x_next, y_next, local):
    """One step: x, y -> x_next, y_next."""
    has_nodes = signals.nodes.shape[0] > 0
    has_external = has_nodes or signals.ext.shape[0] > 0
    external = local.external if has_nodes else local.held
    if has_nodes:
        combine_external(plan, False, local)
    if plan.order == 1:
        finish_step(plan, synapses, cell, signals, member, y, external, has_external, x, y, s, x_next, y_next, local)
        return
    predict(plan, synapses, cell, signals, member, x, y, s, middle, external, has_external, local)
    if has_nodes:
        combine_external(plan, True, local)
    finish_step(
        plan, synapses, cell, signals, member, middle, external, has_external, x, y, s_middle, x_next, y_next, local
    )


@njit(**JIT)
def forward_span(plan, synapses, cell, signals, member, first, begin, end, trajectory, local, power, filtered, record):
    """Steps begin ... end - 1 from node 0 of the trajectory; returns the index of its last node."""
    nodes = trajectory.x.shape[0]
    here = 0
    for k in range(begin, end):
        following = here + 1 if here + 1 < nodes else 0
        kept = here if nodes > 2 else 0
        second = kept if plan.order == 2 else 0
        interval = k // plan.substeps
        if k == begin or k % plan.substeps == 0:
            enter_interval(plan, signals, member, first, interval, local)
        load_step(plan, signals, member, first, k, local)
        x, y = trajectory.x[here], trajectory.y[here]
        set_inputs(plan, signals, member, first, interval, y)
        middle, s_middle = (trajectory.middle[second], trajectory.s_middle[second]) if plan.order == 2 else (y, x)
        step(
            plan, synapses, cell, signals, member, x, y, trajectory.s[kept], middle, s_middle,
            trajectory.x[following], trajectory.y[following], local,
        )  # fmt: skip
        if record and (k + 1) % plan.substeps == 0 and interval >= plan.recorded_from:
            if plan.want_power:
                store_tile(power, member, first, interval - plan.recorded_from, trajectory.x[following])
            if plan.want_filtered:
                store_tile(filtered, member, first, interval - plan.recorded_from, trajectory.y[following])
        here = following
    return here


@njit(**JIT)
def forward_task(plan, synapses, cell, signals, member, first, trajectory, checkpoints, local, power, filtered):
    """All steps of one task. checkpoints (segments, 2, N, lanes) keeps x and y at the start of each segment (no segments: none)."""
    start_trajectory(plan, signals, member, first, trajectory)
    for begin in range(0, plan.steps, plan.segment):
        end = min(begin + plan.segment, plan.steps)
        if checkpoints.shape[0] > 0:
            copy(checkpoints[begin // plan.segment, 0], trajectory.x[0], plan.neurons)
            copy(checkpoints[begin // plan.segment, 1], trajectory.y[0], plan.neurons)
        last = forward_span(
            plan, synapses, cell, signals, member, first, begin, end, trajectory, local, power, filtered, True
        )
        if last != 0 and end < plan.steps:
            copy(trajectory.x[0], trajectory.x[last], plan.neurons)
            copy(trajectory.y[0], trajectory.y[last], plan.neurons)


@njit(**JIT)
def forward_tasks(plan, synapses, cell, signals, begin, end, trajectory, ring, checkpoints, local, power, filtered):
    """Tasks begin ... end - 1, in the order (member, tile).

    trajectory: arrays with a task axis in front, of length 0 where nothing is kept: then `ring`, with 2 nodes, holds the states.
    checkpoints (tasks, segments, 2, N, lanes); local: work arrays of this thread.
    """
    lanes = local.held.shape[1]
    for task in range(begin, end):
        member, first = task // plan.tiles, (task % plan.tiles) * lanes
        states = ring
        if trajectory.x.shape[0] > 0:
            states = Trajectory(
                trajectory.x[task],
                trajectory.y[task],
                trajectory.middle[task],
                trajectory.s[task],
                trajectory.s_middle[task],
            )
        forward_task(plan, synapses, cell, signals, member, first, states, checkpoints[task], local, power, filtered)


# ---------------------------------------------------------------- adjoint


@njit(**JIT)
def clear_adjoint(adjoint):
    """Adjoint state of a new task."""
    clear(adjoint.x)
    clear(adjoint.y)
    clear(adjoint.weights)
    clear(adjoint.ext)
    clear(adjoint.inputs)
    for n in range(SUMS):
        clear(adjoint.sums[n])
    for n in range(2):
        clear(adjoint.node[n])
        clear(adjoint.defect[n])


@njit(**JIT)
def linearise(plan, cell, member, i, x, s, local):
    """Next state of one neuron and its derivatives, into `local`."""
    p1, p0, p2 = cell[P_1, member, i], cell[P_0, member, i], cell[P_2, member, i]
    if plan.kind == OSCILLATOR:
        rows.linearise_logistic(i, local.x_next, local.by_x, local.by_s, local.by_p0, local.by_p2, x, s, p1, p0, p2)
    else:
        rows.linearise_relax(i, local.x_next, local.by_x, local.by_s, local.by_p0, local.by_p2, x, s, p1, p0)


@njit(**JIT)
def reach_drive(plan, cell, member, i, s, local, adjoint):
    """Adjoint of u from local.g_state; with want_cell, also the sums of the cell's coefficients."""
    if plan.saturate:
        rows.through_sigmoid(i, adjoint.v, local.g_state, local.by_s, cell[P_1, member, i], s)
    else:
        rows.through_identity(i, adjoint.v, local.g_state, local.by_s, cell[P_1, member, i])
    rows.add(i, adjoint.sums[SUM_OFFSET], adjoint.sums[SUM_OFFSET], adjoint.v)
    if plan.want_cell:
        p1, p0, p2 = adjoint.sums[SUM_P1], adjoint.sums[SUM_P0], adjoint.sums[SUM_P2]
        rows.add_cell(i, p1, p0, p2, p1, p0, p2, local.g_state, s, local.by_s, local.by_p0, local.by_p2)


@njit(**JIT)
def leave_filter(plan, cell, member, i, g, x, x_next, y, has_defect, local, adjoint):
    """Sums of the filter's coefficients and of the defect; g: adjoint of the filter's result. Arrays of one row or rows of tiles."""
    if plan.want_cell:
        decay, kappa = adjoint.sums[SUM_DECAY], adjoint.sums[SUM_KAPPA]
        rows.add_filter(i, decay, kappa, decay, kappa, g, x, x_next, y)
        if has_defect:
            rows.add_product(i, kappa, kappa, g, local.defect[1])
            rows.subtract_product(i, kappa, kappa, g, local.defect[0])
    if plan.want_defect:
        rows.add_scaled(i, adjoint.defect[1], adjoint.defect[1], cell[P_KAPPA, member, i], g)
        rows.add_scaled(i, adjoint.defect[0], adjoint.defect[0], -cell[P_KAPPA, member, i], g)


@njit(**JIT_INLINE)
def leave_drive(plan, synapses, member, i, source, external, has_external, middle, adjoint):
    """What the adjoint of u of one row adds to the adjoints of weights, offset, gain and external terms."""
    row, v = member * plan.neurons + i, adjoint.v
    if plan.want_weights:
        base = synapses.start[member * plan.neurons]
        outer_dots(adjoint.weights, base, v, i, source, synapses.column, synapses.start[row], synapses.start[row + 1])
    if plan.want_ext:
        rows.add(i, adjoint.ext, adjoint.ext, v)
    if plan.want_nodes:
        if middle:
            rows.add_half(i, adjoint.node[0], adjoint.node[0], v)
            rows.add_half(i, adjoint.node[1], adjoint.node[1], v)
        else:
            rows.add(i, adjoint.node[0], adjoint.node[0], v)
    if plan.want_cell and has_external:
        rows.add_product(i, adjoint.sums[SUM_GAIN], adjoint.sums[SUM_GAIN], v, external)


@njit(**JIT)
def final_row(plan, cell, member, i, x, s, y, x_next, y_next, has_defect, noisy, local, adjoint):
    """Adjoint of the evaluation that ends a step, for one neuron: adjoint.v and the adjoints of x and y."""
    decay, kappa, g_x, g_y = cell[P_DECAY, member, i], cell[P_KAPPA, member, i], adjoint.x, adjoint.y
    linearise(plan, cell, member, i, x, s, local)
    leave_filter(plan, cell, member, i, g_y, x, x_next, y, has_defect, local, adjoint)
    if plan.kind == OSCILLATOR:
        rows.through_high_pass(i, local.g_state, g_x, g_y, kappa)
    else:
        rows.through_bend(i, local.g_state, g_x, g_y, y_next)
    if noisy:
        rows.through_thermal(
            i, local.g_state, local.g_state, local.x_next, cell[P_THERMAL, member, i], local.normals[0]
        )
    rows.step_back(i, g_x, g_y, local.g_state, local.by_x, g_y, decay, kappa)
    reach_drive(plan, cell, member, i, s, local, adjoint)


@njit(**JIT_INLINE)
def plain_slopes(cell, member, i, x, s, local):
    """local.by_x and local.by_s of one plain oscillator; by_s includes p1."""
    p1, p0, p2 = cell[P_1, member, i], cell[P_0, member, i], cell[P_2, member, i]
    rows.exponential_twin(i, local.e, local.rise, local.span, local.twin, s, p1, p0)
    rows.slopes(i, local.by_x, local.by_s, x, s, local.e, local.rise, local.span, local.twin, p1, p2)


@njit(**JIT_INLINE)
def final_row_plain(plan, cell, member, i, x, s, local, adjoint):
    """The same for plain oscillators."""
    decay, kappa, g_x, g_y, sums = (
        cell[P_DECAY, member, i],
        cell[P_KAPPA, member, i],
        adjoint.x,
        adjoint.y,
        adjoint.sums[SUM_OFFSET],
    )
    plain_slopes(cell, member, i, x, s, local)
    if plan.saturate:
        rows.retreat_saturated(i, adjoint.v, g_x, g_y, sums, local.by_x, local.by_s, s, g_x, g_y, sums, decay, kappa)
    else:
        rows.retreat(i, adjoint.v, g_x, g_y, sums, local.by_x, local.by_s, g_x, g_y, sums, decay, kappa)


@njit(**JIT)
def adjoint_final(plan, synapses, cell, signals, member, x, y, s, source, x_next, y_next, external, local, adjoint):
    """Adjoint of the evaluation that ends a step; `source` is the y its drive came from."""
    has_external = signals.ext.shape[0] > 0 or signals.nodes.shape[0] > 0
    has_defect, noisy = signals.defect.shape[0] > 0, signals.noise.shape[0] > 0
    plain = plan.kind == OSCILLATOR and not (noisy or plan.want_cell or plan.want_defect)
    for i in range(plan.neurons):
        if plain:
            final_row_plain(plan, cell, member, i, x, s, local, adjoint)
        else:
            final_row(plan, cell, member, i, x, s, y, x_next, y_next, has_defect, noisy, local, adjoint)
        leave_drive(plan, synapses, member, i, source, external, has_external, plan.order == 2, adjoint)


@njit(**JIT)
def predictor_row(plan, cell, member, i, x, s, y, middle, has_defect, local, adjoint):
    """Adjoint of the predictor of a midpoint step, for one neuron, from local.drive, the adjoint of its mean y."""
    decay, kappa, g = cell[P_DECAY, member, i], cell[P_KAPPA, member, i], local.drive
    linearise(plan, cell, member, i, x, s, local)
    rows.halve(i, g, g)
    leave_filter(plan, cell, member, i, g, x, local.x_next, y, has_defect, local, adjoint)
    if plan.kind == OSCILLATOR:
        rows.predictor_high_pass(i, local.g_state, g, kappa)
    else:
        rows.predictor_bend(i, local.g_state, g, middle, y)
    rows.predictor_back(i, adjoint.x, adjoint.y, adjoint.x, adjoint.y, local.g_state, local.by_x, g, decay, kappa)
    reach_drive(plan, cell, member, i, s, local, adjoint)


@njit(**JIT_INLINE)
def predictor_row_plain(plan, cell, member, i, x, s, local, adjoint):
    """The same for plain oscillators."""
    decay, kappa, g_x, g_y, sums = (
        cell[P_DECAY, member, i],
        cell[P_KAPPA, member, i],
        adjoint.x,
        adjoint.y,
        adjoint.sums[SUM_OFFSET],
    )
    g, v = local.drive, adjoint.v
    plain_slopes(cell, member, i, x, s, local)
    if plan.saturate:
        rows.retreat_predictor_saturated(
            i, v, g_x, g_y, sums, local.by_x, local.by_s, s, g, g_x, g_y, sums, decay, kappa
        )
    else:
        rows.retreat_predictor(i, v, g_x, g_y, sums, local.by_x, local.by_s, g, g_x, g_y, sums, decay, kappa)


@njit(**JIT)
def adjoint_predictor(plan, synapses, cell, signals, member, x, y, middle, s, external, local, adjoint):
    """Adjoint of the predictor of a midpoint step, whose final evaluation left its adjoint of u in adjoint.v_final."""
    has_external = signals.ext.shape[0] > 0 or signals.nodes.shape[0] > 0
    has_defect = signals.defect.shape[0] > 0
    plain = plan.kind == OSCILLATOR and not (plan.want_cell or plan.want_defect)
    base = member * (plan.neurons + plan.inputs)
    start, row, value = synapses.back_start, synapses.back_row, synapses.back_value
    for i in range(plan.neurons):
        gather_sum(local.drive, adjoint.v_final, value, row, start[base + i], start[base + i + 1])
        if plain:
            predictor_row_plain(plan, cell, member, i, x, s, local, adjoint)
        else:
            predictor_row(plan, cell, member, i, x, s, y, middle, has_defect, local, adjoint)
        leave_drive(plan, synapses, member, i, y, external, has_external, False, adjoint)


@njit(**JIT)
def pull_back(plan, synapses, member, v, local, adjoint, neurons_too):
    """Adjoint of u through the weights: adds to the adjoints of y (if asked) and of the inputs (if wanted)."""
    base = member * (plan.neurons + plan.inputs)
    begin = 0 if neurons_too else plan.neurons
    end = plan.neurons + plan.inputs if plan.want_inputs else plan.neurons
    row = local.drive
    for j in range(begin, end):
        gather_sum(
            row,
            v,
            synapses.back_value,
            synapses.back_row,
            synapses.back_start[base + j],
            synapses.back_start[base + j + 1],
        )
        if j < plan.neurons:
            rows.add(j, adjoint.y, adjoint.y, row)
        else:
            rows.add(j - plan.neurons, adjoint.inputs, adjoint.inputs, row)


@njit(**JIT)
def step_adjoint(plan, synapses, cell, signals, member, k, trajectory, local, adjoint):
    """Adjoint of the step that starts at node k of the trajectory."""
    x, y, s = trajectory.x[k], trajectory.y[k], trajectory.s[k]
    x_next, y_next = trajectory.x[k + 1], trajectory.y[k + 1]
    has_nodes = signals.nodes.shape[0] > 0
    external = local.external if has_nodes else local.held
    if has_nodes:
        combine_external(plan, plan.order == 2, local)
    if plan.order == 1:
        adjoint_final(plan, synapses, cell, signals, member, x, y, s, y, x_next, y_next, external, local, adjoint)
        pull_back(plan, synapses, member, adjoint.v, local, adjoint, True)
        return
    middle, s_middle = trajectory.middle[k], trajectory.s_middle[k]
    adjoint_final(
        plan, synapses, cell, signals, member, x, y, s_middle, middle, x_next, y_next, external, local, adjoint
    )
    copy(adjoint.v_final, adjoint.v, plan.neurons)
    pull_back(plan, synapses, member, adjoint.v_final, local, adjoint, False)
    if has_nodes:
        combine_external(plan, False, local)
    adjoint_predictor(plan, synapses, cell, signals, member, x, y, middle, s, external, local, adjoint)
    # The mean y of the midpoint depends directly on y as well: that half was added with the predictor's.
    pull_back(plan, synapses, member, adjoint.v, local, adjoint, True)


@njit(**JIT)
def shift_nodes(target, member, first, k, pair):
    """Node k + 1 is complete: write it out and move node k into its place."""
    store_tile(target, member, first, k + 1, pair[1])
    copy(pair[1], pair[0], pair.shape[1])
    clear(pair[0])


@njit(**JIT)
def leave_interval(plan, member, first, interval, results, adjoint):
    """Write and clear the adjoints of what is held over an interval."""
    if plan.want_ext:
        store_tile(results.ext, member, first, interval, adjoint.ext)
        clear(adjoint.ext)
    if plan.want_inputs:
        store_tile(results.inputs, member, first, interval, adjoint.inputs)
        clear(adjoint.inputs)


@njit(**JIT)
def adjoint_span(
    plan, synapses, cell, signals, member, first, begin, end, trajectory, local, adjoint, g_power, g_filtered, results
):
    """Steps end - 1 ... begin; the trajectory starts at node `begin`."""
    for k in range(end - 1, begin - 1, -1):
        interval = k // plan.substeps
        if (k + 1) % plan.substeps == 0 and interval >= plan.recorded_from:
            if g_power.shape[0] > 0:
                add_tile(g_power, member, first, interval - plan.recorded_from, adjoint.x)
            if g_filtered.shape[0] > 0:
                add_tile(g_filtered, member, first, interval - plan.recorded_from, adjoint.y)
        if plan.want_cell and (k == end - 1 or (k + 1) % plan.substeps == 0):
            enter_interval(plan, signals, member, first, interval, local)
        load_step(plan, signals, member, first, k, local)
        step_adjoint(plan, synapses, cell, signals, member, k - begin, trajectory, local, adjoint)
        if plan.want_nodes:
            shift_nodes(results.nodes, member, first, k, adjoint.node)
        if plan.want_defect:
            shift_nodes(results.defect, member, first, k, adjoint.defect)
        if k % plan.substeps == 0:
            leave_interval(plan, member, first, interval, results, adjoint)


@njit(**JIT)
def total(tile, i):
    """Sum of row i."""
    result = tile[i, 0]
    for l in range(1, tile.shape[1]):
        result += tile[i, l]
    return result


@njit(**JIT)
def finish_adjoint(plan, synapses, member, tile, first, x, y, adjoint, results):
    """Write the adjoints of node 0 and the sums; x, y at node 0."""
    for i in range(plan.neurons):
        if plan.kind != OSCILLATOR:
            rows.through_bend(i, adjoint.x, adjoint.x, adjoint.y, y)
        for q in range(SUMS):
            results.sums[tile, q, member, i] = total(adjoint.sums[q], i)
    store_tile(results.start, member, first, 0, adjoint.x)
    if plan.want_nodes:
        store_tile(results.nodes, member, first, 0, adjoint.node[1])
    if plan.want_defect:
        store_tile(results.defect, member, first, 0, adjoint.defect[1])
    if plan.want_weights:
        base = synapses.start[member * plan.neurons]
        for p in range(base, synapses.start[(member + 1) * plan.neurons]):
            results.value[tile, p] = total(adjoint.weights, p - base)


@njit(**JIT)
def adjoint_tasks(
    plan,
    synapses,
    cell,
    signals,
    begin,
    end,
    trajectory,
    again,
    checkpoints,
    local,
    adjoint,
    g_power,
    g_filtered,
    results,
):
    """Adjoint of tasks begin ... end - 1. Without a kept trajectory each segment is integrated again, into `again`, from its checkpoint."""
    keep, lanes = trajectory.x.shape[0] > 0, local.held.shape[1]
    for task in range(begin, end):
        member, tile = task // plan.tiles, task % plan.tiles
        first = tile * lanes
        clear_adjoint(adjoint)
        states = again
        if keep:
            states = Trajectory(
                trajectory.x[task],
                trajectory.y[task],
                trajectory.middle[task],
                trajectory.s[task],
                trajectory.s_middle[task],
            )
        for span_begin in range((plan.steps - 1) // plan.segment * plan.segment, -1, -plan.segment):
            span_end = min(span_begin + plan.segment, plan.steps)
            if not keep:
                segment = span_begin // plan.segment
                copy(states.x[0], checkpoints[task, segment, 0], plan.neurons)
                copy(states.y[0], checkpoints[task, segment, 1], plan.neurons)
                forward_span(
                    plan,
                    synapses,
                    cell,
                    signals,
                    member,
                    first,
                    span_begin,
                    span_end,
                    states,
                    local,
                    g_power,
                    g_power,
                    False,
                )
            adjoint_span(
                plan,
                synapses,
                cell,
                signals,
                member,
                first,
                span_begin,
                span_end,
                states,
                local,
                adjoint,
                g_power,
                g_filtered,
                results,
            )
        finish_adjoint(plan, synapses, member, tile, first, states.x[0], states.y[0], adjoint, results)
