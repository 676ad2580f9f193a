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
class TooLittle:
    """Why a bench cannot run a network: key of the wiring, and the parts of a message."""

    key: str
    what: str
    seen: str
    allowed: str
    todo: str


@dataclass(frozen=True)
class ChipPart:
    """The part of a wired chip that a network uses: the first inputs, neurons of each layer, and outputs.

    Args:
        wired: Shape of each parameter that the chip has, by name, in the order of the outputs of its controller.
        used: Shape of each parameter of the network, by name.
        neurons: Number of each neuron of the network among those that are wired.
        inputs: Inputs of the network.
        outputs: Outputs of its hardware read-out; 0 where the read-out is software.
        wiring: Of the chip.
    """

    wired: Mapping[str, Shape]
    used: Mapping[str, Shape]
    neurons: tuple[int, ...]
    inputs: int
    outputs: int
    wiring: ChipWiring

    @classmethod
    def of(cls, wiring: ChipWiring, network: NetworkSettings) -> "ChipPart":
        """Find the part; the network fits (`too_little`)."""
        chip = whole_chip(wiring, network)
        places = zip(chip.topology().slices(), network.layers, strict=True)
        return cls(
            _shapes(chip),
            _shapes(network),
            tuple(place.start + number for place, size in places for number in range(size)),
            network.inputs,
            network.outputs if network.readout == "hardware" else 0,
            wiring,
        )

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
        for name, place in self.places().items():
            volts[place] = values[name][0].double()
        return volts.numpy()

    def gathered(self, volts: NDArray[np.float64]) -> dict[str, Tensor]:
        """Return the network's parameters out of the voltages of all addresses, (1, ...) by name."""
        held = torch.from_numpy(volts).float()
        return {name: held[place][None] for name, place in self.places().items()}

    def wires(self) -> dict[str, tuple[str, ...]]:
        """Say what the network's channels hang on, by kind."""
        wiring = self.wiring
        return {
            "input": wiring.inputs[: self.inputs],
            "neuron": tuple(wiring.neurons[number] for number in self.neurons),
            "output": wiring.outputs[: self.outputs],
        }

    def idle(self) -> dict[str, tuple[str, ...]]:
        """Say what is wired and not used, by kind; nothing of a kind of which all is used."""
        wiring, rest = self.wiring, sorted(set(range(len(self.wiring.neurons))) - set(self.neurons))
        found = {
            "input": wiring.inputs[self.inputs :],
            "neuron": tuple(wiring.neurons[number] for number in rest),
            "output": wiring.outputs[self.outputs :],
        }
        return {kind: wires for kind, wires in found.items() if wires}

    def places(self) -> dict[str, Tensor]:
        """Return the address of each parameter of the network, in its shape, by name."""
        found, first = {}, 0
        for name, shape in self.wired.items():
            if name in self.used:
                block = torch.arange(first, first + math.prod(shape)).view(shape)
                found[name] = block[tuple(slice(size) for size in self.used[name])]
            first += math.prod(shape)
        return {name: found[name] for name in self.used}


def whole_chip(wiring: ChipWiring, network: NetworkSettings) -> NetworkSettings:
    """Return the network that uses all that is wired; its layers are those of the wiring, else of the network."""
    changes: dict[str, object] = {"inputs": len(wiring.inputs), "layers": wiring.layers or network.layers}
    changes |= {"outputs": len(wiring.outputs), "readout": "hardware"} if wiring.outputs else {"readout": "software"}
    return network.model_copy(update=changes)


def too_little(wiring: ChipWiring, network: NetworkSettings) -> TooLittle | None:
    """Say why a network does not fit on a chip as it is wired; None where it does."""
    return _of_inputs(wiring, network) or _of_neurons(wiring, network) or _of_outputs(wiring, network)


def _shapes(network: NetworkSettings) -> dict[str, Shape]:
    return {name: one.shape for name, one in parameters_of(network, Conversion()).items()}


def _of_inputs(wiring: ChipWiring, network: NetworkSettings) -> TooLittle | None:
    wired = len(wiring.inputs)
    if network.inputs <= wired:
        return None
    return TooLittle(
        "inputs",
        "the network has more inputs than the bench has channels for",
        f"{network.inputs} inputs of the network",
        f"at most {wired}, wired as {', '.join(wiring.inputs)}",
        f"wire {network.inputs - wired} more outputs of waveform sources, or choose a task with fewer inputs",
    )


def _of_neurons(wiring: ChipWiring, network: NetworkSettings) -> TooLittle | None:
    wired, needed = len(wiring.neurons), sum(network.layers)
    if wiring.layers is None:
        if needed == wired:
            return None
        written = f"{needed} in layers {list(network.layers)}"
        if needed < wired:
            return TooLittle(
                "neurons",
                "the network has fewer neurons than are wired, and nothing says which synapses are whose",
                written,
                f"{wired}, for so many are wired",
                "write under 'wiring' how many neurons each layer of the chip has, such as "
                f"layers: [{wired}]; a network then uses the first ones of each layer",
            )
        return TooLittle(
            "neurons",
            "the network has more neurons than are wired",
            written,
            f"{wired}, for so many are wired",
            "wire more, or make network.layers smaller",
        )
    fits = len(network.layers) == len(wiring.layers) and all(
        here <= there for here, there in zip(network.layers, wiring.layers, strict=True)
    )
    if fits:
        return None
    return TooLittle(
        "layers",
        "the network does not fit on the chip",
        f"network.layers {list(network.layers)}",
        f"as many layers as in wiring.layers, of at most as many neurons: {list(wiring.layers)}",
        "change network.layers",
    )


def _of_outputs(wiring: ChipWiring, network: NetworkSettings) -> TooLittle | None:
    wired = len(wiring.outputs)
    if network.readout == "software" or network.outputs <= wired:
        return None
    have = f"at most {wired}, wired as {', '.join(wiring.outputs)}" if wired else "none, for none is wired"
    return TooLittle(
        "outputs",
        "the network's hardware read-out has more outputs than are led out",
        f"{network.outputs} outputs of the network",
        have,
        "wire more, or write readout: software under 'network' of the run",
    )
