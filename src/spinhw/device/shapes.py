"""Which parameters a device holds."""

from spinhw.network import NetworkSettings


def parameter_shapes(network: NetworkSettings) -> dict[str, tuple[int, ...]]:
    """Return the shape of each parameter that a device running this network holds, by name."""
    shapes: dict[str, tuple[int, ...]] = dict(network.topology().masked_shapes())
    shapes |= {f"bias.{layer}": (size,) for layer, size in enumerate(network.layers)}
    return shapes | ({"w_out": (network.outputs, network.layers[-1])} if network.readout == "hardware" else {})
