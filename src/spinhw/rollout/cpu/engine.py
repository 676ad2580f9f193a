"""Fast integration of oscillator networks on the CPU, with gradients.

`integrate` follows the shared semantics of all engines. It turns physical parameters into the per-step coefficients of the kernels with
ordinary (differentiable) torch operations on (member, neuron) arrays; the sweep over steps and its adjoint are compiled.
Axes: member M, sample B, input interval T, neuron N; S = T * substeps steps, nodes 0 ... S. Times in seconds, rates in 1/s, weights and states dimensionless.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinhw.rollout.cpu import kernels
from spinhw.rollout.cpu.pattern import Pattern, pattern_of
from spinhw.rollout.cpu.rows import (
    CTRNN,
    OSCILLATOR,
    SUM_DECAY,
    SUM_GAIN,
    SUM_KAPPA,
    SUM_OFFSET,
    SUM_P0,
    SUM_P1,
    SUM_P2,
    SUMS,
)
from spinhw.rollout.cpu.vector import LANES, PIECE
from spinhw.rollout.cpu.workspace import Loan, run_tasks

KEEP_BYTES = (
    1 << 30
)  # largest trajectory that is kept for the adjoint; longer ones are integrated again from checkpoints
_CELL_SUMS = [SUM_GAIN, SUM_OFFSET, SUM_P1, SUM_P0, SUM_P2, SUM_DECAY, SUM_KAPPA]  # in the order of the rows of `cell`


class Recorded(NamedTuple):
    """Recorded states at the end of input intervals, (M, B, recorded intervals, N); None where not asked for."""

    power: Tensor | None
    filtered: Tensor | None


def integrate(
    w_rec: Tensor | None = None,
    ext: Tensor | None = None,
    *,
    gamma: Tensor | float,
    x0: Tensor,
    dt_s: float,
    substeps: int = 1,
    order: int = 1,
    cell: str = "oscillator",
    mask: Tensor | None = None,
    sigma: Tensor | float = 1.0,
    q: Tensor | float = 0.0,
    cutoff_hz: Tensor | float = 0.0,
    scale: Tensor | float = 1.0,
    bias_drive: Tensor | float = 0.0,
    saturation: tuple[Tensor | float, Tensor | float] | None = None,
    bias: Tensor | None = None,
    w_in: Tensor | None = None,
    inputs: Tensor | None = None,
    mask_in: Tensor | None = None,
    ext_nodes: Tensor | None = None,
    noise: Tensor | None = None,
    diffusion: Tensor | float = 0.0,
    defect: Tensor | None = None,
    intervals: int | None = None,
    record_last: int | None = None,
    outputs: tuple[str, ...] = ("power", "filtered"),
    threads: int | None = None,
    segment: int | None = None,
) -> Recorded:
    """Integrate a network of M members and record power x and filtered y at the end of input intervals.

    w_rec (M, N, N), row = destination; only entries where `mask` ((M, N, N) or (N, N) boolean) holds are used and get gradients.
    External terms, added inside the drive and multiplied by `scale`; all optional, they add up:
        ext (M or 1, B, T, N) held over each interval; bias (M, N) constant;
        w_in (M, N, C) with inputs (M or 1, B, T, C) and mask_in, like `mask`: same as ext = inputs @ w_in^T, but much cheaper;
        ext_nodes (M or 1, B, S + 1, N) at step nodes.
    gamma, sigma, q, cutoff_hz, scale, bias_drive, saturation bounds (lo, hi), diffusion: (M, N), or anything that broadcasts to it.
    x0 (M, B or 1, N). noise (M or 1, B, S, N, 2) standard normals; defect (M or 1, B, S + 1, N) is added to x before the high-pass.
    cell "oscillator", or "ctrnn": dx/dt = -gamma x + scale * (...) + bias_drive, y = tanh x.
    record_last: only the last so many intervals are recorded (and T, N large arrays avoided). outputs: which of power, filtered to return.
    threads: default torch's. segment: steps between checkpoints; default: keep everything up to 1 GiB, else about sqrt(S).

    Gradients flow to w_rec, w_in, bias, ext, inputs, ext_nodes, defect, x0, gamma, sigma, q, cutoff_hz, scale and bias_drive, once.
    """
    signals = {"ext": ext, "nodes": ext_nodes, "inputs": inputs, "defect": defect, "noise": noise}
    shape = _Shape.of(w_rec, gamma, x0, signals, substeps, intervals)
    dtype = x0.dtype
    per_neuron = _PerNeuron(shape, dtype)
    coefficients = _coefficients(
        cell, dt_s / substeps, per_neuron, gamma, sigma, q, cutoff_hz, scale, bias_drive, saturation, bias, diffusion
    )
    pattern = _NO_WEIGHTS if w_rec is None and w_in is None else None
    if pattern is None:
        channels = 0 if w_in is None else w_in.shape[-1]
        pattern = pattern_of(mask, mask_in, shape.members, shape.neurons, channels)
        value = _stored_values(w_rec, w_in, pattern, coefficients[0])
    else:
        pattern = _empty_pattern(shape.members, shape.neurons)
        value = x0.new_empty(0)
    gain, _, p1, p0, p2, decay, kappa, _ = coefficients
    want_cell = torch.is_grad_enabled() and (
        any(c.requires_grad for c in (p1, p0, p2, decay, kappa))
        or (gain.requires_grad and (ext is not None or ext_nodes is not None))
    )
    kept = shape.intervals if record_last is None else min(record_last, shape.intervals)
    plan = dict(
        kind={"oscillator": OSCILLATOR, "ctrnn": CTRNN}[cell],
        order=order,
        saturate=int(saturation is not None),
        steps=shape.intervals * substeps,
        substeps=substeps,
        batch=shape.batch,
        neurons=shape.neurons,
        inputs=pattern.inputs,
        recorded_from=shape.intervals - kept,
        want_power=int("power" in outputs),
        want_filtered=int("filtered" in outputs),
        want_cell=int(want_cell),
    )
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, not {order}")
    if cell == "ctrnn" and (noise is not None or defect is not None or saturation is not None):
        raise ValueError("a CTRNN has no noise, defect or saturation")
    start = x0.unsqueeze(2)
    power, filtered = _Sweep.apply(
        plan, pattern, threads or torch.get_num_threads(), segment, noise,
        value, torch.stack([c.to(dtype) for c in coefficients]), start, ext, ext_nodes, inputs if pattern.inputs else None, defect,
    )  # fmt: skip
    return Recorded(power if plan["want_power"] else None, filtered if plan["want_filtered"] else None)


class _Shape(NamedTuple):
    """Axis lengths of a call."""

    members: int
    batch: int
    intervals: int
    neurons: int

    @classmethod
    def of(cls, w_rec, gamma, x0, signals, substeps, intervals) -> "_Shape":
        members, batch, times = x0.shape[0], x0.shape[1], intervals
        if w_rec is not None:
            members = max(members, w_rec.shape[0])
        for name, signal in signals.items():
            if signal is None:
                continue
            members, batch = max(members, signal.shape[0]), max(batch, signal.shape[1])
            length = {"nodes": (signal.shape[2] - 1) // substeps, "defect": (signal.shape[2] - 1) // substeps,
                      "noise": signal.shape[2] // substeps}.get(name, signal.shape[2])  # fmt: skip
            if times is not None and times != length:
                raise ValueError(f"{name} lasts {length} intervals, others {times}")
            times = length
        if times is None:
            raise ValueError("nothing tells the number of intervals: pass `intervals`")
        for name, signal in signals.items():
            if signal is not None and (signal.shape[1] != batch or signal.shape[0] not in (1, members)):
                raise ValueError(f"{name} is {tuple(signal.shape)}: its first axes must be ({members} or 1, {batch})")
        return cls(members, batch, times, x0.shape[-1])


class _PerNeuron:
    """Turns anything that broadcasts to (M, N) into such a tensor."""

    def __init__(self, shape: _Shape, dtype: torch.dtype):
        self._shape, self._dtype = (shape.members, shape.neurons), dtype

    def __call__(self, value: Tensor | float) -> Tensor:
        return torch.as_tensor(value, dtype=self._dtype).expand(self._shape)


def _coefficients(
    cell, step_s, per_neuron, gamma, sigma, q, cutoff_hz, scale, bias_drive, saturation, bias, diffusion
) -> tuple[Tensor, ...]:
    """gain, offset, p1, p0, p2, decay, kappa, thermal amplitude, each (M, N): see `rows`. Drive argument u = gain * (weights @ y + e) + offset."""
    gamma, gain, offset = per_neuron(gamma), per_neuron(scale), per_neuron(bias_drive)
    zero = torch.zeros_like(gamma)
    if cell == "ctrnn":
        p0 = torch.exp(-gamma * step_s)
        return gain, _with_bias(offset, gain, bias), _mean_decay(gamma * step_s) * step_s, p0, zero, zero, zero, zero
    sigma, q, cutoff = per_neuron(sigma), per_neuron(q), per_neuron(cutoff_hz)
    low, span = zero, 1.0
    if saturation is not None:
        low, high = (per_neuron(bound) for bound in saturation)
        span = high - low
        slope = span / ((offset - low) * (high - offset))
        gain, offset = slope * gain, torch.log((offset - low) / (high - offset))
    angle = 2 * math.pi * step_s * cutoff
    return (
        gain,
        _with_bias(offset, gain, bias),
        sigma * step_s * span,
        (sigma * low - gamma) * step_s,
        (sigma * low + gamma * q) * step_s,
        torch.exp(-angle),
        _mean_decay(angle),
        torch.sqrt(per_neuron(diffusion) * step_s).detach(),
    )


def _with_bias(offset: Tensor, gain: Tensor, bias: Tensor | None) -> Tensor:
    """Offset of the drive's argument with the constant external term."""
    return offset if bias is None else offset + gain * bias


