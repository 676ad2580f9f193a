"""Compiled forward sweep of plain networks, over the same (member, tile) tasks as the general one.

Plain are saturated oscillators whose z stays small (`plain_rows`), driven by weights and inputs alone: what training
does nearly all the time. Memory is the slower half of such a sweep, so that little is kept for the adjoint: the drive
s of every evaluation, and x and y at the start of every segment of a few steps.
"""

from numba import njit

from spinhw.rollout.compiled import kept
from spinhw.rollout.cpu.kernels import plain_rows, rows
from spinhw.rollout.cpu.kernels.plan import P_0, P_1, P_2, P_DECAY, P_DECAY_MEAN, P_OFFSET
from spinhw.rollout.cpu.kernels.sources import SOURCES
from spinhw.rollout.cpu.kernels.tiles import clear, copy, load_tile, store_tile
from spinhw.rollout.cpu.kernels.vector import JIT, JIT_ENTRY, gather_sum


@njit(**JIT)
def evaluate(plan, synapses, cell, member, where, source, x, y, s, x_next, y_next, drive):
    """One evaluation of all neurons: the drive from `source` into s, the next state, and y or (by `where`) its mean."""
    for i in range(plan.neurons):
        row = member * plan.neurons + i
        gather_sum(drive, source, synapses.value, synapses.column, synapses.start[row], synapses.start[row + 1])
        rows.saturate(i, s, drive, cell[P_OFFSET, member, i])
        p1, p0, p2 = cell[P_1, member, i], cell[P_0, member, i], cell[P_2, member, i]
        plain_rows.advance(i, x_next, y_next, x, y, s, p1, p0, p2, cell[where, member, i], cell[where + 1, member, i])


@njit(**JIT)
def plain_step(plan, synapses, cell, member, here, s, s_middle, work):
    """One step from source `here`; in the other source are then the mean y (order 2) or the next y (order 1)."""
    x, y, other, drive = work.x, work.y[here], work.y[1 - here], work.drive
    if plan.order == 1:
        evaluate(plan, synapses, cell, member, P_DECAY, y, x, y, s, x, other, drive)
        return
    evaluate(plan, synapses, cell, member, P_DECAY_MEAN, y, x, y, s, work.predicted, other, drive)
    evaluate(plan, synapses, cell, member, P_DECAY, other, x, y, s_middle, x, y, drive)


@njit(**JIT)
def set_held(plan, interval, inputs, source):
    """Rows N, N + 1, ... of a source: the inputs held over an interval."""
    for n in range(plan.inputs):
        for lane in range(source.shape[1]):
            source[plan.neurons + n, lane] = inputs[interval * plan.inputs + n, lane]


@njit(**JIT)
def plain_task(plan, synapses, cell, signals, member, first, task, kept, work, recorded):
    """Take all steps of one task."""
    keep, last, here = kept.s.shape[0] > 0, plan.order - 1, 0
    load_tile(signals.start, member, first, 0, work.x)
    load_tile(signals.inputs, member, first, 0, work.inputs)
    clear(work.y[0])
    for k in range(plan.steps):
        interval, since = k // plan.substeps, k % plan.substeps
        if keep and k % plan.segment == 0:
            copy(kept.nodes[task, k // plan.segment, 0], work.x, plan.neurons)
            copy(kept.nodes[task, k // plan.segment, 1], work.y[here], plan.neurons)
        if since == 0:
            set_held(plan, interval, work.inputs, work.y[0])
            set_held(plan, interval, work.inputs, work.y[1])
        s = kept.s[task, plan.order * k] if keep else work.s
        s_middle = kept.s[task, plan.order * k + last] if keep else work.s
        plain_step(plan, synapses, cell, member, here, s, s_middle, work)
        here = 1 - here if plan.order == 1 else 0
        if since == plan.substeps - 1 and interval >= plan.recorded_from:
            store_tile(recorded.power, member, first, interval - plan.recorded_from, work.x)
            store_tile(recorded.filtered, member, first, interval - plan.recorded_from, work.y[here])


@kept(**JIT_ENTRY)
def plain_forward_tasks(plan, synapses, cell, signals, begin, end, kept, work, recorded, sources=SOURCES):
    """Integrate tasks begin ... end - 1, in the order (member, tile).

    signals.inputs: (M or 1, B, 1, T * inputs); sources: leave it.
    """
    for task in range(begin, end):
        member, first = task // plan.tiles, (task % plan.tiles) * work.x.shape[1]
        plain_task(plan, synapses, cell, signals, member, first, task, kept, work, recorded)
