"""The autograd function around the kernels: launches, what is kept for the adjoint, and sums over steps."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinhw.rollout.gpu.folding import padded_width
from spinhw.rollout.gpu.kernels import adjoint_kernel, forward_kernel

KEEP_BYTES = 8 << 30  # Largest trajectory kept for the adjoint; a longer one is integrated again from checkpoints.


@dataclass(frozen=True)
class Launch:
    """How a kernel is laid out; the result depends on it by rounding only.

    Args:
        tile: Samples in a program; a power of two.
        chunk: Neurons whose outputs enter one product, at least 16; a power of two.
        warps: Warps in a program.
        precision: "ieee" (products in float32) or "tf32x3" (tensor cores, three passes, nearly float32).
    """

    tile: int = 16
    chunk: int = 16
    warps: int = 8
    precision: str = "ieee"


@dataclass(frozen=True)
class Plan:
    """What a sweep does.

    Args:
        ctrnn: Whether the neurons are those of a CTRNN.
        order: 1 freezes the drive over a step, 2 uses its midpoint.
        saturate: Whether the drive is bounded.
        samples: Input intervals.
        substeps: Steps for each of them.
        recorded_from: First interval that is recorded.
        keep_bytes: Largest trajectory kept for the adjoint.
        launch: Layout of the kernels.
    """

    ctrnn: bool
    order: int
    saturate: bool
    samples: int
    substeps: int
    recorded_from: int
    keep_bytes: int = KEEP_BYTES
    launch: Launch = Launch()


class Signals(NamedTuple):
    """Tensors of a sweep, contiguous float32; None where there is none.

    Args:
        matrix: (member, neuron, neuron), source last, times the gain.
        held: Argument of the saturation from outside, held over intervals, (member, batch, time, neuron).
        nodes: The same at step nodes, (member, batch, steps + 1, neuron).
        cell: Coefficients (member, 6, neuron), see `folding`.
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


def sweep(plan: Plan, signals: Signals) -> tuple[Tensor, Tensor]:
    """Give x and y at the end of each recorded interval, (member, batch, recorded, neuron), once differentiable."""
    return _Sweep.apply(plan, *(None if each is None else each.contiguous() for each in signals))


class _Trajectory(NamedTuple):
    """What the adjoint needs of a number of steps; without `keep`, rings that the forward kernel needs itself."""

    xs: Tensor  # (member, batch, steps + 1, neuron)
    ys: Tensor
    middles: Tensor  # (member, batch, steps, neuron)
    firsts: Tensor
    finals: Tensor

    @classmethod
    def empty(cls, like: Tensor, plan: Plan, steps: int, *, coupled: bool, keep: bool) -> "_Trajectory":
        def room(times: int, wanted: bool) -> Tensor:
            return like.new_empty(*like.shape[:2], times if wanted else 0, like.shape[2])

        nodes, second = (steps + 1, steps) if keep else (2, 1)
        predicts = coupled and plan.order == 2
        return cls(
            room(nodes, keep),
            room(nodes, keep or coupled),
            room(second, predicts),
            room(second, keep and predicts),
            room(second, keep),
        )


