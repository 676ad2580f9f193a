"""Weight matrices that are chains of resonators: from trained parameters to tunings, and to the weights that act.

A trained parameter is a tuning in units of weight: v = 2 w_max (span / G) s t, with the tuning t between -1 and 1 and
the sign s of its place in the chain. Near its neuron's tone a straight resonator has the weight v, so initial values,
learning rates and clipped gradients of weights keep their meaning, whatever the span; zero is a resonator on the tone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from spinhw.errors import ConfigError
from spinhw.network.settings import NetworkSettings, tuned_shapes
from spinhw.network.synapse_settings import ResonatorSynapses
from spinhw.physics import (
    BELOW_LIMIT,
    Chain,
    alternating,
    chain_solution,
    chain_weights,
    detuning_for,
    inner_branch,
    resonator_slope,
    resonator_weight,
    transmission,
)


@dataclass(frozen=True)
class Chains:
    """The chains of a network: one for each row of a weight matrix, fed by the tones of its sources.

    Every tensor is (..., destination, source): a resonator for each source, or none where its mask says so.

    Args:
        settings: Of the resonators as designed.
        max_weight: w_max.
        known: What is known of the resonators of one matrix, (member or 1, destination, source); None for all as
            designed. Trained values stay tunings in units of the weight of a designed resonator.
    """

    settings: ResonatorSynapses
    max_weight: float
    known: Chain | None = None

    def with_known(self, known: Chain | None) -> "Chains":
        """Return the chains of one matrix, with what is known of their resonators."""
        return self if known is None and self.known is None else replace(self, known=known)

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
        made, most = self._made(tunings), self._most(present, tunings)
        shift, width = self._shift(tunings, made), made.half_linewidth_hz
        if not self.settings.crosstalk:
            return resonator_weight(-shift, width, most, self.settings.angle_rad)
        tones = self._tones(tunings)
        return chain_weights(tones, tones.expand(1, -1), width, most, shift_hz=shift, angle_rad=self.settings.angle_rad)

    def slopes(self, tunings: Tensor, present: Tensor) -> Tensor:
        """Return the derivative of each weight that acts by each resonance, (..., destination, resonator, source).

        In 1/Hz; arguments as for `weights`.
        """
        made, most = self._made(tunings), self._most(present, tunings)
        shift, width = self._shift(tunings, made), made.half_linewidth_hz
        tones, angle = self._tones(tunings), self.settings.angle_rad
        if not self.settings.crosstalk:
            return torch.diag_embed(-resonator_slope(-shift, width, most, angle))
        detuning = tones - tones[:, None] - shift[..., None]
        apart = width[..., None] if width.dim() else width
        return -resonator_slope(detuning, apart, most[..., None], angle)

    def designed(self, present: Tensor) -> Chain:
        """Return the resonators as designed, shaped as `present`, float64."""
        like = torch.zeros(present.shape, dtype=torch.float64, device=present.device)
        tones = self.settings.first_tone_hz + self._tones(like)
        return Chain(
            like + tones,
            like + self.settings.half_linewidth_hz,
            self._designed_most(present),
            like + self.settings.span_hz,
        )

    def alone(self, weights: Tensor, present: Tensor) -> Tensor:
        """Return the tunings on the inner branch at which each resonator by itself has the weight that is wanted.

        A weight out of its reach gets the tuning that comes nearest, and a resonator that does nothing 0.
        """
        made, most, angle = self._made(weights), self._most(present, weights), self.settings.angle_rad
        middle, reach = math.sin(angle), BELOW_LIMIT if weights.dtype == torch.float64 else 1 - 1e-5
        works = present & (most != 0)
        share = torch.where(works, weights / most.masked_fill(~works, 1.0), torch.zeros_like(weights))
        detuning = detuning_for(share.clamp(middle - reach, middle + reach), made.half_linewidth_hz, 1.0, angle)
        tuning = self._tuning(-detuning, made)
        return torch.where(works, tuning, torch.zeros_like(tuning))

    def translated(self, weights: Tensor, present: Tensor) -> Tensor:
        """Return the tunings on the inner branch whose chains act as the weights that are wanted, crosstalk included.

        A source without a resonator gets what the tails of the others give it. Compare `weights` of the result with
        what was wanted: what is out of reach is approached.
        """
        if not self.settings.crosstalk:
            return self.alone(weights, present)
        wanted = weights.double()
        made, most = self._made(wanted), self._most(present, wanted)

        def tails(tunings: Tensor) -> Tensor:
            shift = self._shift(tunings, made)
            own = resonator_weight(-shift, made.half_linewidth_hz, most, self.settings.angle_rad)
            return self.weights(tunings, present) - own

        found = chain_solution(
            wanted, self.alone(wanted, present), tails, lambda own: self.alone(own * present, present)
        )
        return found.to(weights.dtype)

    def bounds(self, count: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lowest and highest trained values: the ends of the inner branch, around each known resonance.

        Where a tuning does not reach an end, its own end is taken; a resonator that does not move has 0 for both.

        Args:
            count: Sources.
            like: Of the type, in the place and with the axes wanted.

        Returns:
            Two of (source,), or (..., destination, source) where resonators are known.
        """
        made = self._made(like.double())
        detunings = [end * made.half_linewidth_hz for end in inner_branch(self.settings.angle_rad)]
        ends = torch.stack([self.values(self._tuning(-one, made).expand(*one.shape[:-1], count)) for one in detunings])
        return ends.amin(0).to(like), ends.amax(0).to(like)

    @property
    def _per_tuning(self) -> float:
        """Weight of a straight resonator at a tuning of 1: the slope of its own weight at its neuron's tone."""
        return 2 * self.max_weight * self.settings.span_hz / self.settings.half_linewidth_hz

    def _tones(self, like: Tensor) -> Tensor:
        """Return the tone of each source, counted from the first: single precision holds no small differences."""
        return self.settings.spacing_hz * torch.arange(like.shape[-1], dtype=like.dtype, device=like.device)

    def _made(self, like: Tensor) -> "_Made":
        """Return how the resonators are made, as designed or as known, in the type and place of a tensor."""
        known, ladder = self.known, self.settings
        if known is None:
            numbers = (0.0, ladder.span_hz, ladder.half_linewidth_hz)
            return _Made(*(torch.tensor(one, dtype=like.dtype, device=like.device) for one in numbers))
        tones = ladder.first_tone_hz + ladder.spacing_hz * torch.arange(known.count, dtype=torch.float64)
        off = known.resonance_hz - tones.to(known.resonance_hz.device)  # Single precision holds no small differences.
        return _Made(*(_like(one, like) for one in (off, known.tuning_span_hz, known.half_linewidth_hz)))

    def _shift(self, tunings: Tensor, made: "_Made") -> Tensor:
        """Return how far each resonance lies from the tone of its own source, in Hz."""
        return made.off_hz + made.span_hz * self.settings.curve.curve().shift(tunings)

    def _tuning(self, shift_hz: Tensor, made: "_Made") -> Tensor:
        """Return the tuning that puts a resonance so far from the tone of its source, or nearest to it."""
        curve, moves = self.settings.curve.curve(), made.span_hz != 0
        share = (shift_hz - made.off_hz) / torch.where(moves, made.span_hz, 1.0)
        low, high = curve.ends()
        return torch.where(moves, curve.tuning(share.clamp(low, high)), torch.zeros_like(share))

    def _most(self, present: Tensor, like: Tensor) -> Tensor:
        """Return the largest weight of each resonator with its sign; 0 where there is none."""
        if self.known is not None:  # What loss there is was measured with it.
            return _like(self.known.max_weight, like) * present
        return self._designed_most(present).to(like.dtype)

    def _designed_most(self, present: Tensor) -> Tensor:
        signs = self.max_weight * alternating(present.shape[-1]).to(present.device, torch.float64)
        most = signs * present
        return most * transmission(present, self.settings.loss_db) if self.settings.loss_db else most


