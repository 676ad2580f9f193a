"""Weights that count in place of the last ones: their running average, or the best at any look."""

import copy
import math
from collections.abc import Sequence

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


class BestWeights:
    """The weights of every member at the look at which its loss was lowest.

    Args:
        network: The network that is trained; its present weights are the start.
    """

    def __init__(self, network: SpintronicNetwork) -> None:
        self._source = network
        self.network = copy.deepcopy(network)
        self.losses: list[float | None] = [None] * len(network.w_out)

    @torch.no_grad()
    def update(self, losses: Sequence[float]) -> None:
        """Take in the present weights of those members whose loss is lower than ever.

        Args:
            losses: On the validation part, one for each member.
        """
        lower = [
            math.isfinite(one) and (best is None or one < best) for one, best in zip(losses, self.losses, strict=True)
        ]
        rows = torch.tensor(lower)
        for kept, value in zip(self.network.parameters(), self._source.parameters(), strict=True):
            kept[rows] = value[rows]
        self.losses = [one if better else best for one, best, better in zip(losses, self.losses, lower, strict=True)]

    @torch.no_grad()
    def go_on_from_here(self) -> None:
        """Let training go on from the best weights, and compare nothing with what was measured before."""
        for value, kept in zip(self._source.parameters(), self.network.parameters(), strict=True):
            value.copy_(kept)
        self.losses = [None] * len(self.losses)
