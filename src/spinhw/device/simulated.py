"""Simulated backends: a network, a bank of oscillators and a bank of synapses on top of `chip`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spinhw.chip import Chip, ChipTruth, Measurement, OscillatorArray, ResonatorChain
from spinhw.chip.readout import MeasuredSamples
from spinhw.chip.settings import ReadoutSettings
from spinhw.conversion import Conversion, Scaling
from spinhw.device.banks import OscillatorBank, SynapseBank
from spinhw.device.base import Device
from spinhw.device.description import Description
from spinhw.device.highpassed import high_passed
from spinhw.device.reading import Reading, Samples, clipped_quality
from spinhw.errors import DeviceError
from spinhw.network import Answer
from spinhw.physics import Chain
from spinhw.rollout import Engine, Steps
from spinhw.sequences import held


class SimulatedDevice(Device):
    """A simulated chip behind the seam of a device.

    Args:
        chip: Kept as `truth`, to compare with what was found: no bench tells it. Its shots are counted: leave them to
            the device.
        description: What the device is.
        conversion: Used by the base class, and backwards here: the chip's wiring.
    """

    def __init__(self, chip: Chip, description: Description, conversion: Conversion) -> None:
        super().__init__(description, conversion)
        self.truth = chip
        self._held: dict[str, Tensor] = {}  # In SI, as a real chip's registers would read.

    def oracle(
        self,
        parameters: Mapping[str, Tensor],
        inputs: Tensor,
        steps: Steps | None = None,
        shot: int | None = None,
        engine: Engine = "auto",
        lengths: Tensor | None = None,
        present: Mapping[str, Tensor] | None = None,
    ) -> ChipTruth:
        """Return what the chip does now, differentiable in the parameters: the true gradient, which no bench has.

        Takes no shot, needs no `program`.

        Args:
            parameters: By name, always with the member axis in front; software parameters are ignored.
            inputs: u, (member, batch, time, input).
            steps: Other than the chip's own, for a cheaper gradient.
            shot: Number of a shot whose thermal noise is added, and whose read-out the outputs and y pass; None for
                neither.
            engine: Engine of the rollout.
            lengths: As for `run`, (member, batch).
            present: Which synapses exist, (member, ...) by name of a weight; None for all.

        Returns:
            States, and outputs (member, batch, answer, output): logits = out_gain * outputs + b_out.
        """
        asked = {name: parameters[name] for name in self._description.parameters}
        return self.truth.oracle(asked, held(inputs, lengths), steps, shot, engine, lengths, present)

    def true_resonators(self) -> dict[str, Chain]:
        """Return the resonators of every chain as they are, which no bench tells.

        Returns:
            (member, destination, source) by parameter name, for `SpintronicNetwork.use_resonators`.

        Raises:
            DeviceError: The chip takes weights.
        """
        if not self._description.takes_tunings:
            raise DeviceError(
                f"{self.name}: the chip has no resonators to tell of",
                seen="chip.synapses.takes: weights",
                allowed="a chip that takes tunings, such as rf-chip",
                todo="use such a chip",
            )
        return self.truth.resonators()

    def _open(self) -> str:
        return ", ".join(self._description.device_ids)

    def _program(self, values: Mapping[str, Tensor]) -> None:
        kinds = self._description.kinds
        applied = self.truth.program(self._conversion.parameters_to_model(values, kinds), self._present)
        self._held = self._conversion.parameters_to_si(applied, kinds)

    def _read_back(self) -> dict[str, Tensor]:
        return dict(self._held)

    def _run(
        self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int, lengths: Tensor | None
    ) -> list[Reading]:
        measured = self.truth.measure(self._conversion.input.to_model(inputs), repeats, averages, lengths)
        settings, interval_s = self.truth.settings, self._description.sample_interval_s
        return [
            self._as_observed(
                to_reading(
                    one,
                    self._conversion,
                    (settings.power_readout, settings.output_readout),
                    interval_s,
                    averages,
                    self.truth.answer,
                )
            )
            for one in measured
        ]

    def _as_observed(self, reading: Reading) -> Reading:
        """Compute y from the power, in the same units, where no wire carries it."""
        start, power = reading.power0, reading.power
        if "filtered" not in self._description.computed or start is None or power is None:
            return reading
        cutoff_hz, interval_s = self.truth.network.cutoff_hz, self._description.sample_interval_s
        return replace(reading, filtered=high_passed(start, power, cutoff_hz, interval_s))

    def _make_safe(self) -> list[str]:
        return []  # Nothing can be left on.

    def _close(self) -> None:
        pass

    def _state(self) -> dict[str, Any]:
        return self.truth.state()

    def _restore(self, state: dict[str, Any]) -> None:
        self.truth.restore(state)


class SimulatedOscillatorBank(OscillatorBank):
    """Simulated oscillators behind the seam of a bank.

    Args:
        array: Kept as `truth`, to compare with what was found.
        description: What the bank is.
        conversion: Used by the base class, and backwards here.
    """

    def __init__(self, array: OscillatorArray, description: Description, conversion: Conversion) -> None:
        super().__init__(description, conversion)
        self.truth = array

    def _open(self) -> str:
        return ", ".join(self._description.device_ids)

    def _play(self, currents: Tensor, repeats: Sequence[Sequence[int]], averages: int, rest_s: float) -> list[Reading]:
        drive_line = self._conversion.drive
        played, measured = self.truth.measure(drive_line.to_model(currents), repeats, averages)
        readout, interval_s = self.truth.settings.power_readout, self._description.sample_interval_s
        starts_s = torch.arange(played.shape[2], dtype=torch.float64) * interval_s
        drive = Samples(drive_line.to_si(played), starts_s, noise=0.0)
        readings = []
        for one in measured:
            power, power0 = _powers(one, self._conversion.power, readout, interval_s, averages)
            filtered = _to_si(one.filtered, self._conversion.filtered, power.time_s, readout, averages)
            readings.append(Reading(one.shots, power, power0, filtered, drive=drive))
        return readings

    def _make_safe(self) -> list[str]:
        return []

    def _close(self) -> None:
        pass

    def _state(self) -> dict[str, Any]:
        return self.truth.state()

    def _restore(self, state: dict[str, Any]) -> None:
        self.truth.restore(state)


class SimulatedSynapseBank(SynapseBank):
    """Simulated resonators behind the seam of a synapse bank.

    Args:
        chain: Kept as `truth`, to compare with what was found.
        description: What the bank is.
        conversion: Used by the base class, and backwards here.
    """

    def __init__(self, chain: ResonatorChain, description: Description, conversion: Conversion) -> None:
        super().__init__(description, conversion)
        self.truth = chain

    def _open(self) -> str:
        return self._description.name

    def _measure(self, tuning: Tensor, rf_hz: Tensor, power: Tensor) -> Samples:
        lines = self._conversion
        measured = self.truth.measure(lines.weight.to_model(tuning), rf_hz, lines.rf_power.to_model(power))
        noise = abs(float(lines.output.to_si(self.truth.noise)) - float(lines.output.to_si(0.0)))
        quality = clipped_quality(measured.values, measured.clipped)
        return Samples(lines.output.to_si(measured.values), torch.zeros(1), quality, noise)

    def _make_safe(self) -> list[str]:
        return []

    def _close(self) -> None:
        pass

    def _state(self) -> dict[str, Any]:
        return self.truth.state()

    def _restore(self, state: dict[str, Any]) -> None:
        self.truth.restore(state)


def to_reading(
    one: Measurement,
    conversion: Conversion,
    readouts: tuple[ReadoutSettings, ReadoutSettings],
    interval_s: float,
    averages: int,
    answer: Answer,
) -> Reading:
    """Put a measurement in model units into SI.

    Args:
        one: The measurement.
        conversion: To SI.
        readouts: That of power and filtered signal, and that of the outputs, for their noise.
        interval_s: Sample interval in seconds.
        averages: Shots averaged over.
        answer: When a hardware read-out answers.
    """
    power, output = readouts
    power_samples, power0 = _powers(one, conversion.power, power, interval_s, averages)
    ends_s = power_samples.time_s
    filtered = _to_si(one.filtered, conversion.filtered, ends_s, power, averages)
    outputs = None
    if one.outputs is not None:
        outputs = _to_si(one.outputs, conversion.output, answer.times(ends_s), output, averages)
    return Reading(one.shots, power_samples, power0, filtered, outputs)


def _powers(
    one: Measurement, line: Scaling, readout: ReadoutSettings, interval_s: float, averages: int
) -> tuple[Samples, Samples]:
    """Split the power before the first input from the rest."""
    nodes = one.power.values.shape[2]
    times_s = torch.arange(nodes, dtype=torch.float64) * interval_s
    clipped = one.power.clipped
    first = MeasuredSamples(one.power.values[:, :, 0], None if clipped is None else clipped[:, :, 0])
    rest = MeasuredSamples(one.power.values[:, :, 1:], None if clipped is None else clipped[:, :, 1:])
    return _to_si(rest, line, times_s[1:], readout, averages), _to_si(first, line, times_s[:1], readout, averages)


def _to_si(sampled: MeasuredSamples, line: Scaling, time_s: Tensor, readout: ReadoutSettings, averages: int) -> Samples:
    quality = clipped_quality(sampled.values, sampled.clipped)
    noise = abs(line.to_si(readout.noise) - line.to_si(0.0)) / averages**0.5
    return Samples(line.to_si(sampled.values), time_s, quality, noise)
