"""The autograd function around the compiled sweeps, and how a call is turned into one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from spinhw.rollout.cpu.job import Job, array, dtype_of
from spinhw.rollout.cpu.kernels.plan import (
    P_0,
    P_1,
    P_2,
    P_DECAY,
    P_GAIN,
    P_KAPPA,
    P_OFFSET,
    Adjoints,
    CpuPlan,
    CpuSignals,
    PackedSynapses,
    Recorded,
)
from spinhw.rollout.cpu.kernels.rows import (
    SUM_DECAY,
    SUM_GAIN,
    SUM_KAPPA,
    SUM_OFFSET,
    SUM_P0,
    SUM_P1,
    SUM_P2,
    SUMS,
)
from spinhw.rollout.cpu.kernels.vector import LANES, PIECE
from spinhw.rollout.cpu.pattern import Pattern
from spinhw.rollout.cpu.plain import PlainJob, is_plain
from spinhw.rollout.folding import wants_gradient
from spinhw.rollout.steps import Steps

# Which sum over steps is the adjoint of which coefficient.
_CELL_SUMS = [SUM_GAIN, SUM_OFFSET, SUM_P1, SUM_P0, SUM_P2, SUM_DECAY, SUM_KAPPA]
_CELL_ROWS = [P_GAIN, P_OFFSET, P_1, P_0, P_2, P_DECAY, P_KAPPA]


class Given(NamedTuple):
    """Tensors of a call, in one floating-point type; None where there is none. Gradients flow to all but the noise.

    Args:
        coefficients: (row, member, neuron); see `kernels.plan` for the rows.
        start: State before the first sample, (member, batch or 1, neuron).
        w_rec: (member, neuron, neuron), source last; only what the pattern has is used, and gets a gradient.
        w_in: (member, neuron, input), likewise.
        bias: (member, neuron).
        ext: Held over each interval, (member, batch, time, neuron).
        nodes: Given at the step nodes, (member, batch, steps + 1, neuron).
        inputs: (member, batch, time, input).
        defect: (member, batch, steps + 1, neuron).
        noise: (member, batch, steps, neuron, 2).
    """

    coefficients: Tensor
    start: Tensor
    w_rec: Tensor | None = None
    w_in: Tensor | None = None
    bias: Tensor | None = None
    ext: Tensor | None = None
    nodes: Tensor | None = None
    inputs: Tensor | None = None
    defect: Tensor | None = None
    noise: Tensor | None = None


@dataclass(frozen=True)
class Wanted:
    """What a call does and records.

    Args:
        kind: OSCILLATOR or CTRNN.
        saturate: Whether the drive is bounded.
        batch: Samples of each member.
        samples: Input intervals.
        recorded: How many of them, at the end, are recorded.
        drive: Whether the mean drive is recorded, without a gradient.
    """

    kind: int
    saturate: bool
    batch: int
    samples: int
    recorded: int
    drive: bool


def integrate(
    given: Given, wanted: Wanted, steps: Steps, pattern: Pattern, delay: float = 0.0
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Integrate a network and record x, y and, where asked for, the mean of s over each interval.

    Each is (member, batch, recorded intervals, neuron), at the end of the intervals; once differentiable, but not with
    a delay (of y on its way to the drive, in steps, zero or above).
    """
    # No channels, nothing to sum: the kernels take that as a network without inputs.
    given = given._replace(inputs=given.inputs if pattern.inputs else None)
    dtype, learns = dtype_of(given.start), torch.is_grad_enabled()
    needs = {name: learns and wants_gradient([each]) for name, each in given._asdict().items()}
    plan = CpuPlan(
        kind=wanted.kind,
        order=steps.order,
        saturate=int(wanted.saturate),
        steps=wanted.samples * steps.substeps,
        substeps=steps.substeps,
        batch=wanted.batch,
        neurons=pattern.neurons,
        inputs=pattern.inputs,
        tiles=-(-wanted.batch // LANES[dtype]),
        piece=PIECE[dtype],
        recorded_from=wanted.samples - min(wanted.recorded, wanted.samples),
        segment=0,
        want_power=1,
        want_filtered=1,
        want_drive=int(wanted.drive),
        want_weights=int(needs["w_rec"] or needs["w_in"] or needs["coefficients"]),
        want_cell=int(needs["coefficients"]),
        want_ext=int(needs["ext"]),
        want_nodes=int(needs["nodes"]),
        want_inputs=int(needs["inputs"]),
        want_defect=int(needs["defect"]),
        delay=float(delay),
    )
    power, filtered, drive = _Sweep.apply(plan, pattern, any(needs.values()), *given)
    return power, filtered, drive if wanted.drive else None


class _Sweep(torch.autograd.Function):
    """The compiled sweep over all steps and its adjoint."""

    @staticmethod
    def forward(
        ctx: Any, plan: CpuPlan, pattern: Pattern, training: bool, *tensors: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        given = Given(*tensors)  # type: ignore[arg-type]
        job, weights = _prepared(plan, pattern, given, training)
        shape = (pattern.members, plan.batch, plan.steps // plan.substeps - plan.recorded_from, plan.neurons)
        power, filtered, drive = (
            torch.empty(shape if wanted else (0, 0, 0, 0), dtype=given.start.dtype)
            for wanted in (plan.want_power, plan.want_filtered, plan.want_drive)
        )
        job.forward(Recorded(power.numpy(), filtered.numpy(), drive.numpy()))
        ctx.mark_non_differentiable(drive)
        if training:
            ctx.set_materialize_grads(False)
            # The job's arrays share memory with these tensors: saving them lets autograd notice changes in place.
            ctx.save_for_backward(*tensors)
            ctx.job, ctx.weights = job, weights
        return power, filtered, drive.div_(plan.substeps)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, g_power: Tensor | None, g_filtered: Tensor | None, g_drive: None
    ) -> tuple[Tensor | None, ...]:
        given, job = Given(*ctx.saved_tensors), ctx.job
        results = _room(job, given)
        nothing = array(None, 4, job.dtype)
        job.backward(Recorded(array(g_power, 4, job.dtype), array(g_filtered, 4, job.dtype), nothing), results)
        needs = dict(zip(Given._fields, ctx.needs_input_grad[3:], strict=True))
        return None, None, None, *_gradients(job, given, needs, ctx.weights, results)


def _prepared(plan: CpuPlan, pattern: Pattern, given: Given, training: bool) -> tuple[Job | PlainJob, np.ndarray]:
    """Lay a call out for the kernels; also give the stored weights without their gain."""
    dtype = dtype_of(given.start)
    cell = array(given.coefficients, 3, dtype).copy()
    gain = cell[P_GAIN]
    if given.bias is not None:
        cell[P_OFFSET] += gain * given.bias.detach().numpy()
    weights = pattern.gather(_numpy(given.w_rec), _numpy(given.w_in), dtype)
    value = weights * gain.reshape(-1)[pattern.row]
    synapses = PackedSynapses(
        pattern.start, pattern.column, value, pattern.back_start, pattern.back_row, value[pattern.back_index]
    )
    signals = CpuSignals(
        array(given.start.unsqueeze(2), 4, dtype),
        array(given.ext, 4, dtype),
        array(given.nodes, 4, dtype),
        array(given.inputs, 4, dtype),
        array(given.defect, 4, dtype),
        array(given.noise, 5, dtype),
    )
    make = PlainJob if is_plain(plan, cell, signals, training) else Job
    return make(plan, pattern, synapses, cell, signals, torch.get_num_threads(), training), weights


def _room(job: Job | PlainJob, given: Given) -> Adjoints:
    """Make room for the adjoints."""
    plan, members = job.plan, job.pattern.members

    def like(tensor: Tensor | None, wanted: int) -> np.ndarray:
        shape = (members, plan.batch, *tensor.shape[2:]) if tensor is not None and wanted else (0, 0, 0, 0)
        return np.empty(shape, job.dtype)

    return Adjoints(
        np.zeros((plan.tiles, job.synapses.value.size), job.dtype),
        np.zeros((plan.tiles, SUMS, members, plan.neurons), job.dtype),
        np.empty((members, plan.batch, 1, plan.neurons), job.dtype),
        like(given.ext, plan.want_ext),
        like(given.nodes, plan.want_nodes),
        like(given.inputs, plan.want_inputs),
        like(given.defect, plan.want_defect),
    )


def _gradients(
    job: Job | PlainJob, given: Given, needs: dict[str, bool], weights: np.ndarray, results: Adjoints
) -> list[Tensor | None]:
    """Give the gradients by the tensors of a call, None where not wanted; weights: the stored ones, without gain."""
    plan, pattern, gain = job.plan, job.pattern, job.cell[P_GAIN]
    sums, g_value = results.sums.sum(axis=0), results.value.sum(axis=0)
    g_rec, g_in = pattern.scatter(g_value * gain.reshape(-1)[pattern.row]) if plan.want_weights else (None, None)
    scale = torch.from_numpy(gain)[:, None, None, :]
    found: dict[str, Callable[[], Tensor]] = {
        "coefficients": lambda: _cell_adjoint(job, sums, weights * g_value, _numpy(given.bias)),
        "start": lambda: torch.from_numpy(results.start[:, :, 0]).sum_to_size(given.start.shape),
        "w_rec": lambda: torch.from_numpy(g_rec),
        "w_in": lambda: torch.from_numpy(g_in),
        "bias": lambda: torch.from_numpy(sums[SUM_OFFSET] * gain),
        "ext": lambda: torch.from_numpy(results.ext).mul_(scale),
        "nodes": lambda: torch.from_numpy(results.nodes).mul_(scale),
        "inputs": lambda: torch.from_numpy(results.inputs),
        "defect": lambda: torch.from_numpy(results.defect),
    }
    return [found[name]() if needs[name] else None for name in Given._fields]


def _cell_adjoint(job: Job | PlainJob, sums: np.ndarray, products: np.ndarray, bias: np.ndarray | None) -> Tensor:
    """Give the adjoint of the coefficients; the gain multiplies weights, bias and external terms.

    products: stored weights times the adjoint of their values.
    """
    result = np.zeros_like(job.cell)
    result[_CELL_ROWS] = sums[_CELL_SUMS]
    members, neurons = result.shape[1:]
    by_row = np.bincount(job.pattern.row, products, minlength=members * neurons)
    result[P_GAIN] += by_row.reshape(members, neurons).astype(job.dtype)
    if bias is not None:
        result[P_GAIN] += sums[SUM_OFFSET] * bias
    return torch.from_numpy(result)


def _numpy(tensor: Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.detach().numpy()