def _mean_decay(angle: Tensor) -> Tensor:
    """(1 - e^-angle) / angle, the mean of an exponential over a step."""
    small = angle.abs() < 1e-4
    safe = torch.where(small, torch.ones_like(angle), angle)
    return torch.where(small, 1 - angle / 2 + angle * angle / 6, -torch.expm1(-safe) / safe)


def _stored_values(w_rec: Tensor | None, w_in: Tensor | None, pattern: Pattern, gain: Tensor) -> Tensor:
    """(stored,) weights times the gain of their row."""
    if w_rec is None:
        w_rec = w_in.new_zeros(pattern.members, pattern.neurons, pattern.neurons)
    both = w_rec if w_in is None else torch.cat([w_rec, w_in], dim=2)
    return both.reshape(-1).index_select(0, pattern.index) * gain.reshape(-1).index_select(0, pattern.row)


_NO_WEIGHTS = object()


def _empty_pattern(members: int, neurons: int) -> Pattern:
    """Pattern of oscillators that do not see each other."""
    return Pattern.from_mask(torch.zeros(members, neurons, neurons, dtype=torch.bool))


def _array(tensor: Tensor | None, axes: int, dtype: np.dtype) -> np.ndarray:
    """C-contiguous array of a tensor; an absent one has a first axis of length 0."""
    if tensor is None:
        return np.empty((0,) * axes, dtype)
    return np.ascontiguousarray(tensor.detach().numpy(), dtype)


