"""The CPU engine behind the signature of the reference rollout."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spinhw.physics import coefficients, equilibrium
from spinhw.rollout.cpu.engine import Recorded, integrate
from spinhw.rollout.parameters import Extras, Neurons, Rollout, Sparsity, Steps, Weights
from spinhw.rollout.recurrence import block_matrix, node_drive

_KINDS = {"spintronic": "oscillator", "ctrnn": "ctrnn"}


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
    sparsity = weights.sparsity or Sparsity.dense(weights.layers, inputs.shape[-1])
    start = _start(neurons, initial, cell, weights.members, inputs)
    spintronic = cell == "spintronic"
    result = integrate(
        block_matrix(weights, overrides),
        mask=sparsity.recurrent,
        w_in=_input_matrix(weights),
        mask_in=sparsity.inputs,
        inputs=inputs,
        bias=torch.cat(weights.bias, dim=-1),
        ext_nodes=node_drive(weights, overrides),
        scale=neurons.gain * drive_rate_per_s,
        bias_drive=neurons.bias_drive if spintronic else 0.0,
        saturation=_bounds(neurons) if spintronic else None,
        x0=start,
        cell=_KINDS[cell],
        record_last=record_last,
        **_common(neurons, steps, extras),
    )
    return _rollout(start, inputs.shape[1], result)


def rollout_driven(
    drive: Tensor, neurons: Neurons, steps: Steps, *, at_nodes: bool, initial: str | Tensor, extras: Extras
) -> Rollout:
    """Integrate uncoupled oscillators; arguments as for `spinhw.rollout.rollout_driven`, checked already."""
    start = _start(neurons, initial, "spintronic", drive.shape[0], drive)
    held, nodes = (None, drive) if at_nodes else (drive, None)
    result = integrate(None, held, ext_nodes=nodes, scale=1.0, x0=start, **_common(neurons, steps, extras))
    return _rollout(start, drive.shape[1], result)


def _common(neurons: Neurons, steps: Steps, extras: Extras) -> dict[str, Any]:
    return {
        "gamma": neurons.gamma,
        "sigma": neurons.sigma,
        "q": neurons.q,
        "cutoff_hz": neurons.cutoff_hz,
        "dt_s": steps.sample_interval_s,
        "substeps": steps.substeps,
        "order": steps.order,
        "noise": extras.noise,
        "diffusion": 0.0 if extras.diffusion_per_s is None else extras.diffusion_per_s,
        "defect": extras.defect,
    }


def _input_matrix(weights: Weights) -> Tensor:
    """The input weights of all neurons, (member, neuron, input): only the first layer has any."""
    return torch.nn.functional.pad(weights.w_ext[0], (0, 0, 0, sum(weights.layers[1:])))


def _bounds(neurons: Neurons) -> tuple[Tensor, Tensor] | None:
    return None if neurons.bounds is None else (neurons.bounds.lowest, neurons.bounds.highest)


def _start(neurons: Neurons, initial: str | Tensor, cell: str, members: int, like: Tensor) -> Tensor:
    """State before the first sample, (member, batch or 1, neuron)."""
    if isinstance(initial, Tensor):
        return initial.expand(members, -1, -1)
    width = neurons.gamma.shape[-1]
    if initial == "half":
        return torch.full((members, 1, width), 0.5, dtype=like.dtype)
    if cell == "ctrnn":
        return torch.zeros(members, 1, width, dtype=like.dtype)
    rest = equilibrium(*coefficients(neurons.bias_drive, neurons.gamma, neurons.sigma, neurons.q))
    return rest.to(like.dtype)[:, None].expand(members, -1, -1)


def _rollout(start: Tensor, batch: int, result: Recorded) -> Rollout:
    if result.power is None or result.filtered is None:
        raise RuntimeError("the sweep did not record what it was asked for")
    return Rollout(start.expand(-1, batch, -1), result.power, result.filtered)
