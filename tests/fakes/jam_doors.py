"""A bench with every virtual instrument on it, and both doors to it for messages that nobody should send."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyvisa
from pyvisa.constants import ResourceAttribute

from spinhw.config import build
from spinhw.virtual import Bench, BenchSettings, serving
from spinhw.virtual.backend import VirtualLibrary
from spinhw.virtual.instruments import MODELS, Panel
from spinhw.virtual.lab import Shot, Window
from spinhw.virtual.response import ChipResponse

PATIENCE_S = 60.0
# Processor time that a message may take; what it records and answers has its price on top.
LONGEST_S, SAMPLE_S, REPLIED_S = 50e-3, 250e-9, 100e-9


OSCILLATORS = {
    "wiring": {
        "kind": "oscillators",
        "drives": ["keysight-33600:1", "tektronix-awg5200:2"],
        "bias": "keithley-2400",
    },
    "probes": [
        {"signal": "power", "to": f"{scope}:1"}
        for scope in ("keysight-infiniivision", "tektronix-mso", "tektronix-dpo", "rohde-schwarz-fsv")
    ],
}
RESONATORS = {
    "wiring": {
        "kind": "resonators",
        "controller": "synapse-controller",
        "tone": "rohde-schwarz-smw200a",
        "meter": "keithley-2182a:1",
    },
}


def every_instrument(wired: dict[str, Any]) -> Bench:
    """Make a bench with one instrument of every model around a chip."""
    data = {
        "id": "all",
        "network": {"layers": [2]},
        "conversion": {"threshold": "5 mA", "power": "100 mV"},
        "instruments": {model: {"model": model} for model in MODELS},
    }
    return Bench(build(BenchSettings, data | wired, "test"))


class _CountedShot(Shot):
    """What the wires carry, with a count of the samples that are taken."""

    def __init__(self, shot: Shot, count: list[int]) -> None:
        self._shot, self._count = shot, count

    def sample(self, panel: Panel, channel: int, window: Window) -> np.ndarray:
        self._count[0] += window.points
        return self._shot.sample(panel, channel, window)


def allowed_s(samples: int, replied: int) -> float:
    """Give the processor time that a message may take: what it records and answers has its price."""
    return LONGEST_S + SAMPLE_S * samples + REPLIED_S * replied


class InProcess:
    """The door without sockets: each message over a connection of its own, others watch."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self._samples = bench, [0]
        shot = bench.shot
        bench.shot = lambda: _CountedShot(shot(), self._samples)
        if bench.oscillators is not None:
            fire = bench.oscillators.fire
            bench.oscillators.fire = lambda played, bias_a: self._timed(lambda: fire(played, bias_a))
        self._chip_s = 0.0
        self._manager = pyvisa.ResourceManager(VirtualLibrary.of(bench))
        self._library, self._session = self._manager.visalib, self._manager.session
        self._watchers = {name: self._open(name) for name in bench.addresses}

    def _timed(self, integrate: Callable[[], ChipResponse]) -> ChipResponse:
        """Take what the chip does out of the time: a long record takes as long as it takes."""
        begun = time.process_time()
        try:
            return integrate()
        finally:
            self._chip_s += time.process_time() - begun

    def _open(self, name: str) -> int:
        return self._library.open(self._session, self.bench.addresses[name])[0]

    def send(self, name: str, message: bytes) -> tuple[float, float]:
        """Send a message and go away; give the processor time that it took, and that it may take, in seconds."""
        session, self._samples[0], self._chip_s = self._open(name), 0, 0.0
        begun = time.process_time()
        try:
            self._library.write(session, message + b"\n")
            taken_s = time.process_time() - begun - self._chip_s
            return taken_s, allowed_s(self._samples[0], self._library.sessions[session].unread_bytes)
        finally:
            self._library.close(session)

    def identities(self) -> dict[str, str]:
        """Ask every instrument who it is, over connections that were there before."""
        return {name: self._identity(session) for name, session in self._watchers.items()}

    def _identity(self, session: int) -> str:
        self._library.write(session, b"*IDN?\n")
        self._library.set_attribute(session, ResourceAttribute.termchar_enabled, True)
        return self._library.read(session, 1000)[0].decode().strip()

    def close(self) -> None:
        """Close all connections."""
        self._manager.close()


class OverTcp:
    """The door with sockets, the same way."""

    def __init__(self, bench: Bench, addresses: dict[str, str]) -> None:
        self.bench, self._addresses = bench, addresses
        self._watchers = {name: connect(address) for name, address in addresses.items()}

    def send(self, name: str, message: bytes) -> tuple[float, float]:
        """Send a message, half close, and read what comes; the time is not looked at: both ends take it."""
        with connect(self._addresses[name]) as connection:
            connection.sendall(message + b"\n")
            connection.shutdown(socket.SHUT_WR)
            while _heard(connection):  # The server closes when it has carried out all and seen the end.
                pass
        return 0.0, 1.0

    def identities(self) -> dict[str, str]:
        """Ask every instrument who it is, over connections that were there before."""
        for watcher in self._watchers.values():
            watcher.sendall(b"*IDN?\n")
        return {name: read_line(watcher).decode() for name, watcher in self._watchers.items()}

    def close(self) -> None:
        """Close all connections."""
        for watcher in self._watchers.values():
            watcher.close()


def _heard(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 20)
    except ConnectionError:
        return b""


def connect(address: str) -> socket.socket:
    """Connect to the TCP door."""
    _, host, port, _ = address.split("::")
    connection = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_line(connection: socket.socket) -> bytes:
    """Read one line."""
    line = b""
    while not line.endswith(b"\n"):
        there = connection.recv(1 << 16, socket.MSG_PEEK)
        if not there:
            raise ConnectionError("the server has hung up")
        line += connection.recv(there.find(b"\n") + 1 or len(there))
    return line[:-1]


@contextmanager
def door(kind: str, wired: dict[str, Any] = RESONATORS) -> Iterator[InProcess | OverTcp]:
    """Open a door to a new bench."""
    bench = every_instrument(wired)
    if kind == "in process":
        bench.warm_up()
        inside = InProcess(bench)
        yield inside
        inside.close()
        return
    with serving(bench) as addresses:
        outside = OverTcp(bench, addresses)
        yield outside
        outside.close()
