"""What lies between an instrument and a door: lines that carry bytes, one message after another, with their faults."""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from threading import RLock

from spinhw.virtual.faults import NEEDS_ANSWER, PHYSICAL, Faults, Kind
from spinhw.virtual.instruments import Panel
from spinhw.virtual.scpi import Framer, ScpiError

WRONG_IDENTITY = b"SOMEBODY,ELSE,0,0"
# Connections to one instrument; real ones have far fewer.
MOST_LINES = 64
# Of messages that wait on one line; up to there the far side is read, so that it is noticed when it goes away.
MOST_INBOX_BYTES = 1 << 20


class Client(ABC):
    """The far side of a line, filled by each door."""

    @abstractmethod
    def deliver(self, data: bytes, delay_s: float) -> None:
        """Send bytes to the client, in order, not before a delay in seconds is over."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close the connection, as a broken cable does."""

    @property
    @abstractmethod
    def unread_bytes(self) -> int:
        """Get how many bytes of replies wait to be read."""

    @property
    @abstractmethod
    def is_full(self) -> bool:
        """Get whether so much waits to be read that no more questions are to be answered; `Line.resume` ends that."""

    @abstractmethod
    def hold(self, on: bool) -> None:
        """Take no more bytes from the client for now, or take them again."""


class Port:
    """An instrument as it is reached from outside. Both doors share it.

    Args:
        instrument: Who answers.
        lock: Held while anything on the bench moves.
        faults: What goes wrong.
        carry_on: Does a piece of what the bench left for later; True if there is more.
    """

    def __init__(self, instrument: Panel, lock: RLock, faults: Faults, carry_on: Callable[[], bool]) -> None:
        self.instrument, self.lock, self.faults, self.carry_on = instrument, lock, faults, carry_on
        self.lines: list[Line] = []  # Connections that are open.
        self.handled = 0  # Messages so far.
        instrument.freed = self._resume

    def connect(self, client: Client) -> "Line":
        """Open a line; one too many is closed at once."""
        line = Line(self, client)
        with self.lock:
            self.lines.append(line)
            if len(self.lines) > MOST_LINES:
                next((one for one in self.lines if one.is_held), line).hang_up()
        return line

    def _resume(self, owner: Hashable) -> None:
        if isinstance(owner, Line):
            owner.resume()

    def disconnect(self, line: "Line") -> None:
        """Forget a line that was closed."""
        with self.lock:
            if line in self.lines:
                self.lines.remove(line)
            self.instrument.clear_input(line)  # Nobody is there to hear what it waits for.

    def hang_up(self) -> None:
        """Close all lines from the instrument's side."""
        with self.lock:
            for line in list(self.lines):
                line.hang_up()

    def handle(self, message: bytes, line: "Line") -> None:
        """Carry out a message that came over a line."""
        with self.lock:
            if self.instrument.busy:  # Whoever looks again and again whether it has finished must see it finish.
                self.carry_on()
            number = self.handled
            self.handled += 1
            kind = self.faults.draw(self.instrument.name, number, message, self.instrument.suffers)
            if kind is None:
                self.instrument.execute(message, line.send, line)
            else:
                self._fail(kind, message, line)

    def _fail(self, kind: Kind, message: bytes, line: "Line") -> None:
        instrument, settings = self.instrument, self.faults.settings
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
            instrument.execute(message, replies.get(kind) or partial(line.send, delay_s=delays.get(kind, 0.0)), line)
        elif kind == "identity":
            identity = instrument.identity.encode("latin-1")
            instrument.execute(message, lambda data: line.send(data.replace(identity, WRONG_IDENTITY)), line)
        else:
            if kind in PHYSICAL:
                instrument.disturb(kind)
            else:
                instrument.status.report(ScpiError(-310))
            instrument.execute(message, line.send, line)


class Line:
    """One connection to an instrument.

    Args:
        port: What it leads to.
        client: Who is at the other end.
    """

    def __init__(self, port: Port, client: Client) -> None:
        self.port, self.client = port, client
        self._framer = Framer()
        self._inbox: deque[bytes] = deque()  # Messages that wait: for an operation to end, or for replies to be read.
        self.inbox_bytes = 0  # Of the messages that wait.
        self._is_at_work = self._is_held = False
        self._not_before = 0.0  # An answer never overtakes one that is late.
        self.is_open = True

    @property
    def waiting(self) -> bool:
        """Whether the answer to something that was sent over this line can still come."""
        return bool(self._inbox) or self.port.instrument.waits_for(self)

    @property
    def is_held(self) -> bool:
        """Whether no more bytes are to be taken in for now."""
        return self._is_held

    def receive(self, data: bytes) -> None:
        """Take in bytes from the client. What it sends waits here, and it is told to send no more, while it is busy.

        So a client can wait for an operation as long as it likes, or not read what it asked for, and neither delays
        anybody else nor fills the memory.
        """
        messages = self._framer.feed(data)
        with self.port.lock:
            for _ in range(self._framer.take_overruns()):
                self.port.instrument.status.report(ScpiError(-363))
            self._inbox.extend(filter(None, messages))
            self.inbox_bytes += sum(map(len, messages))
            self.resume()

    def resume(self) -> None:
        """Carry out messages that wait, as far as possible."""
        with self.port.lock:
            if self._is_at_work:
                return
            self._is_at_work = True
            try:
                while self._inbox and self.is_open and not self._is_busy():
                    message = self._inbox.popleft()
                    self.inbox_bytes -= len(message)
                    self.port.handle(message, self)
            finally:
                self._is_at_work = False
            is_held = self.inbox_bytes > MOST_INBOX_BYTES
            if self.is_open and self._is_held != is_held:
                self._is_held = is_held
                self.client.hold(is_held)

    def _is_busy(self) -> bool:
        return self.client.is_full or self.port.instrument.waits_for(self)

    def send(self, data: bytes, delay_s: float = 0.0) -> None:
        """Send bytes to the client."""
        if not self.is_open:
            return
        if delay_s or self._not_before:
            now = time.monotonic()
            self._not_before = max(self._not_before, now + delay_s)
            delay_s = max(0.0, self._not_before - now)
        self.client.deliver(data, delay_s)

    def clear(self) -> None:
        """Forget half-received messages and what waits (a device clear)."""
        with self.port.lock:
            self._framer.clear()
            self._inbox.clear()
            self.inbox_bytes = 0
            self.port.instrument.clear_input(self)
            self.resume()

    def hang_up(self) -> None:
        """Break the connection from the instrument's side."""
        self.close()
        self.client.hang_up()

    def close(self) -> None:
        """End the line."""
        self.is_open = False
        self._inbox.clear()
        self.port.disconnect(self)
