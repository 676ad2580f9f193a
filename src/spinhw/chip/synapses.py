"""The synapses of chips: from a requested weight to the one that acts.

    applied   = requested, rounded to the programming bits within +-limit               (what a read-back tells)
    tuned     = applied * scale + limit * (offset + repeatability)                      (what the resonator is set to)
    acting    = tuned, or with crosstalk the sum over the chain of resonators           (what the network feels)

A weight that is exactly zero is an absent synapse: it has no resonator and no error. Biases are currents, not resonators:
they pass their own converter and nothing else.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from spinhw.chip.converter import convert, quantise
from spinhw.chip.draw import Identity, chosen, lognormal_factor
from spinhw.chip.settings import ChipSettings, RFSettings
from spinhw.physics import chain_weights, detuning_for

# A weight at the very limit sits where the slope of the resonance is zero and its inverse infinite.
_BELOW_LIMIT = 1 - 1e-6


class Synapses:
    """The synapses of chips side by side, addressed by parameter name.

    Args:
        settings: Errors and bounds.
        identities: Who the chips are; each draws what it would draw alone.
    """

    def __init__(self, settings: ChipSettings, identities: Sequence[Identity]) -> None:
        self._chip, self._settings, self._identities = settings, settings.synapses, identities
        self._errors: dict[tuple[str, tuple[int, ...]], tuple[Tensor, Tensor, Tensor, Tensor]] = {}

    def applied(self, name: str, requested: Tensor) -> Tensor:
        """Give the programmed value that a read-back tells, shaped as requested, (member, ...)."""
        if name.startswith("b"):
            return convert(requested, self._chip.bias_dac)[0]
        limit, bits = self._settings.limit, self._settings.bits
        if limit is None:
            return requested
        # Zero is a level (a synapse can be off), so one code of the 2^bits stays unused.
        level = None if bits is None else limit / (2 ** (bits - 1) - 1)
        rounded = quantise(requested, -limit, limit, None)
        return rounded if level is None else rounded + ((rounded / level).round() * level - rounded).detach()

    def acting(self, name: str, applied: Tensor, writes: int) -> Tensor:
        """Give the weights that act, (member, destination, source); biases act as applied.

        Args:
            name: Parameter name.
            applied: What `applied` gave.
            writes: Number of this programming: the key of its repeatability.
        """
        if name.startswith("b"):
            return applied
        present = applied != 0
        tuned = self._tuned(name, applied, writes) * present
        return self._with_crosstalk(tuned, present) if self._settings.crosstalk else tuned

    def _tuned(self, name: str, applied: Tensor, writes: int) -> Tensor:
        scale, offset, dead, stuck = (part.to(applied.dtype) for part in self._fixed(name, tuple(applied.shape[1:])))
        limit, repeatability = self._settings.limit, self._settings.repeatability
        tuned = applied * scale
        if limit is None:
            return tuned * (1 - dead)
        error = offset
        if repeatability > 0:
            shape = applied.shape[1:]
            drawn = [one.normals(shape, "write", name, writes) for one in self._identities]
            error = error + repeatability * torch.stack(drawn).to(applied.dtype)
        bounded = quantise(tuned + limit * error, -limit, limit, None)
        is_stuck = stuck.isfinite()
        return torch.where(is_stuck, stuck.nan_to_num() * limit, bounded * (1 - dead))

    def _fixed(self, name: str, shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Give scale, offset over limit, dead (0 or 1) and stuck (value over limit, else NaN), each (member, ...)."""
        key = (name, shape)
        if key not in self._errors:
            drawn = [self._draw(one, name, shape) for one in self._identities]
            self._errors[key] = tuple(torch.stack(parts) for parts in zip(*drawn, strict=True))  # type: ignore[assignment]
        return self._errors[key]

    def _draw(self, one: Identity, name: str, shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        ask, size = self._settings, shape[0] * shape[1]
        scale = lognormal_factor(one.normals(shape, "synapse scale", name), ask.scale_spread)
        offset = ask.programming_error * one.normals(shape, "synapse offset", name)
        dead = chosen(one, size, ask.dead_fraction, (), f"dead synapses {name}").view(shape)
        stuck = chosen(one, size, ask.stuck_fraction, (), f"stuck synapses {name}").view(shape)
        place = torch.rand(shape, generator=one.stream("stuck place", name), dtype=torch.float64) * 2 - 1
        return scale, offset, dead.to(torch.float64), torch.where(stuck, place, torch.full_like(place, torch.nan))

    def _with_crosstalk(self, tuned: Tensor, present: Tensor) -> Tensor:
        limit = self._settings.limit
        if limit is None:
            raise ValueError("crosstalk needs a limit; the settings should have refused this")
        return crosstalk(tuned, present, limit, self._settings.rf)


def crosstalk(tuned: Tensor, present: Tensor, limit: float, rf: RFSettings) -> Tensor:
    """Give the weights of chains in which every resonator sees the frequencies of all sources.

    Each destination has one chain. Its resonator k is tuned to f_k - d_k so that alone it would have the wanted weight; the
    weight of source j is then the sum over k of w(f_j - f_res_k). With wide spacing this is the wanted weight; a neighbour
    adds about 2 w_max G / spacing, whatever its own weight. The sign alternates along the chain, as in Ross et al. 2023, so
    that the tails of a long row do not add up.

    Args:
        tuned: Wanted weights, (member, destination, source), within +-limit.
        present: Which synapses exist; an absent one has no resonator (but may receive crosstalk).
        limit: w_max.
        rf: Spacing and half linewidth; all nominal here.
    """
    # In double precision: detunings are small differences of large frequencies.
    wanted = quantise(tuned.double(), -limit * _BELOW_LIMIT, limit * _BELOW_LIMIT, None)
    frequency = torch.arange(tuned.shape[-1], dtype=wanted.dtype) * rf.spacing_hz  # (source)
    sign = 1.0 - 2.0 * (torch.arange(tuned.shape[-1]) % 2)  # (resonator)
    width = torch.full_like(wanted, rf.half_linewidth_hz)
    resonance = frequency - detuning_for(wanted * sign, width, limit)  # (member, destination, resonator)
    return chain_weights(frequency, resonance, width, limit * sign * present.double()).to(tuned.dtype)
