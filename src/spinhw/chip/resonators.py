"""A simulated bank of RF resonators in one chain: the synapses seen as an experiment."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from spinhw.chip.converter import convert
from spinhw.chip.draw import Identity, chosen, factors
from spinhw.chip.readout import MeasuredSamples
from spinhw.chip.settings import ChipSettings
from spinhw.physics import Chain, resonator_weight


class ResonatorChain:
    """Resonators in series: the voltage is the sum over all of them.

        V   = power sum_k w_k(f - f_k)                       (antisymmetric Lorentzians, physics/resonator.py)
        f_k = f0_k + span code_k + (G_k / 2) (fixed_k + written_k)

    `code` is the tuning rounded to the bits of the programming. `fixed` and `written` are `programming_error` and
    `repeatability` of the synapses, shares of w_max: the slope at resonance is 2 w_max / G, so a weight that is off by
    a share e of w_max is a resonance that is off by e G / 2. `written` is drawn again for every resonator whose tuning
    changes. A dead resonator rectifies nothing; a stuck one stays at a tuning drawn once, whatever is written.

    Args:
        settings: `synapses` with its `rf`; the limit is w_max (1 without one); noise and ADC from `output_readout`.
        identity: Who the chip is.
        resonators: How many; or those of a chain of a network, (resonator,), as `ChipSynapses.resonators` has them.
        place: Which chain of a network: the key of what is drawn at each reading and programming.
    """

    def __init__(
        self, settings: ChipSettings, identity: Identity, resonators: int | Chain, place: tuple[str | int, ...] = ()
    ) -> None:
        ask, rf = settings.synapses, settings.synapses.rf
        self.chain = _drawn(settings, identity, resonators) if isinstance(resonators, int) else resonators
        count = self.chain.count
        self.resonance_hz, self.half_linewidth_hz = self.chain.resonance_hz, self.chain.half_linewidth_hz
        self.max_weight = self.chain.max_weight
        self.dead, self.stuck = self.chain.max_weight == 0, self.chain.tuning_span_hz == 0
        self.tuning_span_hz, self._bits, self._repeatability = rf.tuning_span_hz, ask.bits, ask.repeatability
        self.noise, self._adc, self._identity = settings.output_readout.noise, settings.output_readout.adc, identity
        self._place = place
        self._code = torch.full((count,), torch.nan, dtype=torch.float64)
        self._written = torch.zeros(count, dtype=torch.float64)
        self.shots = self.writes = 0

    def measure(self, tuning: Tensor, rf_hz: Tensor, power: Tensor) -> MeasuredSamples:
        """Measure the voltage of the chain, in units of weight times power, (point,).

        Args:
            tuning: Of each resonator, -1 to 1, (point, resonator).
            rf_hz: Frequency of the RF tone in Hz, (point,).
            power: RF power in units of an oscillator's at x = 1, zero or above, (point,).
        """
        code = self._rounded(tuning.double())
        written = self._write(code)  # (point, resonator)
        resonance = (
            self.resonance_hz + self.chain.tuning_span_hz * code + self.half_linewidth_hz / 2 * written * ~self.stuck
        )
        weights = resonator_weight(rf_hz.double()[:, None] - resonance, self.half_linewidth_hz, 1.0) * self.max_weight
        noise = self.noise * self._identity.normals(power.shape, "resonator noise", *self._place, self.shots)
        self.shots += 1
        return MeasuredSamples(*convert(power.double() * weights.sum(-1) + noise, self._adc))

    def state(self) -> dict[str, Any]:
        """Give shots and what is written as plain data for JSON."""
        code = None if bool(self._code.isnan().any()) else self._code.tolist()
        return {"shots": self.shots, "writes": self.writes, "code": code, "written": self._written.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave: the same readings follow."""
        self.shots, self.writes = int(state["shots"]), int(state["writes"])
        self._written = torch.tensor(state["written"], dtype=torch.float64)
        nothing = torch.full_like(self._written, torch.nan)
        self._code = nothing if state["code"] is None else torch.tensor(state["code"], dtype=torch.float64)

    def _rounded(self, tuning: Tensor) -> Tensor:
        if self._bits is None:
            return tuning
        level = 1 / (2 ** (self._bits - 1) - 1)  # Zero is a level, as for the synapses of a network.
        return (tuning / level).round() * level

    def _write(self, code: Tensor) -> Tensor:
        """Write one point after another, and give what is off at each, over w_max, (point, resonator)."""
        before = torch.cat([self._code[None], code[:-1]])
        changed = (code != before) | before.isnan()
        rows = self._written.expand_as(code).clone()
        for point in changed.any(1).nonzero()[:, 0].tolist() if self._repeatability > 0 else ():
            key = ("resonator write", *self._place, self.writes)
            drawn = self._repeatability * self._identity.normals(self._code.shape, *key)
            self._written = torch.where(changed[point], drawn, self._written)
            rows[point:] = self._written
            self.writes += 1
        if len(code):
            self._code = code[-1].clone()
        return rows


def _drawn(settings: ChipSettings, identity: Identity, count: int) -> Chain:
    """Draw the resonators of a bank, which belong to no network."""
    ask, rf, who = settings.synapses, settings.synapses.rf, [identity]
    ladder = rf.ladder(1.0).tones_hz(count)
    width = rf.half_linewidth_hz * factors(who, count, rf.linewidth_spread, "linewidth")[0]
    fixed = ask.programming_error * identity.normals((count,), "resonator offset")
    spread = factors(who, count, rf.frequency_spread, "resonance")[0]
    dead = chosen(identity, count, ask.dead_fraction, (), "dead resonators")
    stuck = chosen(identity, count, ask.stuck_fraction, (), "stuck resonators")
    places = torch.rand(count, generator=identity.stream("stuck resonators at"), dtype=torch.float64)
    stuck_at = rf.tuning_span_hz * (2 * places - 1) * stuck
    return Chain(
        ladder * spread + width / 2 * fixed + stuck_at,
        width,
        (ask.limit or 1.0) * factors(who, count, ask.scale_spread, "resonator scale")[0] * ~dead,
        rf.tuning_span_hz * (~stuck).double(),
    )
