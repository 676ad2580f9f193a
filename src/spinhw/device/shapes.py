"""Which parameters a device holds."""

from spinhw.conversion import Conversion, ParameterKind
from spinhw.device.description import Parameter
from spinhw.network import NetworkSettings


def parameters_of(network: NetworkSettings, conversion: Conversion) -> dict[str, Parameter]:
    """Return each parameter that a device running this network holds, by name.

    Args:
        network: As designed.
        conversion: Says in which units they are sent.
    """

    def held(shape: tuple[int, ...], kind: ParameterKind) -> Parameter:
        return Parameter(shape, kind, conversion.of_parameter(kind).unit)

    found = {name: held(shape, "weight") for name, shape in network.topology().masked_shapes().items()}
    found |= {f"bias.{layer}": held((size,), "bias") for layer, size in enumerate(network.layers)}
    if network.readout == "hardware":
        found["w_out"] = held((network.outputs, network.layers[-1]), "weight")
    return found
