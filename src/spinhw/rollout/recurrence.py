"""The synapses of a whole network as one block matrix, so that all layers advance in one matrix product."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.rollout.parameters import Weights


@dataclass(frozen=True)
class Recurrence:
    """Synaptic drive of all neurons, dimensionless: `matrix` y + `held` (+ `nodes`).

    Args:
        matrix: (member, neuron, neuron), source on the last axis: W_int on the diagonal, W_ext below it.
        held: What does not depend on the network's state, held over each sample interval, (member, batch, time,
            neuron).
        nodes: The same given at the step nodes, (member, batch, steps + 1, neuron); None where there is none.
    """

    matrix: Tensor
    held: Tensor
    nodes: Tensor | None = None

    def scaled(self, scale: Tensor) -> "Recurrence":
        """Multiply every part by a factor for each destination neuron, (member or 1, 1, neuron)."""
        nodes = None if self.nodes is None else self.nodes * scale[:, None]
        return Recurrence(self.matrix * scale.transpose(1, 2), self.held * scale[:, None], nodes)


def recurrence(weights: Weights, inputs: Tensor, overrides: Mapping[int, Tensor]) -> Recurrence:
    """Assemble the block matrix and the synaptic drive that comes from outside.

    Args:
        weights: By layer.
        inputs: u, (member, batch, time, input).
        overrides: For a layer (1 or above), the y of the layer before at every step node, (member, batch, steps + 1,
            source); it replaces what the rollout itself computes there.
    """
    first = torch.einsum("mbti,mni->mbtn", inputs, weights.w_ext[0])
    held = torch.nn.functional.pad(first, (0, sum(weights.layers[1:]))) + torch.cat(weights.bias, dim=-1)[:, None, None]
    return Recurrence(block_matrix(weights, overrides), held, node_drive(weights, overrides))


def block_matrix(weights: Weights, overrides: Mapping[int, Tensor]) -> Tensor:
    """Assemble the weights between all neurons, (member, neuron, neuron); overridden connections are left out."""
    rows = []
    for layer, size in enumerate(weights.layers):
        blocks = [weights.w_int[layer].new_zeros(weights.members, size, source) for source in weights.layers]
        blocks[layer] = weights.w_int[layer]
        if layer > 0 and layer not in overrides:
            blocks[layer - 1] = weights.w_ext[layer]
        rows.append(torch.cat(blocks, dim=-1))
    return torch.cat(rows, dim=-2)


def node_drive(weights: Weights, overrides: Mapping[int, Tensor]) -> Tensor | None:
    """Give the synaptic drive of overridden connections at every step node; None where there is none."""
    if not overrides:
        return None
    example = next(iter(overrides.values()))
    parts = [
        torch.einsum("mbki,mni->mbkn", overrides[layer], weights.w_ext[layer])
        if layer in overrides
        else example.new_zeros(*example.shape[:3], size)
        for layer, size in enumerate(weights.layers)
    ]
    return torch.cat(parts, dim=-1)
