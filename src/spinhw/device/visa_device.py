"""A whole network on a bench of instruments behind VISA addresses."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spinhw.conversion import Conversion
from spinhw.device.base import Device
from spinhw.device.description import Description
from spinhw.device.highpassed import high_passed
from spinhw.device.reading import Reading, Samples
from spinhw.device.resample import Sampled
from spinhw.device.segments import Segments
from spinhw.device.visa_bench import Shots, VisaBench
from spinhw.device.visa_part import ChipPart
from spinhw.device.visa_readout import Signal
from spinhw.instruments import Station, SynapseController
from spinhw.instruments.references import split_reference

_log = logging.getLogger(__name__)


class VisaDevice(Device):
    """A chip with its synapses on a bench: inputs are played, synapses programmed, neurons and outputs digitised.

    The parameters of the chip follow each other on the outputs of the synapse controller in the order of the
    description's. A network may use a part of the chip: then every output of the controller that belongs to the rest
    is programmed to 0 V, sources of other inputs are never switched on, and other neurons are not recorded.

    Args:
        bench: The instruments; nobody else uses them meanwhile.
        part: What of the wiring the network uses.
        held: Samples of the sources for which each input is held.
        description: What the device is.
        conversion: Used by the base class, and for the voltage of an input of zero.
        cutoff_hz: Corner of the high-pass by which y is computed from the power; None where y is led out, or not used.
    """

    def __init__(
        self,
        bench: VisaBench,
        part: ChipPart,
        held: int,
        description: Description,
        conversion: Conversion,
        cutoff_hz: float | None = None,
    ) -> None:
        super().__init__(description, conversion)
        self._cutoff_hz = cutoff_hz
        self._bench, self._part, self._wiring = bench, part, part.wiring
        self._held, self._has_warned = held, False
        zero: Tensor = conversion.input.to_si(torch.zeros(description.inputs))
        self._rest_v = zero.tolist()

    @property
    def station(self) -> Station:
        """Get the instruments, for looking; what is set there past this class is forgotten at the next batch."""
        return self._bench.station

    def _open(self) -> str:
        return self._bench.open()

    def _program(self, values: Mapping[str, Tensor]) -> None:
        self._bench.prepare()
        self._board().program(self._part.spread(values))
        self._bench.confirm()

    def _read_back(self) -> dict[str, Tensor]:
        return self._part.gathered(self._board().read_back(self._part.addresses))

    def _run(
        self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int, lengths: Tensor | None
    ) -> list[Reading]:
        volts = inputs[0].double().numpy()  # (batch, time, input)
        timing = self._wiring.timing
        segments = Segments(volts.shape[0], volts.shape[1], self._held, timing.rest_s, timing.source_rate_hz)
        wired = self._part.neurons
        wanted: list[list[Signal]] = [[("neuron", wired[number]) for number in repeat] for repeat in repeats]
        # The outputs are the same in every repeat: once is enough.
        wanted[0] += [("output", number) for number in range(self._description.outputs)]
        self._warn_of_gate(volts)
        shots = self._bench.play(segments, self._waves(segments, volts), wanted, averages)
        return [self._reading(one, signals, lengths) for one, signals in zip(shots, wanted, strict=True)]

    def _make_safe(self) -> list[str]:
        return self._bench.make_safe()

    def _close(self) -> None:
        self._bench.disconnect()

    def _state(self) -> dict[str, Any]:
        return {}  # A bench goes on with the computation, not with its noise.

    def _restore(self, state: dict[str, Any]) -> None:
        pass

    def _found(self) -> dict[str, Any]:
        return self._bench.look_over()

    def _snapshot(self) -> dict[str, Any]:
        return self._bench.station.snapshot()

    def _board(self) -> SynapseController:
        return self._bench.station.get(split_reference(self._wiring.synapses)[0], SynapseController)

    def _waves(self, segments: Segments, volts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        wiring = self._wiring
        waves = {
            one: segments.wave(volts[:, :, index], rest_v)
            for index, (one, rest_v) in enumerate(zip(self._part.wires()["input"], self._rest_v, strict=True))
        }
        if wiring.gate is not None:
            waves[wiring.gate] = segments.wave(np.full(volts.shape[:2], wiring.gate_open_v), 0.0)
        return waves

    def _warn_of_gate(self, volts: NDArray[np.float64]) -> None:
        """Say once that a bench that opens its gate by the rests cannot see where some sequences begin."""
        resting = (volts[:, 0] == np.array(self._rest_v)).all(-1)
        if self._wiring.gate is None and not self._has_warned and resting.any():
            self._has_warned = True
            _log.warning(
                "%s: %d of %d sequences begin with every input at its rest: a gate that is opened by the rests opens "
                "late there; lead a gate out (wiring.gate), unless the bench has a timer",
                self.name,
                resting.sum(),
                len(resting),
            )

    def _reading(self, shots: Shots, signals: Sequence[Signal], lengths: Tensor | None) -> Reading:
        neurons = [shots.samples[signal] for signal in signals if signal[0] == "neuron"]
        outputs = [shots.samples[signal] for signal in signals if signal[0] == "output"]
        ends_s = torch.arange(1, _times(shots) + 1, dtype=torch.float64) * self._description.sample_interval_s
        signal = trace_samples(neurons, ends_s) if neurons else None
        is_power = self._wiring.observed == "power"
        start = start_samples(neurons) if neurons and is_power else None
        return Reading(
            shots.numbers,
            power=signal if is_power else None,
            power0=start,
            filtered=self._filtered(start, signal) if is_power else signal,
            outputs=self._answers(outputs, ends_s, lengths) if outputs else None,
            energy_j=shots.energy_j,
        )

    def _filtered(self, start: Samples | None, power: Samples | None) -> Samples | None:
        """Compute y in the volts that a read-out of it would give, where the network needs it and only x is led out."""
        if self._cutoff_hz is None or start is None or power is None:
            return None
        lines = self._conversion
        before, at_ends = (replace(one, values=lines.power.to_model(one.values)) for one in (start, power))
        y = high_passed(before, at_ends, self._cutoff_hz, self._description.sample_interval_s)
        return replace(y, values=lines.filtered.to_si(y.values))

    def _answers(self, outputs: Sequence[Sampled], ends_s: Tensor, lengths: Tensor | None) -> Samples:
        """Return the answers in the volts of the outputs; one is as good as the worst sample that it is made of."""
        answer = self._description.answer
        volts, quality = (
            torch.from_numpy(np.stack(parts, axis=2))[None]
            for parts in ([one.volts[:, 1:] for one in outputs], [one.quality[:, 1:] for one in outputs])
        )
        seen = answer.cut(quality, lengths)
        worst = seen.amax(-2, keepdim=True) if answer.pooled else seen
        return Samples(answer.take(volts, lengths).float(), answer.times(ends_s), worst)


def _times(shots: Shots) -> int:
    return next((one.volts.shape[1] - 1 for one in shots.samples.values()), 0)


def trace_samples(signals: Sequence[Sampled], ends_s: Tensor) -> Samples:
    """Return signals at the ends of the input intervals, in their order, (1, batch, time, signal)."""
    values = np.stack([one.volts[:, 1:] for one in signals], axis=2)
    quality = np.stack([one.quality[:, 1:] for one in signals], axis=2)
    return Samples(torch.from_numpy(values).float()[None], ends_s, torch.from_numpy(quality)[None])


def start_samples(signals: Sequence[Sampled]) -> Samples:
    """Return signals before the first input, (1, batch, signal)."""
    values = np.stack([one.volts[:, 0] for one in signals], axis=1)
    quality = np.stack([one.quality[:, 0] for one in signals], axis=1)
    return Samples(
        torch.from_numpy(values).float()[None],
        torch.zeros(1, dtype=torch.float64),
        torch.from_numpy(quality)[None],
    )
