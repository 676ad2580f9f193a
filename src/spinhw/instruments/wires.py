"""How bytes reach one instrument: through PyVISA, or through the socket that PyVISA-py opened."""

import os
import select
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

from spinhw.instruments import missing
from spinhw.instruments.address import EXAMPLES, canonical, for_pyvisa, interface, is_visa_address
from spinhw.instruments.failures import LinkError
from spinhw.instruments.serial_line import SerialSettings, set_line
from spinhw.instruments.traffic import Buffer

# What is asked of a VISA library or of a socket at a time.
_CHUNK = 1 << 20
# Up to here a message in parts is joined before it is sent.
_SHORT = 1 << 16
# A line that is longer than this is no reply of a sane instrument.
_LONGEST_LINE = 1 << 26
# Slowest that data may come or go, in bytes per second, before a large block counts as stuck.
_SLOWEST = 250e3
_NEWLINE = b"\n"
# Benches that live inside this process: nobody else can reach them, and they end with it.
IN_PROCESS = "@spinhw"
# Interfaces whose instruments have a device clear.
_CLEARED = {"GPIB", "TCPIP", "USB", "VXI"}


class Wire(ABC):
    """Bytes to and from one instrument. Raises whatever it likes; the link makes one family of errors of it."""

    @abstractmethod
    def send(self, *parts: Buffer) -> None:
        """Send all bytes of one message."""

    @abstractmethod
    def receive_line(self) -> bytes:
        """Receive one reply of text, without its line feed."""

    @abstractmethod
    def receive(self, count: int) -> Buffer:
        """Receive exactly so many bytes, whatever they are."""

    @abstractmethod
    def end_block(self) -> None:
        """Receive what follows a block: its line feed or the end of the message."""

    @abstractmethod
    def set_timeout(self, seconds: float) -> None:
        """Set how long one of these calls may take, in seconds, above zero."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect; allowed on a broken connection."""


