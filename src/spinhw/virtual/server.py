"""The TCP door: every instrument of a bench on a raw socket, as LAN instruments have it on port 5025.

with serving(settings) as addresses: ...        # in a thread of this process, for tests and for scripts
serve(settings, announce=print)                 # until Ctrl-C or termination
"""

import asyncio
import contextlib
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from spinhw.errors import DeviceError
from spinhw.safety import told_of_termination
from spinhw.virtual.bench import Bench
from spinhw.virtual.host import refuse_host
from spinhw.virtual.port import Client, Line, Port
from spinhw.virtual.settings import BenchSettings

_log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
# A reply of many megabytes must not wait for a reader in small pieces.
_READ_BYTES = 1 << 20
# Bytes of replies that may wait for a reader, one reply aside, before its questions wait too.
_MOST_WAITING_BYTES = 1 << 20


class _Connection(asyncio.BufferedProtocol, Client):
    """One client of one instrument.

    Args:
        port: The instrument.
        open_: All connections of the bench; it is among them from its making until it is lost.
    """

    def __init__(self, port: Port, open_: "set[_Connection]") -> None:
        self._port, self._line = port, None
        self._buffer = bytearray(_READ_BYTES)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_paused = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._open = open_
        open_.add(self)

    _line: Line | None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream transport is needed")
        self._transport = transport
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(_MOST_WAITING_BYTES)
        self._line = self._port.connect(self)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._line is not None:
            self._line.receive(bytes(memoryview(self._buffer)[:nbytes]))
            self._carry_on()

    def _carry_on(self) -> None:
        """Let the bench do a piece of what it left for later, and others speak in between."""
        if self._port.carry_on() and self._loop is not None:
            self._loop.call_soon(self._carry_on)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self)
        if self._line is not None:
            self._line.close()

    def abort(self) -> None:
        """Close at once; replies that nobody reads are dropped."""
        if self._transport is not None:
            self._transport.abort()

    # A reader that is slow stops its own questions, not the server.

    @property
    def unread_bytes(self) -> int:
        return self._waiting_bytes + (0 if self._transport is None else self._transport.get_write_buffer_size())

    @property
    def is_full(self) -> bool:
        return self._is_paused or self._waiting_bytes > _MOST_WAITING_BYTES

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._line is not None:
            self._line.resume()

    def hold(self, on: bool) -> None:
        if threading.get_ident() != self._thread and self._loop is not None:
            self._loop.call_soon_threadsafe(self._follow)
        else:
            self._follow()

    def _follow(self) -> None:
        """Read from the client, or not, as the line has it by now."""
        if self._transport is not None and self._line is not None and not self._transport.is_closing():
            if self._line.is_held:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def deliver(self, data: bytes, delay_s: float) -> None:
        # What another instrument does may answer here, and that may come from another thread by the other door.
        if threading.get_ident() != self._thread and self._loop is not None:
            self._loop.call_soon_threadsafe(self._deliver, data, delay_s)
        else:
            self._deliver(data, delay_s)

    def _deliver(self, data: bytes, delay_s: float) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if delay_s > 0 or self._waiting:
            # Each timer sends the oldest, so that timers that come out of order change nothing.
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            asyncio.get_running_loop().call_later(delay_s, self._send_next)
        else:
            self._transport.write(data)

    def _send_next(self) -> None:
        data = self._waiting.popleft()
        self._waiting_bytes -= len(data)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
            if self._line is not None:
                self._line.resume()

    def hang_up(self) -> None:
        if self._transport is None or self._loop is None:
            return
        if threading.get_ident() == self._thread:
            self._transport.close()
        else:
            self._loop.call_soon_threadsafe(self._transport.close)


