"""Fast integration of oscillator networks on the CPU, with gradients.

`integrate` follows the shared semantics of all engines. It turns physical parameters into the per-step coefficients of the kernels with
ordinary (differentiable) torch operations on (member, neuron) arrays; the sweep over steps and its adjoint are compiled.
Axes: member M, sample B, input interval T, neuron N; S = T * substeps steps, nodes 0 ... S. Times in seconds, rates in 1/s, weights and states dimensionless.
"""

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinhw.rollout.cpu import kernels
from spinhw.rollout.cpu.coefficients import cell_coefficients
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
_CELL_SUMS = [SUM_GAIN, SUM_OFFSET, SUM_P1, SUM_P0, SUM_P2, SUM_DECAY, SUM_KAPPA]
_CELL_ROWS = [kernels.P_GAIN, kernels.P_OFFSET, kernels.P_1, kernels.P_0, kernels.P_2, kernels.P_DECAY, kernels.P_KAPPA]


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
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, not {order}")
    if cell == "ctrnn" and any(given is not None for given in (noise, defect, saturation)):
        raise ValueError("a CTRNN has no noise, defect or saturation")
    shape = _Shape.of(
        w_rec,
        x0,
        {"ext": ext, "nodes": ext_nodes, "inputs": inputs, "defect": defect, "noise": noise},
        substeps,
        intervals,
    )
    parameters = dict(
        gamma=gamma, sigma=sigma, q=q, cutoff_hz=cutoff_hz, scale=scale, bias_drive=bias_drive,
        low=None if saturation is None else saturation[0], high=None if saturation is None else saturation[1], diffusion=diffusion,
    )  # fmt: skip
    coefficients, differentiable = cell_coefficients(
        cell, dt_s / substeps, (shape.members, shape.neurons), x0.dtype, parameters
    )
    pattern = _pattern(shape, w_rec, w_in, mask, mask_in)
    kept = shape.intervals if record_last is None else min(record_last, shape.intervals)
    options = dict(
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
        want_cell=int(differentiable and torch.is_grad_enabled()),
    )
    power, filtered = Sweep.apply(
        options, pattern, threads or torch.get_num_threads(), segment, noise,
        coefficients, w_rec, w_in, bias, x0, ext, ext_nodes, inputs if pattern.inputs else None, defect,
    )  # fmt: skip
    return Recorded(power if options["want_power"] else None, filtered if options["want_filtered"] else None)


def _pattern(
    shape: "_Shape", w_rec: Tensor | None, w_in: Tensor | None, mask: Tensor | None, mask_in: Tensor | None
) -> Pattern:
    """Pattern of the weights that were given."""
    channels = 0 if w_in is None else w_in.shape[-1]
    if w_rec is None:
        mask = _no_weights(shape.neurons)
    return pattern_of(mask, mask_in, shape.members, shape.neurons, channels)


@functools.lru_cache(maxsize=16)
def _no_weights(neurons: int) -> Tensor:
    """Mask of neurons that do not see each other; the same object every time, so that its pattern is remembered."""
    return torch.zeros(neurons, neurons, dtype=torch.bool)


class _Shape(NamedTuple):
    """Axis lengths of a call."""

    members: int
    batch: int
    intervals: int
    neurons: int

    @classmethod
    def of(cls, w_rec, x0, signals, substeps, intervals) -> "_Shape":
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


def _segment_length(plan: kernels.Plan, tasks: int, lanes: int, itemsize: int, asked: int | None) -> int:
    """Steps between checkpoints: all of them where the trajectory may be kept."""
    if asked is not None:
        return max(1, min(asked, plan.steps))
    elements = tasks * sum(math.prod(shape) for shape in kernels.trajectory_shapes(plan, plan.steps + 1, lanes))
    return plan.steps if elements * itemsize <= KEEP_BYTES else max(2, math.isqrt(plan.steps))


