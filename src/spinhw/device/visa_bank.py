"""A bank of oscillators on a bench of instruments behind VISA addresses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spinhw.conversion import Conversion
from spinhw.device.banks import OscillatorBank
from spinhw.device.description import Description
from spinhw.device.reading import Reading, Samples
from spinhw.device.resample import Sampled
from spinhw.device.segments import Segments
from spinhw.device.trace import Quality
from spinhw.device.visa_bench import Shots, VisaBench
from spinhw.device.visa_device import start_samples, trace_samples
from spinhw.device.visa_readout import Signal
from spinhw.instruments import Station
from spinhw.instruments.wiring import OscillatorWiring


class VisaOscillatorBank(OscillatorBank):
    """Oscillators on a bench: their drives are played side by side, their power is recorded.

    What is wired behind the high-pass of an oscillator is recorded with its power. Between segments each oscillator
    gets its bias current.

    Args:
        bench: The instruments; nobody else uses them meanwhile.
        wiring: What hangs on which channel.
        held: Samples of the sources for which each drive is held.
        bias_a: Current between segments, in amperes.
        description: What the bank is.
        conversion: Used by the base class.
    """

    def __init__(
        self,
        bench: VisaBench,
        wiring: OscillatorWiring,
        held: int,
        bias_a: float,
        description: Description,
        conversion: Conversion,
    ) -> None:
        super().__init__(description, conversion)
        self._bench, self._wiring, self._held, self._bias_a = bench, wiring, held, bias_a
        self._behind = wiring.filtered  # Inputs behind the high-pass, by oscillator.

    @property
    def station(self) -> Station:
        """Get the instruments, for looking; what is set there past this class is forgotten at the next batch."""
        return self._bench.station

    def _open(self) -> str:
        return self._bench.open()

    def _play(self, currents: Tensor, repeats: Sequence[Sequence[int]], averages: int, rest_s: float) -> list[Reading]:
        timing, amperes = self._wiring.timing, currents[0].double().numpy()  # (batch, time, oscillator)
        rest_s = max(timing.rest_s, rest_s)
        segments = Segments(amperes.shape[0], amperes.shape[1], self._held, rest_s, timing.source_rate_hz)
        volts, rest_v = self._volts(amperes), self._volts(self._bias_a)
        waves = {one: segments.wave(volts[:, :, index], rest_v) for index, one in enumerate(self._wiring.drives)}
        wanted = [self._signals(repeat) for repeat in repeats]
        interval_s = self._description.sample_interval_s
        starts_s = torch.arange(amperes.shape[1], dtype=torch.float64) * interval_s
        drive = Samples(currents, starts_s)
        readings = []
        for shots, repeat in zip(self._bench.play(segments, waves, wanted, averages), repeats, strict=True):
            signals = [shots.samples["neuron", number] for number in repeat]
            power = trace_samples(signals, starts_s + interval_s) if signals else None
            power0 = start_samples(signals) if signals else None
            filtered = self._filtered(shots, repeat, starts_s + interval_s)
            readings.append(Reading(shots.numbers, power, power0, filtered, drive=drive, energy_j=shots.energy_j))
        return readings

    def _make_safe(self) -> list[str]:
        return self._bench.make_safe()

    def _close(self) -> None:
        self._bench.disconnect()

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: dict[str, Any]) -> None:
        pass

    def _found(self) -> dict[str, Any]:
        return self._bench.look_over()

    def _snapshot(self) -> dict[str, Any]:
        return self._bench.station.snapshot()

    def _signals(self, repeat: Sequence[int]) -> list[Signal]:
        """List what is recorded of some oscillators: their power, and what is wired behind the high-pass."""
        return [("neuron", one) for one in repeat] + [("filtered", one) for one in repeat if one in self._behind]

    def _filtered(self, shots: Shots, repeat: Sequence[int], ends_s: Tensor) -> Samples | None:
        """Return y of some oscillators; unobserved where nothing is wired. None where that is all of them."""
        if not self._behind or not repeat:
            return None
        like = shots.samples["neuron", repeat[0]]
        nothing = Sampled(np.full_like(like.volts, np.nan), np.full_like(like.quality, Quality.UNOBSERVED))
        return trace_samples([shots.samples.get(("filtered", one), nothing) for one in repeat], ends_s)

    def _volts(self, amperes: Any) -> Any:
        """Say what the sources must play, with what the supply gives taken off."""
        return (amperes - (self._wiring.supply_current_a or 0.0)) / self._wiring.transconductance_s
