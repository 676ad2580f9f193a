"""Which synapses exist: layers, exact-count random masks, and the counts that the energy rests on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Topology:
    """Layers of neurons and the density of each kind of connection.

    Args:
        inputs: Number of input channels.
        layers: Neurons of each layer, first layer first.
        outputs: Number of classes or output channels.
        density_input: Share of the input synapses that exist, 0 to 1.
        density_inter: Share of the synapses between layers that exist, 0 to 1.
        density_intra: Share of the synapses within a layer that exist, 0 to 1.
    """

    inputs: int
    layers: tuple[int, ...]
    outputs: int
    density_input: float
    density_inter: float
    density_intra: float

    @property
    def neurons(self) -> int:
        """Number of neurons of all layers."""
        return sum(self.layers)

    def slices(self) -> list[slice]:
        """Place of each layer on the neuron axis."""
        ends = [sum(self.layers[: index + 1]) for index in range(len(self.layers))]
        return [slice(end - size, end) for end, size in zip(ends, self.layers, strict=True)]

    def masked_shapes(self) -> dict[str, tuple[int, int]]:
        """Shape (destination, source) of every weight matrix that has a mask, by parameter name."""
        sources = (self.inputs, *self.layers[:-1])
        ext = {f"w_ext.{layer}": (size, sources[layer]) for layer, size in enumerate(self.layers)}
        own = {f"w_int.{layer}": (size, size) for layer, size in enumerate(self.layers)}
        return ext | own

    def density(self, name: str) -> float:
        """Density of the weight matrix with this parameter name."""
        if name.startswith("w_int"):
            return self.density_intra
        return self.density_input if name == "w_ext.0" else self.density_inter

    def synapses(self, readout_in_hardware: bool = True) -> int:
        """Number of hardware synapses; the read-out is dense and counts only where it is hardware."""
        masked = sum(mask_count(shape, self.density(name)) for name, shape in self.masked_shapes().items())
        return masked + (self.layers[-1] * self.outputs if readout_in_hardware else 0)


def mask_count(shape: tuple[int, int], density: float) -> int:
    """Exact number of synapses that a mask of this shape and density has: the nearest whole number."""
    return round(density * shape[0] * shape[1])


def draw_mask(shape: tuple[int, int], density: float, generator: "torch.Generator") -> "Tensor":
    """Draw a boolean mask (destination, source) with exactly `mask_count` synapses, uniformly at random."""
    import torch

    size = shape[0] * shape[1]
    mask = torch.zeros(size, dtype=torch.bool)
    mask[torch.randperm(size, generator=generator)[: mask_count(shape, density)]] = True
    return mask.view(shape)  # (destination, source)


def draw_masks(topology: Topology, generator: "torch.Generator") -> "dict[str, Tensor]":
    """Draw the mask of every masked weight matrix, by parameter name."""
    return {
        name: draw_mask(shape, topology.density(name), generator) for name, shape in topology.masked_shapes().items()
    }
