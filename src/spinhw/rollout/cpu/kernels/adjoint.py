"""Compiled adjoint sweep over (member, tile) tasks, backwards in time.

The adjoint of step k starts from the adjoints of x and y at node k + 1 and ends with those at node k; see `rows` for
the symbols.
"""

from numba import njit

from spinhw.rollout.compiled import kept
from spinhw.rollout.cpu.kernels import rows
from spinhw.rollout.cpu.kernels.adjoint_rows import (
    final_row,
    final_row_plain,
    leave_drive,
    predictor_row,
    predictor_row_plain,
)
from spinhw.rollout.cpu.kernels.forward import combine_external, enter_interval, forward_span, load_step
from spinhw.rollout.cpu.kernels.plan import Trajectory
from spinhw.rollout.cpu.kernels.rows import OSCILLATOR, SUMS
from spinhw.rollout.cpu.kernels.sources import SOURCES
from spinhw.rollout.cpu.kernels.tiles import add_tile, clear, copy, store_tile, total
from spinhw.rollout.cpu.kernels.vector import JIT, JIT_ENTRY, gather_sum


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
    plan, synapses, cell, signals, member, first, begin, end, trajectory, local, adjoint, recorded, results
):
    """Steps end - 1 ... begin; the trajectory starts at node `begin`."""
    for k in range(end - 1, begin - 1, -1):
        interval = k // plan.substeps
        if (k + 1) % plan.substeps == 0 and interval >= plan.recorded_from:
            if recorded.power.shape[0] > 0:
                add_tile(recorded.power, member, first, interval - plan.recorded_from, adjoint.x)
            if recorded.filtered.shape[0] > 0:
                add_tile(recorded.filtered, member, first, interval - plan.recorded_from, adjoint.y)
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


@kept(**JIT_ENTRY)
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
    recorded,
    results,
    sources=SOURCES,
):
    """Walk back through tasks begin ... end - 1.

    Without a kept trajectory each segment is integrated again, into `again`, from its checkpoint. recorded: the
    adjoints of what was recorded; sources: leave it.
    """
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
                    recorded,
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
                recorded,
                results,
            )
        finish_adjoint(plan, synapses, member, tile, first, states.x[0], states.y[0], adjoint, results)
