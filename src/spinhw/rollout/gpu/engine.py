"""The autograd function around the kernels: launches, what is kept for the adjoint, and sums over steps."""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinhw.rollout.gpu.kernels import adjoint_kernel, forward_kernel
from spinhw.rollout.gpu.launch import launch_of, padded_width

KEEP_BYTES = 8 << 30  # Largest trajectory kept for the adjoint; a longer one is integrated again from checkpoints.


@dataclass(frozen=True)
class GpuPlan:
    """What a sweep does.

    Args:
        ctrnn: Whether the neurons are those of a CTRNN.
        order: 1 freezes the drive over a step, 2 uses its midpoint.
        saturate: Whether the drive is bounded.
        samples: Input intervals.
        substeps: Steps for each of them.
        recorded_from: First interval that is recorded.
    """

    ctrnn: bool
    order: int
    saturate: bool
    samples: int
    substeps: int
    recorded_from: int

    @property
    def steps(self) -> int:
        """Integration steps in all."""
        return self.samples * self.substeps

    def phases(self, signals: "GpuSignals") -> int:
        """Give the evaluations of each step: a network's midpoint needs a predictor, a given drive does not."""
        return 1 if signals.matrix is None else self.order


class GpuSignals(NamedTuple):
    """Tensors of a sweep; None where there is none.

    Args:
        matrix: (member, neuron, neuron), source last, times the gain.
        held: Argument of the saturation from outside, held over intervals, (member, batch, time, neuron).
        nodes: The same at step nodes, (member, batch, steps + 1, neuron).
        cell: Coefficients (member, 6, neuron), see `spinhw.rollout.folding`: p1, p0, damping, decay, passed, kick.
        start: x, (member, batch, neuron).
        defect: (member, batch, steps + 1, neuron).
        noise: (member, batch, steps, neuron, 2).
    """

    matrix: Tensor | None
    held: Tensor | None
    nodes: Tensor | None
    cell: Tensor
    start: Tensor
    defect: Tensor | None
    noise: Tensor | None


def sweep(plan: GpuPlan, signals: GpuSignals) -> tuple[Tensor, Tensor]:
    """Give x and y at the end of each recorded interval, (member, batch, recorded, neuron), once differentiable."""
    ready = (None if each is None else each.to(torch.float32).contiguous() for each in signals)
    return _Sweep.apply(plan, *ready)


class _Trajectory(NamedTuple):
    """What the adjoint needs of a number of steps; not kept, only room for what the forward kernel needs itself."""

    xs: Tensor  # (member, batch, steps + 1, neuron)
    sources: Tensor  # y that enters each evaluation of the drive, (member, batch, steps * phases, neuron)
    drives: Tensor  # s that comes out of it, the same shape

    @classmethod
    def empty(cls, like: Tensor, nodes: int, evaluations: int) -> "_Trajectory":
        """Make room; without nodes nothing is kept."""
        members, batch, neurons = like.shape
        return cls(
            like.new_empty(members, batch, nodes, neurons),
            like.new_empty(members, batch, evaluations if nodes else 2, neurons),
            like.new_empty(members, batch, evaluations if nodes else 0, neurons),
        )


class _Found(NamedTuple):
    """What the adjoint kernel gives for a number of steps."""

    u: Tensor  # gradient by the argument of the saturation at each evaluation, (member, batch, steps * phases, neuron)
    shift: Tensor  # gradient by the change of the defect over each step, (member, batch, steps, neuron)
    sums: Tensor  # gradients by the first five coefficients, (member, tile, 5, neuron)


