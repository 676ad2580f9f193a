"""A simulated bank of uncoupled oscillators: plays drives, records power, knows no weights."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from spinhw.chip.converter import convert
from spinhw.chip.draw import Identity
from spinhw.chip.fine import chunks, fine_steps, join, thermal_extras
from spinhw.chip.oscillators import HiddenOscillators
from spinhw.chip.recorder import ChipRecorder, ChipTruth, Measurement
from spinhw.chip.settings import ChipSettings
from spinhw.rollout import Neurons, rollout_driven


class OscillatorArray:
    """The oscillators of a chip without its synapses. Before each play they rest at the nominal bias drive.

    Args:
        settings: Imperfections; synapses, input and bias converters and the loop delay play no part.
        nominal: Nominal neurons, (1, oscillator); drives are bounded by the drive converter only.
        identities: Who the chips are.
        sample_interval_s: Time for which each sample of a drive is held, in seconds.
        dtype: Floating-point type of the integration.
    """

    def __init__(
        self,
        settings: ChipSettings,
        nominal: Neurons,
        identities: Sequence[Identity],
        sample_interval_s: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.settings, self.identities, self.dtype = settings, tuple(identities), dtype
        self.sample_interval_s = sample_interval_s
        self._gamma = nominal.gamma.to(dtype)  # Of the nominal device: the unit of the drive converter.
        self.hidden = HiddenOscillators.draw(settings, nominal, self.identities)
        self._recorder = ChipRecorder(settings, self.identities, nominal.gamma.shape[1])

    @property
    def shots(self) -> int:
        """Shots taken so far."""
        return self._recorder.shots

    @torch.no_grad()
    def measure(
        self, drive: Tensor, repeats: Sequence[Sequence[int]], averages: int = 1
    ) -> tuple[Tensor, list[Measurement]]:
        """Play drives and measure.

        Args:
            drive: I in 1/s, (member, batch, time, oscillator); clipped and rounded by the drive DAC.
            repeats: Oscillators observed in each repeat.
            averages: Shots of each repeat.

        Returns:
            The drive as played, and one measurement for each repeat.
        """
        played, _ = convert(drive.to(self.dtype) / self._gamma, self.settings.drive_dac)
        played = played * self._gamma
        return played, self._recorder.record(lambda shot: self._respond(played, shot), repeats, averages)

    def _respond(self, drive: Tensor, shot: int) -> ChipTruth:
        steps = fine_steps(self.sample_interval_s, self.settings.steps_per_ns)
        neurons, power = self.hidden.at(self._recorder.walk, self.dtype), self.settings.thermal_power
        start, length = self.hidden.start(neurons, "rest"), drive.shape[2] * steps.substeps
        parts = []
        for images in chunks(drive.shape[1], drive.shape[3], length, power > 0):
            extras = thermal_extras(self.identities, neurons, power, shot, images, length)
            parts.append(rollout_driven(drive[:, images], neurons, steps, initial=start, extras=extras))
        return ChipTruth(join(parts))

    def state(self) -> dict[str, Any]:
        """Give shots and drift as plain data for JSON."""
        return self._recorder.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave: the same shots follow."""
        self._recorder.restore(dict(state))
