"""A dry run: what would be sent to a bench, found out on virtual instruments of the same models without any wires."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from spinhw.device.bank_promises import probe_drive, probe_synapses
from spinhw.device.network_promises import probe_inputs, probe_parameters
from spinhw.device.plan import ObservationPlan
from spinhw.device.trace import Trace
from spinhw.device.visa_chains import open_visa_synapses
from spinhw.device.visa_opening import open_visa_bank, open_visa_device
from spinhw.device.visa_part import ChipPart, too_little
from spinhw.errors import ConfigError
from spinhw.instruments import Station, StationSettings
from spinhw.instruments.settings import SynapseControllerSettings, named
from spinhw.instruments.traffic import SENT, Buffer
from spinhw.instruments.wires import Wire
from spinhw.instruments.wiring import ChipWiring, ResonatorWiring
from spinhw.network import NetworkSettings

_OUTPUTS = 64  # Of a synapse controller in a rehearsal without a network.
_NEWLINE = b"\n"


def rehearse_device(settings: StationSettings, network: NetworkSettings, sample_interval_s: float) -> list[str]:
    """List what a bench with a chip would be sent to program it, to run one small batch, and to be switched off.

    Raises:
        ConfigError: There is no virtual instrument of one of the models, or the bench does not fit the network.
    """
    stage = _Stage(settings, _addresses(settings, network))
    device = open_visa_device(stage.settings, network, sample_interval_s, connect=stage.connect)
    with _quiet(), device:
        about = device.describe()
        device.program(probe_parameters(about, scale=0.1))
        device.run(probe_inputs(about) * 0.1, observe=ObservationPlan(((0,),)))
    return _sent(device.station)


def rehearse_bank(settings: StationSettings, network: NetworkSettings, sample_interval_s: float) -> list[str]:
    """List what a bench with oscillators would be sent to play one small batch, and to be switched off."""
    stage = _Stage(settings)
    bank = open_visa_bank(stage.settings, network, sample_interval_s, connect=stage.connect)
    with _quiet(), bank:
        bank.play(probe_drive(bank))
    return _sent(bank.station)


def rehearse_synapses(settings: StationSettings) -> list[str]:
    """List what a bench with resonators would be sent to measure three points, and to be switched off."""
    stage = _Stage(settings, settings.wiring.resonators if isinstance(settings.wiring, ResonatorWiring) else _OUTPUTS)
    bank = open_visa_synapses(stage.settings, connect=stage.connect)
    with _quiet(), bank:
        bank.measure(*probe_synapses(bank))
    return _sent(bank.station)


def _addresses(settings: StationSettings, network: NetworkSettings) -> int:
    """Count the outputs of a synapse controller that the chip needs on which a network runs."""
    wiring = settings.wiring
    if not isinstance(wiring, ChipWiring) or too_little(wiring, network):
        return _OUTPUTS
    return ChipPart.of(wiring, network).addresses


@dataclass(frozen=True)
class Counted:
    """What a piece of work took.

    Args:
        answers: Messages that were answered: the time that each takes adds up.
        sent_bytes: Bytes to the instruments.
        received_bytes: Bytes from them.
        shots: Times that the record was played.
    """

    answers: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    shots: int = 0

    def plus(self, other: "Counted", times: int = 1) -> "Counted":
        """Add another one so many times."""
        return Counted(
            self.answers + times * other.answers,
            self.sent_bytes + times * other.sent_bytes,
            self.received_bytes + times * other.received_bytes,
            self.shots + times * other.shots,
        )


@dataclass(frozen=True)
class Rehearsed:
    """What a batch takes on a bench.

    Args:
        programming: To program all parameters and read them back.
        running: To play and to record.
    """

    programming: Counted
    running: Counted


def without_stand_in(settings: StationSettings) -> list[str]:
    """List the instruments of a bench that no virtual instrument stands in for."""
    from spinhw.virtual.instruments import MODELS

    return [name for name, one, _ in named(settings, settings.id) if one.driver not in MODELS]


def rehearse_batch(
    settings: StationSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    inputs_shape: tuple[int, int],
    plan: ObservationPlan,
    averages: int,
) -> Rehearsed:
    """Count what a batch would take on a bench, without connecting to it.

    At most three repeats and two averages are rehearsed; the others are taken to be like the last one. (A single repeat
    tells too little: with several, switches and digitizers are set anew for each.)

    Args:
        settings: The bench.
        network: The network as designed.
        sample_interval_s: Time for which each input sample is held, in seconds.
        inputs_shape: Images of a batch, and samples of each.
        plan: What is observed.
        averages: Shots to average over.

    Raises:
        ConfigError: There is no virtual instrument of one of the models, or the bench does not fit the network.
    """
    stage = _Stage(settings, _addresses(settings, network))
    device = open_visa_device(stage.settings, network, sample_interval_s, connect=stage.connect)
    about = device.describe()
    inputs = torch.zeros(*inputs_shape, about.inputs)
    zeros = {name: torch.zeros(one.shape) for name, one in about.parameters.items()}

    with device, _quiet():
        programming = stage.count(partial(device.program, zeros))
        found = {
            (repeats, shots): stage.count(partial(device.run, inputs, ObservationPlan(plan.repeats[:repeats]), shots))
            for repeats in _rehearsed(len(plan.repeats), 3)
            for shots in _rehearsed(averages, 2)
        }
    return Rehearsed(programming, _extended(found, len(plan.repeats), averages))


def rehearse_segments(
    settings: StationSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    segments: tuple[int, int],
    rest_s: float,
    averages: int,
) -> Counted:
    """Count what an upload of segments would take on a bench with oscillators, without connecting to it.

    Args:
        settings: The bench.
        network: Gives the nominal oscillator.
        sample_interval_s: Time for which each sample of a drive is held, in seconds.
        segments: How many, and samples of each.
        rest_s: Rest before each, in seconds.
        averages: Shots to average over; of more than two a few are rehearsed.

    Raises:
        ConfigError: There is no virtual instrument of one of the models, or the bench does not fit.
        LimitError: So many segments are more than an instrument holds.
    """
    stage = _Stage(settings)
    bank = open_visa_bank(stage.settings, network, sample_interval_s, connect=stage.connect)
    drive = probe_drive(bank)[:1, :1, :1].expand(1, *segments, -1)
    with bank, _quiet():
        found = {
            (1, shots): stage.count(partial(bank.play, drive, averages=shots, rest_s=rest_s))
            for shots in _rehearsed(averages, 2)
        }
    return _extended(found, 1, averages)


def _rehearsed(wanted: int, most: int) -> tuple[int, ...]:
    """Choose what to rehearse for so many: all of them, or the two largest numbers from which a line goes on."""
    return (wanted,) if wanted <= most - 1 else (most - 1, most)


def _extended(found: Mapping[tuple[int, int], Counted], repeats: int, averages: int) -> Counted:
    """Go on in a straight line in repeats and in averages from what was counted for a few of each."""
    total = Counted()
    for (one, other), counted in found.items():
        share = _weight(one, _rehearsed(repeats, 3), repeats) * _weight(other, _rehearsed(averages, 2), averages)
        total = total.plus(counted, share)
    return total


def _weight(place: int, places: tuple[int, ...], wanted: int) -> int:
    """Return the weight of the value at a place in the value of the line through one or two neighbouring places."""
    if len(places) == 1:
        return 1
    return places[1] - wanted if place == places[0] else wanted - places[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out the warnings about samples, for the stand-ins are wired to nothing, and about inputs made up here."""
    logs = [logging.getLogger(f"spinhw.device.{one}") for one in ("visa_readout", "visa_device")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _sent(station: Station) -> list[str]:
    return [message.text() for message in station.traffic.recent() if message.direction == SENT]


class _Stage:
    """Virtual instruments in place of those of a bench.

    Args:
        settings: The bench.
        outputs: Of a synapse controller.
    """

    def __init__(self, settings: StationSettings, outputs: int = _OUTPUTS) -> None:
        from spinhw.virtual.instruments import MODELS, SynapseController
        from spinhw.virtual.lab import EmptyLab

        # The backend's name keeps locks and memory of the true bench out of this; stand-ins are wired to nothing.
        unwired = {name: one.model_copy(update={"wired": {}}) for name, one in settings.instruments.items()}
        self.settings = settings.model_copy(update={"backend": "rehearsal@spinhw", "instruments": unwired})
        lab, self._panels, self._wires = EmptyLab(), {}, list[_DirectWire]()
        for name, one, place in named(settings, settings.id):
            kind = MODELS.get(one.driver)
            if kind is None:
                raise ConfigError(f"{place}: no virtual instrument stands in for it", seen=one.driver)
            panel = kind(name, None, lab)
            if isinstance(one, SynapseControllerSettings):
                limits = one.channels["all"]
                panel = SynapseController(name, None, lab, outputs=outputs, range_v=(limits.lowest_v, limits.highest_v))
            lab.panels.append(panel)
            self._panels[one.address] = panel

    def connect(self, address: str, backend: str, timeout_s: float) -> Wire:
        """Open a wire to the stand-in at an address."""
        self._wires.append(_DirectWire(self._panels[address]))
        return self._wires[-1]

    def count(self, work: Callable[[], Any]) -> Counted:
        """Do a piece of work and count what it takes, with the instruments set up already."""
        work()
        before = self.traffic()
        done = work()
        shots = done.shots[1] - done.shots[0] if isinstance(done, Trace) else 0
        return replace(self.traffic().plus(before, -1), shots=shots)

    def traffic(self) -> Counted:
        """Count what went over all wires so far."""
        total = Counted()
        for wire in self._wires:
            total = total.plus(wire.traffic())
        return total


class _DirectWire(Wire):
    """Bytes to and from a virtual instrument, without a door.

    Args:
        panel: The instrument.
    """

    def __init__(self, panel: object) -> None:
        from spinhw.virtual.scpi import Framer

        self._panel, self._framer, self._waiting = panel, Framer(), bytearray()
        self._answers = self._sent_bytes = self._received_bytes = 0

    def traffic(self) -> Counted:
        """Count what went over this wire so far."""
        return Counted(self._answers, self._sent_bytes, self._received_bytes)

    def send(self, *parts: Buffer) -> None:
        before = len(self._waiting)
        self._transfer(parts)
        self._sent_bytes += sum(memoryview(part).nbytes for part in parts)
        self._answers += len(self._waiting) > before

    def _transfer(self, parts: tuple[Buffer, ...]) -> None:
        for message in self._framer.feed(b"".join(parts)):
            self._panel.execute(message, self._waiting.extend)  # type: ignore[attr-defined]

    def receive_line(self) -> bytes:
        end = self._waiting.find(_NEWLINE)
        if end < 0:
            raise TimeoutError("nothing was answered")
        return self.receive(end + 1).rstrip(b"\r\n")

    def receive(self, count: int) -> bytes:
        if len(self._waiting) < count:
            raise TimeoutError("less was answered")
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        self._received_bytes += count
        return data

    def end_block(self) -> None:
        self.receive_line()

    def set_timeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass
