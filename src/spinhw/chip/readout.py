"""The electronics that measure: gain, offset, noise, ADC; and the mean over shots."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.chip.converter import convert, merge
from spinhw.chip.draw import Identity, factors
from spinhw.chip.settings import ConverterSettings, ReadoutSettings


@dataclass(frozen=True)
class MeasuredSamples:
    """Measured samples in model units, and where they clipped (boolean, same shape; None: nowhere)."""

    values: Tensor
    clipped: Tensor | None


class Readout:
    """One measuring channel for each signal of chips side by side; its gain and offset belong to the chip.

    Args:
        settings: Spread, noise, ADC.
        identities: Who the chips are.
        size: Channels of each.
        purpose: Names the random streams, such as "power".
        coupled: Whether a constant part passes; if not, there is no offset and the ADC's span is centred on zero.
    """

    def __init__(
        self, settings: ReadoutSettings, identities: Sequence[Identity], size: int, purpose: str, coupled: bool = True
    ) -> None:
        self._settings, self._identities, self._purpose = settings, identities, purpose
        self.gain = factors(identities, size, settings.gain_spread, purpose, "gain")  # (member, channel)
        drawn = [one.normals((size,), purpose, "offset") for one in identities]
        self.offset = settings.offset_spread * torch.stack(drawn) * coupled  # (member, channel)
        self._adc = settings.adc if coupled else _centred(settings.adc)

    def read(self, signal: Tensor, channels: Sequence[int], shot: int, gain_walk: Tensor | None) -> MeasuredSamples:
        """Measure once.

        Args:
            signal: Truth, (member, batch, time, channel), of the given channels only.
            channels: Their numbers.
            shot: Key of the noise.
            gain_walk: Logarithm of the drift of the gain, (member, all channels); None for none.
        """
        picked = list(channels)
        gain, offset = self.gain[:, picked], self.offset[:, picked]
        if gain_walk is not None:
            gain = gain * torch.exp(gain_walk[:, picked])
        measured = signal * gain.to(signal.dtype)[:, None, None] + offset.to(signal.dtype)[:, None, None]
        if self._settings.noise > 0:
            measured = measured + self._settings.noise * self._noise(signal, shot)
        return MeasuredSamples(*convert(measured, self._adc))

    def _noise(self, signal: Tensor, shot: int) -> Tensor:
        shape = signal.shape[1:]
        drawn = [one.normals(shape, self._purpose, "noise", shot, dtype=signal.dtype) for one in self._identities]
        return torch.stack(drawn)  # (member, batch, time, channel)


class Mean:
    """Mean of samples over shots; a sample that clipped once counts as clipped."""

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self._clipped: Tensor | None = None
        self._count = 0

    def add(self, sampled: MeasuredSamples) -> None:
        """Take in one shot."""
        self._total = sampled.values if self._total is None else self._total + sampled.values
        self._clipped = merge(self._clipped, sampled.clipped)
        self._count += 1

    def result(self) -> MeasuredSamples | None:
        """Give the mean so far; None where nothing was added."""
        return None if self._total is None else MeasuredSamples(self._total / self._count, self._clipped)


def _centred(adc: ConverterSettings) -> ConverterSettings:
    if adc.limits is None:
        return adc
    span = adc.limits[1] - adc.limits[0]
    return ConverterSettings(bits=adc.bits, lowest=-span, highest=span)
