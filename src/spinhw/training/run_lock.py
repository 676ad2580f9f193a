"""One process at a time in a run folder: two that trained there would spoil each other's checkpoints and metrics."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spinhw.atomic import not_written
from spinhw.errors import ConfigError
from spinhw.locks import lock


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold a run folder.

    The system releases it when the process ends, however that happens, so a lock is never left over; the file
    ``run.lock`` only says who holds it.

    Raises:
        ConfigError: Another process holds it, or the file cannot be written.
    """
    path = folder / "run.lock"
    file = _locked(path)
    try:
        _sign(file, path)
        yield
    finally:
        if sys.platform != "win32":  # Windows removes no file that is open; whoever opens this one now finds it locked.
            with suppress(OSError):  # A folder that may not be written any more keeps it: it locks nothing by itself.
                path.unlink(missing_ok=True)
        os.close(file)
        with suppress(OSError):
            if sys.platform == "win32":
                path.unlink()


def _locked(path: Path) -> int:
    """Open and lock the file; again where its last holder has removed it between the two."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise not_written(path, error) from error
        try:
            lock(file)
        except OSError as error:
            os.close(file)
            raise _held(path) from error
        if _is_still(path, file):
            return file
        os.close(file)


def _sign(file: int, path: Path) -> None:
    try:
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    except OSError as error:
        raise not_written(path, error) from error


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False


def _held(path: Path) -> ConfigError:
    holder = ""
    with suppress(OSError):
        holder = path.read_text(encoding="utf-8").strip()
    return ConfigError(
        f"{path.parent}: another process is at work in this run folder",
        seen=holder or path.name,
        allowed="one at a time",
        todo="wait until it has finished, or stop it with Ctrl-C",
    )
