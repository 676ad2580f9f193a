"""A wired bench as devices and banks use it: played, recorded, found in order. Volts and amperes only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.device.resample import Sampled
from spinhw.device.segments import Segments
from spinhw.device.visa_connection import Connection
from spinhw.device.visa_readout import Planned, Signal, VisaReadout
from spinhw.device.visa_supply import Supply
from spinhw.errors import DeviceError
from spinhw.instruments import Station, SynapseController, WaveformSource
from spinhw.instruments.references import split_reference
from spinhw.instruments.roles import ALL
from spinhw.instruments.wiring import ChipWiring, OscillatorWiring


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
        self.readout = VisaReadout(station, wiring.timing, paths)
        self._connection = Connection(station)
        self._shots, self._is_up = 0, False
        self._playing: list[str] = []  # Outputs of sources that play, such as "awg.1".

    def open(self) -> str:
        """Connect, or connect again, without changing any output; return who answers."""
        identity = self._connection.open()
        self.readout.forget()
        self._is_up, self._playing = False, []
        return identity

    def look_over(self) -> dict[str, Any]:
        """Read every output and how everything was found, before anything is set."""
        return self._connection.look_over()

    def disconnect(self) -> None:
        """Disconnect and leave every output as it is."""
        self._connection.disconnect()

    def make_safe(self) -> list[str]:
        """Switch everything off, let the bench go, and return the outputs not confirmed off."""
        return self._connection.make_safe()

    def prepare(self) -> None:
        """Look the bench over and read all settings for the snapshot, once after each connecting."""
        self._connection.prepare()

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
        return [self._repeat(rounds, segments, sources, averages) for rounds in planned]

    def confirm(self) -> None:
        """Find out whether everything still is as it was set.

        Raises:
            DeviceError: An output tripped, a supply is in compliance, an instrument lost its connection meanwhile.
        """
        if self._is_up:
            self.supply.confirm()
            self._confirm_sources()
        self.readout.confirm()
        board = self._board()
        if board is not None and self._is_up:
            self._confirm_board(board)
        self._connection.confirm()

    def _board(self) -> SynapseController | None:
        wiring = self.wiring
        if not isinstance(wiring, ChipWiring):
            return None
        return self.station.get(split_reference(wiring.synapses)[0], SynapseController)

    def _confirm_board(self, board: SynapseController) -> None:
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
        """Upload what is played next; the outputs that are on stay at rest."""
        playing = [f"{name}.{channel}" for name, volts in sources.items() for channel in volts]
        if playing != self._playing:
            self._lower()
        self._playing = playing
        for name, volts in sources.items():
            self._source(name).upload(volts, self.timing.source_rate_hz)

    def _raise(self, sources: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> None:
        """Feed the chip, let the synapses act, switch the sources on and arm them.

        This computer triggers the first source, its edge the others.
        """
        if not self._is_up:
            self.supply.feed()
            board = self._board()
            if board is not None:
                board.set_output(True)
            for reference in self._playing:
                name, channel = split_reference(reference)
                self._source(name).set_output(channel, True)
            self._is_up = True
        for place, (name, _) in enumerate(sources.items()):
            self._source(name).arm("external" if place else self.timing.trigger)

    def _lower(self) -> None:
        """Switch everything off that this bench switched on, so that crosspoints may move."""
        if not self._is_up:
            return
        for reference in reversed(self._playing):
            name, channel = split_reference(reference)
            self._source(name).set_output(channel, False)
        board = self._board()
        if board is not None:
            board.set_output(False)
        self.supply.lower()
        self._is_up = False

    def _repeat(
        self,
        rounds: Sequence[Planned],
        segments: Segments,
        sources: Mapping[str, Mapping[str, NDArray[np.float64]]],
        averages: int,
    ) -> Shots:
        first, samples, powers_w = self._shots, {}, []

        def start() -> None:
            self._shots += 1
            if self.timing.trigger == "software":
                self._source(next(iter(sources))).trigger()

        for planned in rounds:
            if self.readout.moves(planned):
                self._lower()
                self.readout.connect(planned)
            self._raise(sources)
            powers_w.append(self.supply.power_w())
            samples.update(self.readout.record(planned, segments, start, averages))
            powers_w.append(self.supply.power_w())
            self.confirm()
        known_w = [power for power in powers_w if power is not None]
        energy_j = sum(known_w) / len(known_w) * segments.window_s if len(known_w) == len(powers_w) > 0 else None
        return Shots((first, self._shots), samples, energy_j)

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
