"""The synapses of chips: from a requested weight to the one that acts.

    applied   = requested, rounded to the programming bits within +-limit               (what a read-back tells)
    tuned     = applied * scale + limit * (offset + repeatability)                      (what the resonator is set to)
    acting    = tuned, or with crosstalk the sum over the chain of resonators           (what the network feels)

A chip that takes tunings is told those of its resonators instead, -1 to 1:

    applied   = requested, rounded to the programming bits within +-1
    resonance = tone * spread + span applied + (G / 2) (offset + repeatability) + drift (as in chip/resonators.py)
    acting    = the sum over the chain of resonators

Masks say which synapses exist: an absent one has no resonator and no error; one that is set to zero has both. Biases
are currents, not resonators: they pass their own converter and nothing else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from spinhw.chip.converter import convert, quantise
from spinhw.chip.draw import Identity, chosen, factors, lognormal_factor
from spinhw.chip.settings import ChipSettings, RFSettings, SynapseSettings
from spinhw.physics import BELOW_LIMIT, Chain, alternating, chain_weights, detuning_for
from spinhw.rollout.kept import ordinary_tensors

# Tunings that differ by less are one: so much is lost on the way through volts and single precision.
_SAME = 1e-6


@dataclass(frozen=True)
class SynapseErrors:
    """Fixed errors of the synapses of one parameter, each (member, destination, source).

    Args:
        scale: Own w_max over the nominal one.
        offset: Programming error over the limit.
        dead: Which stay at weight 0.
        stuck: Which stay at another weight.
        stuck_at: Which one, over the limit.
    """

    scale: Tensor
    offset: Tensor
    dead: Tensor
    stuck: Tensor
    stuck_at: Tensor

    @classmethod
    def draw(cls, ask: SynapseSettings, identities: Sequence[Identity], name: str, shape: tuple[int, ...]) -> Self:
        """Draw them for a parameter with this name and shape (destination, source)."""
        size = math.prod(shape)
        normals = torch.stack([one.normals(shape, "synapse scale", name) for one in identities])
        offset = torch.stack([one.normals(shape, "synapse offset", name) for one in identities])
        marks = {
            what: torch.stack([chosen(one, size, share, (), f"{what} {name}").view(shape) for one in identities])
            for what, share in (("dead synapses", ask.dead_fraction), ("stuck synapses", ask.stuck_fraction))
        }
        places = [torch.rand(shape, generator=one.stream("stuck at", name), dtype=torch.float64) for one in identities]
        return cls(
            lognormal_factor(normals, ask.scale_spread),
            ask.programming_error * offset,
            marks["dead synapses"],
            marks["stuck synapses"],
            torch.stack(places) * 2 - 1,
        )


class ChipSynapses:
    """The synapses of chips side by side, addressed by parameter name.

    Args:
        settings: Errors and bounds.
        identities: Who the chips are; each draws what it would draw alone.
    """

    def __init__(self, settings: ChipSettings, identities: Sequence[Identity]) -> None:
        self._chip, self._settings, self._identities = settings, settings.synapses, identities
        self._errors: dict[str, SynapseErrors] = {}
        self._chains: dict[str, Chain] = {}
        self._held: dict[str, tuple[Tensor, Tensor | None]] = {}  # Tunings that were written one by one, and how well.

    def applied(self, name: str, requested: Tensor) -> Tensor:
        """Give the programmed value that a read-back tells, shaped as requested, (member, ...)."""
        if name.startswith("b"):
            return convert(requested, self._chip.bias_dac)[0]
        limit, bits = self._settings.limit, self._settings.bits
        if limit is None:
            return requested
        limit = 1.0 if self._settings.takes == "tunings" else limit
        # Zero is a level (a synapse can be off), so one code of the 2^bits stays unused.
        level = None if bits is None else limit / (2 ** (bits - 1) - 1)
        rounded = quantise(requested, -limit, limit, None)
        return rounded if level is None else rounded + ((rounded / level).round() * level - rounded).detach()

    def acting(self, name: str, applied: Tensor, writes: int, present: Tensor | None = None, shots: int = 0) -> Tensor:
        """Give the weights that act, (member, destination, source); biases act as applied.

        Args:
            name: Parameter name.
            applied: What `applied` gave.
            writes: Number of this programming: the key of its repeatability.
            present: Which synapses exist, shaped as `applied`; None for all. An absent one has no resonator and no
                error, whatever its value; one that exists has its errors at zero too.
            shots: Taken before this programming: resonances may drift.
        """
        if name.startswith("b"):
            return applied
        exists = torch.ones_like(applied, dtype=torch.bool) if present is None else present
        if self._settings.takes == "tunings":
            return self._of_chains(name, applied, writes, exists, shots)
        tuned = self._tuned(name, applied, writes)
        tuned = tuned if present is None else tuned * present
        return self._with_crosstalk(tuned, exists) if self._settings.crosstalk else tuned

    def resonators(self, name: str, shape: tuple[int, int], shots: int = 0) -> Chain:
        """Return the resonators of a matrix (destination, source) after so many shots, (member, destination, source).

        Programming errors and stuck tunings are part of their resonances; the repeatability is not.
        """
        fresh, drifted = self._as_made(name, shape), self._drifted(name, shape, shots)
        return fresh if drifted is None else replace(fresh, resonance_hz=fresh.resonance_hz + drifted)

    def _drifted(self, name: str, shape: tuple[int, int], shots: int) -> Tensor | None:
        """Return by how much chains have moved, (member, destination, 1) in Hz; None where nothing drifts."""
        asked, nominal_hz = self._chip.drift, self._settings.rf.half_linewidth_hz
        if asked.chains_per_1000_shots == 0:
            return None
        rates = torch.stack([one.normals((shape[0], 1), "chain drift", name) for one in self._identities])
        return nominal_hz * asked.chains_per_1000_shots * (shots + asked.aged_shots) / 1000 * rates

    def _as_made(self, name: str, shape: tuple[int, int]) -> Chain:
        ask, rf = self._settings, self._settings.rf
        errors = self._fixed(name, shape)
        tones = rf.ladder(1.0).tones_hz(shape[1])
        with ordinary_tensors():
            size = math.prod(shape)
            spread = factors(self._identities, size, rf.frequency_spread, "resonance", name).view(-1, *shape)
            width = rf.half_linewidth_hz * factors(self._identities, size, rf.linewidth_spread, "linewidth", name).view(
                -1, *shape
            )
            stuck_at = rf.tuning_span_hz * errors.stuck_at * errors.stuck
            return Chain(
                tones * spread + width / 2 * errors.offset + stuck_at,
                width,
                (ask.limit or 1.0) * alternating(shape[1]) * errors.scale * ~errors.dead,
                rf.tuning_span_hz * (~errors.stuck).double(),
            )

    def tuned(self, name: str, applied: Tensor, writes: int, present: Tensor, shots: int = 0) -> Chain:
        """Return the resonators where a programming has put them, (member, destination, source), to measure them there.

        Arguments as for `acting`. An absent resonator has no weight, and none has a span any more.
        """
        chain, shift = self._as_put(name, applied, writes, shots)
        tones = self._settings.rf.ladder(1.0).tones_hz(applied.shape[-1])
        span = torch.zeros_like(chain.tuning_span_hz)
        return replace(chain, resonance_hz=tones + shift, max_weight=chain.max_weight * present, tuning_span_hz=span)

    def _of_chains(self, name: str, applied: Tensor, writes: int, present: Tensor, shots: int) -> Tensor:
        """Return the weights that tunings make, in double precision on the way."""
        chain, shift = self._as_put(name, applied, writes, shots)
        tones = self._settings.rf.ladder(1.0).tones_hz(applied.shape[-1])
        apart = tones - tones[0]  # Small differences of large frequencies are worked out here, in double precision.
        return chain_weights(
            apart, apart.expand(1, -1), chain.half_linewidth_hz, chain.max_weight * present, shift_hz=shift
        ).to(applied.dtype)

    def _as_put(self, name: str, applied: Tensor, writes: int, shots: int) -> tuple[Chain, Tensor]:
        """Return the resonators of a matrix as made, and how far from its source's tone each is after a programming."""
        shape = (applied.shape[-2], applied.shape[-1])
        if name not in self._chains:
            self._chains[name] = self._as_made(name, shape)
        chain, tones = self._chains[name], self._settings.rf.ladder(1.0).tones_hz(shape[1])
        written, moves = self._written(name, applied, writes), chain.tuning_span_hz != 0
        drifted = self._drifted(name, shape, shots)
        shift = chain.resonance_hz - tones + chain.tuning_span_hz * applied.double()
        shift = shift if drifted is None else shift + drifted
        shift = shift if written is None else shift + chain.half_linewidth_hz / 2 * written * moves
        return chain, shift

    def write_changed(self, name: str, applied: Tensor, writes: int) -> None:
        """Write the resonators of a matrix one by one, those whose tuning changes; `acting` keeps to that.

        Args:
            name: Parameter name.
            applied: Tunings as `applied` gives them.
            writes: Number of this programming.
        """
        self._held[name] = applied, self._written(name, applied, writes)

    def _written(self, name: str, applied: Tensor, writes: int) -> Tensor | None:
        """Return what this programming is off by, over the limit; None where each is like the other."""
        if self._settings.repeatability == 0:
            return None
        drawn = [one.normals(applied.shape[1:], "write", name, writes) for one in self._identities]
        fresh = self._settings.repeatability * torch.stack(drawn)
        code, written = self._held.get(name, (applied, None))
        return fresh if written is None else torch.where((applied - code).abs() <= _SAME, written, fresh)

    def _tuned(self, name: str, applied: Tensor, writes: int) -> Tensor:
        errors, limit = self._fixed(name, tuple(applied.shape[1:])), self._settings.limit
        tuned = applied * (errors.scale * ~errors.dead).to(applied.dtype)
        if limit is None:
            return tuned
        written = self._written(name, applied, writes)
        offset = errors.offset if written is None else errors.offset + written
        bounded = quantise(tuned + (limit * offset * ~errors.dead).to(applied.dtype), -limit, limit, None)
        return torch.where(errors.stuck, (limit * errors.stuck_at).to(applied.dtype), bounded)

    def _fixed(self, name: str, shape: tuple[int, ...]) -> SynapseErrors:
        if name not in self._errors:
            with ordinary_tensors():
                self._errors[name] = SynapseErrors.draw(self._settings, self._identities, name, shape)
        return self._errors[name]

    def _with_crosstalk(self, tuned: Tensor, present: Tensor) -> Tensor:
        limit = self._settings.limit
        if limit is None:
            raise ValueError("crosstalk needs a limit; the settings should have refused this")
        return crosstalk(tuned, present, limit, self._settings.rf)


