"""The true gradient of a simulated chip."""

from typing import Protocol

from torch import Tensor

from spinhw.device import SimulatedDevice
from spinhw.errors import DeviceError
from spinhw.gradients.base import Pass, Values
from spinhw.network import SpintronicNetwork
from spinhw.rollout import Rollout, Steps


class KnownTruth(Protocol):
    """What a simulated chip really did."""

    @property
    def rollout(self) -> Rollout:
        """States and outputs of its oscillators."""

    @property
    def outputs(self) -> Tensor | None:
        """Answers of a hardware read-out, (member, batch, answer, output)."""


def oracle(one: Pass) -> Tensor:
    """Give the true end signal of a simulated chip, with its hidden parameters and its own fine integration.

    Measured: the end signal. Modelled: nothing; this is what every other mode tries to reach. No bench has it.
    """
    if one.truth is None:
        raise DeviceError("nobody knows the true gradient of this device", todo="use the gradient 'output'")
    return one.truth(one.told)


def true_end(truth: KnownTruth, network: SpintronicNetwork, lengths: Tensor | None = None) -> Tensor:
    """Give the end signal of what a chip really did, as `end_of` gives a model's."""
    if truth.outputs is not None:
        return truth.outputs
    return network.answer.cut(truth.rollout.filtered[..., -network.settings.layers[-1] :], lengths)


def true_end_for(
    device: SimulatedDevice,
    network: SpintronicNetwork,
    inputs: Tensor,
    lengths: Tensor | None,
    steps_per_ns: int | None,
    values: Values,
) -> Tensor:
    """Return the true end signal of a simulated chip; gradients flow to what it was told.

    Args:
        device: The chip.
        network: That it was told.
        inputs: u, (member, batch, time, input).
        lengths: Samples of each sequence, (member, batch); None where all end with the time axis.
        steps_per_ns: Midpoint steps of its integration, at least; None for the chip's own.
        values: What it is told, by name, (member, ...).
    """
    own = Steps(network.steps.sample_interval_s, substeps=1, order=2)
    steps = None if steps_per_ns is None else own.at_least_per_ns(steps_per_ns)
    truth = device.oracle(values, inputs, steps, lengths=lengths, present=network.member_masks())
    return true_end(truth, network, lengths)
