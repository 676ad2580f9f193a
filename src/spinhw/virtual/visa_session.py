"""One open resource of the in-process door: bytes in both directions, with timeouts and ends as VISA has them."""

import time
from collections import deque
from threading import Condition
from typing import Any

from pyvisa import constants, errors, rname
from pyvisa.constants import ResourceAttribute, StatusCode

from spinhw.virtual.port import Client, Line, Port
from spinhw.virtual.scpi import ScpiError

_DEFAULT_TIMEOUT_MS = 2000
# Bytes of replies that may wait to be read, one reply aside, before its questions wait too.
_MOST_WAITING_BYTES = 1 << 20


class VisaSession(Client):
    """One open resource.

    Args:
        port: What it leads to.
        address: Its VISA address, parsed.
    """

    def __init__(self, port: Port, address: rname.ResourceName) -> None:
        self.line: Line = port.connect(self)
        self.is_stream = address.resource_class == "SOCKET"
        self.attributes: dict[int, Any] = {
            ResourceAttribute.timeout_value: _DEFAULT_TIMEOUT_MS,
            ResourceAttribute.termchar: ord("\n"),
            ResourceAttribute.termchar_enabled: False,
            ResourceAttribute.suppress_end_enabled: self.is_stream,
            ResourceAttribute.send_end_enabled: True,
            ResourceAttribute.interface_type: address.interface_type_const,
            ResourceAttribute.resource_class: address.resource_class,
            ResourceAttribute.resource_name: str(address),
            ResourceAttribute.tcpip_nodelay: True,
        }
        self._arrived = Condition()
        self._data = bytearray()
        self._ends: deque[int] = deque()  # Lengths of the replies in the data, for END.
        self._under_way: deque[tuple[float, bytes]] = deque()

    # The instrument's side

    def deliver(self, data: bytes, delay_s: float) -> None:
        with self._arrived:
            if delay_s > 0 or self._under_way:
                self._under_way.append((time.monotonic() + delay_s, data))
            else:
                self._put(data)
            self._arrived.notify_all()

    def hang_up(self) -> None:
        with self._arrived:
            self._arrived.notify_all()

    @property
    def unread_bytes(self) -> int:
        return len(self._data) + sum(len(data) for _, data in self._under_way)

    @property
    def is_full(self) -> bool:
        return self.unread_bytes > _MOST_WAITING_BYTES

    def hold(self, on: bool) -> None:
        pass  # The next write sees it.

    def _put(self, data: bytes) -> None:
        self._data += data
        self._ends.append(len(data))

    # The client's side

    @property
    def has_reply(self) -> bool:
        """Whether a reply has arrived and was not read."""
        return bool(self._data)

    def write(self, data: bytes) -> int:
        if not self.line.is_open:
            raise errors.VisaIOError(StatusCode.error_connection_lost)
        if not self.is_stream:
            if self._data or self._under_way:
                self.discard()
                self.line.port.instrument.status.report(ScpiError(-410))
            data = data if data.endswith(b"\n") else data + b"\n"  # END ends a message without a line feed.
        if self.line.is_held:  # As a socket does whose other end takes nothing.
            raise errors.VisaIOError(StatusCode.error_timeout)
        self.line.receive(data)
        return len(data)

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        while self.line.waiting and self.line.port.carry_on():
            pass
        taken = self._read(count)
        if self.line.waiting and not self.is_full:
            self.line.resume()
        return taken

    def _read(self, count: int) -> tuple[bytes, StatusCode]:
        with self._arrived:
            self._catch_up()
            found = self._take(count)
            if found is not None:
                return found
            deadline = self._deadline()
            while True:
                self._catch_up()
                found = self._take(count)
                if found is not None:
                    return found
                self._wait(deadline)

    def discard(self) -> None:
        """Forget all that has arrived or is under way."""
        with self._arrived:
            self._data.clear()
            self._ends.clear()
            self._under_way.clear()
        self.line.resume()

    def _deadline(self) -> float | None:
        timeout_ms = self.attributes[ResourceAttribute.timeout_value]
        return None if timeout_ms == constants.VI_TMO_INFINITE else time.monotonic() + timeout_ms / 1e3

    def _catch_up(self) -> None:
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            self._put(self._under_way.popleft()[1])

    def _wait(self, deadline: float | None) -> None:
        if not self.line.is_open:
            raise errors.VisaIOError(StatusCode.error_connection_lost)
        next_one = self._under_way[0][0] if self._under_way else None
        if next_one is None and not self.line.waiting:
            self._time_out()
        ends = [end for end in (deadline, next_one) if end is not None]
        remaining = min(ends) - time.monotonic() if ends else None
        if deadline is not None and deadline <= time.monotonic():
            self._time_out()
        self._arrived.wait(None if remaining is None else max(0.0, remaining))

    def _time_out(self) -> None:
        if self.is_stream:
            self._data.clear()  # As pyvisa-py does: what had arrived of a reply is lost with the error.
            self._ends.clear()
        elif not self.line.waiting and not self._under_way:
            self.line.port.instrument.status.report(ScpiError(-420))
        raise errors.VisaIOError(StatusCode.error_timeout)

    def _take(self, count: int) -> tuple[bytes, StatusCode] | None:
        end, status = self._end(count)
        if end == 0:
            return None
        if end == len(self._data):  # Nearly always: one whole reply.
            data, self._data = bytes(self._data), bytearray()
            self._ends.clear()
            return data, status
        data = bytes(memoryview(self._data)[:end])
        del self._data[:end]
        while end:
            step = min(end, self._ends[0])
            self._ends[0] -= step
            end -= step
            if not self._ends[0]:
                self._ends.popleft()
        return data, status

    def _end(self, count: int) -> tuple[int, StatusCode]:
        """Say how many bytes a read takes now, 0 for none yet, and why it ends there."""
        if not self._data:
            return 0, StatusCode.success
        available = min(count, len(self._data))
        if self.attributes[ResourceAttribute.termchar_enabled]:
            place = self._data.find(self.attributes[ResourceAttribute.termchar], 0, available)
            if place >= 0:
                return place + 1, StatusCode.success_termination_character_read
        if not self.is_stream and self._ends[0] <= count:
            return self._ends[0], StatusCode.success
        if len(self._data) >= count:
            return count, StatusCode.success_max_count_read
        if not self.attributes[ResourceAttribute.suppress_end_enabled]:
            return available, StatusCode.success
        return 0, StatusCode.success