class _Gradients:
    """Gradients by the tensors of `GpuSignals`, collected over segments of steps; only those that are wanted."""

    def __init__(self, plan: GpuPlan, signals: GpuSignals, wanted: dict[str, bool]) -> None:
        self._plan, self._phases = plan, plan.phases(signals)
        self.sums = {name: torch.zeros_like(getattr(signals, name)) for name, yes in wanted.items() if yes}

    def add(self, span: range, kept: _Trajectory, found: _Found) -> None:
        """Add what the steps of a span contribute."""
        nodes = slice(span.start, span.stop + 1)
        if "matrix" in self.sums:
            # One product per member sums over all samples and evaluations.
            by_u, entered = found.u.flatten(1, 2), kept.sources.flatten(1, 2)
            self.sums["matrix"] += torch.bmm(by_u.transpose(1, 2), entered)
        if "held" in self.sums:
            each = found.u.unflatten(2, (-1, self._plan.substeps * self._phases)).sum(3)
            first = span.start // self._plan.substeps
            self.sums["held"][:, :, first : first + each.shape[2]] = each
        if "nodes" in self.sums:
            self._add_nodes(self.sums["nodes"][:, :, nodes], found.u.unflatten(2, (-1, self._phases)).unbind(3))
        if "defect" in self.sums:
            part = self.sums["defect"][:, :, nodes]
            part[:, :, 1:] += found.shift
            part[:, :, :-1] -= found.shift
        if "cell" in self.sums:
            self.sums["cell"][:, :5] += found.sums.sum(1)  # over tiles

    def _add_nodes(self, part: Tensor, by_phase: tuple[Tensor, ...]) -> None:
        """Add to the gradient by the nodes of a span: an evaluation takes its first node or the mean of both."""
        *predictor, final = by_phase
        if self._plan.order == 1:
            part[:, :, :-1] += final
            return
        part[:, :, :-1] += final / 2
        part[:, :, 1:] += final / 2
        for each in predictor:
            part[:, :, :-1] += each


class _Sweep(torch.autograd.Function):
    """The kernels over all steps, whole or in segments."""

    @staticmethod
    def forward(ctx: Any, plan: GpuPlan, *tensors: Tensor | None) -> tuple[Tensor, Tensor]:
        signals = GpuSignals(*tensors)  # type: ignore[arg-type]
        training = any(ctx.needs_input_grad)
        segment = _segment(plan, signals) if training else plan.steps
        keep = training and segment == plan.steps
        like = signals.start
        power = like.new_empty(*like.shape[:2], plan.samples - plan.recorded_from, like.shape[2])
        filtered = torch.empty_like(power)
        trajectory = _room(plan, signals, plan.steps if keep else 0)
        checkpoints = []
        # A CTRNN starts with the output that belongs to its state, the high-pass of an oscillator with silence.
        state = (like, torch.tanh(like) if plan.ctrnn else torch.zeros_like(like))
        for begin in range(0, plan.steps, segment):
            checkpoints.append(state)
            span = range(begin, min(begin + segment, plan.steps))
            state = _launch_forward(plan, signals, span, state, trajectory, (power, filtered), keep)
        ctx.save_for_backward(*tensors)
        ctx.plan, ctx.segment = plan, segment
        ctx.trajectory, ctx.checkpoints = (trajectory if keep else None), checkpoints
        ctx.set_materialize_grads(False)
        return power, filtered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_power: Tensor | None, g_filtered: Tensor | None) -> tuple[Tensor | None, ...]:
        plan, signals = ctx.plan, GpuSignals(*ctx.saved_tensors)
        wanted = dict(zip(GpuSignals._fields, ctx.needs_input_grad[1:], strict=True))
        gradients = _Gradients(plan, signals, wanted)
        record = tuple(None if gradient is None else gradient.contiguous() for gradient in (g_power, g_filtered))
        state = (torch.zeros_like(signals.start), torch.zeros_like(signals.start))
        for number in reversed(range(len(ctx.checkpoints))):
            span = range(number * ctx.segment, min((number + 1) * ctx.segment, plan.steps))
            kept = ctx.trajectory or _again(plan, signals, span, ctx.checkpoints[number])
            found = _launch_adjoint(plan, signals, span, kept, record, state, wanted)
            gradients.add(span, kept, found)
        slope = 1 - torch.tanh(signals.start) ** 2 if plan.ctrnn else 0.0
        gradients.sums["start"] = state[0] + slope * state[1]
        return None, *(gradients.sums.get(name) for name in GpuSignals._fields)


def _segment(plan: GpuPlan, signals: GpuSignals) -> int:
    """Give the steps between checkpoints, whole intervals: all, or about the square root where memory is short."""
    # Numbers for each neuron and step: x; y, s and the gradient by u of each evaluation.
    numbers = 1 + 3 * plan.phases(signals)
    if 4 * signals.start.numel() * plan.steps * numbers <= KEEP_BYTES:
        return plan.steps
    return plan.substeps * max(1, math.isqrt(plan.samples))


def _room(plan: GpuPlan, signals: GpuSignals, steps: int) -> _Trajectory:
    """Make room for the trajectory of some steps; for none, only what the forward kernel needs itself."""
    return _Trajectory.empty(signals.start, steps + 1 if steps else 0, steps * plan.phases(signals))