def crosstalk(tuned: Tensor, present: Tensor, limit: float, rf: RFSettings) -> Tensor:
    """Give the weights of chains in which every resonator sees the frequencies of all sources.

    Each destination has one chain. Its resonator k is tuned to f_k - d_k so that alone it would have the wanted weight;
    the weight of source j is then the sum over k of w(f_j - f_res_k). With wide spacing this is the wanted weight; a
    neighbour adds about 2 w_max G / spacing, whatever its own weight. The signs alternate along the chain.

    Args:
        tuned: Wanted weights, (member, destination, source), within +-limit.
        present: Which synapses exist; an absent one has no resonator (but may receive crosstalk).
        limit: w_max.
        rf: Spacing and half linewidth; all nominal here.
    """
    # In double precision: detunings are small differences of large frequencies.
    wanted = quantise(tuned.double(), -limit * BELOW_LIMIT, limit * BELOW_LIMIT, None)
    frequency = torch.arange(tuned.shape[-1], dtype=wanted.dtype) * rf.spacing_hz  # (source)
    sign = alternating(tuned.shape[-1])  # (resonator)
    width = torch.full_like(wanted, rf.half_linewidth_hz)
    resonance = frequency - detuning_for(wanted * sign, width, limit)  # (member, destination, resonator)
    return chain_weights(frequency, resonance, width, limit * sign * present.double()).to(tuned.dtype)
