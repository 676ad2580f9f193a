r"""The in-process door: a PyVISA backend without sockets.

    manager = pyvisa.ResourceManager("bench.yaml@spinhw")          # or "chip@spinhw", a shipped one
    manager = pyvisa.ResourceManager(VirtualLibrary.of(bench))     # a bench that was made before
    awg = manager.open_resource("TCPIP0::awg::5025::SOCKET", read_termination="\n", write_termination="\n")

SOCKET addresses behave like a byte stream, as pyvisa-py has it. All others exchange messages as IEEE 488.2 asks: a
reply ends with END, a new message discards an unread reply (-410), reading without a query is an error (-420).

A read for which nothing can come any more fails at once with VI_ERROR_TMO instead of waiting for its end.
"""

import time
from collections import deque
from collections.abc import Iterable
from threading import Condition
from typing import Any, ClassVar

from pyvisa import attributes, constants, errors, highlevel, rname, util
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.typing import VISARMSession, VISASession

from spinhw.virtual.bench import Bench
from spinhw.virtual.port import Client, Line, Port
from spinhw.virtual.scpi import ScpiError
from spinhw.virtual.settings import load_bench

_DEFAULT_TIMEOUT_MS = 2000


class _Session(Client):
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

    def _put(self, data: bytes) -> None:
        self._data += data
        self._ends.append(len(data))

    # The client's side

    def write(self, data: bytes) -> int:
        if not self.line.is_open:
            raise errors.VisaIOError(StatusCode.error_connection_lost)
        if not self.is_stream:
            if self._data or self._under_way:
                self.discard()
                self.line.port.instrument.status.report(ScpiError(-410))
            data = data if data.endswith(b"\n") else data + b"\n"  # END ends a message without a line feed.
        self.line.receive(data)
        return len(data)

    def read(self, count: int) -> tuple[bytes, StatusCode]:
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
        if next_one is None and not self.line.port.instrument.waiting:
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
        elif not self.line.port.instrument.waiting and not self._under_way:
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


class VirtualLibrary(highlevel.VisaLibraryBase):
    """A PyVISA library whose resources are the instruments of a bench.

    PyVISA makes it from "FILE@spinhw", once for each file as long as it is in use; `of` makes it from a bench.
    """

    bench: Bench
    _made: ClassVar[dict[str, Bench]] = {}

    @classmethod
    def of(cls, bench: Bench) -> "VirtualLibrary":
        """Make the library of a bench; always the same one for the same bench."""
        name = f"virtual bench {bench.settings.id}, {id(bench):x}"
        cls._made[name] = bench
        try:
            return cls(util.LibraryPath(name))
        finally:
            del cls._made[name]

    @staticmethod
    def get_library_paths() -> Iterable[util.LibraryPath]:
        """Name the bench that stands for "@spinhw" without a file."""
        return (util.LibraryPath("chip"),)

    @staticmethod
    def get_debug_info() -> util.DebugInfo:
        """Say what this is."""
        return {"Version": "virtual bench of spinhw"}

    def _init(self) -> None:
        name = str(self.library_path)
        self.bench = self._made[name] if name in self._made else Bench(load_bench(name))
        self.sessions: dict[int, _Session] = {}
        self._last = 0

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """Open the resource manager."""
        self._last += 1
        return VISARMSession(self._last), StatusCode.success

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """List the addresses of the bench that match."""
        return tuple(rname.filter(self.bench.addresses.values(), query))

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: constants.AccessModes = constants.AccessModes.no_lock,
        open_timeout: int | None = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Connect to the instrument at an address."""
        try:
            address = rname.parse_resource_name(resource_name)
        except rname.InvalidResourceName:
            return VISASession(0), self.handle_return_value(None, StatusCode.error_invalid_resource_name)
        port = self.bench.port_at(str(address))
        if port is None:
            return VISASession(0), self.handle_return_value(None, StatusCode.error_resource_not_found)
        self._last += 1
        self.sessions[self._last] = _Session(port, address)
        return VISASession(self._last), StatusCode.success

    def close(self, session: Any) -> StatusCode:
        """Close a resource or the manager."""
        opened = self.sessions.pop(session, None)
        if opened is not None:
            opened.line.close()
        return self.handle_return_value(session, StatusCode.success)

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Send bytes."""
        self._last_status_in_session[session] = StatusCode.success
        return self._at(session).write(data), StatusCode.success

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Receive bytes."""
        data, status = self._at(session).read(count)
        # What `handle_return_value` would do, without its search for warnings: these codes are none.
        self._last_status_in_session[session] = status
        return data, status

    def clear(self, session: VISASession) -> StatusCode:
        """Clear the device and what it has sent."""
        opened = self._at(session)
        opened.line.clear()
        opened.discard()
        return self.handle_return_value(session, StatusCode.success)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        """Discard what has arrived, where the mask asks for it."""
        if mask & (constants.BufferOperation.discard_read_buffer | constants.BufferOperation.discard_receive_buffer):
            self._at(session).discard()
        return self.handle_return_value(session, StatusCode.success)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Read the status byte, as a serial poll does."""
        opened = self._at(session)
        value = opened.line.port.instrument.status.byte(bool(opened._data))  # noqa: SLF001
        return value, self.handle_return_value(session, StatusCode.success)

    def assert_trigger(self, session: VISASession, protocol: constants.TriggerProtocol) -> StatusCode:
        """Trigger the device, as *TRG does."""
        self._at(session).line.receive(b"*TRG\n")
        return self.handle_return_value(session, StatusCode.success)

    def get_attribute(self, session: Any, attribute: Any) -> tuple[Any, StatusCode]:
        """Get an attribute."""
        opened = self._at(session)
        if attribute in opened.attributes:
            return opened.attributes[attribute], self.handle_return_value(session, StatusCode.success)
        known = attributes.AttributesByID.get(attribute)
        if known is None or known.default is NotImplemented:
            return 0, self.handle_return_value(session, StatusCode.error_nonsupported_attribute)
        return known.default, self.handle_return_value(session, StatusCode.success)

    def set_attribute(self, session: Any, attribute: Any, attribute_state: Any) -> StatusCode:
        """Set an attribute."""
        self._at(session).attributes[attribute] = attribute_state
        return self.handle_return_value(session, StatusCode.success)

    def disable_event(self, session: Any, event_type: Any, mechanism: Any) -> StatusCode:
        """Do nothing: there are no events."""
        return StatusCode.success

    def discard_events(self, session: Any, event_type: Any, mechanism: Any) -> StatusCode:
        """Do nothing: there are no events."""
        return StatusCode.success

    def _at(self, session: Any) -> _Session:
        opened = self.sessions.get(session)
        if opened is None:
            raise errors.InvalidSession()
        return opened
