"""The synapses of a network as one list for each neuron, and their errors."""

from collections.abc import Iterator, Mapping, Sequence
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
        sources, present = listed_sources(weights)
        error = torch.zeros(sources.shape, dtype=torch.float64)
        return cls(sources, present, error, weights.layers, weights.w_ext[0].shape[2])

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

    @property
    def unknowns(self) -> int:
        """What is looked for of each neuron."""
        return self.slots

    def listed(self, weights: Weights) -> Tensor:
        """Give the weight in each slot, (neuron, slot); zero where there is none."""
        return _matrix(weights).gather(1, self.sources) * self.present

    def moved(self, step: Tensor, chosen: Tensor) -> "Synapses":
        """Change the errors of some neurons, by number, by a step (chosen, slot)."""
        error = self.error.clone()
        error[chosen] = (error[chosen] + step).clamp(_LEAST, _MOST) * self.present[chosen]
        return replace(self, error=error)

    def change(self, weights: Tensor, step: Tensor, chosen: Tensor) -> Tensor:
        """Return by how much a step of the errors of some neurons changes their weights, (chosen, source).

        Args:
            weights: In each slot, (neuron, slot).
            step: (chosen, slot).
            chosen: Numbers of the neurons.
        """
        return spread(weights[chosen] * step.to(weights), self.sources[chosen], len(self.error) + self.inputs)

    @cached_property
    def factors(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Give 1 + error for W_ext and W_int of each layer, (neuron, source); 1 where there is no synapse."""
        every = 1 + spread(self.error, self.sources, len(self.error) + self.inputs)
        parts = [(name, every[rows, columns]) for name, rows, columns in by_layer(self.layers, self.inputs)]
        external, internal = (
            tuple(part for name, part in parts if name.startswith(kind)) for kind in ("w_ext", "w_int")
        )
        return external, internal

    def acting(self, weights: Weights) -> Weights:
        """Give the weights as they seem to act."""
        external, internal = self.factors
        return replace(
            weights,
            w_ext=tuple(one * factor.to(one.dtype) for one, factor in zip(weights.w_ext, external, strict=True)),
            w_int=tuple(one * factor.to(one.dtype) for one, factor in zip(weights.w_int, internal, strict=True)),
        )


def listed_sources(weights: Weights) -> tuple[Tensor, Tensor]:
    """Return where each weight of a neuron comes from, and which slots hold one, each (neuron, slot).

    Args:
        weights: Of a network, (1, ...) in front; their sparsity counts, or else all that are not zero.
    """
    exists = _matrix(weights) != 0
    if weights.sparsity is not None:
        exists = torch.cat([weights.sparsity.recurrent[0], weights.sparsity.inputs[0]], dim=1)
    slots = int(exists.sum(1).max())
    order = torch.argsort(exists.to(torch.uint8), dim=1, descending=True, stable=True)[:, :slots]
    present = exists.gather(1, order)
    return order * present, present


def spread(values: Tensor, sources: Tensor, count: int) -> Tensor:
    """Put a value of each slot of neurons, (neuron, slot), where it comes from, (neuron, count)."""
    return values.new_zeros(len(values), count).scatter_add(1, sources, values)


def by_layer(layers: Sequence[int], inputs: int) -> Iterator[tuple[str, slice, slice]]:
    """Give the place of each weight matrix, by parameter name, in one of all: (neuron, neuron + input)."""
    first, neurons = 0, sum(layers)
    for number, size in enumerate(layers):
        here = slice(first, first + size)
        before = slice(first - layers[number - 1], first) if number else slice(neurons, neurons + inputs)
        yield f"w_ext.{number}", here, before
        yield f"w_int.{number}", here, here
        first += size


def in_one(by_name: Mapping[str, Tensor], layers: Sequence[int], inputs: int) -> Tensor:
    """Put matrices (destination, source) by parameter name into one of all, (neuron, neuron + input)."""
    found = torch.zeros(sum(layers), sum(layers) + inputs, dtype=torch.float64)
    for name, rows, columns in by_layer(layers, inputs):
        found[rows, columns] = by_name[name]
    return found


def _matrix(weights: Weights) -> Tensor:
    """Give all weights, (neuron, source), inputs after the neurons."""
    first = weights.w_ext[0][0]
    inputs = torch.nn.functional.pad(first, (0, 0, 0, sum(weights.layers) - len(first)))
    return torch.cat([block_matrix(weights, {})[0], inputs], dim=1)
