"""A wired bench as devices and banks use it: played, recorded, found in order. Volts and amperes only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinhw.device.resample import Sampled
from spinhw.device.segments import Segments
from spinhw.device.visa_connection import Connection
from spinhw.device.visa_readout import Planned, Readout, Signal
from spinhw.device.visa_supply import Supply
from spinhw.errors import DeviceError
from spinhw.instruments import Station, SynapseController, WaveformSource
from spinhw.instruments.roles import ALL
from spinhw.instruments.wiring import ChipWiring, OscillatorWiring, split_reference


@dataclass(frozen=True)
class Shots:
    """What one repeat gave.

    Args:
        numbers: First shot and the one after the last.
        samples: At the start of each segment and at the ends of its inputs, (batch, time + 1), by signal.
        energy_j: Measured energy of all segments without rests, in joules; None where no supply measures.
    """

    numbers: tuple[int, int]
    samples: Mapping[Signal, Sampled]
    energy_j: float | None


class VisaBench:
    """The instruments of a wired bench. Repeats nothing: a failure of any kind is an error for the caller.

    Args:
        station: The instruments.
        wiring: What hangs on which channel.
    """

    def __init__(self, station: Station, wiring: ChipWiring | OscillatorWiring) -> None:
        self.station, self.wiring, self.timing = station, wiring, wiring.timing
        self.supply = Supply(station, wiring.supply, wiring.supply_current_a)
        paths: dict[str, Mapping[int, str]] = (
            {"neuron": dict(enumerate(wiring.neurons)), "output": dict(enumerate(wiring.outputs))}
            if isinstance(wiring, ChipWiring)
            else {"neuron": dict(enumerate(wiring.powers)), "filtered": wiring.filtered}
        )
        self.readout = Readout(station, wiring.timing, paths)
        self._connection = Connection(station)
        self._shots, self._is_fed = 0, False
        self._playing: list[str] = []  # Outputs of sources that are on.

    def open(self) -> str:
        """Connect, or connect again, without changing any output; return who answers."""
        identity = self._connection.open()
        self.readout.forget()
        self._is_fed, self._playing = False, []
        return identity

    def disconnect(self) -> None:
        """Disconnect and leave every output as it is."""
        self._connection.disconnect()

    def make_safe(self) -> list[str]:
        """Switch everything off, let the bench go, and return the outputs not confirmed off."""
        return self._connection.make_safe()

    def prepare(self) -> None:
        """Empty the error queues, read all settings for the snapshot and feed the chip, once after each connecting."""
        if not self._is_fed:
            self._connection.prepare()
            self.supply.feed()
            self._is_fed = True

    def play(
        self,
        segments: Segments,
        waves: Mapping[str, NDArray[np.float64]],
        repeats: Sequence[Sequence[Signal]],
        averages: int,
    ) -> list[Shots]:
        """Play a batch by one upload, and record signals by one acquisition for each repeat and average.

        Signals that share an input of a digitizer cannot be recorded at once: such a repeat takes several.

        Args:
            segments: How the batch is laid out.
            waves: In volts, (point,), by output of a source, such as "awg.1".
            repeats: Signals to record in each repeat.
            averages: Shots to average over, at least 1.

        Raises:
            LimitError: An instrument cannot or must not do this; nothing was sent.
            DeviceError: Something failed, tripped, or lost its settings.
        """
        planned = [self.readout.plan(signals, segments) for signals in repeats]
        sources = self._by_source(waves)
        for name, volts in sources.items():
            self._source(name).check_waves(volts, self.timing.source_rate_hz)
        self.prepare()
        self._load(sources)
        return [self._repeat(rounds, segments, list(sources), averages) for rounds in planned]

    def confirm(self) -> None:
        """Find out whether everything still is as it was set.

        Raises:
            DeviceError: An output tripped, a supply is in compliance, an instrument lost its connection meanwhile.
        """
        self.supply.confirm()
        self._confirm_sources()
        self.readout.confirm()
        if isinstance(self.wiring, ChipWiring):
            self._confirm_board(self.wiring)
        self._connection.confirm()

    def _confirm_board(self, wiring: ChipWiring) -> None:
        board = self.station.get(split_reference(wiring.synapses)[0], SynapseController)
        overloads = board.overloads()
        if overloads or not board.output_enabled(ALL):
            raise DeviceError(
                f"{board.name}: synapses do not get their voltage",
                seen=f"outputs {', '.join(map(str, overloads))} are overloaded" if overloads else "outputs are off",
                allowed="every output on and within its load",
                todo="look for a short circuit at these outputs",
            )

    def _source(self, name: str) -> WaveformSource:
        return self.station.get(name, WaveformSource)

    def _by_source(self, waves: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, NDArray[np.float64]]]:
        found: dict[str, dict[str, NDArray[np.float64]]] = {}
        for reference, wave in waves.items():
            name, channel = split_reference(reference)
            found.setdefault(name, {})[channel] = wave
        return found

    def _load(self, sources: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> None:
        """Upload, switch the outputs on, and arm: this computer triggers the first source, its edge the others."""
        self._playing = []
        for place, (name, volts) in enumerate(sources.items()):
            source = self._source(name)
            source.upload(volts, self.timing.source_rate_hz)
            for channel in volts:
                if not source.output_enabled(channel):
                    source.set_output(channel, True)
            self._playing += [f"{name}.{channel}" for channel in volts]
            source.arm("external" if place else self.timing.trigger)

    def _repeat(self, rounds: Sequence[Planned], segments: Segments, sources: Sequence[str], averages: int) -> Shots:
        def start() -> None:
            self._shots += 1
            if self.timing.trigger == "software":
                self._source(sources[0]).trigger()

        first, samples = self._shots, {}
        before_w = self.supply.power_w()
        for planned in rounds:
            samples.update(self.readout.record(planned, segments, start, averages))
        after_w = self.supply.power_w()
        self.confirm()
        power_w = None if before_w is None or after_w is None else (before_w + after_w) / 2
        return Shots((first, self._shots), samples, None if power_w is None else power_w * segments.window_s)

    def _confirm_sources(self) -> None:
        for reference in self._playing:
            name, channel = split_reference(reference)
            if not self._source(name).output_enabled(channel):
                raise DeviceError(
                    f"{name}: output {channel} switched itself off while it played",
                    seen="off",
                    allowed="on",
                    todo="look for an overload at this output",
                )