class _Made(NamedTuple):
    """How resonators are made, in Hz: numbers that all share, or of each, (..., destination, source).

    Args:
        off_hz: How far each resonance lies from the tone of its own source at tuning 0.
        span_hz: Shift by a tuning of 1 on a line; 0 where it does not move.
        half_linewidth_hz: G.
    """

    off_hz: Tensor
    span_hz: Tensor
    half_linewidth_hz: Tensor


def _like(known: Tensor, like: Tensor) -> Tensor:
    """Return a known quantity in the type and place of a tensor, without the member axis where that has none."""
    return (known[0] if like.dim() == known.dim() - 1 else known).to(like)


def chains_of(settings: NetworkSettings) -> Chains | None:
    """Return the chains of a network whose synapses are resonators; None for one of weights."""
    synapses, limit = settings.synapses, settings.weight_limit
    if not isinstance(synapses, ResonatorSynapses) or limit is None:
        return None
    return Chains(synapses, limit)


def check_resonators(resonators: Mapping[str, Chain], settings: NetworkSettings, members: int) -> None:
    """Check that what is known of resonators is of the matrices of a network.

    Args:
        resonators: By parameter name.
        settings: Of the network.
        members: Networks of an ensemble; 1 for a single one.

    Raises:
        ConfigError: A matrix is missing, is none of the network's, or has another shape.
    """
    shapes = tuned_shapes(settings)
    if resonators.keys() != shapes.keys():
        raise ConfigError(
            "resonators: other chains are known than the network has",
            seen=", ".join(sorted(resonators)) or "none",
            allowed=", ".join(sorted(shapes)),
            todo="give one of each matrix of the network",
        )
    for name, shape in shapes.items():
        for what, value in resonators[name].tensors().items():
            if tuple(value.shape[1:]) != shape or len(value) not in (1, members):
                raise ConfigError(
                    f"resonators: {what} of {name} has another shape than the network",
                    seen=tuple(value.shape),
                    allowed=" or ".join(str((count, *shape)) for count in sorted({1, members})),
                    todo="give (member, destination, source), as the network has them",
                )
