"""Elementwise kernels on one row (one neuron, all lanes of a tile). They vectorise: no calls, no branches that depend on data.

Names used throughout the CPU engine, per neuron and lane:

    s        what the saturation leaves: sigmoid(u) in (0, 1), or u itself where nothing saturates
    x, y     state and its high-pass (oscillator), or state and tanh (CTRNN)
    p1, p0, p2   oscillator: z = a h = p1 s + p0 and c h = p1 s + p2;   CTRNN: x' = p0 x + p1 s
"""

import numpy as np
from numba import njit

from spinhw.rollout.cpu.vector import JIT, exp_parts, one, sigmoid, tanh

OSCILLATOR, CTRNN = 0, 1
# Rows of the work array filled by `linearise_row`: next state, and its derivatives by x, by s / p1, by p0 and by p2.
NEXT, BY_X, BY_S, BY_P0, BY_P2, DRIVE, ADJOINT, WORK_ROWS = range(8)
# Sums over steps and samples that the adjoint returns per neuron.
SUM_OFFSET, SUM_GAIN, SUM_P1, SUM_P0, SUM_P2, SUM_DECAY, SUM_KAPPA, SUMS = range(8)


@njit(**JIT)
def activate_row(work, external, has_external, i, gain, offset, saturate, s):
    """s[i] = saturation(work[DRIVE] + gain * external[i] + offset)."""
    lanes = s.shape[1]
    if has_external:
        for l in range(lanes):
            work[DRIVE, l] += gain * external[i, l]
    if saturate:
        for l in range(lanes):
            s[i, l] = sigmoid(work[DRIVE, l] + offset)
    else:
        for l in range(lanes):
            s[i, l] = work[DRIVE, l] + offset


@njit(**JIT)
def advance_row(kind, x, s, i, p1, p0, p2, out):
    """out[i] = state after one step of held drive (exact logistic step, or exact exponential step)."""
    lanes = x.shape[1]
    if kind == CTRNN:
        for l in range(lanes):
            out[i, l] = p0 * x[i, l] + p1 * s[i, l]
        return
    for l in range(lanes):
        state, drive = x[i, l], s[i, l]
        unit = one(state)
        z = p1 * drive + p0
        t = abs(z)
        e, q, near = exp_parts(t)
        g = unit - t * q if near else (unit - e) / t
        growing = z > unit - unit
        top, bottom = (unit if growing else e), (e if growing else unit)
        out[i, l] = state * top / (bottom + (p1 * drive + p2) * g * state)


@njit(**JIT)
def linearise_row(kind, x, s, i, p1, p0, p2, work):
    """work[NEXT..BY_P2] = `advance_row` and its derivatives at x[i], s[i]; the derivative by s is p1 * work[BY_S]."""
    lanes = x.shape[1]
    if kind == CTRNN:
        unit = one(p0)
        for l in range(lanes):
            work[NEXT, l] = p0 * x[i, l] + p1 * s[i, l]
            work[BY_X, l] = p0
            work[BY_S, l] = unit
            work[BY_P0, l] = x[i, l]
            work[BY_P2, l] = unit - unit
        return
    for l in range(lanes):
        state, drive = x[i, l], s[i, l]
        unit = one(state)
        z = p1 * drive + p0
        ch = p1 * drive + p2
        t = abs(z)
        e, q, near = exp_parts(t)
        inverse = unit / t
        g = unit - t * q if near else (unit - e) * inverse
        slope = unit - q * (unit + t) if near else (g - e) * inverse  # -dg/dt
        growing = z > unit - unit
        top, bottom = (unit if growing else e), (e if growing else unit)
        reciprocal = unit / (bottom + ch * g * state)
        following = state * top * reciprocal
        common = following * reciprocal
        by_z = common * (e + ch * slope * state if growing else unit + ch * state * (g - slope))
        by_c = -common * g * state
        work[NEXT, l] = following
        work[BY_X, l] = e * reciprocal * reciprocal
        work[BY_S, l] = by_z + by_c
        work[BY_P0, l] = by_z
        work[BY_P2, l] = by_c


@njit(**JIT)
def thermal_row(x, i, amplitude, normals):
    """x[i] <- (sqrt x + amplitude n1)^2 + (amplitude n2)^2 with amplitude = sqrt(D h), normals (2, neuron, lane)."""
    for l in range(x.shape[1]):
        first = np.sqrt(x[i, l]) + amplitude * normals[0, i, l]
        second = amplitude * normals[1, i, l]
        x[i, l] = first * first + second * second


@njit(**JIT)
def filter_row(kind, x, x_next, y, i, decay, kappa, defect, has_defect, out):
    """out[i] = decay y + kappa (x_next - x + change of the defect), or tanh(x_next)."""
    lanes = x.shape[1]
    if kind == CTRNN:
        for l in range(lanes):
            out[i, l] = tanh(x_next[i, l])
        return
    for l in range(lanes):
        out[i, l] = decay * y[i, l] + kappa * (x_next[i, l] - x[i, l])
    if has_defect:
        for l in range(lanes):
            out[i, l] += kappa * (defect[1, i, l] - defect[0, i, l])