def _like(tensor: Tensor | None, wanted: bool, members: int, batch: int, dtype: np.dtype) -> np.ndarray:
    """Room for the adjoint of a signal, for every member and sample."""
    if tensor is None or not wanted:
        return np.empty((0, 0, 0, 0), dtype)
    return np.empty((members, batch, *tensor.shape[2:]), dtype)


def _trajectory_shapes(plan: kernels.Plan, tasks: int, lanes: int, nodes: int) -> list[tuple[int, ...]]:
    """Shapes of the arrays of `kernels.Trajectory` with a task axis in front."""
    rows, second = plan.neurons + plan.inputs, nodes - 1 if plan.order == 2 else 0
    shapes = [(nodes, plan.neurons), (nodes, rows), (second, rows), (nodes - 1, plan.neurons), (second, plan.neurons)]
    return [(tasks, first, width, lanes) for first, width in shapes]


def _segment_length(plan: kernels.Plan, tasks: int, lanes: int, itemsize: int, asked: int | None) -> int:
    """Steps between checkpoints: all of them where the trajectory may be kept."""
    if asked is not None:
        return max(1, min(asked, plan.steps))
    elements = sum(math.prod(shape) for shape in _trajectory_shapes(plan, tasks, lanes, plan.steps + 1))
    if elements * itemsize <= KEEP_BYTES:
        return plan.steps
    return max(2, math.isqrt(plan.steps))


