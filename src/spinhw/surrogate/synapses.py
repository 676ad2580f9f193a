"""The synapses of a network as one list for each neuron, and their errors."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from spinhw.rollout import Weights
from spinhw.rollout.recurrence import block_matrix

# Weights are known no better than this: one that acts with the other sign has a relative error of -2.
_LEAST, _MOST = -3.0, 3.0


@dataclass(frozen=True)
class Synapses:
    """Which synapses a network has, and by how much each misses the weight that was read back.

    Args:
        sources: Where each synapse of a neuron comes from, inputs counted after the neurons; padded with zeros,
            (neuron, slot).
        present: Which slots hold a synapse, same shape.
        error: Relative error of the weight: what acts is weight (1 + error), float64, same shape; zero where none is.
        layers: Neurons of each layer.
        inputs: Number of inputs.
    """

    sources: Tensor
    present: Tensor
    error: Tensor
    layers: tuple[int, ...]
    inputs: int

    @classmethod
    def of(cls, weights: Weights) -> "Synapses":
        """List those of a network, (1, ...) in front, without errors; its sparsity, or else all that are not zero."""
        exists = _matrix(weights) != 0
        if weights.sparsity is not None:
            exists = torch.cat([weights.sparsity.recurrent[0], weights.sparsity.inputs[0]], dim=1)
        slots = int(exists.sum(1).max())
        order = torch.argsort(exists.to(torch.uint8), dim=1, descending=True, stable=True)[:, :slots]
        present = exists.gather(1, order)
        error = torch.zeros(order.shape, dtype=torch.float64)
        return cls(order * present, present, error, weights.layers, weights.w_ext[0].shape[2])

    @classmethod
    def restored(cls, state: dict[str, Tensor]) -> "Synapses":
        """Make it from what `state` gave."""
        layers, inputs = tuple(state["layers"].tolist()), int(state["inputs"])
        return cls(state["sources"], state["present"], state["error"], layers, inputs)

    def state(self) -> dict[str, Tensor]:
        """Give what a checkpoint must hold."""
        sizes = {"layers": torch.tensor(self.layers), "inputs": torch.tensor(self.inputs)}
        return {"sources": self.sources, "present": self.present, "error": self.error} | sizes

    def without(self) -> "Synapses":
        """Give the same network with no synapse listed: none has an error."""
        return replace(self, sources=self.sources[:, :0], present=self.present[:, :0], error=self.error[:, :0])

    @property
    def slots(self) -> int:
        """Most synapses of a neuron."""
        return self.sources.shape[1]

    def listed(self, weights: Weights) -> Tensor:
        """Give the weight in each slot, (neuron, slot); zero where there is none."""
        return _matrix(weights).gather(1, self.sources) * self.present

    def moved(self, step: Tensor, chosen: Tensor) -> "Synapses":
        """Change the errors of some neurons, by number, by a step (chosen, slot)."""
        error = self.error.clone()
        error[chosen] = (error[chosen] + step).clamp(_LEAST, _MOST) * self.present[chosen]
        return replace(self, error=error)

    def spread_out(self, values: Tensor, chosen: Tensor) -> Tensor:
        """Put a value of each slot of some neurons, (chosen, slot), where it comes from, (chosen, source)."""
        every = values.new_zeros(len(chosen), len(self.error) + self.inputs)
        return every.scatter_add(1, self.sources[chosen], values)

    @cached_property
    def factors(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Give 1 + error for W_ext and W_int of each layer, (neuron, source); 1 where there is no synapse."""
        neurons = len(self.error)
        every = 1 + self.spread_out(self.error, torch.arange(neurons))
        external, internal, first = [], [], 0
        for number, size in enumerate(self.layers):
            here = slice(first, first + size)
            before = slice(first - self.layers[number - 1], first) if number else slice(neurons, None)
            external.append(every[here, before])
            internal.append(every[here, here])
            first += size
        return tuple(external), tuple(internal)

    def acting(self, weights: Weights) -> Weights:
        """Give the weights as they seem to act."""
        external, internal = self.factors
        return replace(
            weights,
            w_ext=tuple(one * factor.to(one.dtype) for one, factor in zip(weights.w_ext, external, strict=True)),
            w_int=tuple(one * factor.to(one.dtype) for one, factor in zip(weights.w_int, internal, strict=True)),
        )


def _matrix(weights: Weights) -> Tensor:
    """Give all weights, (neuron, source), inputs after the neurons."""
    first = weights.w_ext[0][0]
    inputs = torch.nn.functional.pad(first, (0, 0, 0, sum(weights.layers) - len(first)))
    return torch.cat([block_matrix(weights, {})[0], inputs], dim=1)
