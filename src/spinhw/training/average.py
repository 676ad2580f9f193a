"""A running average of the weights: it forgets the jitter of the last steps and generalises better."""

import copy

import torch

from spinhw.network import SpintronicNetwork


class WeightAverage:
    """Exponential moving average of a network's parameters.

    Args:
        network: The network that is trained; its present weights are the start.
        decay: Share of the average that stays at each step. While few steps are taken the share is (1 + n) / (10 + n),
            so that the initial weights are soon forgotten.
    """

    def __init__(self, network: SpintronicNetwork, decay: float) -> None:
        self._source, self._decay = network, decay
        self.network = copy.deepcopy(network)

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in the present weights after the given number of steps."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        for mean, value in zip(self.network.parameters(), self._source.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)
