"""Compiled forward and adjoint sweeps over (member, tile) tasks.

A task integrates the samples of one tile of one member through all steps; tasks share nothing, so any number of threads gives the same
bits. The adjoint of step k starts from the adjoints of x and y at node k + 1 and ends with those at node k; see `rows` for the symbols.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from spinhw.rollout.cpu.rows import (
    ADJOINT, DRIVE, NEXT, OSCILLATOR, SUM_OFFSET, SUMS, WORK_ROWS,
    activate_row, add_cell_row, add_filter_row, add_gain_row, add_row, add_scaled_row, adjoint_final_row, adjoint_predictor_row,
    advance_row, filter_row, linearise_row, slope_row, thermal_row,
)  # fmt: skip
from spinhw.rollout.cpu.tiles import add_tile, load_pair, load_tile, store_tile
from spinhw.rollout.cpu.vector import JIT, gather_sum, outer_dots, one, tanh

P_GAIN, P_OFFSET, P_1, P_0, P_2, P_DECAY, P_KAPPA, P_THERMAL, CELL_ROWS = range(9)


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
    work: np.ndarray  # (WORK_ROWS, lanes)


class Adjoint(NamedTuple):
    """Adjoint state of one task."""

    x: np.ndarray  # (N, lanes)
    y: np.ndarray  # (N, lanes)
    v: np.ndarray  # (N, lanes) adjoint of u of the present evaluation
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


@njit(**JIT)
def new_local(plan, like):
    """Work arrays; `like` is any array of the right type with the lanes on its last axis."""
    n, lanes = plan.neurons, like.shape[like.ndim - 1]
    return Local(
        np.zeros((n, lanes), like.dtype),
        np.zeros((2, n, lanes), like.dtype),
        np.zeros((n, lanes), like.dtype),
        np.zeros((2, n, lanes), like.dtype),
        np.zeros((2, n, lanes), like.dtype),
        np.zeros((n, lanes), like.dtype),
        np.zeros((WORK_ROWS, lanes), like.dtype),
    )


@njit(**JIT)
def new_trajectory(plan, nodes, like):
    """Room for `nodes` nodes of one task."""
    n, lanes, rows = plan.neurons, like.shape[like.ndim - 1], plan.neurons + plan.inputs
    second = nodes - 1 if plan.order == 2 else 0
    return Trajectory(
        np.empty((nodes, n, lanes), like.dtype),
        np.empty((nodes, rows, lanes), like.dtype),
        np.empty((second, rows, lanes), like.dtype),
        np.empty((nodes - 1, n, lanes), like.dtype),
        np.empty((second, n, lanes), like.dtype),
    )


@njit(**JIT)
def start_trajectory(plan, signals, member, first, trajectory):
    """Node 0: x from the caller, y = 0 (oscillator) or tanh x (CTRNN)."""
    x, y = trajectory.x[0], trajectory.y[0]
    load_tile(signals.start, member, first, 0, x)
    y[:] = 0
    if plan.kind != OSCILLATOR:
        for i in range(plan.neurons):
            for l in range(x.shape[1]):
                y[i, l] = tanh(x[i, l])


# ---------------------------------------------------------------- external terms


@njit(**JIT)
def enter_interval(plan, signals, member, first, interval, local):
    """Load the held term of an input interval."""
    if signals.ext.shape[0] > 0:
        load_tile(signals.ext, member, first, interval, local.held)


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
def external_term(plan, signals, half, middle, local):
    """The external term of one evaluation: at the start of the step, or at its middle."""
    if signals.nodes.shape[0] == 0:
        return local.held
    for i in range(plan.neurons):
        if middle:
            for l in range(local.held.shape[1]):
                local.external[i, l] = local.held[i, l] + half * (local.node[0, i, l] + local.node[1, i, l])
        else:
            for l in range(local.held.shape[1]):
                local.external[i, l] = local.held[i, l] + local.node[0, i, l]
    return local.external


# ---------------------------------------------------------------- forward


@njit(**JIT)
def evaluate(plan, synapses, cell, member, y, external, has_external, x, s, x_next, local):
    """Drive of every neuron from y, into s, and the state after one step of it, into x_next."""
    base = member * plan.neurons
    drive = local.work[DRIVE]
    for i in range(plan.neurons):
        gather_sum(drive, y, synapses.value, synapses.column, synapses.start[base + i], synapses.start[base + i + 1])
        activate_row(
            local.work, external, has_external, i, cell[P_GAIN, member, i], cell[P_OFFSET, member, i], plan.saturate, s
        )
        advance_row(plan.kind, x, s, i, cell[P_1, member, i], cell[P_0, member, i], cell[P_2, member, i], x_next)


@njit(**JIT)
def predict_middle(plan, cell, member, half, x, y, signals, local, middle):
    """middle = mean of y and of the y predicted from local.predicted."""
    has_defect = signals.defect.shape[0] > 0
    for i in range(plan.neurons):
        decay, kappa = cell[P_DECAY, member, i], cell[P_KAPPA, member, i]
        filter_row(plan.kind, x, local.predicted, y, i, decay, kappa, local.defect, has_defect, middle)
        for l in range(y.shape[1]):
            middle[i, l] = half * (middle[i, l] + y[i, l])
    for i in range(plan.neurons, y.shape[0]):
        middle[i] = y[i]


@njit(**JIT)
def step(plan, synapses, cell, signals, member, x, y, s, middle, s_middle, x_next, y_next, local):
    """One step: x, y -> x_next, y_next."""
    half = one(x[0, 0]) / (one(x[0, 0]) + one(x[0, 0]))
    has_external = signals.ext.shape[0] > 0 or signals.nodes.shape[0] > 0
    has_defect = signals.defect.shape[0] > 0
    external = external_term(plan, signals, half, False, local)
    if plan.order == 1:
        evaluate(plan, synapses, cell, member, y, external, has_external, x, s, x_next, local)
    else:
        evaluate(plan, synapses, cell, member, y, external, has_external, x, s, local.predicted, local)
        predict_middle(plan, cell, member, half, x, y, signals, local, middle)
        external = external_term(plan, signals, half, True, local)
        evaluate(plan, synapses, cell, member, middle, external, has_external, x, s_middle, x_next, local)
    for i in range(plan.neurons):
        if signals.noise.shape[0] > 0:
            thermal_row(x_next, i, cell[P_THERMAL, member, i], local.normals)
        decay, kappa = cell[P_DECAY, member, i], cell[P_KAPPA, member, i]
        filter_row(plan.kind, x, x_next, y, i, decay, kappa, local.defect, has_defect, y_next)


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
            checkpoints[begin // plan.segment, 0] = trajectory.x[0]
            checkpoints[begin // plan.segment, 1] = trajectory.y[0, : plan.neurons]
        last = forward_span(
            plan, synapses, cell, signals, member, first, begin, end, trajectory, local, power, filtered, True
        )
        if last != 0 and end < plan.steps:
            trajectory.x[0] = trajectory.x[last]
            trajectory.y[0] = trajectory.y[last]


@njit(**JIT)
def task_trajectory(trajectory, task):
    """The part of one task of a trajectory of all tasks."""
    return Trajectory(
        trajectory.x[task], trajectory.y[task], trajectory.middle[task], trajectory.s[task], trajectory.s_middle[task]
    )


@njit(**JIT)
def forward_tasks(plan, synapses, cell, signals, lane_count, begin, end, trajectory, checkpoints, power, filtered):
    """Tasks begin ... end - 1, in the order (member, tile).

    trajectory: arrays with a task axis in front, of length 0 where nothing is kept; checkpoints (tasks, segments, 2, N, lanes).
    """
    like = np.empty((1, lane_count), cell.dtype)
    local = new_local(plan, like)
    keep = trajectory.x.shape[0] > 0
    ring = new_trajectory(plan, 2, like)
    for task in range(begin, end):
        member, first = task // plan.tiles, (task % plan.tiles) * lane_count
        states = task_trajectory(trajectory, task) if keep else ring
        forward_task(plan, synapses, cell, signals, member, first, states, checkpoints[task], local, power, filtered)


# ---------------------------------------------------------------- adjoint


@njit(**JIT)
def new_adjoint(plan, synapses, like):
    """Adjoint state with room for the member that stores most values."""
    n, lanes, stored = plan.neurons, like.shape[like.ndim - 1], 0
    for m in range((synapses.start.shape[0] - 1) // n):
        stored = max(stored, synapses.start[(m + 1) * n] - synapses.start[m * n])
    return Adjoint(
        np.zeros((n, lanes), like.dtype),
        np.zeros((n, lanes), like.dtype),
        np.zeros((n, lanes), like.dtype),
        np.zeros((stored, plan.piece), like.dtype),
        np.zeros((SUMS, n, lanes), like.dtype),
        np.zeros((n, lanes), like.dtype),
        np.zeros((2, n, lanes), like.dtype),
        np.zeros((plan.inputs, lanes), like.dtype),
        np.zeros((2, n, lanes), like.dtype),
    )


@njit(**JIT)
def clear_adjoint(adjoint):
    """Adjoint state of a new task."""
    for array in (adjoint.x, adjoint.y, adjoint.ext, adjoint.weights, adjoint.inputs):
        array[:] = 0
    for stack in (adjoint.sums, adjoint.node, adjoint.defect):
        stack[:] = 0


@njit(**JIT)
def add_drive_row(plan, synapses, member, i, source, external, has_external, half, middle, adjoint):
    """What the adjoint of u of one row adds to the adjoints of weights, offset, gain and external terms."""
    row = member * plan.neurons + i
    v = adjoint.v
    if plan.want_weights:
        base = synapses.start[member * plan.neurons]
        outer_dots(adjoint.weights, base, v, i, source, synapses.column, synapses.start[row], synapses.start[row + 1])
    add_row(adjoint.sums[SUM_OFFSET], i, v)
    if plan.want_ext:
        add_row(adjoint.ext, i, v)
    if plan.want_nodes:
        if middle:
            add_scaled_row(adjoint.node[0], i, half, v)
            add_scaled_row(adjoint.node[1], i, half, v)
        else:
            add_row(adjoint.node[0], i, v)
    if plan.want_cell and has_external:
        add_gain_row(adjoint.sums, i, v, external)


@njit(**JIT)
def adjoint_final(
    plan, synapses, cell, signals, member, x, y, s, source, x_next, y_next, external, half, local, adjoint
):
    """Adjoint of the evaluation that ends a step; `source` is the y its drive came from."""
    has_external = signals.ext.shape[0] > 0 or signals.nodes.shape[0] > 0
    has_defect, thermal = signals.defect.shape[0] > 0, signals.noise.shape[0] > 0
    work = local.work
    for i in range(plan.neurons):
        p1, decay, kappa = cell[P_1, member, i], cell[P_DECAY, member, i], cell[P_KAPPA, member, i]
        linearise_row(plan.kind, x, s, i, p1, cell[P_0, member, i], cell[P_2, member, i], work)
        if plan.want_cell:
            add_filter_row(adjoint.sums, i, adjoint.y[i], x, x_next[i], y, local.defect, has_defect)
        if plan.want_defect:
            add_scaled_row(adjoint.defect[1], i, kappa, adjoint.y)
            add_scaled_row(adjoint.defect[0], i, -kappa, adjoint.y)
        adjoint_final_row(
            plan.kind,
            work,
            i,
            decay,
            kappa,
            y_next,
            thermal,
            cell[P_THERMAL, member, i],
            local.normals,
            adjoint.x,
            adjoint.y,
        )
        slope_row(work, plan.saturate, s, i, p1, adjoint.v)
        if plan.want_cell:
            add_cell_row(adjoint.sums, i, work, s)
        add_drive_row(plan, synapses, member, i, source, external, has_external, half, plan.order == 2, adjoint)


@njit(**JIT)
def adjoint_predictor(plan, synapses, cell, signals, member, x, y, middle, s, external, half, local, adjoint, v_final):
    """Adjoint of the predictor of a midpoint step; v_final is the adjoint of u of the step's final evaluation."""
    has_external = signals.ext.shape[0] > 0 or signals.nodes.shape[0] > 0
    has_defect = signals.defect.shape[0] > 0
    work = local.work
    base = member * (plan.neurons + plan.inputs)
    for i in range(plan.neurons):
        p1, decay, kappa = cell[P_1, member, i], cell[P_DECAY, member, i], cell[P_KAPPA, member, i]
        linearise_row(plan.kind, x, s, i, p1, cell[P_0, member, i], cell[P_2, member, i], work)
        gather_sum(
            work[DRIVE],
            v_final,
            synapses.back_value,
            synapses.back_row,
            synapses.back_start[base + i],
            synapses.back_start[base + i + 1],
        )
        adjoint_predictor_row(plan.kind, work, i, decay, kappa, half, y, middle, adjoint.x, adjoint.y)
        slope_row(work, plan.saturate, s, i, p1, adjoint.v)
        if plan.want_cell:
            add_filter_row(adjoint.sums, i, work[DRIVE], x, work[NEXT], y, local.defect, has_defect)
            add_cell_row(adjoint.sums, i, work, s)
        if plan.want_defect:
            for l in range(x.shape[1]):
                adjoint.defect[1, i, l] += kappa * work[DRIVE, l]
                adjoint.defect[0, i, l] -= kappa * work[DRIVE, l]
        add_drive_row(plan, synapses, member, i, y, external, has_external, half, False, adjoint)