class _Gradients:
    """Gradients by the tensors of `Signals`, collected over segments of steps; None where not wanted."""

    def __init__(self, plan: Plan, signals: Signals, wanted: dict[str, bool]) -> None:
        self._plan, self._wanted = plan, wanted
        self.sums = {name: torch.zeros_like(getattr(signals, name)) for name, yes in wanted.items() if yes}

    def add(self, begin: int, steps: int, kept: _Trajectory, found: "_Found") -> None:
        """Add what the steps from `begin` on contribute."""
        if self._wanted["matrix"]:
            self.sums["matrix"] += self._by_matrix(kept, found, steps)
        if self._wanted["held"]:
            total = found.finals + found.firsts if found.firsts.numel() else found.finals
            intervals = total.unflatten(2, (-1, self._plan.substeps)).sum(3)
            first = begin // self._plan.substeps
            self.sums["held"][:, :, first : first + intervals.shape[2]] = intervals
        if self._wanted["nodes"]:
            self._add_nodes(self.sums["nodes"][:, :, begin : begin + steps + 1], found)
        if self._wanted["defect"]:
            part = self.sums["defect"][:, :, begin : begin + steps + 1]
            part[:, :, 1:] += found.shift
            part[:, :, :-1] -= found.shift
        if self._wanted["cell"]:
            self.sums["cell"][:, :5] += found.sums.sum(1)  # over tiles, in their order

    def _by_matrix(self, kept: _Trajectory, found: "_Found", steps: int) -> Tensor:
        """Sum of (gradient by u) (y that led to it) over samples and steps: one product per member."""
        start = kept.ys[:, :, :steps]
        pairs = [(found.finals, start)] if self._plan.order == 1 else [(found.finals, kept.middles), (found.firsts, start)]
        return sum(torch.bmm(u.flatten(1, 2).transpose(1, 2), y.flatten(1, 2)) for u, y in pairs)

    def _add_nodes(self, part: Tensor, found: "_Found") -> None:
        if self._plan.order == 1:
            part[:, :, :-1] += found.finals
            return
        part[:, :, :-1] += found.finals / 2
        part[:, :, 1:] += found.finals / 2
        if found.firsts.numel():
            part[:, :, :-1] += found.firsts


class _Found(NamedTuple):
    """What the adjoint kernel gives for a number of steps."""

    firsts: Tensor  # gradient by u of the predictors, (member, batch, steps, neuron)
    finals: Tensor  # and of the final evaluations
    shift: Tensor  # gradient by the change of the defect over each step, the same shape
    sums: Tensor  # gradients by the first five coefficients, (member, tile, 5, neuron)


