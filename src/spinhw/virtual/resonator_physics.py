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
        self._wiring, self._identity = wiring, Identity(f"{settings.id}-0", settings.seed)
        self.chain = ResonatorChain(settings.chip, self._identity, wiring.resonators)

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
        noise = self._wiring.noise_v * float(self._identity.normals((1,), "meter noise", self.chain.shots)[0])
        return float(measured.values[0]) * self._conversion.output_v + self._wiring.offset_v + noise
