"""python benchmarks/links.py: what links, doors and batches cost, against bare sockets and against the physics alone.

The ratios are what counts; rates depend on the machine. Servers run in processes of their own. Everything is written to
links.json.
"""

import json
import multiprocessing
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

# Run as a script, only this folder is on the path; the parts are modules of the package.
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.links_batch import compare, served, settings  # noqa: E402
from benchmarks.machine import machine  # noqa: E402
from spinhw.device import ObservationPlan  # noqa: E402
from spinhw.instruments import Link, Station  # noqa: E402
from spinhw.instruments.wires import open_wire  # noqa: E402
from spinhw.streams import numpy_stream  # noqa: E402

POINTS = 1_000_000
ROUNDS = 15
BATCHES = 5
SETTING = b":CURR 1E-3;:SYST:ERR?\n"
ERROR = b'0,"No error"\n'
CONTENTS = {
    "zeros": b"\0" * 4 * POINTS,
    "line feeds": b"\n" * 4 * POINTS,
    "random": numpy_stream("link benchmark").bytes(4 * POINTS),
}
Row = dict[str, str | float]


def serve(ready: Connection) -> None:
    """Answer settings, and blocks in and out, as simply as can be."""
    replies = {f":{name}?".encode(): b"#7%d%s\n" % (len(data), data) for name, data in CONTENTS.items()}
    replies |= {b"*IDN?": b"FAKE\n"}
    listener = socket.create_server(("127.0.0.1", 0))
    ready.send(listener.getsockname()[1])
    while True:
        threading.Thread(target=answer, args=(listener.accept()[0], replies), daemon=True).start()


def answer(connection: socket.socket, replies: dict[bytes, bytes]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb", buffering=1 << 20) as lines:
        while header := lines.read(1):
            if header == b"#":  # a block comes in: take it and say so
                lines.read(int(lines.read(int(lines.read(1)))) + 1)
                connection.sendall(b"1\n")
                continue
            connection.sendall(replies.get((header + lines.readline())[:-1], ERROR))


class Bare:
    """A socket without anything around it."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._connection.makefile("rb", buffering=1 << 20)

    def line(self, message: bytes) -> bytes:
        self._connection.sendall(message)
        return self._lines.readline()

    def block(self, message: bytes) -> bytes:
        self._connection.sendall(message)
        self._lines.read(9)
        data = self._lines.read(4 * POINTS)
        self._lines.read(1)
        return data


def rates(count: int, *works: Callable[[], object]) -> list[float]:
    """Time all in turns and give the best of each, in 1/s: whatever else runs on the machine disturbs all alike."""
    best = [0.0] * len(works)
    for _ in range(ROUNDS):
        for place, work in enumerate(works):
            begun = time.perf_counter()
            for _ in range(count):
                work()
            best[place] = max(best[place], count / (time.perf_counter() - begun))
    return best


def row(what: str, unit: str, first: float, second: float, least: float) -> Row:
    return {"what": what, "unit": unit, "of": first, "is": second, "ratio": second / first, "least": least}


class Ways:
    """A block in and out, by a socket and by a link.

    Args:
        bare: The socket.
        link: The link.
        name: What the server calls the block.
        data: The block.
    """

    def __init__(self, bare: Bare, link: Link, name: str, data: bytes) -> None:
        self._bare, self._link, self._question = bare, link, f":{name}?"
        self._message, self._values = b"#7%d%s\n" % (len(data), data), np.frombuffer(data, "<f4")

    def bare_in(self) -> None:
        self._bare.block(self._question.encode() + b"\n")

    def link_in(self) -> None:
        self._link.query_block(self._question, "<f4")

    def bare_out(self) -> None:
        self._bare.line(self._message)

    def link_out(self) -> None:
        self._link.write_block("", self._values, "<f4")
        self._link._wire.receive_line()  # type: ignore[union-attr]  # noqa: SLF001 - the bare one reads it too


def sockets() -> list[Row]:
    """Compare a link with a bare socket."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    port = mine.recv()
    bare = Bare(port)
    link = Link("it", lambda: open_wire(f"TCPIP0::127.0.0.1::{port}::SOCKET", "@py", 10.0), timeout_s=10.0)
    link.open()
    settings_s = rates(200, lambda: bare.line(SETTING), lambda: link.set_and_check(":CURR 1E-3"))
    rows = [row("set and check, against a socket", "1/s", *settings_s, 0.5)]
    readers, writers = [], []
    for name, data in CONTENTS.items():
        ways = Ways(bare, link, name, data)
        readers.append(ways.link_in)
        writers.append(ways.link_out)
        for way, pair in (("in", (ways.bare_in, ways.link_in)), ("out", (ways.bare_out, ways.link_out))):
            in_mb = [4e-6 * POINTS * one for one in rates(2, *pair)]
            rows.append(row(f"block {way}, {name}, against a socket", "MB/s", in_mb[0], in_mb[1], 0.4))
    for way, works in (("in", readers), ("out", writers)):
        in_mb = [4e-6 * POINTS * one for one in rates(2, *works)]
        rows.append(row(f"block {way}, slowest bytes against fastest", "MB/s", max(in_mb), min(in_mb), 0.8))
    link.close()
    process.terminate()
    return rows


def doors() -> list[Row]:
    """Compare round trips by the two doors of the same virtual bench."""
    with served() as addresses, Station(settings(addresses), "there") as there, Station(settings(), "here") as here:
        links = [station["awg"].port.link for station in (there, here)]
        asking = rates(200, *(partial(link.query, "*OPC?") for link in links))
        setting = rates(200, *(partial(link.set_and_check, ":SOUR1:FREQ 1000") for link in links))
        return [
            row("question in process, against TCP", "1/s", *asking, 3.0),
            row("set and check in process, against TCP", "1/s", *setting, 3.0),
        ]


def main() -> None:
    rows = [*sockets(), *doors()]
    block_rate = next(1e6 * float(one["is"]) for one in rows if one["what"] == "block in, random, against a socket")
    batches = {
        "outputs alone, as in training": compare(BATCHES, ObservationPlan.nothing()),
        "outputs and all neurons": compare(BATCHES),
    }
    print(f"{'':42}{'of':>10}{'is':>10}{'ratio':>8}{'least':>8}")
    for one in rows:
        print(f"{one['what']:42}{one['of']:10.0f}{one['is']:10.0f}{one['ratio']:8.2f}{one['least']:8.2f}")
    for what, batch in batches.items():
        batch["allowed_s"] = 1.5 * (batch["physics_s"] + batch["bytes"] / block_rate) + 0.02
        print(
            f"batch of 120 images, {what}: {batch['tcp_s']:.3f} s over TCP, {batch['in_process_s']:.3f} s in process, "
            f"{batch['physics_s']:.3f} s physics alone; allowed {batch['allowed_s']:.3f} s"
        )
    found = {"machine": machine(), "rows": rows, "batches": batches}
    Path(__file__).with_name("links.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
