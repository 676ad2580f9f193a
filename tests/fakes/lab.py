"""Instruments for tests: a TCP server that misbehaves on demand, and written conversations that must come true."""

import contextlib
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spinhw.config import build
from spinhw.instruments import Link, ReplayWire, StationSettings
from spinhw.instruments.build import build_instruments
from spinhw.instruments.discovery import SHIPPED, choose
from spinhw.instruments.profile import Profile
from spinhw.instruments.roles import Build, Instrument
from spinhw.instruments.settings import (
    CurrentSourceSettings,
    DigitizerSettings,
    PowerReadoutSettings,
    RFSourceSettings,
    SwitchSettings,
    SynapseControllerSettings,
    VoltmeterSettings,
    WaveformSourceSettings,
)
from spinhw.instruments.traffic import Traffic
from spinhw.instruments.words import Words
from spinhw.virtual.instruments import MODELS

LOOK_S = 0.02
IDENTITY = "ACME,FAKE 1,0,1.0"

_SETTINGS: Mapping[str, Any] = {
    model.model_fields["role"].annotation.__args__[0]: model
    for model in (
        CurrentSourceSettings,
        DigitizerSettings,
        PowerReadoutSettings,
        RFSourceSettings,
        SwitchSettings,
        SynapseControllerSettings,
        VoltmeterSettings,
        WaveformSourceSettings,
    )
}


