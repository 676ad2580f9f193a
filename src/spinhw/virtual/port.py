"""What lies between an instrument and a door: lines that carry bytes, one message after another, with their faults."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from threading import RLock

from spinhw.virtual.faults import NEEDS_ANSWER, PHYSICAL, Faults, Kind
from spinhw.virtual.instruments import Panel
from spinhw.virtual.scpi import Framer, ScpiError

WRONG_IDENTITY = b"SOMEBODY,ELSE,0,0"


class Client(ABC):
    """The far side of a line, filled by each door."""

    @abstractmethod
    def deliver(self, data: bytes, delay_s: float) -> None:
        """Send bytes to the client, in order, not before a delay in seconds is over."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close the connection, as a broken cable does."""


class Port:
    """An instrument as it is reached from outside. Both doors share it.

    Args:
        instrument: Who answers.
        lock: Held while anything on the bench moves.
        faults: What goes wrong.
    """

    def __init__(self, instrument: Panel, lock: RLock, faults: Faults) -> None:
        self.instrument, self.lock, self._faults = instrument, lock, faults
        self._lines: list[Line] = []
        self._count = 0

    def connect(self, client: Client) -> "Line":
        """Open a line."""
        line = Line(self, client)
        with self.lock:
            self._lines.append(line)
        return line

    def disconnect(self, line: "Line") -> None:
        """Forget a line that was closed."""
        with self.lock:
            if line in self._lines:
                self._lines.remove(line)

    def hang_up(self) -> None:
        """Close all lines from the instrument's side."""
        with self.lock:
            for line in list(self._lines):
                line.hang_up()

    def handle(self, message: bytes, line: "Line") -> None:
        """Carry out a message that came over a line."""
        with self.lock:
            number = self._count
            self._count += 1
            kind = self._faults.draw(self.instrument.name, number, message, self.instrument.suffers)
            if kind is None:
                self.instrument.execute(message, line.send)
            else:
                self._fail(kind, message, line)

    def _fail(self, kind: Kind, message: bytes, line: "Line") -> None:
        instrument, settings = self.instrument, self._faults.settings
        if kind == "dropped":
            line.hang_up()
        elif kind == "reboot":
            instrument.reboot()
            self.hang_up()
        elif kind in NEEDS_ANSWER:
            delays = {"slow": settings.slow_delay_s, "late": settings.late_delay_s}
            replies: dict[Kind, Callable[[bytes], None]] = {
                "silent": lambda data: None,
                "half": lambda data: line.send(data[: len(data) // 2]),
            }
            instrument.execute(message, replies.get(kind) or partial(line.send, delay_s=delays.get(kind, 0.0)))
        elif kind == "identity":
            identity = instrument.identity.encode("latin-1")
            instrument.execute(message, lambda data: line.send(data.replace(identity, WRONG_IDENTITY)))
        else:
            if kind in PHYSICAL:
                instrument.disturb(kind)
            else:
                instrument.status.report(ScpiError(-310))
            instrument.execute(message, line.send)


class Line:
    """One connection to an instrument.

    Args:
        port: What it leads to.
        client: Who is at the other end.
    """

    def __init__(self, port: Port, client: Client) -> None:
        self.port, self._client = port, client
        self._framer = Framer()
        self._not_before = 0.0  # An answer never overtakes one that is late.
        self.is_open = True

    def receive(self, data: bytes) -> None:
        """Take in bytes from the client."""
        for message in self._framer.feed(data):
            if not self.is_open:
                return
            if message:
                self.port.handle(message, self)

    def send(self, data: bytes, delay_s: float = 0.0) -> None:
        """Send bytes to the client."""
        if not self.is_open:
            return
        if delay_s or self._not_before:
            now = time.monotonic()
            self._not_before = max(self._not_before, now + delay_s)
            delay_s = max(0.0, self._not_before - now)
        self._client.deliver(data, delay_s)

    def clear(self) -> None:
        """Forget half-received messages and what waits (a device clear)."""
        with self.port.lock:
            self._framer.clear()
            self.port.instrument.clear_input()

    def hang_up(self) -> None:
        """Break the connection from the instrument's side."""
        self.close()
        self._client.hang_up()

    def close(self) -> None:
        """End the line."""
        self.is_open = False
        self.port.disconnect(self)
