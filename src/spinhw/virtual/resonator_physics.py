"""A chain of RF resonators on the bench: tuned by the controller, fed by an RF source, read by a voltmeter."""

import numpy as np
import torch

from spinhw.chip import Identity, ResonatorChain
from spinhw.virtual.settings import BenchSettings, ResonatorWiring


class ResonatorPhysics:
    """The chain.

    Args:
        settings: The bench; its wiring is of kind "resonators".
        wiring: That wiring.
    """

    def __init__(self, settings: BenchSettings, wiring: ResonatorWiring) -> None:
        self._conversion, self._count = settings.conversion, wiring.resonators
        self.chain = ResonatorChain(settings.chip, Identity(f"{settings.id}-0", settings.seed), wiring.resonators)

    def voltage(self, tuning_v: np.ndarray, frequency_hz: float, power_w: float) -> float:
        """Give the rectified voltage of the chain in volts.

        Args:
            tuning_v: Outputs of the controller, (address,).
            frequency_hz: Of the tone.
            power_w: Of the tone.
        """
        tuning = np.zeros(self._count)
        tuning[: len(tuning_v)] = tuning_v[: self._count]
        measured = self.chain.measure(
            torch.from_numpy(tuning / self._conversion.weight_v)[None],
            torch.tensor([frequency_hz], dtype=torch.float64),
            torch.tensor([power_w / self._conversion.rf_power_w], dtype=torch.float64),
        )
        return float(measured[0]) * self._conversion.output_v