class SocketWire(Wire):
    """A raw TCP socket of PyVISA-py, used directly.

    PyVISA-py leaves Nagle's algorithm on, waits without a deadline when the peer does not read, and spins until the
    timeout when the peer has closed; what it reads at a time depends on where line feeds are in the data.

    Args:
        resource: The open PyVISA resource; closed with the wire.
        connection: Its socket.
        timeout_s: How long one call may take, in seconds.
    """

    def __init__(self, resource: Any, connection: socket.socket, timeout_s: float) -> None:
        self._resource, self._socket = resource, connection
        self._waiting = bytearray()
        self.set_timeout(timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def send(self, *parts: Buffer) -> None:
        if len(parts) > 1 and sum(map(len, parts)) <= _SHORT:
            # One packet: there are instruments that take a packet for a message.
            parts = (b"".join(parts),)
        for part in parts:
            sent = self._socket.send(part)
            if sent < len(part):
                self._send_rest(memoryview(part)[sent:])

    def _send_rest(self, rest: memoryview) -> None:
        deadline = self._deadline(len(rest))
        while rest:
            self._check(deadline)
            rest = rest[self._socket.send(rest[:_CHUNK]) :]

    def receive_line(self) -> bytes:
        deadline, searched = 0.0, 0
        while (end := self._waiting.find(_NEWLINE, searched)) < 0:
            searched = len(self._waiting)
            if searched:  # Nearly every reply comes at once.
                deadline = deadline or self._deadline(0)
                self._check(deadline)
            if searched > _LONGEST_LINE:
                raise ValueError("the reply is a line without an end")
            data = self._socket.recv(1 << 16)
            self._nonzero(len(data))
            self._waiting += data
        line = bytes(self._waiting[:end])
        del self._waiting[: end + 1]
        return line.removesuffix(b"\r")

    def receive(self, count: int) -> Buffer:
        import numpy as np

        have = min(count, len(self._waiting))
        data = np.empty(count, np.uint8).data
        data[:have] = self._waiting[:have]
        del self._waiting[:have]
        deadline = self._deadline(count)
        while have < count:
            self._check(deadline)
            have += self._nonzero(self._socket.recv_into(data[have:], min(count - have, _CHUNK)))
        return data

    def end_block(self) -> None:
        if self.receive_line():
            raise ValueError("there are bytes behind the end of the block")

    def set_timeout(self, seconds: float) -> None:
        self._timeout_s = seconds
        self._socket.settimeout(seconds)  # Some bytes must come or go within it.

    def close(self) -> None:
        # The instrument must see at once that we are gone: many serve one connection only.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._resource.close()

    def _deadline(self, count: int) -> float:
        """Say until when so many bytes must have gone through."""
        return time.monotonic() + self._timeout_s + count / _SLOWEST

    @staticmethod
    def _check(deadline: float) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError("it took too long")

    @staticmethod
    def _nonzero(count: int) -> int:
        if count == 0:
            raise ConnectionResetError("the instrument closed the connection")
        return count


class VisaWire(Wire):
    """Any other PyVISA resource: VXI-11, HiSLIP, USB, GPIB, serial, NI-VISA sockets, the in-process backend.

    Interfaces without an end of message (sockets, serial) end a line by its line feed, and then the termination
    character must be off inside blocks.

    Args:
        resource: The open PyVISA resource; closed with the wire.
        timeout_s: How long one call may take, in seconds.
        termination: What ends a line on interfaces without an end of message.
    """

    def __init__(self, resource: Any, timeout_s: float, termination: bytes = _NEWLINE) -> None:
        from pyvisa import constants

        status = constants.StatusCode
        self._resource, self._library, self._session = resource, resource.visalib, resource.session
        self._termchar = constants.ResourceAttribute.termchar_enabled
        self._line_end, self._message_end = status.success_termination_character_read, status.success
        kind = resource.interface_type
        self._endless = kind == constants.InterfaceType.asrl or resource.resource_class == "SOCKET"
        self._termination = termination
        self._character_on: bool | None = None
        self._ended = True
        self._warnings = ExitStack()
        self._warnings.enter_context(
            resource.ignore_warning(status.success_device_not_present, status.success_max_count_read)
        )
        if self._endless:
            resource.set_visa_attribute(constants.ResourceAttribute.termchar, termination[-1])
        if kind == constants.InterfaceType.tcpip and resource.resource_class == "SOCKET":
            with suppress(Exception):  # not every library knows it
                resource.set_visa_attribute(constants.ResourceAttribute.tcpip_nodelay, True)
        self.set_timeout(timeout_s)

    def send(self, *parts: Buffer) -> None:
        data, sent = b"".join(parts), 0
        if self._termination != _NEWLINE and data.endswith(_NEWLINE):
            data = data[:-1] + self._termination
        while sent < len(data):
            count, _ = self._library.write(self._session, data[sent:] if sent else data)
            if count <= 0:
                raise ConnectionResetError("the instrument takes no bytes")
            sent += count

    def receive_line(self) -> bytes:
        self._end_lines(self._endless)
        line, ended = b"", False
        while not ended:
            part, status = self._library.read(self._session, 20480)
            line += part
            ended = status in (self._line_end, self._message_end)
            if len(line) > _LONGEST_LINE:
                raise ValueError("the reply is a line without an end")
        return line.rstrip(b"\r\n")

    def receive(self, count: int) -> Buffer:
        self._end_lines(False)
        parts, have = [], 0
        while have < count:
            part, status = self._library.read(self._session, min(count - have, _CHUNK))
            parts.append(bytes(part))
            have += len(part)
            self._ended = not self._endless and status == self._message_end
            if self._ended and have < count:
                raise ConnectionResetError(f"the block ended after {have} of {count} bytes")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def end_block(self) -> None:
        if self._endless:
            rest = self.receive_line()
        else:
            rest = b"" if self._ended else self.receive_line()
        if rest:
            raise ValueError("there are bytes behind the end of the block")

    def set_timeout(self, seconds: float) -> None:
        self._resource.timeout = max(seconds * 1000, 1)

    def close(self) -> None:
        self._warnings.close()
        self._resource.close()

    def _end_lines(self, on: bool) -> None:
        if on is not self._character_on:
            self._library.set_attribute(self._session, self._termchar, on)
            self._character_on = on


def open_wire(address: str, backend: str, timeout_s: float, *, serial: SerialSettings | None = None) -> Wire:
    """Open a VISA resource.

    Args:
        address: VISA address, such as "TCPIP0::192.0.2.5::5025::SOCKET".
        backend: What PyVISA is to use: "@py", "@ivi", "@spinhw".
        timeout_s: How long connecting, and one call later on, may take, in seconds.
        serial: How a serial line is set; None leaves it at 9600 baud, 8 bits, no parity, one stop bit.

    Raises:
        LinkError: The address or the backend is not known to VISA, or what they need is not installed.
    """
    manager = _manager(backend, f" for {address}")
    if backend.endswith(missing.PYTHON) and not is_visa_address(address):
        raise LinkError("this is no VISA address", seen=address, allowed=EXAMPLES, todo="correct it in the bench file")
    # The manager is shared by everybody who uses this backend: closing it would close their instruments too.
    try:
        resource = manager.open_resource(for_pyvisa(address), open_timeout=max(int(timeout_s * 1000), 1))
    except (ValueError, ImportError) as error:
        lacking = missing.package(address, backend, error)
        if lacking is None:
            raise
        raise lacking from error
    try:
        connection = socket_of(resource)
        if connection is not None:
            _finish_connecting(connection)
            return SocketWire(resource, connection, timeout_s)
        if serial is None:
            return VisaWire(resource, timeout_s)
        set_line(resource, serial)
        return VisaWire(resource, timeout_s, serial.termination.encode("ascii"))
    except BaseException:
        resource.close()
        raise


def clear_device(address: str, backend: str, timeout_s: float) -> None:
    """Let an instrument forget a message that it got in part, where its interface has a device clear.

    Settings and outputs stay as they are. A raw socket and a serial line have none; there it does nothing.

    Args:
        address: VISA address.
        backend: As for `open_wire`.
        timeout_s: How long it may take, in seconds.
    """
    if interface(address) not in _CLEARED or not canonical(address).endswith("::INSTR"):
        return
    resource = _manager(backend, f" for {address}").open_resource(
        for_pyvisa(address), open_timeout=int(timeout_s * 1000)
    )
    try:
        resource.timeout = timeout_s * 1000
        resource.clear()
    finally:
        resource.close()


def over_serial(connect: Callable[..., Wire], serial: SerialSettings | None) -> Callable[..., Wire]:
    """Make what opens a wire set a serial line as well; wires that tests and rehearsals hand in have none to set."""
    return partial(connect, serial=serial) if serial is not None and connect is open_wire else connect


def keep_virtual(backends: Iterable[str]) -> list[Any]:
    """Keep virtual benches inside this process alive as long as what is returned is kept.

    PyVISA forgets such a bench, its settings and its noise, when the last connection is closed; a real one stays.

    Args:
        backends: Names of backends; only those that end with "@spinhw" matter.
    """
    virtual = sorted({backend for backend in backends if backend.endswith(IN_PROCESS)})
    return [_manager(backend) for backend in virtual]


def visa_resources(backend: str) -> list[str]:
    """List the VISA addresses that a backend finds by itself; raw sockets are never among them."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of interfaces whose libraries are not installed.
        return sorted(_manager(backend).list_resources("?*"))


def _manager(backend: str, purpose: str = "") -> Any:
    import pyvisa

    try:
        return pyvisa.ResourceManager(backend)
    except (ValueError, OSError, pyvisa.errors.Error) as error:
        raise missing.library(backend, purpose, error) from error


def socket_of(resource: Any) -> socket.socket | None:
    """Find the raw socket that PyVISA-py opened; None for everything else."""
    if resource.resource_class != "SOCKET":
        return None
    session = getattr(resource.visalib, "sessions", {}).get(resource.session)
    connection = getattr(session, "interface", None)
    return connection if isinstance(connection, socket.socket) else None


def _finish_connecting(connection: socket.socket) -> None:
    """Find out whether the connection was made: PyVISA-py calls a refused one a success."""
    _, writable, _ = select.select([], [connection], [], 0)
    error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
    if not writable:
        raise TimeoutError("no connection was made in time")
    connection.getpeername()
