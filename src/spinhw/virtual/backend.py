r"""The in-process door: a PyVISA backend without sockets.

    manager = pyvisa.ResourceManager("bench.yaml@spinhw")          # or "chip@spinhw", a shipped one
    manager = pyvisa.ResourceManager(VirtualLibrary.of(bench))     # a bench that was made before
    awg = manager.open_resource("TCPIP0::awg::5025::SOCKET", read_termination="\n", write_termination="\n")

SOCKET addresses behave like a byte stream, as pyvisa-py has it. All others exchange messages as IEEE 488.2 asks: a
reply ends with END, a new message discards an unread reply (-410), reading without a query is an error (-420).

A read for which nothing can come any more fails at once with VI_ERROR_TMO instead of waiting for its end.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

from pyvisa import attributes, constants, errors, highlevel, rname, util
from pyvisa.constants import StatusCode
from pyvisa.typing import VISARMSession, VISASession

from spinhw.virtual.bench import Bench
from spinhw.virtual.settings import load_bench
from spinhw.virtual.visa_session import VisaSession


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
        self.sessions: dict[int, VisaSession] = {}
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
        self.sessions[self._last] = VisaSession(port, address)
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
        value = opened.line.port.instrument.status.byte(opened.has_reply)
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

    def _at(self, session: Any) -> VisaSession:
        opened = self.sessions.get(session)
        if opened is None:
            raise errors.InvalidSession()
        return opened
