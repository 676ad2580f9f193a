"""What the guard process does: `python -m spinhw.instruments.guarding`, started by `guard.py`.

It reads what the session says and waits for the end of its process, which the system tells. The end of the pipe alone
is none: what is on is not known any more then, so that it waits for the end as long as it may act, and goes without
having done anything. A session that is stopped, or suspended with its computer, has not ended.

When the session has ended it takes the locks of the bench and brings down what was named, as `spinhw off` does; what it
needs for that is loaded within a second after the first output went on. Each message is sent within the time in which
it may act, on a clock that counts the time for which the computer was suspended.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinhw.errors import SpinhwError
from spinhw.instruments.lock import BenchLock
from spinhw.watchdog import Watchdog, clock_s

if TYPE_CHECKING:
    from spinhw.instruments.rescue import Rescue

READY, OVER, TOOK, GAVE = "ready", "over", "+", "-"  # The last two stand before the name of an output.
_LOOK_EVERY_S = 1.0
# What a session said before it ended is read by then, even where a child of it holds the pipe.
_READS_FOR_S = 1.0


class Told:
    """What a session has said so far. Ends the process when all is over."""

    def __init__(self) -> None:
        self.hello: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
        self._named: dict[str, None] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)

    def begin(self) -> None:
        """Read from now on."""
        self._reader.start()

    def named(self) -> list[str]:
        """List the outputs that may be on, as they were named."""
        return list(self._named)

    def is_at_end(self, timeout_s: float = 0.0) -> bool:
        """Say whether the pipe has ended, after so many seconds at most."""
        self._reader.join(timeout_s)
        return not self._reader.is_alive()

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            text = line.decode().removesuffix("\n")
            if text == OVER:
                os._exit(0)
            if text.startswith(TOOK):
                self._named[text.removeprefix(TOOK)] = None
            elif text.startswith(GAVE):
                self._named.pop(text.removeprefix(GAVE), None)


def main() -> None:
    """Watch over a session until it is over, or has ended and what it left on was brought down."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):  # It ends with the session, which they end in order.
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    told = Told()
    hello = told.hello
    session, folder = Watchdog(hello["pid"]), Path(hello["folder"])
    marks = BenchLock(folder, [one["address"] for one in hello["settings"]["instruments"].values()], guard=True)
    try:
        marks.acquire(hello["settings"]["id"])
    except SpinhwError as error:
        sys.exit(str(error))
    told.begin()
    print(READY, flush=True)
    _let_streams_go()
    _watch(told, session)
    os._exit(0)  # The thread that reads must not be waited for.


def _watch(told: Told, session: Watchdog) -> None:
    """Wait for the end of a session, and do what is to be done then."""
    rescue: Rescue | None = None
    acts_for_s, pipe_ended_s = float(told.hello["acts_for_s"]), None
    alive_s = clock_s()
    while not session.wait(_LOOK_EVERY_S):
        alive_s = clock_s()
        if told.is_at_end():
            pipe_ended_s = alive_s if pipe_ended_s is None else pipe_ended_s
            if alive_s - pipe_ended_s > acts_for_s:
                _loaded(told.hello).say("it lives and says no more: what it has on is not known, and its guard goes")
                return
        if rescue is None and told.named():
            rescue = _loaded(told.hello)
    told.is_at_end(_READS_FOR_S)
    (rescue or _loaded(told.hello)).act(told.named(), alive_s + acts_for_s)


def _loaded(hello: dict[str, Any]) -> "Rescue":
    from spinhw.instruments.rescue import Rescue

    return Rescue(hello)


def _let_streams_go() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)


if __name__ == "__main__":
    main()
