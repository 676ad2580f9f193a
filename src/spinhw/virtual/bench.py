"""The virtual bench: instruments around one chip, with one trigger line. Both doors lead to these objects.

    bench = Bench(load_bench(Path("devices/virtual/chip.yaml")))
    bench.instruments["awg"]                 # the state of an instrument, as its front panel would show it
    bench.faults.log                         # what went wrong so far

What sources play at a trigger flows through the wiring into the chip, which is integrated once for the whole record,
and out into the inputs of digitizers: delayed, slowed down, with noise; ranges and bits are the digitizers' own.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import numpy as np

from spinhw.errors import ConfigError
from spinhw.streams import numpy_stream
from spinhw.virtual.faults import Faults
from spinhw.virtual.instruments import (
    MODELS,
    CurrentSource,
    Keithley3706A,
    Panel,
    RohdeFSV,
    SynapseController,
    ToneSource,
)
from spinhw.virtual.lab import Lab, Shot, SourceOutput, Window
from spinhw.virtual.network_physics import NetworkPhysics
from spinhw.virtual.oscillator_physics import OscillatorPhysics
from spinhw.virtual.port import Port
from spinhw.virtual.records import lowpass
from spinhw.virtual.resonator_physics import ResonatorPhysics
from spinhw.virtual.response import ChipResponse
from spinhw.virtual.settings import (
    BenchSettings,
    ChipWiring,
    InstrumentSettings,
    OscillatorWiring,
    ProbeSettings,
    ResonatorWiring,
    SwitchSettings,
    terminal,
)
from spinhw.virtual.wiring import refuse_impossible

_log = logging.getLogger(__name__)

# An average of thousands of triggers is given in pieces, so that other messages get through in between.
_LEAST_AT_ONCE, _AT_ONCE_S, _MOST_AT_ONCE_S = 32, 0.02, 0.25


class Bench(Lab):
    """A virtual bench.

    Args:
        settings: What stands on it and how it is wired.
    """

    def __init__(self, settings: BenchSettings) -> None:
        self.settings, self.lock, self.faults = settings, RLock(), Faults(settings.faults)
        self.instruments: dict[str, Panel] = {
            name: _make(settings.id, name, asked, self) for name, asked in settings.instruments.items()
        }
        self.ports = {name: Port(one, self.lock, self.faults, self.carry_on) for name, one in self.instruments.items()}
        self.addresses = {
            name: asked.address or f"TCPIP0::{name}::5025::SOCKET" for name, asked in settings.instruments.items()
        }
        self.shots = 0  # Edges on the trigger line.
        self._readings = 0  # Of chains, which no edge starts.
        self._programmed: tuple[int, bool] | None = None
        self.response: ChipResponse | None = None  # What the chip does after the last trigger; None before any.
        self._is_firing = self._is_unfinished = False
        self.network = self.oscillators = self.resonators = None
        wiring = settings.wiring
        if isinstance(wiring, ChipWiring):
            self.network = NetworkPhysics(settings, wiring)
        elif isinstance(wiring, OscillatorWiring):
            self.oscillators = OscillatorPhysics(settings, wiring)
        else:
            self.resonators = ResonatorPhysics(settings, wiring)
        refuse_impossible(settings, self.instruments, 0 if self.network is None else self.network.addresses)
        for name, asked in settings.instruments.items():
            self._power_on(name, asked.power_on)

    network: NetworkPhysics | None
    oscillators: OscillatorPhysics | None
    resonators: ResonatorPhysics | None

    def port_at(self, address: str) -> Port | None:
        """Find the instrument at a VISA address; None where nothing is."""
        name = next((name for name, known in self.addresses.items() if known.lower() == address.lower()), None)
        return None if name is None else self.ports[name]

    def warm_up(self) -> None:
        """Make the first trigger as fast as the others; changes nothing that an instrument could show."""
        with self.lock:
            for physics in (self.network, self.oscillators):
                if physics is not None:
                    physics.warm_up()
            self._programmed = None

    # What instruments see

    def trigger(self, by: Panel) -> None:
        if self._is_firing:
            return
        self._is_firing = True
        try:
            armed = [one for one in self.instruments.values() if one.armed]
            played: dict[tuple[str, int], SourceOutput] = {}
            for name, one in self.instruments.items():
                with _contained(one):
                    played |= {(name, channel): wave for channel, wave in one.played(external=one is not by).items()}
            self.shots += 1
            self.response = self._fire(played)
            for one in armed:
                with _contained(one):
                    one.record(self.shot())
        finally:
            self._is_firing = False

    def look(self) -> None:
        given, begun = 0, time.process_time()
        free = [one for one in self.instruments.values() if one.runs_freely]
        # An average takes several triggers, which a source that runs freely gives one after another.
        while free and not self._is_firing and any(one.armed and one.busy for one in self.instruments.values()):
            before = self.shots
            self.trigger(free[0])
            given += 1
            taken_s = time.process_time() - begun
            self._is_unfinished = taken_s > (_AT_ONCE_S if given >= _LEAST_AT_ONCE else _MOST_AT_ONCE_S)
            if self.shots == before or self._is_unfinished:
                return

    def carry_on(self) -> bool:
        """Give triggers that were left for later; True if some are left again. Doors call it while they wait."""
        with self.lock:
            if self._is_unfinished:
                self._is_unfinished = False
                try:
                    self.look()
                except Exception:
                    _log.debug("virtual bench: what was left for later broke", exc_info=True)
            return self._is_unfinished

    def load_ohm(self, panel: Panel, channel: int) -> float:
        return self.settings.instruments[panel.name].load_ohm

    def voltage(self, panel: Panel, channel: int) -> float:
        wiring = self.settings.wiring
        if isinstance(wiring, ResonatorWiring) and self.resonators and (panel.name, channel) == terminal(wiring.meter):
            tone, board = self.instruments[wiring.tone], self.instruments[wiring.controller]
            if isinstance(tone, ToneSource) and isinstance(board, SynapseController):
                return self.resonators.voltage(board.outputs_v, tone.tone_hz(), tone.power_w())
        return float(self.shot().sample(panel, channel, Window(0.0, 1e-6, 1))[0])

    def chain(self, number: int) -> float:
        """Return what the resonators of a chain rectify of the tone that is on, in units of an output."""
        wiring = self.settings.wiring
        tone = self.instruments[wiring.tone] if isinstance(wiring, ChipWiring) and wiring.tone else None
        board = self.instruments[wiring.controller] if isinstance(wiring, ChipWiring) else None
        if self.network is None or not isinstance(tone, ToneSource) or not isinstance(board, SynapseController):
            return 0.0
        self._program(self.network, board)
        return self.network.chain(number, tone.tone_hz(), tone.power_w() / self.settings.conversion.rf_power_w)

    def reading(self) -> int:
        """Count a reading of a chain: the key of its noise."""
        self._readings += 1
        return self._readings

    def shot(self) -> Shot:
        if self.response is None:
            self.response = self._fire({})
        return _BenchShot(self, self.response, self.shots)

    # Inside

    def _fire(self, played: dict[tuple[str, int], SourceOutput]) -> ChipResponse:
        wiring = self.settings.wiring
        if isinstance(wiring, ChipWiring) and self.network is not None:
            board = self.instruments[wiring.controller]
            if isinstance(board, SynapseController):
                self._program(self.network, board)
            return self.network.fire(played, self._current_a(wiring.supply) != 0.0)
        if isinstance(wiring, OscillatorWiring) and self.oscillators is not None:
            return self.oscillators.fire(played, self._current_a(wiring.bias) if wiring.bias else 0.0)
        return _Nothing()

    def _program(self, network: NetworkPhysics, board: SynapseController) -> None:
        state = (board.writes, bool(board.get("on")))
        if state != self._programmed:
            network.program(board.outputs_v.astype(np.float64), board.used & bool(board.get("on")))
            self._programmed = state

    def _current_a(self, name: str | None) -> float:
        """Give the current of a source in amperes; where none is wired, something other than zero."""
        source = self.instruments[name] if name else None
        return source.voltage_and_current()[1] if isinstance(source, CurrentSource) else 1.0

    def lines(self, panel: Panel, channel: int) -> list[tuple[ProbeSettings, int]]:
        """List the probes that lead to an input now, with the number of the neuron or output."""
        found = []
        columns = {one.instrument: self._columns(one, panel, channel) for one in self.settings.switches}
        for probe in self.settings.probes:
            to, first = terminal(probe.to)
            wanted = columns.get(to, set())
            wanted = wanted | ({channel} if to == panel.name else set())
            numbers = self._numbers(probe)
            found += [(probe, numbers[one - first]) for one in sorted(wanted) if 0 <= one - first < len(numbers)]
        return found

    def _numbers(self, probe: ProbeSettings) -> list[int]:
        return list(range(self.settings.signals(probe.signal)) if probe.numbers == "all" else probe.numbers)

    def _columns(self, switch: SwitchSettings, panel: Panel, channel: int) -> set[int]:
        """Give the columns of a matrix, counted from 1, that closed crosspoints lead to an input."""
        matrix = self.instruments[switch.instrument]
        closed = matrix.closed if isinstance(matrix, Keithley3706A) else set()
        rows = {row for row, name in enumerate(switch.rows, 1) if terminal(name) == (panel.name, channel)}
        crossed = ((int(one[0]), int(one[1]), int(one[2:])) for one in closed)  # Slot, row, column.
        return {
            (slot - 1) * switch.columns + column
            for slot, row, column in crossed
            if row in rows and 1 <= column <= switch.columns
        }

    def _power_on(self, name: str, messages: tuple[str, ...]) -> None:
        """Let an instrument come up as the bench file says, now and after each power cut."""
        panel = self.instruments[name]
        panel.power_on = messages
        panel.come_up()
        code, text = panel.status.errors.pop()
        if code:
            raise ConfigError(
                f"virtual bench: instruments.{name}.power_on: the instrument refuses it",
                seen=f"{code}, {text}",
                todo="write messages as its manual does",
            )


@contextmanager
def _contained(panel: Panel) -> Iterator[None]:
    """Keep what goes wrong in one instrument at a trigger away from the others, and from who gave the trigger."""
    try:
        yield
    except Exception as error:
        panel.refuse(error, b"(trigger)")
        panel.give_up()


class _Nothing(ChipResponse):
    def signal(self, kind: str, number: int, times_s: np.ndarray) -> np.ndarray:
        return np.zeros(len(times_s))


class _BenchShot(Shot):
    """What the wires of a bench carry after a trigger.

    Args:
        bench: The bench.
        response: What its chip does.
        number: Of the shot: the key of the noise.
    """

    def __init__(self, bench: Bench, response: ChipResponse, number: int) -> None:
        self._bench, self._response, self._number = bench, response, number

    def sample(self, panel: Panel, channel: int, window: Window) -> np.ndarray:
        lines = self._bench.lines(panel, channel)
        if not lines:
            return np.broadcast_to(0.0, window.points)
        times = window.start_s + np.arange(window.points) * window.interval_s
        volts = np.zeros(window.points)
        for probe, number in lines:
            volts += self._line(probe, number, times, window, panel)
        return volts

    def _line(self, probe: ProbeSettings, number: int, times: np.ndarray, window: Window, panel: Panel) -> np.ndarray:
        settings = self._bench.settings
        if probe.signal == "chain":  # The tone does not end: what it gives is constant.
            signal, shot = np.full(len(times), self._bench.chain(number)), self._bench.reading()
        else:
            signal, shot = self._response.signal(probe.signal, number, times - probe.latency_s), self._number
        if isinstance(panel, RohdeFSV):  # It sees the RF power itself; a voltage into 50 ohms stands for it.
            return np.sqrt(np.maximum(signal, 0.0) * settings.conversion.rf_power_w * 50.0)
        per_unit = settings.conversion.output_v if probe.signal in ("output", "chain") else settings.conversion.power_v
        volts = lowpass(signal * per_unit * probe.gain + probe.offset_v, window.interval_s, probe.bandwidth_hz)
        if probe.noise_v == 0:
            return volts
        stream = numpy_stream("bench noise", settings.id, settings.seed, shot, probe.signal, number)
        return volts + probe.noise_v * stream.standard_normal(window.points, np.float32)


def _make(bench: str, name: str, asked: InstrumentSettings, lab: Lab) -> Panel:
    kind = MODELS[asked.model]
    serial = asked.serial or f"{bench}-{name}"  # Two boxes of one model are told apart by nothing else.
    if kind is SynapseController:
        range_v = (asked.lowest_v, asked.highest_v)
        return SynapseController(name, serial, lab, outputs=asked.outputs, range_v=range_v)
    return kind(name, serial, lab)
