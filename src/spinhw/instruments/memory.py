"""What a bench must remember from one process to the next: who had it open, and which outputs may still be on."""

import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinhw.instruments.address import canonical
from spinhw.instruments.shared import open_shared, prepare_folder, shared_place, temporary_beside

_log = logging.getLogger(__name__)

# More than any bench has to remember.
_LONGEST = 1 << 24


@dataclass(frozen=True)
class Left:
    """What the last process left behind.

    Args:
        unconfirmed: Outputs that could not be confirmed off.
        died: Who had the bench open and never closed it, such as "process 12 on lab3"; empty if it was closed.
        ours: Outputs that sessions of spinhw switched on and never confirmed off, the unconfirmed ones included.
        guarded: What the guard of a session that was killed did, in words; empty where there was nothing to do.
    """

    unconfirmed: tuple[str, ...] = ()
    died: str = ""
    ours: tuple[str, ...] = ()
    guarded: str = ""

    def __bool__(self) -> bool:
        return bool(self.unconfirmed or self.died or self.ours or self.guarded)

    def knows(self, output: str) -> bool:
        """Say whether a session of spinhw switched this output on; where the record was damaged, nothing is known."""
        return output in self.ours or output in self.unconfirmed

    def sentence(self) -> str:
        """Say it in one sentence."""
        parts = [f"{self.died} ended without switching it off"] if self.died else []
        if self.unconfirmed:
            parts.append(f"outputs not confirmed off: {', '.join(self.unconfirmed)}")
        on = [output for output in self.ours if output not in self.unconfirmed]
        if on:
            parts.append(f"outputs that it had switched on: {', '.join(on)}")
        unsafe = ["the last session left the bench unsafe: " + "; ".join(parts)] if parts else []
        return "; ".join([*unsafe, self.guarded] if self.guarded else unsafe)


def memory_file(folder: Path | None, name: str, addresses: Iterable[str]) -> Path:
    """Return the file of a bench: the same for all users, and for all spellings of its addresses.

    Args:
        folder: Where the files are; None for the folder that all users share.
        name: Of the bench.
        addresses: VISA addresses of all its instruments.
    """
    key = "\n".join(sorted({canonical(address) for address in addresses}))
    return shared_place(folder) / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"


class BenchMemory:
    """A small JSON file for each bench, for whoever holds its lock. What cannot be written is logged, never raised.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._open: dict[str, object] | None = None
        self._unconfirmed: tuple[str, ...] = ()
        self._ours: dict[str, None] = {}  # A set that keeps its order.
        self._guarded = ""

    def read(self) -> Left:
        """Read what was left; nothing where there is no file, and everything unknown where it cannot be read."""
        try:
            data = json.loads(_content(self.path))
            owner = data["open"]
            died = f"process {owner['pid']} on {owner['host']}" if owner else ""
            return Left(_names(data["unconfirmed"]), died, _names(data["ours"]), str(data.get("guarded", "")))
        except FileNotFoundError:
            return Left()
        except (OSError, ValueError, LookupError, TypeError):
            return Left(died=f"a session whose record {self.path} cannot be read")

    def session(self) -> dict[str, object] | None:
        """Return what is written down of the session that has the bench open; None where there is none."""
        with suppress(OSError, ValueError, LookupError, TypeError):
            data = json.loads(_content(self.path))["open"]
            return dict(data) if data else None
        return None

    def opened(self, unconfirmed: tuple[str, ...] = ()) -> None:
        """Write down that this process has the bench open. Outputs that earlier sessions left on stay ours."""
        with self._lock:
            before = self.read()
            self._guarded = ""
            self._open = {"pid": os.getpid(), "host": socket.gethostname(), "since_unix_s": time.time()}
            self._unconfirmed = unconfirmed
            self._ours = dict.fromkeys((*before.ours, *before.unconfirmed, *unconfirmed, *self._ours))
            self._write(lasting=True)

    def took(self, output: str) -> None:
        """Write down that this session is about to switch an output on, before it does."""
        with self._lock:
            if output not in self._ours:
                self._ours[output] = None
                self._write()

    def gave(self, output: str) -> None:
        """Write down that an output was confirmed off."""
        with self._lock:
            if output in self._ours or output in self._unconfirmed:
                self._ours.pop(output, None)
                self._unconfirmed = tuple(one for one in self._unconfirmed if one != output)
                self._write()

    def go_on(self, outputs: Iterable[str]) -> None:
        """Go on for a session that has ended: what it had on, and what was known before, is ours.

        Args:
            outputs: What it had on.
        """
        with self._lock:
            before, self._open = self.read(), self.session()
            self._unconfirmed = before.unconfirmed
            self._ours = dict.fromkeys((*before.ours, *before.unconfirmed, *outputs))

    def ours(self) -> tuple[str, ...]:
        """List the outputs that are ours as far as this process knows."""
        return tuple(self._ours)

    def closed(self, unconfirmed: tuple[str, ...], guarded: str = "") -> None:
        """Write down which outputs could not be confirmed off when the bench was closed; none is good.

        Args:
            unconfirmed: These outputs.
            guarded: What a guard did, in words, where it was it that closed the bench.
        """
        with self._lock:
            self._open, self._unconfirmed, self._ours = None, unconfirmed, dict.fromkeys(unconfirmed)
            self._guarded = guarded
            self._write(lasting=True)

    def _write(self, *, lasting: bool = False) -> None:
        data: dict[str, Any] = {"open": self._open, "unconfirmed": list(self._unconfirmed), "ours": list(self._ours)}
        if self._guarded:
            data["guarded"] = self._guarded
        try:
            prepare_folder(self.path.parent)
            _replace(self.path, json.dumps(data).encode(), lasting)
        except OSError as error:
            _log.warning("%s: what is switched on could not be written down: %s", self.path, error)


def _names(outputs: Any) -> tuple[str, ...]:
    if not isinstance(outputs, list):
        raise TypeError("no list")
    return tuple(str(one) for one in outputs)


def _content(path: Path) -> bytes:
    file, _ = open_shared(path, create=False)
    try:
        return os.read(file, _LONGEST)
    finally:
        os.close(file)


def _replace(path: Path, data: bytes, lasting: bool) -> None:
    file, temporary = temporary_beside(path)
    try:
        try:
            os.write(file, data)
            if lasting:
                os.fsync(file)
        finally:
            os.close(file)
        try:
            os.replace(temporary, path)
        except PermissionError:  # It is another user's: everybody may write it, but only he may replace it.
            _overwrite(path, data, lasting)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _overwrite(path: Path, data: bytes, lasting: bool) -> None:
    """Write over a file with one call, so that a process that is killed leaves the old words or the new ones."""
    file, _ = open_shared(path, create=False)
    try:
        os.write(file, data.ljust(os.fstat(file).st_size))  # Blanks behind JSON mean nothing.
        if lasting:
            os.fsync(file)
    finally:
        os.close(file)
