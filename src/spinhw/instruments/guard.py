"""The guard of a session: another process that brings its outputs down when it is killed without a word.

It is started when the bench is looked over, and is ready before the first output goes on. Before each switch-on it is
told the name of the output, after each confirmed switch-off it is told that too, and at the end that all is over. It
holds neither lock nor connection while the session lives; what it does when the session has ended is in `guarding.py`.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from spinhw.errors import DeviceError
from spinhw.instruments.guarding import GAVE, OVER, READY, TOOK
from spinhw.instruments.lock import BenchLock, NoLockError
from spinhw.instruments.settings import StationSettings, at_home
from spinhw.instruments.shared import shared_place

_log = logging.getLogger(__name__)

# From the death of a session on, a guard acts so long and never later: it would meet somebody else's experiment.
ACTS_FOR_S = 60.0
# A Python process that has not said that it is ready by then never will.
STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 10.0
# An opener waits somewhat longer than any guard acts, looks so often, and says so unless it is over at once.
MOST_WAITING_S, LOOK_EVERY_S, SILENT_S = ACTS_FOR_S + 30.0, 0.02, 0.3


class GuardError(DeviceError):
    """There is no guard, and nothing may be switched on without the one that the bench file asks for."""

    may_pass = False


class Guard:
    """The guard process of one session, as the session sees it. Several threads may use it.

    A guard that is gone is noticed at the next switch-on and replaced by another one. In a child that was forked from
    the session it does nothing: the session is the process that opened the bench.

    Args:
        settings: The bench.
        source: Its file, for messages and for profiles beside it.
        folder: Where locks and memories are kept; None for the one that all users share.
        session: What the bench memory says of this session; None where it could not be written down.
    """

    def __init__(
        self, settings: StationSettings, source: str, folder: Path | None, session: Mapping[str, Any] | None
    ) -> None:
        self._name = settings.id
        at = at_home(settings, Path(source).parent)
        self._hello = {
            "pid": os.getpid(),
            "session": None if session is None else dict(session),
            "settings": at.model_dump(mode="json", by_alias=True, include=set(StationSettings.model_fields)),
            "source": source,
            "folder": str(shared_place(folder)),
            "acts_for_s": ACTS_FOR_S,
        }
        self._lock = threading.RLock()
        self._named: dict[str, None] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._said = _Said()
        self._is_child = False
        _GUARDS.add(self)

    def start(self) -> None:
        """Start the process unless it runs; whether it is ready is asked by `took`."""
        with self._lock:
            if self._is_child or self._process is not None:
                return
            # It finds what we found, whatever was changed here since the start; no folder is kept in use by it.
            surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(os.path.abspath(one) for one in sys.path)}
            surroundings.pop("PYTHONINSPECT", None)
            apart: dict[str, Any] = {"start_new_session": True}
            if sys.platform == "win32":  # A console of its own that nobody sees: closing ours does not end it.
                apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-W", "ignore", "-m", "spinhw.instruments.guarding"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,  # Nothing of ours: who waits for the end of our streams waits for us.
                    cwd=Path(sys.executable).anchor or None,
                    env=surroundings,
                    bufsize=0,
                    **apart,
                )
            except OSError as error:
                raise self._not_there(error) from error
            self._said = _Said(self._process)
            with suppress(OSError):  # Then it has ended, and what it said tells why.
                self._say(json.dumps(self._hello), *(f"{TOOK}{one}" for one in self._named))

    def took(self, output: str) -> None:
        """Tell that an output is about to be switched on, to a guard that is ready; called before it is.

        Raises:
            GuardError: There is none; nothing may be switched on.
        """
        with self._lock:
            if self._is_child:
                return
            self._named[output] = None
            try:
                self.start()
                self._require_ready()
                try:
                    self._say(f"{TOOK}{output}")
                except OSError:
                    _log.warning("%s: the guard of this session was gone; another one is started", self._name)
                    self._end()
                    self.start()
                    self._require_ready()
            except BaseException:
                self._named.pop(output, None)
                raise

    def gave(self, output: str) -> None:
        """Tell that an output was confirmed off; called after it was."""
        with self._lock:
            self._named.pop(output, None)
            if self._process is not None and not self._is_child:
                with suppress(OSError):  # It is gone: the next switch-on starts another one.
                    self._say(f"{GAVE}{output}")

    def over(self) -> None:
        """Tell that the bench was closed, and wait for the end of the process."""
        with self._lock:
            if self._process is not None and not self._is_child:
                with suppress(OSError):
                    self._say(OVER)
                self._end(ENDS_WITHIN_S)

    def forget(self) -> None:
        """Close what a child got from the session that it was forked from, so that its end can be seen."""
        self._is_child, self._lock = True, threading.RLock()
        if self._process is not None:
            for stream in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()

    def _say(self, *lines: str) -> None:
        if self._process is None or self._process.stdin is None:
            raise BrokenPipeError
        data = memoryview("".join(f"{line}\n" for line in lines).encode())
        while data:  # What a pipe has taken is read even if we have ended by then.
            data = data[self._process.stdin.write(data) or 0 :]

    def _require_ready(self) -> None:
        said = self._said.line()
        if said != READY:
            self._end()
            raise self._not_there(said or f"nothing within {STARTS_WITHIN_S:g} s")

    def _not_there(self, seen: object) -> GuardError:
        return GuardError(
            f"{self._name}: the guard process of this session cannot be started, and nothing was switched on",
            seen=seen,
            allowed=f"{sys.executable} as a process of its own, which brings outputs down when this one is killed",
            todo="mend that, or write 'guard: false' in the bench file and stay at the bench",
        )

    def _end(self, timeout_s: float = 0.0) -> None:
        """Let the process end by itself for so long, then kill it."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._said.close()


