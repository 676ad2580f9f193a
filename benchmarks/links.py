"""python benchmarks/links.py: how much of a bare socket's rate a link keeps, with one server, in one run.

The ratios are what counts; rates depend on the machine. The server runs in a process of its own.
"""

import multiprocessing
import socket
import threading
import time
from collections.abc import Callable

import numpy as np

from spinhw.instruments import Link
from spinhw.instruments.wires import open_wire

POINTS = 1_000_000
ROUNDS = 15
SETTING = b":CURR 1E-3;:SYST:ERR?\n"
ERROR = b'0,"No error"\n'


def serve(ready: "multiprocessing.connection.Connection") -> None:
    blocks = {b":ZEROS?": bytes(4 * POINTS), b":FEEDS?": b"\n" * 4 * POINTS}
    replies = {name: b"#7%d%s\n" % (len(data), data) for name, data in blocks.items()} | {b"*IDN?": b"FAKE\n"}
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0], replies), daemon=True).start()


def answer(connection: socket.socket, replies: dict[bytes, bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as lines:
        while header := lines.read(1):
            if header == b"#":  # a block comes in: take it and say so
                lines.read(int(lines.read(int(lines.read(1)))) + 1)
                connection.sendall(b"1\n")
                continue
            connection.sendall(replies.get((header + lines.readline())[:-1], ERROR))


def bare(port: int) -> Callable[[bytes], bytes]:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = connection.makefile("rb", buffering=1 << 20)

    def talk(message: bytes) -> bytes:
        connection.sendall(message)
        if message.startswith((b":ZEROS", b":FEEDS")):
            lines.read(9)
            data = lines.read(4 * POINTS)
            lines.read(1)
            return data
        return lines.readline()

    return talk


def rates(first: Callable[[], object], second: Callable[[], object], count: int) -> tuple[float, float]:
    """Time both in turns and give the best of each: whatever else runs on the machine disturbs both alike."""
    best = [0.0, 0.0]
    for _ in range(ROUNDS):
        for place, work in enumerate((first, second)):
            begun = time.perf_counter()
            for _ in range(count):
                work()
            best[place] = max(best[place], count / (time.perf_counter() - begun))
    return best[0], best[1]


def main() -> None:
    mine, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=serve, args=(theirs,), daemon=True).start()
    port = mine.recv()
    talk = bare(port)
    link = Link("it", lambda: open_wire(f"TCPIP0::127.0.0.1::{port}::SOCKET", "@py", 10.0), timeout_s=10.0)
    link.open()
    outgoing = np.zeros(POINTS, "<f4")
    message = b"#7%d%s\n" % (outgoing.nbytes, outgoing.tobytes())

    def send() -> None:
        link.write_block("", outgoing, "<f4")
        link._wire.receive_line()  # type: ignore[union-attr]  # noqa: SLF001 - the bare one reads it too

    print(f"{'':34}{'socket':>10}{'link':>10}{'ratio':>8}")
    for what, factor, first, second, count in (
        ("set and check, 1/s", 1, lambda: talk(SETTING), lambda: link.set_and_check(":CURR 1E-3"), 200),
        ("block in, MB/s", 4, lambda: talk(b":ZEROS?\n"), lambda: link.query_block(":ZEROS?", "<f4"), 2),
        ("the same, line feeds, MB/s", 4, lambda: talk(b":FEEDS?\n"), lambda: link.query_block(":FEEDS?", "<f4"), 2),
        ("block out, MB/s", 4, lambda: talk(message), send, 2),
    ):
        socket_rate, link_rate = rates(first, second, count)
        print(f"{what:34}{factor * socket_rate:10.0f}{factor * link_rate:10.0f}{link_rate / socket_rate:8.2f}")
    link.close()


if __name__ == "__main__":
    main()
