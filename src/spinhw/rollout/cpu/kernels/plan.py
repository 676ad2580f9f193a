"""What steers a sweep and what it works on: named tuples of the compiled code, and the shapes of their arrays."""

import math
from typing import NamedTuple

import numpy as np

from spinhw.rollout.cpu.kernels.rows import SUMS

P_GAIN, P_OFFSET, P_1, P_0, P_2, P_DECAY, P_KAPPA, P_THERMAL, P_DECAY_MEAN, P_KAPPA_MEAN, CELL_ROWS = range(11)


class CpuPlan(NamedTuple):
    """Numbers that steer a sweep; `want_*` say which adjoints to compute."""

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
    want_drive: int
    want_weights: int
    want_cell: int
    want_ext: int
    want_nodes: int
    want_inputs: int
    want_defect: int
    delay: float  # of y on its way to the drive, in steps; forward only


class PackedSynapses(NamedTuple):
    """Stored weights of all members, row by row, and the same values column by column."""

    start: np.ndarray  # (M * N + 1,) first stored value of each row
    column: np.ndarray  # (stored,) source row of y
    value: np.ndarray  # (stored,) weight times the gain of its row
    back_start: np.ndarray  # (M * (N + inputs) + 1,)
    back_row: np.ndarray  # (stored,) destination
    back_value: np.ndarray  # (stored,)


class CpuSignals(NamedTuple):
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
    drive_sum: np.ndarray  # (N, lanes) sum of s over the steps of the present interval
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
    share: np.ndarray  # (lanes,) of the later node in a delayed y, see `delay`
    arrived: np.ndarray  # (N + inputs, lanes) delayed y, and inputs, at the start of the step
    past: np.ndarray  # (nodes, N, lanes) ring of the last y; no nodes without a delay


class Recorded(NamedTuple):
    """What is recorded at the end of intervals, or its adjoints; an unwanted one has a first axis of length 0."""

    power: np.ndarray  # (M, B, recorded intervals, N)
    filtered: np.ndarray  # likewise
    drive: np.ndarray  # likewise: sum of s over the steps of the interval; has no adjoint


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


class Kept(NamedTuple):
    """What the adjoint of plain networks starts from, see `plain`; a first axis of length 0 where nothing is kept."""

    s: np.ndarray  # (tasks, evaluations, N, lanes) drives, `order` evaluations a step
    nodes: np.ndarray  # (tasks, segments, 2, N, lanes) x and y at the start of each segment


class Work(NamedTuple):
    """Work arrays of one thread for plain networks."""

    x: np.ndarray  # (N, lanes) state
    y: np.ndarray  # (2, N + inputs, lanes) sources of the present evaluation and of the next
    s: np.ndarray  # (N, lanes) drives, where they are not kept
    predicted: np.ndarray  # (N, lanes) predicted state
    drive: np.ndarray  # (lanes,) weights @ y of one neuron, or an adjoint through the transposed weights
    inputs: np.ndarray  # (T * inputs, lanes) inputs of all intervals


class Evaluations(NamedTuple):
    """Those of one segment, in order, for the adjoint of plain networks."""

    source: np.ndarray  # (evaluations + 1, N + inputs, lanes) the y that the drive came from
    by_x: np.ndarray  # (evaluations, N, lanes) derivatives of the state they lead to by x
    by_u: np.ndarray  # (evaluations, N, lanes) and by u


class PlainAdjoint(NamedTuple):
    """Adjoint state of one task of plain networks."""

    x: np.ndarray  # (N, lanes)
    y: np.ndarray  # (N + inputs, lanes), with the inputs held over the present interval
    v: np.ndarray  # (2, N, lanes) adjoint of u, of the first evaluation of a step and of the last
    offset: np.ndarray  # (N, piece) partial sums of v
    weights: np.ndarray  # (stored values of the member, piece)


class Adjoints(NamedTuple):
    """Adjoints that a task writes; an unwanted one has a first axis of length 0."""

    value: np.ndarray  # (tiles, stored)
    sums: np.ndarray  # (tiles, SUMS, M, N)
    start: np.ndarray  # (M, B, 1, N)
    ext: np.ndarray  # (M, B, T, N), times the gain still to be applied
    nodes: np.ndarray  # (M, B, S + 1, N), likewise
    inputs: np.ndarray  # (M, B, T, inputs)
    defect: np.ndarray  # (M, B, S + 1, N)


def trajectory_shapes(plan: CpuPlan, nodes: int, lanes: int) -> list[tuple[int, ...]]:
    """Give the shapes of the arrays of a `Trajectory`."""
    n, rows, second = plan.neurons, plan.neurons + plan.inputs, nodes - 1 if plan.order == 2 else 0
    return [(nodes, n, lanes), (nodes, rows, lanes), (second, rows, lanes), (nodes - 1, n, lanes), (second, n, lanes)]


def local_shapes(plan: CpuPlan, lanes: int) -> list[tuple[int, ...]]:
    """Give the shapes of the arrays of a `Local`."""
    tile, pair = (plan.neurons, lanes), (2, plan.neurons, lanes)
    nodes = math.ceil(plan.delay) + 1 if plan.delay > 0 else 0
    arrived, past = (plan.neurons + plan.inputs if nodes else 0, lanes), (nodes, plan.neurons, lanes)
    return [tile, pair, tile, pair, pair, tile, tile, *[(lanes,)] * 12, arrived, past]


def adjoint_shapes(plan: CpuPlan, lanes: int, stored: int) -> list[tuple[int, ...]]:
    """Give the shapes of the arrays of an `Adjoint`; `stored`: the largest number of stored values of a member."""
    tile, pair = (plan.neurons, lanes), (2, plan.neurons, lanes)
    return [tile, tile, tile, tile, (stored, plan.piece), (SUMS, *tile), tile, pair, (plan.inputs, lanes), pair]


def kept_shapes(plan: CpuPlan, tasks: int, lanes: int) -> list[tuple[int, ...]]:
    """Give the shapes of the arrays of a `Kept`; no tasks: nothing is kept."""
    segments, tile = -(-plan.steps // plan.segment), (plan.neurons, lanes)
    return [(tasks, plan.steps * plan.order, *tile), (tasks, segments, 2, *tile)]


def work_shapes(plan: CpuPlan, lanes: int) -> list[tuple[int, ...]]:
    """Give the shapes of the arrays of a `Work`."""
    tile = (plan.neurons, lanes)
    held = plan.steps // plan.substeps * plan.inputs
    return [tile, (2, plan.neurons + plan.inputs, lanes), tile, tile, (lanes,), (held, lanes)]


def evaluations_shapes(plan: CpuPlan, lanes: int) -> list[tuple[int, ...]]:
    """Give the shapes of the arrays of an `Evaluations`."""
    count, tile = plan.segment * plan.order, (plan.neurons, lanes)
    return [(count + 1, plan.neurons + plan.inputs, lanes), (count, *tile), (count, *tile)]


def plain_adjoint_shapes(plan: CpuPlan, lanes: int, stored: int) -> list[tuple[int, ...]]:
    """Give the shapes of the arrays of a `PlainAdjoint`; `stored`: the largest number of stored values of a member."""
    tile = (plan.neurons, lanes)
    return [tile, (plan.neurons + plan.inputs, lanes), (2, *tile), (plan.neurons, plan.piece), (stored, plan.piece)]
