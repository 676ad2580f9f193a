"""Ctrl-C and other signals to stop: the first asks to stop at the next good moment, the second stops at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType
from typing import Self

from spinhw.errors import SpinhwError

# Ctrl-C, termination, a terminal that goes away (POSIX), Ctrl-Break (Windows).
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


class Interrupted(SpinhwError):  # noqa: N818 - no error: the user asked for it
    """The user stopped the run; it is saved, and the message says how to go on."""

    exit_code = 130


class Interrupt:
    """Within the context, a signal sets `requested` instead of tearing the batch apart.

    **Side effects**: replaces the process's handlers inside the context, in the main thread only (Python allows it
    nowhere else). Signals that the process ignores, as under nohup, stay ignored.
    """

    def __init__(self) -> None:
        self.requested = False
        self._heard = ExitStack()

    def __enter__(self) -> Self:
        self._heard.enter_context(_heard_by(self._handle))
        return self

    def __exit__(self, *exception: object) -> None:
        self._heard.close()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def signals_interrupt() -> AbstractContextManager[None]:
    """Within the context, every signal that asks to stop raises KeyboardInterrupt, as Ctrl-C does; main thread only."""
    return _heard_by(_interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _heard_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Within the context, hand the signals that ask to stop to a handler, but those that the process ignores."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former or signal.SIG_DFL)