@njit(**JIT)
def slope_row(work, saturate, s, i, p1, v):
    """v[i] = adjoint of u, given work[ADJOINT], the adjoint of the next state."""
    lanes = v.shape[1]
    if saturate:
        for l in range(lanes):
            v[i, l] = work[ADJOINT, l] * work[BY_S, l] * p1 * (s[i, l] - s[i, l] * s[i, l])
    else:
        for l in range(lanes):
            v[i, l] = work[ADJOINT, l] * work[BY_S, l] * p1


@njit(**JIT)
def adjoint_final_row(kind, work, i, decay, kappa, y_next, thermal, amplitude, normals, g_x, g_y):
    """Adjoint of the evaluation that ends a step: g_x[i], g_y[i] go from node k + 1 to node k, except what passes through the drive.

    Leaves the adjoint of the state before its noise in work[ADJOINT]. A CTRNN has decay = kappa = 0.
    """
    lanes = g_x.shape[1]
    if kind == CTRNN:
        unit = one(decay)
        for l in range(lanes):
            work[ADJOINT, l] = g_x[i, l] + (unit - y_next[i, l] * y_next[i, l]) * g_y[i, l]
    else:
        for l in range(lanes):
            work[ADJOINT, l] = g_x[i, l] + kappa * g_y[i, l]
    if thermal:
        for l in range(lanes):
            unit = one(decay)
            root = np.sqrt(work[NEXT, l])
            work[ADJOINT, l] *= unit + (amplitude * normals[0, i, l] / root if root > unit - unit else unit - unit)
    for l in range(lanes):
        g_x[i, l] = work[ADJOINT, l] * work[BY_X, l] - kappa * g_y[i, l]
        g_y[i, l] *= decay


@njit(**JIT)
def adjoint_predictor_row(kind, work, i, decay, kappa, half, y, y_mid, g_x, g_y):
    """Adjoint of the predictor of a midpoint step, given work[DRIVE], the adjoint of its mean y; adds to g_x[i], g_y[i].

    Leaves the adjoint of the predicted y in work[DRIVE] and that of the predicted state in work[ADJOINT].
    """
    lanes = g_x.shape[1]
    for l in range(lanes):
        work[DRIVE, l] *= half
    if kind == CTRNN:
        unit = one(decay)
        for l in range(lanes):
            predicted = y_mid[i, l] + y_mid[i, l] - y[i, l]
            work[ADJOINT, l] = (unit - predicted * predicted) * work[DRIVE, l]
    else:
        for l in range(lanes):
            work[ADJOINT, l] = kappa * work[DRIVE, l]
    for l in range(lanes):
        g_x[i, l] += work[ADJOINT, l] * work[BY_X, l] - kappa * work[DRIVE, l]
        g_y[i, l] += work[DRIVE, l] + decay * work[DRIVE, l]


@njit(**JIT)
def add_row(target, i, source):
    """target[i] += source[i]."""
    for l in range(target.shape[1]):
        target[i, l] += source[i, l]


@njit(**JIT)
def add_scaled_row(target, i, factor, source):
    """target[i] += factor * source[i]."""
    for l in range(target.shape[1]):
        target[i, l] += factor * source[i, l]


@njit(**JIT)
def add_cell_row(sums, i, work, s):
    """Sums over steps of the adjoints of p1, p0 and p2; sums (cell sums, neuron, lane)."""
    for l in range(s.shape[1]):
        sums[SUM_P1, i, l] += work[ADJOINT, l] * work[BY_S, l] * s[i, l]
        sums[SUM_P0, i, l] += work[ADJOINT, l] * work[BY_P0, l]
        sums[SUM_P2, i, l] += work[ADJOINT, l] * work[BY_P2, l]


@njit(**JIT)
def add_filter_row(sums, i, g, x, x_next, y, defect, has_defect):
    """Sums over steps of the adjoints of decay and kappa; g (lane,) is the adjoint of the filter's result, x_next (lane,)."""
    lanes = x.shape[1]
    for l in range(lanes):
        sums[SUM_DECAY, i, l] += g[l] * y[i, l]
        sums[SUM_KAPPA, i, l] += g[l] * (x_next[l] - x[i, l])
    if has_defect:
        for l in range(lanes):
            sums[SUM_KAPPA, i, l] += g[l] * (defect[1, i, l] - defect[0, i, l])


@njit(**JIT)
def add_gain_row(sums, i, v, external):
    """Sum over steps of the adjoint of the gain that multiplies the external term."""
    for l in range(v.shape[1]):
        sums[SUM_GAIN, i, l] += v[i, l] * external[i, l]