@njit(**JIT)
def pull_back(plan, synapses, member, v, local, adjoint, neurons_too):
    """Adjoint of u through the weights: adds to the adjoints of y (if asked) and of the inputs (if wanted)."""
    base = member * (plan.neurons + plan.inputs)
    begin = 0 if neurons_too else plan.neurons
    end = plan.neurons + plan.inputs if plan.want_inputs else plan.neurons
    row = local.work[DRIVE]
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
            for l in range(v.shape[1]):
                adjoint.y[j, l] += row[l]
        else:
            for l in range(v.shape[1]):
                adjoint.inputs[j - plan.neurons, l] += row[l]


@njit(**JIT)
def step_adjoint(plan, synapses, cell, signals, member, k, trajectory, local, adjoint, v_final):
    """Adjoint of the step that starts at node k of the trajectory."""
    half = one(cell[0, 0, 0]) / (one(cell[0, 0, 0]) + one(cell[0, 0, 0]))
    x, y, s = trajectory.x[k], trajectory.y[k], trajectory.s[k]
    x_next, y_next = trajectory.x[k + 1], trajectory.y[k + 1]
    if plan.order == 1:
        external = external_term(plan, signals, half, False, local)
        adjoint_final(plan, synapses, cell, signals, member, x, y, s, y, x_next, y_next, external, half, local, adjoint)
        pull_back(plan, synapses, member, adjoint.v, local, adjoint, True)
        return
    middle, s_middle = trajectory.middle[k], trajectory.s_middle[k]
    external = external_term(plan, signals, half, True, local)
    adjoint_final(
        plan, synapses, cell, signals, member, x, y, s_middle, middle, x_next, y_next, external, half, local, adjoint
    )
    v_final[:] = adjoint.v
    pull_back(plan, synapses, member, v_final, local, adjoint, False)
    external = external_term(plan, signals, half, False, local)
    adjoint_predictor(plan, synapses, cell, signals, member, x, y, middle, s, external, half, local, adjoint, v_final)
    # The mean y of the midpoint depends directly on y as well: that half was added with the predictor's.
    pull_back(plan, synapses, member, adjoint.v, local, adjoint, True)