@dataclass
class _Job:
    """What forward and backward of one call share."""

    plan: kernels.Plan
    pattern: Pattern
    synapses: kernels.Synapses
    cell: np.ndarray  # (kernels.CELL_ROWS, M, N)
    signals: kernels.Signals
    tasks: int
    threads: int
    kept: Loan | None = None  # trajectory and checkpoints

    @property
    def dtype(self) -> np.dtype:
        return self.cell.dtype

    @property
    def lanes(self) -> int:
        return LANES[self.dtype]

    def states(self) -> tuple[kernels.Trajectory, np.ndarray]:
        """Kept trajectory and checkpoints."""
        return kernels.Trajectory(*self.kept.arrays[:5]), self.kept.arrays[5]

    def forward(self, power: np.ndarray, filtered: np.ndarray) -> None:
        """Integrate all tasks."""
        trajectory, checkpoints = self.states()

        def run(begin: int, end: int) -> None:
            local = Loan(kernels.local_shapes(self.plan, self.lanes), self.dtype)
            ring = Loan(kernels.trajectory_shapes(self.plan, 2, self.lanes), self.dtype)
            kernels.forward_tasks(
                self.plan, self.synapses, self.cell, self.signals, begin, end, trajectory, kernels.Trajectory(*ring.arrays), checkpoints,
                kernels.Local(*local.arrays), power, filtered,
            )  # fmt: skip

        run_tasks(run, self.tasks, self.threads)

    def backward(self, g_power: np.ndarray, g_filtered: np.ndarray, results: kernels.Results) -> None:
        """Adjoint of all tasks."""
        trajectory, checkpoints = self.states()
        nodes = 2 if trajectory.x.shape[0] else max(self.plan.segment, 2) + 1
        stored = int(np.diff(self.synapses.start[:: self.plan.neurons]).max())

        def run(begin: int, end: int) -> None:
            local = Loan(kernels.local_shapes(self.plan, self.lanes), self.dtype)
            adjoint = Loan(kernels.adjoint_shapes(self.plan, self.lanes, stored), self.dtype)
            again = Loan(kernels.trajectory_shapes(self.plan, nodes, self.lanes), self.dtype)
            kernels.adjoint_tasks(
                self.plan, self.synapses, self.cell, self.signals, begin, end, trajectory, kernels.Trajectory(*again.arrays), checkpoints,
                kernels.Local(*local.arrays), kernels.Adjoint(*adjoint.arrays), g_power, g_filtered, results,
            )  # fmt: skip

        run_tasks(run, self.tasks, self.threads)

    def keep(self, training: bool, segment: int | None) -> None:
        """Choose between the whole trajectory, checkpoints and nothing, and make room."""
        steps = self.plan.steps
        length = _segment_length(self.plan, self.tasks, self.lanes, self.dtype.itemsize, segment) if training else steps
        self.plan = self.plan._replace(segment=length)
        whole, checkpoints = training and length == steps, -(-steps // length) if length < steps else 0
        shapes = [
            (self.tasks if whole else 0, *shape)
            for shape in kernels.trajectory_shapes(self.plan, steps + 1, self.lanes)
        ]
        self.kept = Loan([*shapes, (self.tasks, checkpoints, 2, self.plan.neurons, self.lanes)], self.dtype)


class Sweep(torch.autograd.Function):
    """The compiled sweep over all steps and its adjoint."""

    @staticmethod
    def forward(
        ctx: Any,
        options,
        pattern,
        threads,
        segment,
        noise,
        coefficients,
        w_rec,
        w_in,
        bias,
        x0,
        ext,
        nodes,
        inputs,
        defect,
    ):
        """Tensors in the public layout -> power, filtered (M, B, recorded intervals, N)."""
        dtype = np.dtype(str(x0.dtype).removeprefix("torch."))
        tiles = -(-options["batch"] // LANES[dtype])
        need = ctx.needs_input_grad
        plan = kernels.Plan(
            **options, tiles=tiles, piece=PIECE[dtype], segment=0, want_weights=int(need[6] or need[7] or bool(options["want_cell"])),
            want_ext=int(need[10]), want_nodes=int(need[11]), want_inputs=int(need[12]), want_defect=int(need[13]),
        )  # fmt: skip
        cell = _array(coefficients, 3, dtype).copy()
        gain = cell[kernels.P_GAIN]
        if bias is not None:
            cell[kernels.P_OFFSET] += gain * bias.detach().numpy()
        weights = pattern.gather(_numpy(w_rec), _numpy(w_in), dtype)
        value = weights * gain.reshape(-1)[pattern.row]
        synapses = kernels.Synapses(
            pattern.start, pattern.column, value, pattern.back_start, pattern.back_row, value[pattern.back_index]
        )
        signals = kernels.Signals(
            _array(x0.unsqueeze(2), 4, dtype), _array(ext, 4, dtype), _array(nodes, 4, dtype), _array(inputs, 4, dtype),
            _array(defect, 4, dtype), _array(noise, 5, dtype),
        )  # fmt: skip
        job = _Job(plan, pattern, synapses, cell, signals, pattern.members * tiles, threads)
        job.keep(any(need), segment)
        shape = (pattern.members, plan.batch, plan.steps // plan.substeps - plan.recorded_from, plan.neurons)
        power, filtered = (
            torch.empty(shape if wanted else (0, 0, 0, 0), dtype=x0.dtype)
            for wanted in (plan.want_power, plan.want_filtered)
        )
        job.forward(power.numpy(), filtered.numpy())
        if any(need):
            ctx.set_materialize_grads(False)
            # The job's arrays share memory with these tensors: saving them lets autograd notice changes in place.
            ctx.save_for_backward(w_rec, w_in, bias, x0, ext, nodes, inputs, defect)
            ctx.job, ctx.weights = job, weights
        return power, filtered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_power, g_filtered):
        """Adjoints of the coefficients, weights, bias, initial state and signals."""
        _, _, bias, x0, ext, nodes, inputs, defect = ctx.saved_tensors
        job, plan, pattern = ctx.job, ctx.job.plan, ctx.job.pattern
        results = _results(job, ext, nodes, inputs, defect)
        job.backward(
            _array(g_power if plan.want_power else None, 4, job.dtype),
            _array(g_filtered if plan.want_filtered else None, 4, job.dtype),
            results,
        )
        need, gain = ctx.needs_input_grad, job.cell[kernels.P_GAIN]
        sums, g_value = results.sums.sum(axis=0), results.value.sum(axis=0)
        g_rec, g_in = pattern.scatter(g_value * gain.reshape(-1)[pattern.row]) if plan.want_weights else (None, None)
        scale = torch.from_numpy(gain)[:, None, None, :]
        return (
            None, None, None, None, None,
            _cell_adjoint(job, sums, ctx.weights * g_value, _numpy(bias)) if need[5] else None,
            torch.from_numpy(g_rec) if need[6] else None,
            torch.from_numpy(g_in) if need[7] else None,
            torch.from_numpy(sums[SUM_OFFSET] * gain).sum_to_size(bias.shape) if need[8] else None,
            torch.from_numpy(results.start[:, :, 0]).sum_to_size(x0.shape) if need[9] else None,
            _reduce(results.ext, ext, scale) if need[10] else None,
            _reduce(results.nodes, nodes, scale) if need[11] else None,
            _reduce(results.inputs, inputs) if need[12] else None,
            _reduce(results.defect, defect) if need[13] else None,
        )  # fmt: skip


def _results(job: _Job, ext, nodes, inputs, defect) -> kernels.Results:
    """Room for the adjoints."""
    plan, members = job.plan, job.pattern.members
    wanted = ((ext, plan.want_ext), (nodes, plan.want_nodes), (inputs, plan.want_inputs), (defect, plan.want_defect))
    return kernels.Results(
        np.zeros((plan.tiles, job.synapses.value.size), job.dtype),
        np.empty((plan.tiles, SUMS, members, plan.neurons), job.dtype),
        np.empty((members, plan.batch, 1, plan.neurons), job.dtype),
        *(_like(signal, bool(want), members, plan.batch, job.dtype) for signal, want in wanted),
    )


def _cell_adjoint(job: _Job, sums: np.ndarray, products: np.ndarray, bias: np.ndarray | None) -> Tensor:
    """Adjoint of the coefficients; products: stored weights times the adjoint of their values. The gain multiplies weights, bias and external terms."""
    result = np.zeros_like(job.cell)
    result[_CELL_ROWS] = sums[_CELL_SUMS]
    members, neurons = result.shape[1:]
    by_row = np.bincount(job.pattern.row, products, minlength=members * neurons)
    result[kernels.P_GAIN] += by_row.reshape(members, neurons).astype(job.dtype)
    if bias is not None:
        result[kernels.P_GAIN] += sums[SUM_OFFSET] * bias
    return torch.from_numpy(result)


def _numpy(tensor: Tensor | None) -> np.ndarray | None:
    """Array of a tensor."""
    return None if tensor is None else tensor.detach().numpy()


def _reduce(adjoint: np.ndarray, tensor: Tensor, gain: Tensor | None = None) -> Tensor:
    """Adjoint of a signal that may be shared by members."""
    result = torch.from_numpy(adjoint)
    if gain is not None:
        result.mul_(gain)
    return result.sum_to_size(tensor.shape)
