"""What makes a chain of resonators out of single ones: signs, tuning curve, loss, compression, and the way back.

A tuning t between -1 and 1 shifts a resonance by span c(t), with the curve c, of slope one at t = 0:

    line        c = t
    parabola    c = t + b t^2, |b| < 1/2, so that it rises throughout
    saturation  c = tanh(s t) / s, s > 0: the field of a strip line against a magnet that is nearly turned
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Tails of neighbours hardly depend on the tuning: each round shrinks what is left by (G / spacing)^2 or so.
_ROUNDS = 30
_SETTLED = 1e-12
# A weight at the very limit sits where the slope of the resonance is zero and its inverse infinite.
BELOW_LIMIT = 1 - 1e-6


@dataclass(frozen=True)
class TuningCurve:
    """How a resonance moves with its tuning; a straight line without either number.

    Args:
        bend: b of the parabola, between -1/2 and 1/2.
        saturation: s, 0 or above; 0 for none. Only one of the two.
    """

    bend: float = 0.0
    saturation: float = 0.0

    def shift(self, tuning: "Tensor") -> "Tensor":
        """Return c(t), the shift over the span; tuning -1 to 1."""
        if self.bend:
            return tuning + self.bend * tuning**2
        return tuning if not self.saturation else (self.saturation * tuning).tanh() / self.saturation

    def tuning(self, shift: "Tensor") -> "Tensor":
        """Return the tuning for a shift over the span: the inverse of `shift`; NaN where no tuning makes it."""
        if self.bend:
            return 2 * shift / (1 + (1 + 4 * self.bend * shift).sqrt())
        return shift if not self.saturation else (self.saturation * shift).atanh() / self.saturation

    def ends(self) -> tuple[float, float]:
        """Return the shifts over the span at tunings -1 and 1."""
        if self.bend:
            return self.bend - 1, self.bend + 1
        end = math.tanh(self.saturation) / self.saturation if self.saturation else 1.0
        return -end, end


def inner_branch(angle_rad: float = 0.0) -> tuple[float, float]:
    """Return the detunings in half-linewidths between which the inner branch lies: -1 and 1 with angle 0."""
    return math.tan(-math.pi / 4 - angle_rad / 2), math.tan(math.pi / 4 - angle_rad / 2)


def alternating(count: int) -> "Tensor":
    """Return the signs along a chain, +1, -1, +1, ..., (resonator,), as in Ross et al. 2023.

    So the tails of a long row do not add up, and a shift common to all of them cancels.
    """
    import torch

    return 1.0 - 2.0 * (torch.arange(count) % 2)


def transmission(present: "Tensor", loss_db: float) -> "Tensor":
    """Return the share of the power that reaches each resonator of a chain, (..., resonator), double precision.

    Args:
        present: Which resonators exist, boolean, (..., resonator), in the order in which the power passes them.
        loss_db: Loss in one resonator in dB, 0 or above.
    """
    before = present.double().cumsum(-1) - present.double()
    return 10 ** (-loss_db / 10 * before)


def chain_voltage(power: "Tensor", weights: "Tensor", saturation_power: float | None = None) -> "Tensor":
    """Return the rectified voltages of chains, in units of weight times power, (..., destination).

        V_j = sum_i w_ji p_i,    p_i = x_i, or x_i / (1 + x_i / x_s) where large powers are compressed

    With compression the voltage is no linear map of the powers, and effective weights describe small ones only.

    Args:
        power: x of each source, 0 or above, (..., source).
        weights: Effective weights, (..., destination, source), as `chain_weights` returns them.
        saturation_power: x_s, above 0; None for no compression.
    """
    felt = power if saturation_power is None else power / (1 + power / saturation_power)
    return (weights @ felt[..., None])[..., 0]


def chain_solution(
    wanted: "Tensor",
    start: "Tensor",
    tails: "Callable[[Tensor], Tensor]",
    tuning_for: "Callable[[Tensor], Tensor]",
) -> "Tensor":
    """Find the tunings of whole chains whose effective weights are those wanted, (..., resonator), or near to them.

    Each resonator takes the tuning that makes its own part, with the tails of the others taken off, until nothing
    moves any more; what is out of its reach stays at the end of it.

    Args:
        wanted: Weights, one for each resonator at its own tone, (..., resonator).
        start: Tunings to begin with, (..., resonator).
        tails: Of tunings, what the other resonators add at the tone of each, (..., resonator).
        tuning_for: Of own parts, the tunings that make them, or come nearest to them.
    """
    tuning = start
    for _ in range(_ROUNDS):
        fresh = tuning_for(wanted - tails(tuning))
        moved, tuning = float((fresh - tuning).abs().max()) if fresh.numel() else 0.0, fresh
        if moved < _SETTLED:
            break
    return tuning
