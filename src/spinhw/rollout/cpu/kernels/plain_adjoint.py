"""Compiled adjoint sweep of plain networks, backwards in time, segment by segment; see `plain`.

The steps of a segment are first taken again from its first node and the kept drives, which is elementwise; the same
arithmetic gives their derivatives, into memory that stays in the cache.
"""

from numba import njit

from spinhw.rollout.compiled import kept
from spinhw.rollout.cpu.kernels import plain_rows
from spinhw.rollout.cpu.kernels.plain import set_held
from spinhw.rollout.cpu.kernels.plan import P_0, P_1, P_2, P_DECAY, P_DECAY_MEAN, P_KAPPA, P_KAPPA_MEAN
from spinhw.rollout.cpu.kernels.rows import SUM_OFFSET
from spinhw.rollout.cpu.kernels.sources import SOURCES
from spinhw.rollout.cpu.kernels.tiles import add_tile, clear, copy, load_tile, store_tile, total
from spinhw.rollout.cpu.kernels.vector import JIT, JIT_ENTRY, gather_add, gather_sum, outer_dots, row_sums


@njit(**JIT)
def linearise(plan, cell, member, where, x, y, s, x_next, y_next, by_x, by_u):
    """One evaluation of all neurons from its drives, and its derivatives."""
    for i in range(plan.neurons):
        p1, p0, p2 = cell[P_1, member, i], cell[P_0, member, i], cell[P_2, member, i]
        decay, kappa = cell[where, member, i], cell[where + 1, member, i]
        plain_rows.linearise(i, x_next, y_next, by_x, by_u, x, y, s, p1, p0, p2, decay, kappa)