@njit(**JIT)
def shift_nodes(target, member, first, k, pair):
    """Node k + 1 is complete: write it out and move node k into its place."""
    store_tile(target, member, first, k + 1, pair[1])
    pair[1] = pair[0]
    pair[0] = 0


@njit(**JIT)
def leave_interval(plan, member, first, interval, results, adjoint):
    """Write and clear the adjoints of what is held over an interval."""
    if plan.want_ext:
        store_tile(results.ext, member, first, interval, adjoint.ext)
        adjoint.ext[:] = 0
    if plan.want_inputs:
        store_tile(results.inputs, member, first, interval, adjoint.inputs)
        adjoint.inputs[:] = 0


@njit(**JIT)
def adjoint_span(
    plan,
    synapses,
    cell,
    signals,
    member,
    first,
    begin,
    end,
    trajectory,
    local,
    adjoint,
    v_final,
    g_power,
    g_filtered,
    results,
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
        step_adjoint(plan, synapses, cell, signals, member, k - begin, trajectory, local, adjoint, v_final)
        if plan.want_nodes:
            shift_nodes(results.nodes, member, first, k, adjoint.node)
        if plan.want_defect:
            shift_nodes(results.defect, member, first, k, adjoint.defect)
        if k % plan.substeps == 0:
            leave_interval(plan, member, first, interval, results, adjoint)


@njit(**JIT)
def finish_adjoint(plan, synapses, member, tile, first, x, y, adjoint, results):
    """Write the adjoints of node 0 and the sums; x, y at node 0."""
    for i in range(plan.neurons):
        if plan.kind != OSCILLATOR:
            for l in range(x.shape[1]):
                adjoint.x[i, l] += (one(x[i, l]) - y[i, l] * y[i, l]) * adjoint.y[i, l]
        for q in range(SUMS):
            results.sums[tile, q, member, i] = adjoint.sums[q, i].sum()
    store_tile(results.start, member, first, 0, adjoint.x)
    if plan.want_nodes:
        store_tile(results.nodes, member, first, 0, adjoint.node[1])
    if plan.want_defect:
        store_tile(results.defect, member, first, 0, adjoint.defect[1])
    if plan.want_weights:
        base = synapses.start[member * plan.neurons]
        for p in range(base, synapses.start[(member + 1) * plan.neurons]):
            results.value[tile, p] = adjoint.weights[p - base].sum()


@njit(**JIT)
def adjoint_tasks(
    plan, synapses, cell, signals, lane_count, begin, end, trajectory, checkpoints, power, g_power, g_filtered, results
):
    """Adjoint of tasks begin ... end - 1. Without a kept trajectory each segment is integrated again from its checkpoint."""
    like = np.empty((1, lane_count), cell.dtype)
    local, adjoint = new_local(plan, like), new_adjoint(plan, synapses, like)
    v_final = np.zeros((plan.neurons, lane_count), cell.dtype)
    keep = trajectory.x.shape[0] > 0
    again = new_trajectory(plan, 2 if keep else max(plan.segment, 2) + 1, like)
    for task in range(begin, end):
        member, tile = task // plan.tiles, task % plan.tiles
        first = tile * lane_count
        clear_adjoint(adjoint)
        states = task_trajectory(trajectory, task) if keep else again
        for span_begin in range((plan.steps - 1) // plan.segment * plan.segment, -1, -plan.segment):
            span_end = min(span_begin + plan.segment, plan.steps)
            if not keep:
                states.x[0] = checkpoints[task, span_begin // plan.segment, 0]
                states.y[0, : plan.neurons] = checkpoints[task, span_begin // plan.segment, 1]
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
                    power,
                    power,
                    False,
                )
            adjoint_span(
                plan, synapses, cell, signals, member, first, span_begin, span_end, states, local, adjoint, v_final,
                g_power, g_filtered, results,
            )  # fmt: skip
        finish_adjoint(plan, synapses, member, tile, first, states.x[0], states.y[0], adjoint, results)
