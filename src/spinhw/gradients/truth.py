"""The true gradient of a simulated chip."""

from torch import Tensor

from spinhw.errors import DeviceError
from spinhw.gradients.base import Pass


def oracle(one: Pass) -> Tensor:
    """Give the true end signal of a simulated chip, with its hidden parameters and its own fine integration.

    Measured: the end signal. Modelled: nothing; this is what every other mode tries to reach. No bench has it.
    """
    if one.truth is None:
        raise DeviceError("nobody knows the true gradient of this device", todo="use the gradient 'output'")
    return one.truth(one.values)
