"""Weight matrices that are chains of resonators: from trained parameters to tunings, and to the weights that act.

A trained parameter is a tuning in units of weight: v = 2 w_max (span / G) s t, with the tuning t between -1 and 1 and
the sign s of its place in the chain. Near its neuron's tone a straight resonator has the weight v, so initial values,
learning rates and clipped gradients of weights keep their meaning, whatever the span; zero is a resonator on the tone.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.network.settings import NetworkSettings
from spinhw.network.synapse_settings import ResonatorSynapses
from spinhw.physics import (
    BELOW_LIMIT,
    alternating,
    chain_solution,
    chain_weights,
    detuning_for,
    inner_branch,
    resonator_weight,
    transmission,
)


@dataclass(frozen=True)
class Chains:
    """The chains of a network: one for each row of a weight matrix, fed by the tones of its sources.

    Every tensor is (..., destination, source): a resonator for each source, or none where its mask says so.

    Args:
        settings: Of the resonators.
        max_weight: w_max.
    """

    settings: ResonatorSynapses
    max_weight: float

    def tunings(self, values: Tensor) -> Tensor:
        """Return the tunings, -1 to 1, of trained values."""
        return -values * alternating(values.shape[-1]).to(values) / self._per_tuning

    def values(self, tunings: Tensor) -> Tensor:
        """Return the trained values of tunings."""
        return -tunings * alternating(tunings.shape[-1]).to(tunings) * self._per_tuning

    def weights(self, tunings: Tensor, present: Tensor) -> Tensor:
        """Return the weights that act, those of sources without a resonator too; gradients flow to the tunings.

        Args:
            tunings: -1 to 1.
            present: Which resonators exist, boolean.
        """
        shift, most = self._shift(tunings), self._most(present).to(tunings.dtype)
        width = self._width(tunings)
        if not self.settings.crosstalk:
            return resonator_weight(-shift, width, most, self.settings.angle_rad)
        # Single precision holds no small difference of large frequencies: tones are counted from the first.
        tones = self.settings.spacing_hz * torch.arange(tunings.shape[-1], dtype=tunings.dtype, device=tunings.device)
        return chain_weights(tones, tones.expand(1, -1), width, most, shift_hz=shift, angle_rad=self.settings.angle_rad)

    def alone(self, weights: Tensor, present: Tensor) -> Tensor:
        """Return the tunings on the inner branch at which each resonator by itself has the weight that is wanted.

        A weight out of its reach gets the tuning that comes nearest.
        """
        most, angle = self._most(present).to(weights.dtype), self.settings.angle_rad
        middle, reach = math.sin(angle), BELOW_LIMIT if weights.dtype == torch.float64 else 1 - 1e-5
        share = torch.where(present, weights / most.masked_fill(~present, 1.0), torch.zeros_like(weights))
        detuning = detuning_for(share.clamp(middle - reach, middle + reach), self._width(weights), 1.0, angle)
        tuning = self.settings.curve.curve().tuning(-detuning / self.settings.span_hz)
        return torch.where(present, tuning, torch.zeros_like(tuning))

    def translated(self, weights: Tensor, present: Tensor) -> Tensor:
        """Return the tunings on the inner branch whose chains act as the weights that are wanted, crosstalk included.

        A source without a resonator gets what the tails of the others give it. Compare `weights` of the result with
        what was wanted: what is out of reach is approached.
        """
        if not self.settings.crosstalk:
            return self.alone(weights, present)
        wanted, most = weights.double(), self._most(present)

        def tails(tunings: Tensor) -> Tensor:
            own = resonator_weight(-self._shift(tunings), self._width(tunings), most, self.settings.angle_rad)
            return self.weights(tunings, present) - own

        found = chain_solution(
            wanted, self.alone(wanted, present), tails, lambda own: self.alone(own * present, present)
        )
        return found.to(weights.dtype)

    def bounds(self, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lowest and highest trained values of a chain, each (source,): the ends of the inner branch.

        Args:
            count: Sources.
            like: Of the type and in the place wanted.
        """
        curve, width = self.settings.curve.curve(), self.settings.half_linewidth_hz
        detunings = torch.tensor(inner_branch(self.settings.angle_rad), dtype=torch.float64) * width
        ends = self.values(curve.tuning(-detunings / self.settings.span_hz)[:, None].expand(2, count))
        return ends.amin(0).to(like), ends.amax(0).to(like)

    @property
    def _per_tuning(self) -> float:
        """Weight of a straight resonator at a tuning of 1: the slope of its own weight at its neuron's tone."""
        return 2 * self.max_weight * self.settings.span_hz / self.settings.half_linewidth_hz

    def _shift(self, tunings: Tensor) -> Tensor:
        return self.settings.span_hz * self.settings.curve.curve().shift(tunings)

    def _most(self, present: Tensor) -> Tensor:
        """Largest weight of each resonator with its sign, double precision; 0 where there is none."""
        signs = self.max_weight * alternating(present.shape[-1]).to(present.device, torch.float64)
        most = signs * present
        return most * transmission(present, self.settings.loss_db) if self.settings.loss_db else most

    def _width(self, like: Tensor) -> Tensor:
        return torch.tensor(self.settings.half_linewidth_hz, dtype=like.dtype, device=like.device)


def chains_of(settings: NetworkSettings) -> Chains | None:
    """Return the chains of a network whose synapses are resonators; None for one of weights."""
    synapses, limit = settings.synapses, settings.weight_limit
    if not isinstance(synapses, ResonatorSynapses) or limit is None:
        return None
    return Chains(synapses, limit)
