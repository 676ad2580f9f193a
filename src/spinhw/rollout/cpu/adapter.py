"""The CPU engine behind the signature of the reference rollout."""

from collections.abc import Mapping

import torch
from torch import Tensor

from spinhw.rollout.cells import CELLS
from spinhw.rollout.cpu.engine import Given, Wanted, integrate
from spinhw.rollout.cpu.kernels.rows import CTRNN, OSCILLATOR
from spinhw.rollout.cpu.pattern import pattern_of, uncoupled
from spinhw.rollout.folding import Folded, fold
from spinhw.rollout.parameters import Extras, Neurons, Rollout, Sparsity, Steps, Weights
from spinhw.rollout.recurrence import block_matrix, node_drive
from spinhw.rollout.reference import start_state

_KINDS = {"spintronic": OSCILLATOR, "ctrnn": CTRNN}


def rollout(
    weights: Weights,
    neurons: Neurons,
    inputs: Tensor,
    steps: Steps,
    *,
    cell: str,
    drive_rate_per_s: float,
    initial: str | Tensor,
    extras: Extras,
    overrides: Mapping[int, Tensor],
    record_drive: bool,
    record_last: int | None,
) -> Rollout:
    """Integrate whole networks; arguments as for `spinhw.rollout.rollout`, checked already."""
    members, batch, samples, channels = inputs.shape
    start = _start(neurons, steps, initial, cell, members, inputs)
    sparsity = weights.sparsity or Sparsity.dense(weights.layers, channels)
    folded = fold(
        neurons,
        steps.step_s,
        members,
        cell=cell,
        drive_rate_per_s=drive_rate_per_s,
        diffusion_per_s=extras.diffusion_per_s,
    )
    given = Given(
        coefficients=_stacked(folded, inputs.dtype),
        w_rec=block_matrix(weights, overrides),
        # Only the first layer has any input weights.
        w_in=torch.nn.functional.pad(weights.w_ext[0], (0, 0, 0, sum(weights.layers[1:]))),
        bias=torch.cat(weights.bias, dim=-1),
        start=start,
        nodes=node_drive(weights, overrides),
        inputs=inputs,
        defect=extras.defect,
        noise=extras.noise,
    )
    spintronic = cell == "spintronic"
    wanted = Wanted(
        kind=_KINDS[cell],
        saturate=spintronic and neurons.bounds is not None,
        batch=batch,
        samples=samples,
        recorded=samples if record_last is None else record_last,
        drive=record_drive,
    )
    pattern = pattern_of(sparsity.recurrent, sparsity.inputs, members)
    power, filtered, drive = integrate(given, wanted, steps, pattern)
    if drive is not None and wanted.saturate and neurons.bounds is not None:
        lowest, highest = neurons.bounds.lowest[:, None, None], neurons.bounds.highest[:, None, None]
        drive = lowest + (highest - lowest) * drive
    return Rollout(start.expand(-1, batch, -1), power, filtered, drive)


def rollout_driven(
    drive: Tensor, neurons: Neurons, steps: Steps, *, at_nodes: bool, initial: str | Tensor, extras: Extras
) -> Rollout:
    """Integrate uncoupled oscillators; arguments as for `spinhw.rollout.rollout_driven`, checked already."""
    members, batch, length, width = drive.shape
    samples = (length - 1) // steps.substeps if at_nodes else length
    start = _start(neurons, steps, initial, "spintronic", members, drive)
    folded = fold(neurons, steps.step_s, members, diffusion_per_s=extras.diffusion_per_s)
    given = Given(
        coefficients=_stacked(folded, drive.dtype),
        start=start,
        ext=None if at_nodes else drive,
        nodes=drive if at_nodes else None,
        defect=extras.defect,
        noise=extras.noise,
    )
    wanted = Wanted(OSCILLATOR, saturate=False, batch=batch, samples=samples, recorded=samples, drive=False)
    power, filtered, _ = integrate(given, wanted, steps, pattern_of(*uncoupled(width), members))
    return Rollout(start.expand(-1, batch, -1), power, filtered)


def _stacked(folded: Folded, dtype: torch.dtype) -> Tensor:
    """Stack coefficients in the order of the kernels, the last two for the mean y of a midpoint step."""
    gain, offset, p1, p0, p2, _, decay, passed, kick = folded
    return folded.stacked(gain, offset, p1, p0, p2, decay, passed, kick, (1 + decay) / 2, passed / 2, dtype=dtype)


def _start(neurons: Neurons, steps: Steps, initial: str | Tensor, cell: str, members: int, like: Tensor) -> Tensor:
    """Give the state before the first sample, (member, batch or 1, neuron): once for all samples where they agree."""
    if isinstance(initial, Tensor):
        return initial.expand(members, -1, -1)
    once = like.new_empty(members, 1, neurons.gamma.shape[-1])
    return start_state(CELLS[cell](neurons, steps.step_s), initial, once)
