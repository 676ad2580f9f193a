"""A chain of resonators as measured, or as drawn: each with numbers of its own.

    f_k = resonance_k + span_k c(t_k)            w_j = sum_k K_k 2 G_k (f_j - f_k) / ((f_j - f_k)^2 + G_k^2)

Source j plays at its own frequency f_j; every resonator of the chain sees all sources. Here c(t) = t.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from spinhw.physics.ladder import Ladder
from spinhw.physics.resonator import resonator_weight


@dataclass(frozen=True)
class Chain:
    """What is known of resonators in series, each (resonator,), or with axes of chains in front, float64.

    Args:
        resonance_hz: At tuning 0.
        half_linewidth_hz: G, above zero.
        max_weight: K, with its sign; 0 for one that does nothing.
        tuning_span_hz: Shift by a tuning of 1; 0 for one that is stuck.
    """

    resonance_hz: Tensor
    half_linewidth_hz: Tensor
    max_weight: Tensor
    tuning_span_hz: Tensor

    @classmethod
    def designed(cls, ladder: Ladder, count: int) -> "Chain":
        """Return the chain as designed, all its resonators of the same sign."""
        one = torch.ones(count, dtype=torch.float64)
        widths = (ladder.half_linewidth_hz, ladder.max_weight, ladder.tuning_span_hz)
        return cls(ladder.tones_hz(count), *(value * one for value in widths))

    @property
    def count(self) -> int:
        """Resonators of a chain."""
        return self.resonance_hz.shape[-1]

    def parts(self, tuning: Tensor, rf_hz: Tensor) -> Tensor:
        """Return what each resonator adds to the weight at a tone, (..., resonator); tuning the same, tone (...,)."""
        detuning = rf_hz[..., None] - self.resonance_hz - self.tuning_span_hz * tuning
        return self.max_weight * resonator_weight(detuning, self.half_linewidth_hz, 1.0)

    def weight(self, tuning: Tensor, rf_hz: Tensor) -> Tensor:
        """Return the weight of the whole chain at a tone, (...,)."""
        return self.parts(tuning, rf_hz).sum(-1)

    def slopes(self, tuning: Tensor, rf_hz: Tensor) -> Tensor:
        """Return the derivatives of the weight at a tone by resonance, G, K and span, (..., resonator, 4)."""
        detuning = rf_hz[..., None] - self.resonance_hz - self.tuning_span_hz * tuning
        width, square = self.half_linewidth_hz, detuning**2 + self.half_linewidth_hz**2
        shape = 2 * width * detuning / square
        by_resonance = -self.max_weight * 2 * width * (width**2 - detuning**2) / square**2
        by_width = self.max_weight * 2 * detuning * (detuning**2 - width**2) / square**2
        return torch.stack([by_resonance, by_width, shape, by_resonance * tuning], dim=-1)

    def tensors(self) -> dict[str, Tensor]:
        """Return every quantity by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def mapped(self, function: Callable[[Tensor], Tensor]) -> "Chain":
        """Return another one, with a function of each quantity."""
        return Chain(**{name: function(value) for name, value in self.tensors().items()})

    def at(self, place: Any) -> "Chain":
        """Return some of the resonators: each quantity at an index."""
        return self.mapped(lambda one: one[place])