class FaultyServer:
    """Serves one instrument over TCP. What `faults` holds happens to the next questions but `*IDN?`.

    Faults: "silent" (no reply), "late" (the reply comes after `late_s`), "drop" (the connection is closed instead of
    a reply), "half" (half of the reply, then nothing), "cut" (half of the reply, then the connection is closed).
    """

    def __init__(self, replies: Mapping[bytes, bytes] | None = None, late_s: float = 0.1) -> None:
        self.replies = {b"*IDN?": IDENTITY.encode() + b"\n", b":SYST:ERR?": b'0,"No error"\n', **(replies or {})}
        self.faults: list[str] = []
        self.received: list[bytes] = []
        self.connections = 0
        self.reads = True  # Whether it takes bytes at all.
        self._late_s = late_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LOOK_S)  # Not on every system does closing it wake who waits for a connection.
        self._is_closed = False
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def address(self) -> str:
        return f"TCPIP0::127.0.0.1::{self._listener.getsockname()[1]}::SOCKET"

    def close(self) -> None:
        """Close every connection, those that are just being made included, and wait until nobody serves any more."""
        self._is_closed = True
        self._threads[0].join()
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):  # the other side may have closed it
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        waiting = b""
        try:
            while True:
                while not self.reads and not self._is_closed:
                    time.sleep(0.005)
                data = connection.recv(1 << 20)
                if not data:
                    return
                waiting += data
                while (message := _take(waiting)) is not None:
                    waiting = waiting[len(message) + 1 :]
                    self._answer(connection, message)
        except OSError:
            return

    def _answer(self, connection: socket.socket, message: bytes) -> None:
        self.received.append(message)
        reply = self.reply(message)
        if not reply:
            return
        fault = self.faults.pop(0) if self.faults and message != b"*IDN?" else ""
        if fault == "late":
            time.sleep(self._late_s)
        if fault in {"", "late"}:
            connection.sendall(reply)
        elif fault in {"half", "cut"}:
            connection.sendall(reply[: len(reply) // 2])
        if fault in {"drop", "cut"}:
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def reply(self, message: bytes) -> bytes:
        if message in self.replies:
            return self.replies[message]
        # A setting with a question behind it.
        return self.replies.get(b":" + message.rpartition(b";:")[2], b"")


def _take(data: bytes) -> bytes | None:
    """Cut the first whole message off, line feeds in its block included."""
    start = data.find(b"#")
    end = data.find(b"\n")
    if 0 <= start < end or (start >= 0 and end < 0):
        digits = data[start + 1 : start + 2]
        if not digits:
            return None
        length = data[start + 2 : start + 2 + int(digits)]
        if len(length) < int(digits):
            return None
        end = start + 2 + int(digits) + int(length)
        return data[:end] if len(data) > end else None
    return None if end < 0 else data[:end]


class KnownWire(ReplayWire):
    """A conversation with an instrument that is found off, and in its known state.

    Until `begin` it answers what the look-over and the known state ask, and takes every setting. From then on the
    conversation is all that may be said, but for the questions of the known state, which it answers at any time, and
    where `settings` says so for those settings that are not the next words of the conversation.

    Args:
        profile: Of the instrument.
        channels: Its channels, with their limits.
        identity: What it answers to its identity question.
        answers: What it answers to other questions until `begin`.
        settings: Whether settings beside the conversation are taken, and kept in `taken`.
    """

    def __init__(
        self,
        profile: Profile,
        channels: Mapping[str, Any],
        identity: str,
        answers: Mapping[str, str] | None = None,
        settings: bool = False,
    ) -> None:
        super().__init__([])
        self.state = {one.ask: one.reply for one in wanted_of(profile, channels, identity)}
        self.passing: dict[str, str] = {}  # Replies that are given once, and then those of `state`.
        self.asked: list[str] = []  # Questions of the known state since `begin`.
        self.taken: list[str] = []  # Settings beside the conversation since `begin`.
        self._begun, self._settings = False, settings
        self._error = profile.errors.ask
        self._empty = EMPTY_QUEUES.get(self._error, OK)
        self._answers = {**self.state, **_looked_at(profile, identity), **(answers or {})}
        self._answers |= {profile.ask_identity: identity, self._error: self._empty}

    def begin(self, exchanges: list[tuple[bytes, bytes]]) -> None:
        """Go on with a conversation."""
        self._left, self._begun = exchanges, True

    def go_on(self, exchanges: list[tuple[bytes, bytes]]) -> None:
        """Let a conversation have more to it."""
        self._left += exchanges

    def stop(self) -> None:
        """Forget what was not said yet."""
        self._left.clear()

    def send(self, *parts: bytes) -> None:
        data = b"".join(parts)
        text = data.decode("latin-1").removesuffix("\n")
        setting = text.removesuffix(f";{self._error}")
        if self._begun and self._left and self._left[0][0] == data:
            super().send(data)
        elif text in self.state:
            self.asked += [text] if self._begun else []
            self._waiting = _line(self.passing.pop(text, self.state[text]))
        elif not self._begun:
            reply = self._answers.get(text, self._empty if setting != text else "")
            self._waiting = _line(reply) if reply else b""
        elif self._settings and setting != text:
            self.taken.append(setting)
            self._waiting = _line(self._empty)
        else:
            super().send(data)


def wire_of(instrument: Any) -> KnownWire:
    """Give the wire of an instrument that a conversation made."""
    return instrument.port.link.wire


@dataclass(frozen=True)
class Wanted:
    """A setting of the known state, filled in for limits of a bench, with the first of the replies that are right."""

    send: str | None
    ask: str
    reply: str


def known_state(name: str, channels: Mapping[str, Any]) -> list[Wanted]:
    """Fill in the known state of a shipped profile for the channels of a bench file, in the order of the profile."""
    driver, profile, source = choose(name, "test")
    assert profile is not None
    data = {"role": driver.role, "driver": name, "address": "none", "channels": dict(channels)}
    return wanted_of(profile, build(_SETTINGS[driver.role], data, source).channels, IDENTITIES[name])


def wanted_of(profile: Profile, channels: Mapping[str, Any], identity: str) -> list[Wanted]:
    """Fill in what a model knows of the known state, for all channels that are not set by hand."""
    ours = [_fields(name, one) for name, one in channels.items() if getattr(one, "by_hand", None) is not True]
    return [
        Wanted(one.send and one.send.format(**fields), one.ask.format(**fields), one.replies[0].format(**fields))
        for one in profile.state.values()
        if one.only is None or re.search(one.only, identity)
        for fields in (ours if one.of_channel else ours[:1])
    ]


def outputs_of(profile: Profile, identity: str) -> list[str]:
    """List the questions for the outputs that a model has."""
    fewer = [those for pattern, those in profile.fewer_outputs.items() if re.search(pattern, identity)]
    ask = next((profile.commands[one].send for one in ("read_output", "read_closed") if one in profile.commands), "")
    questions = [ask.format(channel=output) for output in (fewer[0] if fewer else profile.outputs)]
    others = [one.ask for one in profile.other_outputs.values() if one.only is None or re.search(one.only, identity)]
    return [*questions, *others]


def all_off(name: str) -> list[tuple[str, str]]:
    """Give the exchanges in which every output of a shipped profile is read, and is off."""
    _, profile, _ = choose(name, "test")
    assert profile is not None
    off = "nil" if "read_closed" in profile.commands else "0"
    return [(ask, off) for ask in outputs_of(profile, IDENTITIES[name])]


def _looked_at(profile: Profile, identity: str) -> dict[str, str]:
    off = "nil" if "read_closed" in profile.commands else "0"
    wired = {
        one.ask.format(channel=channel): next(iter(one.replies.values()))
        for one in profile.wired.values()
        for channel in (profile.outputs or ("1", "2", "3", "4"))
    }
    return wired | dict.fromkeys(outputs_of(profile, identity), off)


def _fields(channel: str, limits: Any) -> dict[str, Any]:
    """Work out what a template of the known state may name."""
    values = {"channel": channel} | {name: getattr(limits, name) for name in type(limits).model_fields}
    if "lowest_v" in values:
        values["amplitude_v"] = limits.highest_v - limits.lowest_v
        values["middle_v"] = (limits.highest_v + limits.lowest_v) / 2
    if "lowest_a" in values:
        values["largest_a"] = max(abs(limits.lowest_a), abs(limits.highest_a))
    if "load_ohm" in values:
        values["load"] = "INF" if limits.load_ohm is None else f"{limits.load_ohm:g}"
    if "highest_power_w" in values:
        values["highest_dbm"] = 10 * math.log10(limits.highest_power_w / 1e-3)
    return values


@contextmanager
def conversation(
    profile: str,
    channels: Mapping[str, Any],
    exchanges: list[tuple[bytes | str, bytes | str]],
    identity: str = "",
    *,
    known: bool = True,
    answers: Mapping[str, str] | None = None,
    wired: Mapping[str, Any] | None = None,
    settings: bool = False,
) -> Iterator[Any]:
    """Make the instrument of a profile on a written conversation, and fail on what was not said.

    Args:
        profile: Name of a shipped profile.
        channels: As in a bench file.
        exchanges: What is sent and what comes back, without line feeds; "" for nothing.
        identity: The reply to its identity question; one that fits is made up if it is left out.
        known: Whether the bench was looked over and the instrument's state made known before, as by `KnownWire`, whose
            questions then need not be written down; else the conversation starts behind the identity.
        answers: What else it is asked until its state is known.
        wired: What the bench file says of its wiring.
        settings: Whether settings may be sent that the conversation does not have; see `KnownWire`.
    """
    driver, data, source = choose(profile, "test")
    assert data is not None
    identity = identity or IDENTITIES[profile]
    bench = build(
        _SETTINGS[driver.role],
        {"role": driver.role, "driver": profile, "address": "none", "channels": dict(channels)},
        source,
    )
    lines = [(_line(sent), _line(reply) if reply else b"") for sent, reply in exchanges]
    wire = KnownWire(data, bench.channels, identity, answers, settings)
    if not known:
        wire.state.clear()
        wire.begin([(_line(data.ask_identity), _line(identity)), *lines])
    link = Link(
        "it",
        lambda: wire,
        identity=data.identity,
        ask_identity=data.ask_identity,
        ask_error=data.errors.ask,
        joined=data.errors.joined,
        retries=0,
    )
    by_hand = frozenset(name for name, one in bench.channels.items() if getattr(one, "by_hand", None) is True)
    instrument = driver(Build("it", Words(link, data), bench.channels, data.outputs, by_hand, wired or {}))
    instrument.open()
    if known:
        instrument.ready()
        wire.begin(lines)
    yield instrument
    wire.finish()


def loaded(name: str, profile: str, channels: Mapping[str, Any]) -> Instrument[Any]:
    """Make the one instrument of a bench file; connects to nothing."""
    driver, _, _ = choose(profile, "test")
    one = {"role": driver.role, "driver": profile, "address": "GPIB::1::INSTR", "channels": dict(channels)}
    settings = build(StationSettings, {"kind": "bench", "instruments": {name: one}}, "bench.yaml")
    return build_instruments(settings, "bench.yaml", Traffic())[name]


def _line(text: bytes | str) -> bytes:
    return (text.encode() if isinstance(text, str) else text) + b"\n"


# How the models that the profiles are for introduce themselves.
IDENTITIES = {
    "keithley-2182a": "KEITHLEY INSTRUMENTS INC.,MODEL 2182A,1234567,C06  /A02",
    "keithley-2400": "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C32   Oct  4 2010 14:20:11/A02  /S/K",
    "keithley-3706a": "KEITHLEY INSTRUMENTS INC.,MODEL 3706A,1234567,1.53b",
    "keithley-6221": "KEITHLEY INSTRUMENTS INC.,MODEL 6221,1234567,D03  /700x",
    "keysight-33500": "Agilent Technologies,33522B,MY12345678,3.05-1.19-2.00-52-00",
    "keysight-33600": "Keysight Technologies,33622A,MY12345678,A.02.03-3.15-03-64-02",
    "keysight-infiniivision": "KEYSIGHT TECHNOLOGIES,DSO-X 3024T,MY12345678,07.30.2019051434",
    "keysight-n5173b": "Agilent Technologies, N5173B, MY12345678, B.01.86",
    "rohde-schwarz-fsv": "Rohde&Schwarz,FSV-7,101234,3.10",
    "rohde-schwarz-sgs100a": "Rohde&Schwarz,SGS100A,1416.0505k02/101234,4.2.76.0",
    "rohde-schwarz-smb100a": "Rohde&Schwarz,SMB100A,1406.6000k02/101234,3.1.19.15",
    "rohde-schwarz-smw200a": "Rohde&Schwarz,SMW200A,1412.0000K02/101234,04.70.026",
    "synapse-controller": "SPINHW,SYNAPSE-CONTROLLER,0001,1.0",
    "tektronix-awg5200": "TEKTRONIX,AWG5208,B012345,FV:7.0.0178.0",
    "tektronix-dpo": "TEKTRONIX,DPO7254,B012345,CF:91.1CT FV:10.8.3 Build 3",
    "tektronix-mso": "TEKTRONIX,MSO58,B012345,CF:91.1CT FV:1.28.6.9872",
}

OK = '0,"No error"'
# How the error queues of other dialects say that nothing is in them, by their question.
EMPTY_QUEUES = {
    ":HEADer 0;*ESR?;:EVMsg?": '0;0,"No events to report - queue empty"',
    "print(errorqueue.next())": "0.00000e+00\tQueue Is Empty\t0.00000e+00\t0",
}


def checked(message: str, ask: str = ":SYST:ERR?", reply: str = OK) -> tuple[str, str]:
    """Give the exchange of a setting that is checked in the same message."""
    return f"{message};{ask}", reply


def shipped_drivers() -> dict[str, type[Instrument[Any]]]:
    return dict(SHIPPED)


def block(header_and_data: bytes) -> bytes:
    """Write a definite block."""
    size = str(len(header_and_data)).encode()
    return b"#%d%s%s" % (len(size), size, header_and_data)


Connect = Callable[[str, str, float], ReplayWire]


class TinySource(ReplayWire):
    """A virtual Keithley 6221 at the end of a wire.

    Args:
        log: Every message is appended to it, with the name in front.
        name: For the log, and its serial number: each is a box of its own.
        stuck: Whether its output stays on whatever it is told.
    """

    def __init__(self, log: list[str], name: str = "source", stuck: bool = False) -> None:
        super().__init__([])
        self.log, self.name, self.stuck = log, name, stuck
        self.panel = MODELS["keithley-6221"](name, name)
        self.identity = self.panel.identity
        self.broken = False

    @property
    def on(self) -> bool:
        return bool(self.panel.get("on"))

    @on.setter
    def on(self, on: bool) -> None:
        self.panel.store("on", 1, on)

    @property
    def current_a(self) -> float:
        return float(self.panel.get("current_a"))

    @current_a.setter
    def current_a(self, current_a: float) -> None:
        self.panel.store("current_a", 1, current_a)

    def send(self, *parts: bytes) -> None:
        if self.broken:
            raise OSError("broken on demand")
        message = b"".join(parts).decode().rstrip("\n")
        self.log.append(f"{self.name} {message}")
        self._waiting = b""
        if message == "*IDN?":
            self._waiting = self.identity.encode() + b"\n"
            return
        self.panel.execute(message.encode(), self._answer)
        if self.stuck:
            self.panel.store("on", 1, True)

    def _answer(self, reply: bytes) -> None:
        self._waiting += reply

    def answer(self, message: bytes) -> bytes:
        """Give the reply to a message, b"" where it has none."""
        self.send(message + b"\n")
        return self._waiting


class TinyServer(FaultyServer):
    """The same over TCP."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.source = TinySource(self.log)

    def reply(self, message: bytes) -> bytes:
        return self.source.answer(message)
