"""Layer by layer: each layer's surrogate is driven by what was measured of the layer before."""

import torch
from torch import Tensor

from spinhw.errors import DeviceError
from spinhw.gradients.base import Pass, end_of
from spinhw.gradients.residual import residual_nodes
from spinhw.rollout import Neurons, Rollout, Sparsity, Steps, Weights, rollout
from spinhw.rollout.cells import make_cell


def layerwise(one: Pass) -> Tensor:
    """Model the end signal by one rollout for each layer.

    Measured: the end signal, and y (or the power) of every neuron that was observed; a layer is driven by the measured
    y of the layer before, and where that is not known by the model's. Modelled: each neuron, its own layer's y on the
    way through W_int, and how y changes between the samples. The gradient passes through the models of all layers.
    """
    if one.trace is None:
        raise DeviceError("layerwise gradients need a measured trace", todo="use mode 'surrogate' without a device")
    settings, order = one.network.settings, one.steps.order
    fine = Steps(one.steps.step_s, 1, order)
    played = one.inputs.repeat_interleave(one.steps.substeps, dim=2)  # (member, batch, steps, input)
    for layer, place in enumerate(settings.topology().slices()):
        neurons = neurons_at(one.neurons, place)
        run = _layer(one, layer, neurons, played, fine)
        silent = make_cell(settings.kind, neurons, fine.step_s).silence(run.power0)
        y = torch.cat([silent[:, :, None], run.filtered], dim=2)  # (member, batch, steps + 1, neuron)
        played = _played_on(y + residual_nodes(one.trace, place, run, neurons, one.steps), order)
    substeps = one.steps.substeps
    return end_of(one.network, one.values, run.filtered[:, :, substeps - 1 :: substeps], one.lengths)


def neurons_at(neurons: Neurons, place: slice) -> Neurons:
    """Give some of the neurons."""
    return neurons.mapped(lambda one: one[..., place] if one.shape[-1] > 1 else one)


def layer_sparsities(masks: dict[str, Tensor]) -> tuple[Sparsity, ...]:
    """Say for each layer alone which of its synapses exist.

    Args:
        masks: By name, (member, neuron, source).
    """
    layers = range(sum(name.startswith("w_int") for name in masks))
    return tuple(Sparsity.of([masks[f"w_ext.{layer}"]], [masks[f"w_int.{layer}"]]) for layer in layers)


def _layer(one: Pass, layer: int, neurons: Neurons, played: Tensor, fine: Steps) -> Rollout:
    settings, values = one.network.settings, one.values
    w_ext, w_int, bias = ((values[f"{kind}.{layer}"],) for kind in ("w_ext", "w_int", "bias"))
    return rollout(
        Weights(w_ext, w_int, bias, one.sparsities[layer] if one.sparsities else None),
        neurons,
        played,
        fine,
        cell=settings.kind,
        drive_rate_per_s=settings.drive_rate_per_s,
        initial=settings.initial_state,
        engine=one.engine,
    )


def _played_on(nodes: Tensor, order: int) -> Tensor:
    """Give what the next layer sees in each step: y at its start (order 1) or the mean over its two nodes (order 2)."""
    return (nodes[:, :, :-1] + nodes[:, :, 1:]) / 2 if order == 2 else nodes[:, :, :-1]
