"""The neurons that a run trains with: nominal, or those of the devices as they were calibrated."""

from dataclasses import replace
from pathlib import Path

import torch

from spinhw.device import SimulatedSettings
from spinhw.records import find_record, load_record
from spinhw.rollout import Neurons
from spinhw.streams import torch_stream
from spinhw.surrogate import Calibrated, members
from spinhw.training.settings import RunSettings


class TrainedSurrogate:
    """Calibrated neurons of every member, and draws of what they may be, given the errors of their calibration.

    Args:
        settings: A run with a calibration.

    Raises:
        ConfigError: A record is missing or wrong.
        CalibrationError: A record is another device's, or of another number of oscillators.
    """

    def __init__(self, settings: RunSettings) -> None:
        asked = settings.calibration
        if asked is None:
            raise ValueError("this run has no calibration")
        self._spread, self._seeds = asked.draws, settings.training.seeds
        self._nominal = settings.network.neurons(torch.float64)
        path = Path(asked.record)
        ids = [_device_id(settings, seed) for seed in self._seeds]
        files = [path if one is None else find_record(path, one) for one in ids]
        self._known = [
            Calibrated.of(load_record(file, one, asked.anyway)) for file, one in zip(files, ids, strict=True)
        ]
        for one in self._known:
            one.neurons(self._nominal)  # Refuses another number of oscillators.

    @property
    def draws(self) -> bool:
        """Whether every step of the training has neurons of its own."""
        return self._spread > 0

    def neurons(self) -> Neurons:
        """Give the neurons as they most probably are, (member, neuron)."""
        return members([one.neurons(self._nominal) for one in self._known])

    def drawn(self, step: int) -> Neurons:
        """Give neurons as they may be, (member, neuron); the same for the same step.

        Args:
            step: Number of the step of the optimiser.
        """
        each = []
        for one, seed in zip(self._known, self._seeds, strict=True):
            generator = torch_stream("calibration draws", seed, step)
            each.append(replace(one, oscillators=one.drawn(generator, self._spread)).neurons(self._nominal))
        return members(each)


def _device_id(settings: RunSettings, seed: int) -> str | None:
    """Give the id of the device that a seed runs on; None where no device is named, and any record will do."""
    device = settings.device
    if device is None:
        return None
    return f"{device.id}-{seed}" if isinstance(device, SimulatedSettings) else device.id
