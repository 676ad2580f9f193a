"""The GPU engine behind the signature of the reference rollout."""

import logging
from collections.abc import Mapping
from functools import cache

from torch import Tensor

from spinhw.rollout import reference
from spinhw.rollout.cells import CELLS
from spinhw.rollout.gpu.engine import Plan, Signals, sweep
from spinhw.rollout.gpu.folding import (
    ctrnn_coefficients,
    ctrnn_drive,
    folded,
    oscillator_coefficients,
    oscillator_drive,
)
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
    record_last: int | None,
) -> Rollout:
    """Integrate whole networks; arguments as for `spinhw.rollout.rollout`, checked already."""
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
            record_drive=False,
            record_last=record_last,
        )
    spintronic = cell == "spintronic"
    drive = (oscillator_drive if spintronic else ctrnn_drive)(neurons, drive_rate_per_s)
    synapses = recurrence(folded(weights, drive), inputs, overrides)
    plan = Plan(
        ctrnn=not spintronic,
        order=steps.order,
        saturate=spintronic and neurons.bounds is not None,
        samples=inputs.shape[2],
        substeps=steps.substeps,
        recorded_from=0 if record_last is None else inputs.shape[2] - record_last,
    )
    start = reference.start_state(CELLS[cell](neurons, steps.step_s), initial, synapses.held[:, :, 0])
    coefficients = (
        oscillator_coefficients(neurons, steps.step_s, extras, bounded=True)
        if spintronic
        else ctrnn_coefficients(neurons, steps.step_s)
    )
    signals = Signals(
        synapses.matrix,
        synapses.held,
        synapses.nodes,
        coefficients.expand(weights.members, -1, -1),
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
    coefficients = oscillator_coefficients(neurons, steps.step_s, extras, bounded=False)
    held, nodes = (None, drive) if at_nodes else (drive, None)
    signals = Signals(None, held, nodes, coefficients.expand(len(drive), -1, -1), start, extras.defect, extras.noise)
    return Rollout(start, *sweep(plan, signals))


@cache
def _say_fallback(neurons: int) -> None:
    _log.info(
        "%d neurons are more than the %d that one GPU program can hold: the reference rollout takes over, on the GPU",
        neurons,
        LARGEST_NETWORK,
    )