async def _listen(bench: Bench, host: str, open_: set[_Connection]) -> tuple[list[asyncio.Server], dict[str, str]]:
    """Open a listening socket for each instrument; return the servers, and VISA addresses by name."""
    servers: list[asyncio.Server] = []
    addresses = {}
    try:
        for name, port in bench.ports.items():
            wanted = bench.settings.instruments[name].port
            servers.append(await _bind(partial(_Connection, port, open_), host, wanted, name))
            number = servers[-1].sockets[0].getsockname()[1]
            addresses[name] = f"TCPIP0::{_reached_as(host)}::{number}::SOCKET"
    except BaseException:
        for server in servers:
            server.close()
        raise
    return servers, addresses


def _reached_as(host: str) -> str:
    """Give what other machines call an address that stands for all addresses of this one."""
    return socket.gethostname() if host in ("", "0.0.0.0") else host


async def _bind(factory: Callable[[], _Connection], host: str, number: int, name: str) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(factory, host, number, family=socket.AF_INET)
    except OSError as error:
        raise DeviceError(
            f"virtual bench: {name} cannot listen on {host}, port {number}",
            seen=error,
            allowed="a free port of an address of this machine",
            todo="write port: 0 in the bench file for any free port",
        ) from error


async def _run(bench: Bench, host: str, announce: Callable[[Mapping[str, str]], None], stop: asyncio.Event) -> None:
    open_: set[_Connection] = set()
    servers, addresses = await _listen(bench, host, open_)
    try:
        bench.warm_up()  # A client's first trigger must be answered within its timeout.
        announce(addresses)
        await stop.wait()
    finally:
        await _close(bench, servers, open_)


async def _close(bench: Bench, servers: list[asyncio.Server], open_: set[_Connection]) -> None:
    """Close every socket: those of connections that are just being made, the listening ones, and all others."""
    # asyncio loses the socket of a connection whose server closes while it is being made.
    while being_made := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.gather(*being_made, return_exceptions=True)
    for server in servers:
        server.close()
    for port in bench.ports.values():
        port.hang_up()
    await asyncio.sleep(0)
    for connection in list(open_):  # They still have replies that nobody reads.
        connection.abort()
    while open_:
        await asyncio.sleep(0)


def serve(
    settings: BenchSettings,
    host: str = LOOPBACK,
    announce: Callable[[Mapping[str, str]], None] = lambda addresses: None,
) -> None:
    """Serve a bench until Ctrl-C or termination.

    Args:
        settings: The bench.
        host: Address to listen on; others than loopback let the whole network in, without any password.
        announce: Is called once with the VISA address of each instrument, by name.

    Raises:
        ConfigError: This machine has no such address.
        DeviceError: A port is taken.
    """
    refuse_host(host)

    async def until_told() -> None:
        # An exception in the midst of a callback would lose a connection, and closing would wait for it for ever.
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        with told_of_termination(lambda: loop.call_soon_threadsafe(stop.set)):
            await _run(Bench(settings), host, announce, stop)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_told())


@contextmanager
def serving(bench: Bench | BenchSettings, host: str = LOOPBACK) -> Iterator[dict[str, str]]:
    """Serve a bench in a thread of this process; give the VISA addresses by name.

    Args:
        bench: A bench, whose state can then be looked at from here too, or its settings.
        host: Address to listen on.
    """
    built = bench if isinstance(bench, Bench) else Bench(bench)
    background = _Background(built, host)
    try:
        yield background.start()
    finally:
        background.stop()


class _Background:
    """Runs the event loop of a bench in a thread."""

    def __init__(self, bench: Bench, host: str) -> None:
        self._bench, self._host = bench, host
        self._ready = threading.Event()
        self._addresses: dict[str, str] = {}
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="virtual-bench", daemon=True)

    def start(self) -> dict[str, str]:
        """Start, and give the addresses when all listen."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self._addresses

    def stop(self) -> None:
        """Stop, and wait for the end."""
        if self._loop is not None and self._ended is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it may have ended in between
                self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(timeout=10.0)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # it must reach the thread that waits
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        await _run(self._bench, self._host, self._announce, self._ended)

    def _announce(self, addresses: Mapping[str, str]) -> None:
        self._addresses = dict(addresses)
        self._ready.set()
