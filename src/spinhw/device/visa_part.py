"""Which part of a wired chip a network uses, and where its parameters stand among all those of the chip."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinhw.conversion import Conversion
from spinhw.device.shapes import parameters_of
from spinhw.instruments.wiring import ChipWiring
from spinhw.network import NetworkSettings

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ChipPart:
    """The part of a wired chip that a network uses.

    Args:
        wired: Shape of each parameter that the chip has, by name, in the order of the outputs of its controller.
        used: Shape of each parameter of the network, by name.
        wiring: Of the chip.
    """

    wired: Mapping[str, Shape]
    used: Mapping[str, Shape]
    wiring: ChipWiring

    @classmethod
    def of(cls, wiring: ChipWiring, network: NetworkSettings) -> "ChipPart":
        """Find the part; the network fits."""
        return cls(_shapes(whole_chip(wiring, network)), _shapes(network), wiring)

    @property
    def addresses(self) -> int:
        """Outputs of the controller that the chip hangs on."""
        return sum(math.prod(shape) for shape in self.wired.values())

    def spread(self, values: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """Return the voltage of every output of the controller, (address,); 0 V where the network has no parameter.

        Args:
            values: In volts, (1, ...) by name.
        """
        volts = torch.zeros(self.addresses, dtype=torch.float64)
        for name, place in self._places().items():
            volts[place] = values[name][0].double()
        return volts.numpy()

    def gathered(self, volts: NDArray[np.float64]) -> dict[str, Tensor]:
        """Return the network's parameters out of the voltages of all addresses, (1, ...) by name."""
        held = torch.from_numpy(volts).float()
        return {name: held[place][None] for name, place in self._places().items()}

    def _places(self) -> dict[str, Tensor]:
        """Return the address of each parameter of the network, in its shape, by name."""
        found, first = {}, 0
        for name, shape in self.wired.items():
            if name in self.used:
                block = torch.arange(first, first + math.prod(shape)).view(shape)
                found[name] = block[tuple(slice(size) for size in self.used[name])]
            first += math.prod(shape)
        return {name: found[name] for name in self.used}


def whole_chip(wiring: ChipWiring, network: NetworkSettings) -> NetworkSettings:
    """Return the network that uses all that is wired."""
    changes: dict[str, object] = {"inputs": len(wiring.inputs)}
    changes |= {"outputs": len(wiring.outputs), "readout": "hardware"} if wiring.outputs else {"readout": "software"}
    return network.model_copy(update=changes)


def _shapes(network: NetworkSettings) -> dict[str, Shape]:
    return {name: one.shape for name, one in parameters_of(network, Conversion()).items()}
