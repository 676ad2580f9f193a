"""By how much the chains of a read-out have moved, from what they answered to what the last layer showed."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from spinhw.network import Chains
from spinhw.physics import Chain
from spinhw.surrogate import COMMON, UNTOLD, ChainShifts

# In half-linewidths: what a chain may move from batch to batch, and how well one batch can tell at best, for each of
# its resonances is only known so well.
_WANDER, _BEST = 0.02, 0.003
_ROUNDS = 3  # The weights are no straight line of a shift.
_LEAST = 8  # Answers without which nothing is told.


@dataclass(frozen=True)
class ReadoutShifts:
    """Common shift of each chain of a read-out, in half-linewidths.

    Args:
        values: (output,), float64.
        variances: Same shape.
    """

    values: Tensor
    variances: Tensor

    @classmethod
    def begin(cls, outputs: int) -> "ReadoutShifts":
        """Begin where the chains were measured."""
        nothing = torch.zeros(outputs, dtype=torch.float64)
        return cls(nothing, nothing + COMMON**2)

    def found(self) -> ChainShifts:
        """Return them as those of other chains."""
        errors = self.variances.sqrt()
        return ChainShifts(self.values, errors, errors < UNTOLD * COMMON)

    def less(self, taken: Tensor) -> "ReadoutShifts":
        """Take shifts off, (output,)."""
        return replace(self, values=self.values - taken)


@dataclass(frozen=True, eq=False)
class Answered:
    """What a read-out was given and answered.

    Args:
        y: Of the last layer where it answers, (answer, neuron), float64.
        outputs: Answers W_out y, (answer, output), float64.
        chains: How tunings act.
        known: Of the resonators, (output, neuron).
        tunings: As applied, (output, neuron), float64.
    """

    y: Tensor
    outputs: Tensor
    chains: Chains
    known: Chain
    tunings: Tensor

    def modelled(self, shifts: Tensor) -> tuple[Tensor, Tensor]:
        """Return the answers with chains shifted by (output,) half-linewidths, and their derivatives by it."""
        width = self.chains.settings.half_linewidth_hz
        moved = replace(self.known, resonance_hz=self.known.resonance_hz + width * shifts[:, None])
        here, every = self.chains.with_known(moved), torch.ones_like(self.tunings, dtype=torch.bool)
        slopes = width * here.slopes(self.tunings, every).sum(-2)
        return self.y @ here.weights(self.tunings, every).T, self.y @ slopes.T


def looked(before: ReadoutShifts, seen: Answered) -> ReadoutShifts:
    """Take in a batch, by least squares for each output; an offset of the output says nothing.

    Args:
        before: What was known.
        seen: The batch; of fewer than eight answers nothing is learned.
    """
    count = len(seen.y)
    if count < _LEAST:
        return before
    shifts = before.values
    for _ in range(_ROUNDS):
        model, slopes = (one - one.mean(0) for one in seen.modelled(shifts))
        apart = seen.outputs - seen.outputs.mean(0) - model
        normal = slopes.square().sum(0).clamp_min(1e-12)
        step = ((slopes * apart).sum(0) / normal).clamp(-COMMON, COMMON)
        shifts = shifts + step
    left = (apart - slopes * step).square().sum(0) / (count - 2)
    doubt, variances = left / normal + _BEST**2, before.variances + _WANDER**2
    share = variances / (variances + doubt)
    return ReadoutShifts(before.values + share * (shifts - before.values), (1 - share) * variances)
