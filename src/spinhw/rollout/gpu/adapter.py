"""The GPU engine behind the signature of the reference rollout."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from spinhw.rollout import reference
from spinhw.rollout.cells import CELLS
from spinhw.rollout.folding import Folded, fold
from spinhw.rollout.gpu.engine import Plan, Signals, sweep
from spinhw.rollout.gpu.launch import LARGEST_NETWORK
from spinhw.rollout.parameters import Extras, Neurons, Rollout, Steps, Weights
from spinhw.rollout.recurrence import recurrence

_log = logging.getLogger(__name__)


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
    """Integrate whole networks; arguments as for `spinhw.rollout.rollout`, checked already; record_drive is not set."""
    if sum(weights.layers) > LARGEST_NETWORK:
        _say_fallback(sum(weights.layers))
        return reference.rollout(
            weights,
            neurons,
            inputs,
            steps,
            cell=cell,
            drive_rate_per_s=drive_rate_per_s,
            initial=initial,
            extras=extras,
            overrides=overrides,
            loop_delay_s=0.0,
            record_drive=record_drive,
            record_last=record_last,
        )
    spintronic = cell == "spintronic"
    folded = fold(
        neurons,
        steps.step_s,
        weights.members,
        cell=cell,
        drive_rate_per_s=drive_rate_per_s,
        diffusion_per_s=extras.diffusion_per_s,
    )
    synapses = recurrence(_with_gain(weights, folded), inputs, overrides)
    plan = Plan(
        ctrnn=not spintronic,
        order=steps.order,
        saturate=spintronic and neurons.bounds is not None,
        samples=inputs.shape[2],
        substeps=steps.substeps,
        recorded_from=0 if record_last is None else inputs.shape[2] - record_last,
    )
    start = reference.start_state(CELLS[cell](neurons, steps.step_s), initial, synapses.held[:, :, 0])
    signals = Signals(
        synapses.matrix,
        synapses.held,
        synapses.nodes,
        _stacked(folded),
        start,
        extras.defect,
        extras.noise,
    )
    return Rollout(start, *sweep(plan, signals))


def rollout_driven(
    drive: Tensor, neurons: Neurons, steps: Steps, *, at_nodes: bool, initial: str | Tensor, extras: Extras
) -> Rollout:
    """Integrate uncoupled oscillators; arguments as for `spinhw.rollout.rollout_driven`, checked already."""
    if drive.shape[3] > LARGEST_NETWORK:
        _say_fallback(drive.shape[3])
        return reference.rollout_driven(drive, neurons, steps, at_nodes=at_nodes, initial=initial, extras=extras)
    samples = (drive.shape[2] - 1) // steps.substeps if at_nodes else drive.shape[2]
    plan = Plan(
        ctrnn=False, order=steps.order, saturate=False, samples=samples, substeps=steps.substeps, recorded_from=0
    )
    start = reference.start_state(CELLS["spintronic"](neurons, steps.step_s), initial, drive[:, :, 0])
    folded = fold(neurons, steps.step_s, len(drive), diffusion_per_s=extras.diffusion_per_s)
    held, nodes = (None, drive) if at_nodes else (drive, None)
    signals = Signals(None, held, nodes, _stacked(folded), start, extras.defect, extras.noise)
    return Rollout(start, *sweep(plan, signals))


def _with_gain(weights: Weights, folded: Folded) -> Weights:
    """Multiply weights and biases by the gain of their neuron and add its offset to the bias."""
    rounded = (part.to(weights.bias[0].dtype) for part in (folded.gain, folded.offset))
    gains, offsets = (part.split(weights.layers, dim=-1) for part in rounded)
    return replace(
        weights,
        w_ext=tuple(w * gain[:, :, None] for w, gain in zip(weights.w_ext, gains, strict=True)),
        w_int=tuple(w * gain[:, :, None] for w, gain in zip(weights.w_int, gains, strict=True)),
        bias=tuple(b * gain + offset for b, gain, offset in zip(weights.bias, gains, offsets, strict=True)),
    )


def _stacked(folded: Folded) -> Tensor:
    """Stack coefficients in the order of the kernels, (member, 6, neuron)."""
    rows = (folded.p1, folded.p0, folded.damping, folded.decay, folded.passed, folded.kick)
    return folded.stacked(*rows, dtype=torch.float32).transpose(0, 1)


@cache
def _say_fallback(neurons: int) -> None:
    _log.info(
        "%d neurons are more than the %d that one GPU program can hold: the reference rollout takes over, on the GPU",
        neurons,
        LARGEST_NETWORK,
    )
