"""Compiled forward sweep over (member, tile) tasks.

A task integrates the samples of one tile of one member through all steps; tasks share nothing, so any number of threads
gives the same bits.
"""

from numba import njit

from spinhw.rollout.compiled import kept
from spinhw.rollout.cpu.kernels import rows
from spinhw.rollout.cpu.kernels.delay import reached_at_start, reached_in_middle
from spinhw.rollout.cpu.kernels.plan import (
    P_0,
    P_1,
    P_2,
    P_DECAY,
    P_DECAY_MEAN,
    P_GAIN,
    P_KAPPA,
    P_OFFSET,
    P_THERMAL,
    Trajectory,
)
from spinhw.rollout.cpu.kernels.rows import OSCILLATOR
from spinhw.rollout.cpu.kernels.sources import SOURCES
from spinhw.rollout.cpu.kernels.tiles import clear, copy, load_pair, load_tile, store_tile
from spinhw.rollout.cpu.kernels.vector import JIT, JIT_ENTRY, JIT_INLINE, gather_sum


@njit(**JIT)
def start_trajectory(plan, signals, member, first, trajectory):
    """Node 0: x from the caller, y = 0 (oscillator) or tanh x (CTRNN)."""
    x, y = trajectory.x[0], trajectory.y[0]
    load_tile(signals.start, member, first, 0, x)
    clear(y)
    if plan.kind != OSCILLATOR:
        for i in range(plan.neurons):
            rows.bend(i, y, x)


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


@njit(**JIT_INLINE)
def external_drive(synapses, cell, member, i, row, y, external, has_external, drive):
    """Set drive to weights @ y + gain * external term, for one neuron; `row` is its row among those of all members."""
    gather_sum(drive, y, synapses.value, synapses.column, synapses.start[row], synapses.start[row + 1])
    if has_external:
        rows.add_scaled(i, drive, drive, cell[P_GAIN, member, i], external)


@njit(**JIT)
def evaluate_plain(
    plan, synapses, cell, member, y, external, has_external, x, y_before, s, x_next, y_next, middle, local
):
    """Put the drive from y into s, and what a step of it leads to into x_next and y_next: plain oscillators.

    middle: y_next becomes the mean of y_before and the filtered value.
    """
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
    """Put the drive of every neuron from y into s, and the state after one step of it into x_next."""
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
def predict_output(plan, cell, member, has_defect, alone, x, y, local, middle):
    """Put the y predicted from local.predicted into middle: alone, or its mean with y."""
    filter_states(plan, cell, member, has_defect, x, local.predicted, y, local.defect, middle)
    if not alone:
        for i in range(plan.neurons):
            rows.average(i, middle, middle, y)


@njit(**JIT)
def predict(plan, synapses, cell, signals, member, k, x, y, source, s, middle, external, has_external, local):
    """First half of a midpoint step: its drive, from `source`, into s, and what drives the second half into middle."""
    has_defect, has_delay = signals.defect.shape[0] > 0, plan.delay > 0.0
    if plan.kind == OSCILLATOR and not has_defect:
        mean = not has_delay
        evaluate_plain(
            plan, synapses, cell, member, source, external, has_external, x, y, s, local.predicted, middle, mean, local
        )
    else:
        evaluate(plan, synapses, cell, member, source, external, has_external, x, s, local.predicted, local)
        predict_output(plan, cell, member, has_defect, has_delay, x, y, local, middle)
    if has_delay:
        reached_in_middle(plan, k, local, middle)
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
def step(plan, synapses, cell, signals, member, k, x, y, s, middle, s_middle, x_next, y_next, local):
    """Step k: x, y -> x_next, y_next."""
    has_nodes = signals.nodes.shape[0] > 0
    has_external = has_nodes or signals.ext.shape[0] > 0
    external = local.external if has_nodes else local.held
    if has_nodes:
        combine_external(plan, False, local)
    source = y
    if plan.delay > 0.0:
        reached_at_start(plan, k, y, local)
        source = local.arrived
    if plan.order == 1:
        finish_step(
            plan, synapses, cell, signals, member, source, external, has_external, x, y, s, x_next, y_next, local
        )
        return
    predict(plan, synapses, cell, signals, member, k, x, y, source, s, middle, external, has_external, local)
    if has_nodes:
        combine_external(plan, True, local)
    finish_step(
        plan, synapses, cell, signals, member, middle, external, has_external, x, y, s_middle, x_next, y_next, local
    )


@njit(**JIT)
def record_step(plan, member, first, k, x_next, y_next, s, local, recorded):
    """Write the states after step k out where it ends an interval; s: the drive of the step."""
    interval, last = k // plan.substeps, (k + 1) % plan.substeps == 0
    if interval < plan.recorded_from:
        return
    if plan.want_drive:
        if k % plan.substeps == 0:
            clear(local.drive_sum)
        for i in range(plan.neurons):
            rows.add(i, local.drive_sum, local.drive_sum, s)
    if last and plan.want_power:
        store_tile(recorded.power, member, first, interval - plan.recorded_from, x_next)
    if last and plan.want_filtered:
        store_tile(recorded.filtered, member, first, interval - plan.recorded_from, y_next)
    if last and plan.want_drive:
        store_tile(recorded.drive, member, first, interval - plan.recorded_from, local.drive_sum)


@njit(**JIT)
def forward_span(plan, synapses, cell, signals, member, first, begin, end, trajectory, local, recorded, record):
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
            plan, synapses, cell, signals, member, k, x, y, trajectory.s[kept], middle, s_middle,
            trajectory.x[following], trajectory.y[following], local,
        )  # fmt: skip
        if record:
            final = s_middle if plan.order == 2 else trajectory.s[kept]
            record_step(
                plan, member, first, k, trajectory.x[following], trajectory.y[following], final, local, recorded
            )
        here = following
    return here


@njit(**JIT)
def forward_task(plan, synapses, cell, signals, member, first, trajectory, checkpoints, local, recorded):
    """Take all steps of one task.

    checkpoints (segments, 2, N, lanes) keeps x and y at the start of each segment (no segments: none).
    """
    start_trajectory(plan, signals, member, first, trajectory)
    for begin in range(0, plan.steps, plan.segment):
        end = min(begin + plan.segment, plan.steps)
        if checkpoints.shape[0] > 0:
            copy(checkpoints[begin // plan.segment, 0], trajectory.x[0], plan.neurons)
            copy(checkpoints[begin // plan.segment, 1], trajectory.y[0], plan.neurons)
        last = forward_span(plan, synapses, cell, signals, member, first, begin, end, trajectory, local, recorded, True)
        if last != 0 and end < plan.steps:
            copy(trajectory.x[0], trajectory.x[last], plan.neurons)
            copy(trajectory.y[0], trajectory.y[last], plan.neurons)


@kept(**JIT_ENTRY)
def forward_tasks(
    plan, synapses, cell, signals, begin, end, trajectory, ring, checkpoints, local, recorded, sources=SOURCES
):
    """Integrate tasks begin ... end - 1, in the order (member, tile).

    trajectory: arrays with a task axis in front, of length 0 where nothing is kept: then `ring`, with 2 nodes, holds
    the states. checkpoints (tasks, segments, 2, N, lanes); local: work arrays of this thread; sources: leave it.
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
        forward_task(plan, synapses, cell, signals, member, first, states, checkpoints[task], local, recorded)
