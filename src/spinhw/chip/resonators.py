"""A simulated bank of RF resonators in one chain: the synapses seen as an experiment."""

import torch
from torch import Tensor

from spinhw.chip.draw import Identity, factors
from spinhw.chip.settings import ChipSettings
from spinhw.physics import resonator_weight


class ResonatorChain:
    """Resonators in series: the voltage is the sum over all of them.

        V = power sum_k w_k(f - f_res_k - span tuning_k)        (antisymmetric Lorentzians, physics/resonator.py)

    Args:
        settings: `synapses` with its `rf`; the limit is w_max (1 without one); noise and ADC from `output_readout`.
        identity: Who the chip is.
        resonators: How many.
    """

    def __init__(self, settings: ChipSettings, identity: Identity, resonators: int) -> None:
        rf, who = settings.synapses.rf, [identity]
        ladder = rf.frequency_hz + rf.spacing_hz * torch.arange(resonators, dtype=torch.float64)
        self.resonance_hz = ladder * factors(who, resonators, rf.frequency_spread, "resonance")[0]
        self.half_linewidth_hz = rf.half_linewidth_hz * factors(who, resonators, rf.linewidth_spread, "linewidth")[0]
        limit = settings.synapses.limit or 1.0
        self.max_weight = limit * factors(who, resonators, settings.synapses.scale_spread, "resonator scale")[0]
        self._span_hz, self.noise, self._identity = rf.tuning_span_hz, settings.output_readout.noise, identity
        self.shots = 0

    def measure(self, tuning: Tensor, rf_hz: Tensor, power: Tensor) -> Tensor:
        """Measure the voltage of the chain, in units of weight times power, (point,).

        Args:
            tuning: Of each resonator, -1 to 1, (point, resonator).
            rf_hz: Frequency of the RF tone in Hz, (point,).
            power: RF power in units of an oscillator's at x = 1, zero or above, (point,).
        """
        resonance = self.resonance_hz + self._span_hz * tuning.double()  # (point, resonator)
        detuning = rf_hz.double()[:, None] - resonance
        weights = resonator_weight(detuning, self.half_linewidth_hz, 1.0) * self.max_weight
        noise = self.noise * self._identity.normals(power.shape, "resonator noise", self.shots)
        self.shots += 1
        return power.double() * weights.sum(-1) + noise
