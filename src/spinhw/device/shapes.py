"""Which parameters a device holds."""

from spinhw.conversion import Conversion, ParameterKind
from spinhw.device.description import Parameter
from spinhw.network import NetworkSettings, tuned_shapes


def parameters_of(
    network: NetworkSettings, conversion: Conversion, synapses: ParameterKind = "weight"
) -> dict[str, Parameter]:
    """Return each parameter that a device running this network holds, by name.

    Args:
        network: As designed.
        conversion: Says in which units they are sent.
        synapses: What the device is told of a synapse, "weight" or "tuning".
    """

    def held(shape: tuple[int, ...], kind: ParameterKind) -> Parameter:
        return Parameter(shape, kind, conversion.of_parameter(kind).unit)

    masked, every = network.topology().masked_shapes(), tuned_shapes(network)
    found = {name: held(shape, synapses) for name, shape in masked.items()}
    found |= {f"bias.{layer}": held((size,), "bias") for layer, size in enumerate(network.layers)}
    return found | {name: held(shape, synapses) for name, shape in every.items() if name not in masked}