def _again(plan: GpuPlan, signals: GpuSignals, span: range, state: tuple[Tensor, Tensor]) -> _Trajectory:
    """Integrate a segment again from its checkpoint, this time keeping its trajectory and recording nothing."""
    trajectory, nothing = _room(plan, signals, len(span)), signals.start.new_empty(0)
    unrecorded = replace(plan, recorded_from=plan.samples)
    _launch_forward(unrecorded, signals, span, state, trajectory, (nothing, nothing), True)
    return trajectory


def _launch_forward(
    plan: GpuPlan,
    signals: GpuSignals,
    span: range,
    state: tuple[Tensor, Tensor],
    trajectory: _Trajectory,
    record: tuple[Tensor, Tensor],
    keep: bool,
) -> tuple[Tensor, Tensor]:
    """Integrate the steps of a span; give x and y at its end."""
    end = torch.empty_like(state[0]), torch.empty_like(state[1])
    matrix = None if signals.matrix is None else _padded(signals.matrix.transpose(1, 2))
    grid, common, layout = _arguments(plan, signals, span)
    with torch.cuda.device_of(signals.start):
        forward_kernel[grid](
            *_pointers(signals, matrix, signals.held, signals.nodes, signals.defect, signals.noise),
            signals.cell,
            *state,
            *record,
            *end,
            *trajectory,
            *common,
            HELD=signals.held is not None,
            NODES=signals.nodes is not None,
            KEEP=keep,
            **layout,
        )
    return end


def _launch_adjoint(
    plan: GpuPlan,
    signals: GpuSignals,
    span: range,
    kept: _Trajectory,
    record: tuple[Tensor | None, ...],
    state: tuple[Tensor, Tensor],
    wanted: dict[str, bool],
) -> _Found:
    """Walk back through a span; `state`, the gradients by x and y at its end, becomes those at its start."""
    grid, common, layout = _arguments(plan, signals, span)
    members, batch, neurons = signals.start.shape
    found = _Found(
        torch.empty_like(kept.drives),
        signals.start.new_empty(members, batch, len(span) if wanted["defect"] else 0, neurons),
        signals.start.new_empty(members, grid[0], 5 if wanted["cell"] else 0, neurons),
    )
    matrix = None if signals.matrix is None else _padded(signals.matrix)
    with torch.cuda.device_of(signals.start):
        adjoint_kernel[grid](
            *_pointers(signals, matrix, signals.defect, signals.noise),
            signals.cell,
            *kept,
            *_pointers(signals, *record),
            *state,
            *found,
            *common,
            POWER=record[0] is not None,
            FILTERED=record[1] is not None,
            WANT_CELL=wanted["cell"],
            WANT_DEFECT=wanted["defect"],
            **layout,
        )
    return found


def _pointers(signals: GpuSignals, *tensors: Tensor | None) -> list[Tensor]:
    """Give tensors that a kernel can take; in place of an absent one any, which it will not touch."""
    return [signals.start if tensor is None else tensor for tensor in tensors]


def _padded(matrix: Tensor) -> Tensor:
    """Pad to the width of a tile, contiguous."""
    missing = padded_width(matrix.shape[-1]) - matrix.shape[-1]
    return torch.nn.functional.pad(matrix, (0, missing, 0, missing)).contiguous()


def _arguments(
    plan: GpuPlan, signals: GpuSignals, span: range
) -> tuple[tuple[int, int], tuple[int, ...], dict[str, Any]]:
    """Give what both kernels share: the grid, the integers, and the constants."""
    members, batch, neurons = signals.start.shape
    width = padded_width(neurons)
    launch = launch_of(width, signals.start.device)
    integers = (batch, neurons, len(span), span.start, plan.substeps, plan.samples, plan.recorded_from)
    constants = {
        "CTRNN": plan.ctrnn,
        "ORDER": plan.order,
        "SATURATE": plan.saturate,
        "COUPLED": signals.matrix is not None,
        "PHASES": plan.phases(signals),
        "DEFECT": signals.defect is not None,
        "NOISE": signals.noise is not None,
        "TILE": launch.tile,
        "WIDTH": width,
        "CHUNK": launch.chunk,
        "RESIDENT": launch.resident,
        "PRECISION": launch.precision,
        "num_warps": launch.warps,
    }
    return (-(-batch // launch.tile), members), integers, constants
