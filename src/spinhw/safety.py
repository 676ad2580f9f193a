"""Makes sure that a session that is open is made safe on every exit that can be caught."""

import atexit
import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from spinhw.errors import DeviceError

_log = logging.getLogger(__name__)

# Sessions that are open, by id, with what closes them. A `with` block takes its session out again; what is left when
# the interpreter ends is closed by `_close_all`.
_open_sessions: dict[int, Callable[[], None]] = {}
_previous: dict[int, Any] = {}
_holding: list[None] = []  # One for each `uninterrupted` that the main thread is in.
# Console closed and Ctrl-Break (Windows), termination (POSIX): by default they end Python without unwinding.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


def close_at_exit(key: object, close: Callable[[], None]) -> None:
    """Close a session at exit unless `release` comes first; turn termination signals into `SystemExit` meanwhile."""
    if not _open_sessions:
        atexit.register(_close_all)
        _catch_signals()
    _open_sessions[id(key)] = close


def release(key: object) -> None:
    """Leave a session to itself; with the last one the signals get their former handlers back."""
    if _open_sessions.pop(id(key), None) is not None and not _open_sessions:
        atexit.unregister(_close_all)
        _give_signals_back()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold signals back while outputs are being switched off; they are delivered afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    late: list[int] = []
    held = {number: signal.getsignal(number) for number in (signal.SIGINT, *_SIGNALS)}
    held = {number: handler for number, handler in held.items() if handler is not None}
    for number in held:
        signal.signal(number, lambda arrived, frame: late.append(arrived))
    _holding.append(None)
    try:
        yield
    finally:
        _holding.pop()
        for number, handler in held.items():
            signal.signal(number, handler)
        try:
            for number in dict.fromkeys(late):  # For who would have heard them when they came.
                signal.raise_signal(number)
        finally:
            if not _open_sessions:
                _give_signals_back()


@contextmanager
def told_of_termination(tell: Callable[[], object]) -> Iterator[None]:
    """Call a function on termination signals, for work that must not be cut at any place; others' handlers stay.

    Args:
        tell: Is called between any two instructions of the main thread; it makes the work end soon.
    """
    is_main = threading.current_thread() is threading.main_thread()
    caught = [number for number in _SIGNALS if is_main and signal.getsignal(number) == signal.SIG_DFL]
    for number in caught:
        signal.signal(number, lambda arrived, frame: tell())
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def unconfirmed_error(name: str, outputs: Iterable[str]) -> DeviceError:
    """Make the error for outputs of a session that could not be confirmed off."""
    return DeviceError(
        f"{name}: outputs that could not be confirmed off",
        seen=", ".join(outputs),
        allowed="every output off",
        todo="switch them off at the bench before touching anything",
    )


def close_after(error: BaseException | None, close: Callable[[], None]) -> None:
    """Close a session at the end of its `with` block.

    Args:
        error: What ended the block; None where it ended well. It stays the one that people see.
        close: Closes the session.

    Raises:
        DeviceError: Something was not left safe, and the block had ended well.
    """
    try:
        close()
    except DeviceError as unsafe:
        if error is None:
            raise
        error.add_note(str(unsafe))  # What is still on must not get lost behind the first error.
        _log.error("%s", unsafe)


def _catch_signals() -> None:
    if threading.current_thread() is not threading.main_thread():
        return  # Only the main thread may set handlers; `with` and atexit still hold.
    for number in _SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:  # Somebody else's handler is left alone.
            _previous[number] = signal.signal(number, _leave)


def _give_signals_back() -> None:
    if threading.current_thread() is not threading.main_thread() or _holding:
        return  # Signals that are held back are given back by who holds them.
    for number, handler in list(_previous.items()):
        if signal.getsignal(number) is _leave:
            signal.signal(number, handler)
        del _previous[number]


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _close_all() -> None:
    for close in list(_open_sessions.values()):
        try:
            close()
        except Exception as error:  # at exit the next session must still be closed
            _log.error("while leaving: %s", error)
