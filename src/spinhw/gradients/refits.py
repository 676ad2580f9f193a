"""Refitting the surrogate from the batches just measured, chip by chip."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from spinhw.device import Trace
from spinhw.network import SpintronicNetwork
from spinhw.rollout import Neurons


class Refit(Protocol):
    """Knows the oscillators of one chip, better with each batch."""

    def update_from_network(self, network: SpintronicNetwork, inputs: Tensor, trace: Trace) -> object:
        """Take in a batch.

        Args:
            network: Its settings, masks and time grid; an ensemble or not.
            inputs: u, (1, batch, time, input).
            trace: What was measured, with a member axis of one; its applied parameters are those that acted.
        """

    def neurons(self, nominal: Neurons) -> Neurons:
        """Put what is known of the oscillators into nominal neurons, (1, neuron)."""


class Refits:
    """One refit for each chip.

    Args:
        each: By chip, in the order of the members; a single one is shared by members that run one after another.
    """

    def __init__(self, each: Sequence[Refit]) -> None:
        self.each = tuple(each)

    def update(self, network: SpintronicNetwork, inputs: Tensor, trace: Trace) -> None:
        """Take in a batch of all members, whose axis is in front."""
        for member in range(inputs.shape[0]):
            refit = self.each[member if len(self.each) > 1 else 0]
            refit.update_from_network(network, inputs[member : member + 1], trace.of_member(member))

    def neurons(self, nominal: Neurons) -> Neurons:
        """Give the neurons of all chips, (chip, neuron)."""
        return stacked([refit.neurons(nominal) for refit in self.each])


def stacked(each: Sequence[Neurons]) -> Neurons:
    """Put the neurons of chips, each (1, neuron), on top of each other; the electronics are those of the first."""
    if len(each) == 1:
        return each[0]
    first = each[0]

    def together(name: str) -> Tensor:
        return torch.cat([getattr(one, name) for one in each])

    return replace(
        first,
        gamma=together("gamma"),
        sigma=together("sigma"),
        q=together("q"),
        cutoff_hz=together("cutoff_hz"),
        gain=together("gain"),
    )