class _Sweep(torch.autograd.Function):
    """The compiled sweep over all steps and its adjoint."""

    @staticmethod
    def forward(ctx: Any, options, pattern, threads, segment, noise, value, cell, start, ext, nodes, inputs, defect):
        """Tensors in the public layout -> power, filtered (M, B, recorded intervals, N)."""
        dtype = np.dtype(str(cell.dtype).removeprefix("torch."))
        lanes = LANES[dtype]
        batch, members = options["batch"], pattern.members
        tiles = -(-batch // lanes)
        tasks = members * tiles
        need = dict(zip(("weights", "cell", "start", "ext", "nodes", "inputs", "defect"), ctx.needs_input_grad[5:]))
        plan = kernels.Plan(
            **{k: v for k, v in options.items() if k != "want_cell"}, tiles=tiles, piece=PIECE[dtype], segment=options["steps"],
            want_weights=int(need["weights"]), want_cell=options["want_cell"], want_ext=int(need["ext"]), want_nodes=int(need["nodes"]),
            want_inputs=int(need["inputs"]), want_defect=int(need["defect"]),
        )  # fmt: skip
        training = any(ctx.needs_input_grad)
        plan = plan._replace(
            segment=_segment_length(plan, tasks, lanes, dtype.itemsize, segment) if training else plan.steps
        )
        whole = training and plan.segment == plan.steps
        checkpoints = -(-plan.steps // plan.segment) if training and not whole else 0
        loan = Loan(
            [
                *_trajectory_shapes(plan, tasks if whole else 0, lanes, plan.steps + 1),
                (tasks, checkpoints, 2, plan.neurons, lanes),
            ],
            dtype,
        )
        numbers = _array(value, 1, dtype)
        synapses = kernels.Synapses(
            pattern.start, pattern.column, numbers, pattern.back_start, pattern.back_row, numbers[pattern.back_index]
        )
        signals = kernels.Signals(
            _array(start, 4, dtype), _array(ext, 4, dtype), _array(nodes, 4, dtype), _array(inputs, 4, dtype), _array(defect, 4, dtype),
            _array(noise, 5, dtype),
        )  # fmt: skip
        arrays = (plan, synapses, _array(cell, 3, dtype), signals, lanes)
        record = plan.steps // plan.substeps - plan.recorded_from
        power = torch.empty(
            (members, batch, record, plan.neurons) if plan.want_power else (0, 0, 0, 0), dtype=cell.dtype
        )
        filtered = torch.empty(
            (members, batch, record, plan.neurons) if plan.want_filtered else (0, 0, 0, 0), dtype=cell.dtype
        )
        trajectory, kept = kernels.Trajectory(*loan.arrays[:5]), loan.arrays[5]
        views = power.numpy(), filtered.numpy()

        def run(begin: int, end: int) -> None:
            kernels.forward_tasks(*arrays, begin, end, trajectory, kept, *views)

        run_tasks(run, tasks, threads)
        ctx.set_materialize_grads(False)
        # Saved only to detect in-place changes: without a copy, the arrays share memory with these tensors.
        ctx.save_for_backward(value, cell, start, ext, nodes, inputs, defect)
        ctx.loan, ctx.arrays, ctx.tasks, ctx.threads = (loan if training else None), arrays, tasks, threads
        return power, filtered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_power, g_filtered):
        """Adjoints of value, cell, start, ext, nodes, inputs, defect."""
        value, cell, start, ext, nodes, inputs, defect = ctx.saved_tensors
        plan, synapses, cell_array, signals, lanes = ctx.arrays
        dtype = cell_array.dtype
        members, batch = cell.shape[1], plan.batch
        results = kernels.Results(
            np.empty((plan.tiles, synapses.value.size), dtype),
            np.empty((plan.tiles, SUMS, members, plan.neurons), dtype),
            np.empty((members, batch, 1, plan.neurons), dtype),
            _like(ext, plan.want_ext, members, batch, dtype),
            _like(nodes, plan.want_nodes, members, batch, dtype),
            _like(inputs, plan.want_inputs, members, batch, dtype),
            _like(defect, plan.want_defect, members, batch, dtype),
        )
        gradients = (
            _array(g_power if plan.want_power else None, 4, dtype),
            _array(g_filtered if plan.want_filtered else None, 4, dtype),
        )
        trajectory, kept = kernels.Trajectory(*ctx.loan.arrays[:5]), ctx.loan.arrays[5]
        unused = np.empty((0, 0, 0, 0), dtype)

        def run(begin: int, end: int) -> None:
            kernels.adjoint_tasks(*ctx.arrays, begin, end, trajectory, kept, unused, *gradients, results)

        run_tasks(run, ctx.tasks, ctx.threads)
        sums = results.sums.sum(axis=0)
        g_cell = torch.zeros_like(cell)
        g_cell[:7] = torch.from_numpy(sums[_CELL_SUMS])
        gain = cell[0][:, None, None, :]
        return (
            None, None, None, None, None,
            torch.from_numpy(results.value.sum(axis=0)) if plan.want_weights else None,
            g_cell,
            _reduce(results.start, start),
            _reduce(results.ext, ext, gain) if plan.want_ext else None,
            _reduce(results.nodes, nodes, gain) if plan.want_nodes else None,
            _reduce(results.inputs, inputs) if plan.want_inputs else None,
            _reduce(results.defect, defect) if plan.want_defect else None,
        )  # fmt: skip


def _reduce(adjoint: np.ndarray, tensor: Tensor, gain: Tensor | None = None) -> Tensor:
    """Adjoint of a signal that may be shared by members or samples."""
    result = torch.from_numpy(adjoint)
    if gain is not None:
        result.mul_(gain)
    return result.sum_to_size(tensor.shape)