class _Sweep(torch.autograd.Function):
    """The kernels over all steps, whole or in segments."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, *tensors: Tensor | None) -> tuple[Tensor, Tensor]:
        signals = Signals(*tensors)  # type: ignore[arg-type]
        steps, training = plan.samples * plan.substeps, any(ctx.needs_input_grad)
        segment = _segment(plan, signals) if training else steps
        keep = training and segment == steps
        like = signals.start
        record = like.new_empty(*like.shape[:2], plan.samples - plan.recorded_from, like.shape[2])
        power, filtered = record, torch.empty_like(record)
        trajectory = _Trajectory.empty(like, plan, steps, coupled=signals.matrix is not None, keep=keep)
        checkpoints = []
        state = (like, torch.zeros_like(like))
        for begin in range(0, steps, segment):
            checkpoints.append(state)
            span = range(begin, min(begin + segment, steps))
            state = _launch_forward(plan, signals, span, state, trajectory, (power, filtered), keep)
        ctx.save_for_backward(*tensors)
        ctx.plan, ctx.segment = plan, segment
        ctx.trajectory, ctx.checkpoints = (trajectory if keep else None), checkpoints
        ctx.set_materialize_grads(False)
        return power, filtered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g_power: Tensor | None, g_filtered: Tensor | None) -> tuple[Tensor | None, ...]:
        plan, signals = ctx.plan, Signals(*ctx.saved_tensors)
        wanted = dict(zip(Signals._fields, ctx.needs_input_grad[1:], strict=True))
        gradients, steps = _Gradients(plan, signals, wanted), plan.samples * plan.substeps
        record = tuple(None if gradient is None else gradient.contiguous() for gradient in (g_power, g_filtered))
        state = (torch.zeros_like(signals.start), torch.zeros_like(signals.start))
        for number in reversed(range(len(ctx.checkpoints))):
            span = range(number * ctx.segment, min((number + 1) * ctx.segment, steps))
            kept = ctx.trajectory or _again(plan, signals, span, ctx.checkpoints[number])
            found = _launch_adjoint(plan, signals, span, kept, record, state, wanted)
            gradients.add(span.start, len(span), kept, found)
        gradients.sums["start"] = state[0]
        return None, *(gradients.sums.get(name) for name in Signals._fields)


def _segment(plan: Plan, signals: Signals) -> int:
    """Give the steps between checkpoints, whole intervals: all, or about the square root where memory is short."""
    steps = plan.samples * plan.substeps
    # Nodes of x and y, and per step the y and the s of up to two evaluations and the gradients by their u.
    arrays = 2 + (5 if signals.matrix is not None and plan.order == 2 else 2)
    if 4 * signals.start.numel() * steps * arrays <= plan.keep_bytes:
        return steps
    return plan.substeps * max(1, math.isqrt(plan.samples))


def _again(plan: Plan, signals: Signals, span: range, state: tuple[Tensor, Tensor]) -> _Trajectory:
    """Integrate a segment again from its checkpoint, this time keeping its trajectory."""
    coupled = signals.matrix is not None
    trajectory = _Trajectory.empty(signals.start, plan, len(span), coupled=coupled, keep=True)
    unrecorded = plan.samples
    nothing = signals.start.new_empty(0)
    _launch_forward(plan, signals, span, state, trajectory, (nothing, nothing), True, recorded_from=unrecorded)
    return trajectory


def _launch_forward(
    plan: Plan,
    signals: Signals,
    span: range,
    state: tuple[Tensor, Tensor],
    trajectory: _Trajectory,
    record: tuple[Tensor, Tensor],
    keep: bool,
    recorded_from: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Integrate the steps of a span; give x and y at its end."""
    end = torch.empty_like(state[0]), torch.empty_like(state[1])
    matrix = None if signals.matrix is None else _padded(signals.matrix.transpose(1, 2))
    grid, common, layout = _arguments(plan, signals, span, recorded_from)
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
    plan: Plan,
    signals: Signals,
    span: range,
    kept: _Trajectory,
    record: tuple[Tensor | None, ...],
    state: tuple[Tensor, Tensor],
    wanted: dict[str, bool],
) -> _Found:
    """Walk back through a span; `state`, the gradients by x and y at its end, becomes those at its start."""
    grid, common, layout = _arguments(plan, signals, span, None)
    like, empty = kept.finals, kept.finals.new_empty(0)
    found = _Found(
        torch.empty_like(kept.firsts),
        torch.empty_like(like),
        torch.empty_like(like) if wanted["defect"] else empty,
        like.new_empty(like.shape[0], grid[0], 5, like.shape[3]) if wanted["cell"] else empty,
    )
    matrix = None if signals.matrix is None else _padded(signals.matrix)
    adjoint_kernel[grid](
        *_pointers(signals, matrix, signals.defect, signals.noise),
        signals.cell,
        kept.xs,
        kept.ys,
        kept.firsts,
        kept.finals,
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


def _pointers(signals: Signals, *tensors: Tensor | None) -> list[Tensor]:
    """Give tensors that a kernel can take; in place of an absent one any, which it will not touch."""
    return [signals.start if tensor is None else tensor for tensor in tensors]


def _padded(matrix: Tensor) -> Tensor:
    """Pad to the width of a tile, contiguous."""
    missing = padded_width(matrix.shape[-1]) - matrix.shape[-1]
    return torch.nn.functional.pad(matrix, (0, missing, 0, missing)).contiguous()


def _arguments(
    plan: Plan, signals: Signals, span: range, recorded_from: int | None
) -> tuple[tuple[int, int], tuple[int, ...], dict[str, Any]]:
    """Give what both kernels share: the grid, the integers, and the constants."""
    members, batch, neurons = signals.start.shape
    width, launch = padded_width(neurons), plan.launch
    first = plan.recorded_from if recorded_from is None else recorded_from
    integers = (batch, neurons, len(span), span.start, plan.substeps, plan.samples, first)
    constants = {
        "CTRNN": plan.ctrnn,
        "ORDER": plan.order,
        "SATURATE": plan.saturate,
        "COUPLED": signals.matrix is not None,
        "DEFECT": signals.defect is not None,
        "NOISE": signals.noise is not None,
        "TILE": launch.tile,
        "WIDTH": width,
        "CHUNK": min(launch.chunk, width),
        "RESIDENT": _fits_on_chip(width, launch.tile, signals.start),
        "PRECISION": launch.precision,
        "num_warps": launch.warps,
    }
    return (-(-batch // launch.tile), members), integers, constants
