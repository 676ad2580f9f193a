"""Adjoint of the evaluations of one step, for one neuron; see `rows` for the symbols."""

from numba import njit

from spinhw.rollout.cpu.kernels import rows
from spinhw.rollout.cpu.kernels.plan import P_0, P_1, P_2, P_DECAY, P_KAPPA, P_THERMAL
from spinhw.rollout.cpu.kernels.rows import (
    OSCILLATOR,
    SUM_DECAY,
    SUM_GAIN,
    SUM_KAPPA,
    SUM_OFFSET,
    SUM_P0,
    SUM_P1,
    SUM_P2,
)
from spinhw.rollout.cpu.kernels.vector import JIT, JIT_INLINE, outer_dots


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
    """Add to the sums of the filter's coefficients and of the defect; g: adjoint of the filter's result.

    The arrays have one row, or are tiles.
    """
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
