"""A chain of RF resonators as designed. Records of it are read without torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Ladder:
    """A chain of resonators as designed: equally spaced, all alike.

    Args:
        frequency_hz: Resonance of the first at tuning 0; the frequency of the first source.
        spacing_hz: From one to the next, above zero.
        half_linewidth_hz: G, above zero.
        tuning_span_hz: By how much a tuning of 1 shifts a resonance.
        max_weight: w_max, above zero.
    """

    frequency_hz: float
    spacing_hz: float
    half_linewidth_hz: float
    tuning_span_hz: float
    max_weight: float = 1.0

    def tones_hz(self, count: int) -> "Tensor":
        """Give the frequencies of the sources, one for each resonator, (resonator,), float64."""
        import torch

        return self.frequency_hz + self.spacing_hz * torch.arange(count, dtype=torch.float64)