@njit(**JIT)
def retake(plan, cell, member, task, begin, end, kept, work, taken):
    """Take steps begin ... end - 1 again, from the node at `begin`."""
    segment, x = begin // plan.segment, work.x
    copy(x, kept.nodes[task, segment, 0], plan.neurons)
    copy(taken.source[0], kept.nodes[task, segment, 1], plan.neurons)
    for k in range(begin, end):
        s, at = kept.s[task], (k - begin) * plan.order
        y, following = taken.source[at], taken.source[at + plan.order]
        if plan.order == 2:
            linearise(
                plan, cell, member, P_DECAY_MEAN, x, y, s[2 * k],
                work.predicted, taken.source[at + 1], taken.by_x[at], taken.by_u[at],
            )  # fmt: skip
        last, of = at + plan.order - 1, plan.order * (k + 1) - 1
        linearise(plan, cell, member, P_DECAY, x, y, s[of], x, following, taken.by_x[last], taken.by_u[last])
        for n in range(at, at + plan.order):
            set_held(plan, k // plan.substeps, work.inputs, taken.source[n])


@njit(**JIT)
def leave_weights(plan, synapses, member, i, source, v, adjoint):
    """What v of neuron i adds to the adjoints of its offset and, if wanted, of its weights."""
    row_sums(adjoint.offset, i, v, i)
    if plan.want_weights:
        row = member * plan.neurons + i
        base, start, stop = synapses.start[member * plan.neurons], synapses.start[row], synapses.start[row + 1]
        outer_dots(adjoint.weights, base, v, i, source, synapses.column, start, stop)


@njit(**JIT)
def retreat(plan, synapses, cell, member, source, by_x, by_u, v, adjoint):
    """Adjoint of the evaluation that ends a step, that of u into v."""
    g_x, g_y = adjoint.x, adjoint.y
    for i in range(plan.neurons):
        decay, kappa = cell[P_DECAY, member, i], cell[P_KAPPA, member, i]
        plain_rows.retreat(i, v, g_x, g_y, by_x, by_u, g_x, g_y, decay, kappa)
        leave_weights(plan, synapses, member, i, source, v, adjoint)


@njit(**JIT)
def retreat_middle(plan, synapses, cell, member, source, by_x, by_u, v_final, v, adjoint, row):
    """The same for the first evaluation of a midpoint step; v_final: the adjoint of u of its second one."""
    g_x, g_y = adjoint.x, adjoint.y
    base, start = member * (plan.neurons + plan.inputs), synapses.back_start
    for i in range(plan.neurons):
        gather_sum(row, v_final, synapses.back_value, synapses.back_row, start[base + i], start[base + i + 1])
        decay, kappa = cell[P_DECAY_MEAN, member, i], cell[P_KAPPA_MEAN, member, i]
        plain_rows.retreat_middle(i, v, g_x, g_y, by_x, by_u, row, g_x, g_y, decay, kappa)
        leave_weights(plan, synapses, member, i, source, v, adjoint)


@njit(**JIT)
def pull_back(plan, synapses, member, v, begin, adjoint):
    """Adjoint of u through the weights: adds to the adjoints of y from channel `begin` on, of the inputs if wanted."""
    base, start = member * (plan.neurons + plan.inputs), synapses.back_start
    for j in range(begin, plan.neurons + (plan.inputs if plan.want_inputs else 0)):
        gather_add(adjoint.y, v, synapses.back_value, synapses.back_row, start[base + j], start[base + j + 1], j)


@njit(**JIT)
def step_back(plan, synapses, cell, member, at, taken, adjoint, work):
    """Adjoint of the step whose first evaluation is `at`."""
    last, v, v_final, row = at + plan.order - 1, adjoint.v[0], adjoint.v[plan.order - 1], work.drive
    retreat(plan, synapses, cell, member, taken.source[last], taken.by_x[last], taken.by_u[last], v_final, adjoint)
    if plan.order == 2:
        pull_back(plan, synapses, member, v_final, plan.neurons, adjoint)
        source, by_x, by_u = taken.source[at], taken.by_x[at], taken.by_u[at]
        retreat_middle(plan, synapses, cell, member, source, by_x, by_u, v_final, v, adjoint, row)
    pull_back(plan, synapses, member, v, 0, adjoint)


@njit(**JIT)
def segment_back(plan, synapses, cell, member, first, begin, end, taken, adjoint, work, recorded, results):
    """Adjoint of steps end - 1 ... begin."""
    for k in range(end - 1, begin - 1, -1):
        interval, since = k // plan.substeps, k % plan.substeps
        if since == plan.substeps - 1 and interval >= plan.recorded_from:
            if recorded.power.shape[0] > 0:
                add_tile(recorded.power, member, first, interval - plan.recorded_from, adjoint.x)
            if recorded.filtered.shape[0] > 0:
                add_tile(recorded.filtered, member, first, interval - plan.recorded_from, adjoint.y)
        step_back(plan, synapses, cell, member, (k - begin) * plan.order, taken, adjoint, work)
        if plan.want_inputs and since == 0:
            store_tile(results.inputs, member, first, interval, adjoint.y[plan.neurons :])
            clear(adjoint.y[plan.neurons :])


@njit(**JIT)
def finish(plan, synapses, member, tile, first, adjoint, results):
    """Write the adjoint of the start and the sums."""
    store_tile(results.start, member, first, 0, adjoint.x)
    for i in range(plan.neurons):
        results.sums[tile, SUM_OFFSET, member, i] = total(adjoint.offset, i)
    if plan.want_weights:
        base = synapses.start[member * plan.neurons]
        for p in range(base, synapses.start[(member + 1) * plan.neurons]):
            results.value[tile, p] = total(adjoint.weights, p - base)


@kept(**JIT_ENTRY)
def plain_adjoint_tasks(
    plan, synapses, cell, signals, begin, end, kept, work, taken, adjoint, recorded, results, sources=SOURCES
):
    """Walk back through tasks begin ... end - 1; recorded: the adjoints of what was recorded; leave `sources`."""
    for task in range(begin, end):
        member, tile = task // plan.tiles, task % plan.tiles
        first = tile * work.x.shape[1]
        for each in (adjoint.x, adjoint.y, adjoint.offset, adjoint.weights):
            clear(each)
        load_tile(signals.inputs, member, first, 0, work.inputs)
        for segment_begin in range((plan.steps - 1) // plan.segment * plan.segment, -1, -plan.segment):
            segment_end = min(segment_begin + plan.segment, plan.steps)
            retake(plan, cell, member, task, segment_begin, segment_end, kept, work, taken)
            segment_back(
                plan, synapses, cell, member, first, segment_begin, segment_end,
                taken, adjoint, work, recorded, results,
            )  # fmt: skip
        finish(plan, synapses, member, tile, first, adjoint, results)
