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
    """

    unconfirmed: tuple[str, ...] = ()
    died: str = ""
    ours: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.unconfirmed or self.died or self.ours)

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
        return "the last session left the bench unsafe: " + "; ".join(parts)


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
        self._path = path
        self._lock = threading.Lock()
        self._open: dict[str, object] | None = None
        self._unconfirmed: tuple[str, ...] = ()
        self._ours: dict[str, None] = {}  # A set that keeps its order.

    def read(self) -> Left:
        """Read what was left; nothing where there is no file, and everything unknown where it cannot be read."""
        try:
            data = json.loads(_content(self._path))
            owner = data["open"]
            died = f"process {owner['pid']} on {owner['host']}" if owner else ""
            return Left(_names(data["unconfirmed"]), died, _names(data["ours"]))
        except FileNotFoundError:
            return Left()
        except (OSError, ValueError, LookupError, TypeError):
            return Left(died=f"a session whose record {self._path} cannot be read")

    def opened(self, unconfirmed: tuple[str, ...] = ()) -> None:
        """Write down that this process has the bench open. Outputs that earlier sessions left on stay ours."""
        with self._lock:
            before = self.read()
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

    def closed(self, unconfirmed: tuple[str, ...]) -> None:
        """Write down which outputs could not be confirmed off when the bench was closed; none is good."""
        with self._lock:
            self._open, self._unconfirmed, self._ours = None, unconfirmed, dict.fromkeys(unconfirmed)
            self._write(lasting=True)

    def _write(self, *, lasting: bool = False) -> None:
        data = {"open": self._open, "unconfirmed": list(self._unconfirmed), "ours": list(self._ours)}
        try:
            prepare_folder(self._path.parent)
            _replace(self._path, json.dumps(data).encode(), lasting)
        except OSError as error:
            _log.warning("%s: what is switched on could not be written down: %s", self._path, error)


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
