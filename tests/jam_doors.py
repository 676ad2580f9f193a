"""A bench with every virtual instrument on it, and both doors to it for messages that nobody should send."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyvisa

from spinhw.config import build
from spinhw.virtual import Bench, BenchSettings, serving
from spinhw.virtual.backend import VirtualLibrary
from spinhw.virtual.instruments import MODELS

PATIENCE_S = 30.0



def every_instrument() -> Bench:
    """Make a bench of two oscillators, with one of every model."""
    data = {
        "id": "all",
        "network": {"layers": [2]},
        "conversion": {"threshold": "5 mA", "power": "100 mV"},
        "instruments": {model: {"model": model} for model in MODELS},
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
    return Bench(build(BenchSettings, data, "test"))


class InProcess:
    """The door without sockets: each message over a connection of its own, others watch."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self._manager = bench, pyvisa.ResourceManager(VirtualLibrary.of(bench))
        lines = {"read_termination": "\n", "write_termination": "\n", "timeout": 1000}
        self._watchers = {
            name: self._manager.open_resource(address, **lines) for name, address in bench.addresses.items()
        }

    def send(self, name: str, message: bytes) -> float:
        """Send a message and go away; give the processor time that it took in seconds."""
        resource = self._manager.open_resource(self.bench.addresses[name])
        begun = time.process_time()
        try:
            resource.write_raw(message + b"\n")
            return time.process_time() - begun
        finally:
            resource.close()

    def identities(self) -> dict[str, str]:
        """Ask every instrument who it is, over connections that were there before."""
        return {name: watcher.query("*IDN?") for name, watcher in self._watchers.items()}

    def close(self) -> None:
        """Close all connections."""
        self._manager.close()


class OverTcp:
    """The door with sockets, the same way."""

    def __init__(self, bench: Bench, addresses: dict[str, str]) -> None:
        self.bench, self._addresses = bench, addresses
        self._watchers = {name: connect(address) for name, address in addresses.items()}

    def send(self, name: str, message: bytes) -> float:
        """Send a message and go away; give the processor time of everything in seconds."""
        begun = time.process_time()
        with connect(self._addresses[name]) as connection:
            connection.sendall(message + b"\n")
            connection.shutdown(socket.SHUT_WR)
            while _heard(connection):
                pass
        return time.process_time() - begun

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
        part = connection.recv(1 << 16)
        if not part:
            raise ConnectionError("the server has hung up")
        line += part
    return line[:-1]


@contextmanager
def door(kind: str) -> Iterator[InProcess | OverTcp]:
    """Open a door to a new bench."""
    bench = every_instrument()
    if kind == "in process":
        inside = InProcess(bench)
        yield inside
        inside.close()
        return
    with serving(bench) as addresses:
        outside = OverTcp(bench, addresses)
        yield outside
        outside.close()