class _Said:
    """The one line that a guard says when it is ready, or why it is not; waited for by a thread."""

    def __init__(self, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self._text, self._stream = "", None if process is None else process.stdout
        self._thread: threading.Thread | None = None
        if self._stream is not None:
            self._thread = threading.Thread(target=self._read, name="guard", daemon=True)
            self._thread.start()

    def line(self) -> str:
        """Return it; "" where it does not come in time."""
        if self._thread is not None:
            self._thread.join(STARTS_WITHIN_S)
        return self._text

    def close(self) -> None:
        """Wait for the end of the thread; the process has ended."""
        if self._thread is not None:
            self._thread.join()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            while self._stream is not None:
                line = self._stream.readline().decode(errors="replace").strip()
                self._text = line or self._text
                if line in ("", READY):  # Of a traceback the last line counts.
                    self._stream.close()
                    return


_GUARDS: weakref.WeakSet[Guard] = weakref.WeakSet()


def _forget_all() -> None:
    for one in list(_GUARDS):
        one.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def take_after_guard(lock: BenchLock, who: str) -> None:
    """Take the locks of a bench; where a guard is at work there, after its end.

    Whoever gets locks while a guard has its marks there has met one whose session has just ended.

    Args:
        lock: The locks.
        who: Name of the bench.

    Raises:
        DeviceError: Another process has the bench, or the guard does not end. Nothing is held then.
    """
    begun_s, is_told = time.monotonic(), False
    while (guard := _met(lock, who)) is not None:
        waited_s = time.monotonic() - begun_s
        if waited_s > MOST_WAITING_S:
            raise DeviceError(
                f"{who}: the guard of a session that was killed has not ended",
                seen=f"process {guard} after {waited_s:.0f} s",
                allowed=f"a guard at work for {ACTS_FOR_S:g} s at most",
                todo="look at the bench, switch off there what is on, and end that process",
            )
        if waited_s > SILENT_S and not is_told:
            is_told = True
            _log.warning(
                "%s: a session was killed, and its guard (process %d) brings down what it left on; waiting for its end",
                who,
                guard,
            )
        time.sleep(LOOK_EVERY_S)


def _met(lock: BenchLock, who: str) -> int | None:
    """Take the locks; return the number of the guard at work there instead, 0 for one that did not say it."""
    try:
        lock.acquire(who)
    except NoLockError:
        raise
    except DeviceError:
        owner, guard = lock.owner(), lock.guard()
        if owner is not None or guard is not None:
            if guard is None or (owner is not None and owner.pid != guard.pid):
                raise
            return guard.pid or 0
        lock.acquire(who)  # Nobody has them: it was one who asked, or who has ended meanwhile.
    guard = lock.guard()
    if guard is None or guard.pid == os.getpid():
        return None
    lock.release()
    return guard.pid or 0
