"""The chains of a whole chip, each seen as a bank of synapses that is measured by itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.device.banks import SynapseBank
from spinhw.network import SpintronicNetwork, tuned_shapes


@dataclass(frozen=True)
class NetworkChain:
    """One chain of a network: a row of a weight matrix.

    Args:
        name: Of the matrix, such as "w_int.0".
        destination: The row.
        sources: Whose tones its resonators answer to, in the order of the chain.
        bank: Its resonators; use it in a `with` statement. Its ladder is that of all sources of the layer.
    """

    name: str
    destination: int
    sources: tuple[int, ...]
    bank: SynapseBank

    @property
    def place(self) -> str:
        """The chain in words for files and messages."""
        return f"{self.name}-{self.destination:02d}"


def resonators_that_exist(network: SpintronicNetwork) -> dict[str, Tensor]:
    """Return which resonators the chains of a single network have, boolean (destination, source), by parameter name.

    Those of its masks, and all of a read-out in hardware.
    """
    masks: Mapping[str, Tensor] = network.masks()
    shapes = tuned_shapes(network.settings)
    return {name: masks.get(name, torch.ones(shape, dtype=torch.bool)) for name, shape in shapes.items()}
