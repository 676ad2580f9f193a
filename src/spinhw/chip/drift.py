"""Drift: random walks of the logarithms of gamma, sigma and read-out gain, one step at each shot."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from spinhw.chip.draw import Identity
from spinhw.chip.settings import DriftSettings

PARAMETERS = ("gamma", "sigma", "readout gain")


class Drift:
    """The walks of chips side by side. The step of a shot comes from the stream of that shot.

    Args:
        settings: How far they walk.
        identities: Who the chips are.
        size: Oscillators of each.
    """

    def __init__(self, settings: DriftSettings, identities: Sequence[Identity], size: int) -> None:
        self._settings, self._identities = settings, identities
        self.walk = torch.zeros(len(identities), len(PARAMETERS), size, dtype=torch.float64)  # (member, 3, neuron)
        if settings.aged_shots:  # The sum of so many steps, drawn at once.
            before = torch.stack([self._step(identity, "before the first shot") for identity in identities])
            self.walk = math.sqrt(settings.aged_shots) * before

    def advance(self, shots: Iterable[int]) -> None:
        """Walk the steps of shots that were taken."""
        for shot in shots:
            self.walk = self.walk + torch.stack([self._step(identity, shot) for identity in self._identities])

    def _step(self, identity: Identity, shot: int | str) -> Tensor:
        per_shot = 1 / math.sqrt(1000)
        common = identity.normals((len(PARAMETERS), 1), "drift", "common", shot)
        individual = identity.normals((len(PARAMETERS), self.walk.shape[2]), "drift", "individual", shot)
        settings = self._settings
        return per_shot * (settings.common_per_1000_shots * common + settings.individual_per_1000_shots * individual)
