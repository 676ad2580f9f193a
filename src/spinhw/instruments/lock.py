"""One process at a time on an instrument: a locked file for each address, let go when the process ends."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

from spinhw.errors import DeviceError
from spinhw.locks import lock


class BenchLock:
    """Keeps two processes off one instrument. A process that died holds nothing: its lock is stale by itself.

    Args:
        folder: Where the lock files are; made if need be.
        addresses: VISA addresses.
    """

    def __init__(self, folder: Path, addresses: Iterable[str]) -> None:
        self._folder, self._addresses = folder, sorted({address.upper() for address in addresses})
        self._held: list[IO[bytes]] = []

    def acquire(self, who: str) -> None:
        """Take all locks.

        Args:
            who: Name of the bench, for messages of others.

        Raises:
            DeviceError: Another process has one of them; none is held then.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            for address in self._addresses:
                self._take(address, who)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give all locks back."""
        for file in self._held:
            with suppress(OSError):
                file.seek(0)
                file.truncate()
            file.close()  # the lock goes with it
        self._held.clear()

    def _take(self, address: str, who: str) -> None:
        path = self._folder / f"{hashlib.sha256(address.encode()).hexdigest()[:16]}.lock"
        file = path.open("r+b" if path.exists() else "w+b", buffering=0)  # Locking moves the position underneath.
        try:
            lock(file.fileno())
        except OSError as error:
            owner = _owner(path)
            file.close()
            raise DeviceError(
                f"{who}: the instrument at {address} is in use by another process",
                seen=owner,
                allowed="one process at a time",
                todo="end that one, or wait for it",
            ) from error
        self._held.append(file)
        myself = {"pid": os.getpid(), "host": socket.gethostname(), "bench": who, "since_unix_s": time.time()}
        file.seek(0)
        file.truncate()
        file.write(json.dumps(myself).encode())
        file.flush()


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_bytes())
        return f"process {owner['pid']} on {owner['host']} (bench {owner['bench']})"
    except (OSError, ValueError, LookupError, TypeError):
        return "a process that did not say its name"
