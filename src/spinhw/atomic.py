"""Files that are either written whole or not at all."""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from spinhw.errors import ConfigError

# Antivirus and file synchronisers on Windows hold a file for moments: wait that long before each new attempt.
_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
UNFINISHED = ".*.tmp"  # What a process that was killed leaves of a file that it was writing.
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def unfinished(path: Path) -> Path:
    """Return the name under which this process writes a file until it is whole, beside it; `UNFINISHED` finds it."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file through a temporary one beside it, so that a crash or a full disk leaves the old one as it was.

    Raises:
        ConfigError: The disk is full, or the folder cannot be written; the old file is intact.
    """
    temporary = unfinished(path)
    try:
        _write_through(temporary, data)
        _replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def put_in_place(made: Path, path: Path) -> None:
    """Give a file that is whole its name, unless another process was sooner: then the other's stays.

    Raises:
        OSError: It cannot be named so.
    """
    try:
        os.link(made, path)
    except FileExistsError:
        return
    except OSError:  # Not every file system has two names for a file.
        os.replace(made, path)


def append_line(path: Path, line: str) -> None:
    """Append one line and see it through to the disk.

    Raises:
        ConfigError: The disk is full, or the file cannot be written.
    """
    try:
        with path.open("ab") as file:
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise not_written(path, error) from error


def refuse_unwritable(path: Path, argument: str) -> None:
    """Check that a file can be made, before what it is to hold takes time; nothing is left there.

    Args:
        path: The file; folders above it that do not exist yet can be made too.
        argument: As the user wrote it, such as "--out", for the message.

    Raises:
        ConfigError: Something is in the way.
    """
    missing = []
    try:
        folder = path.parent
        while not folder.is_dir() and folder != folder.parent:
            missing.append(folder)
            folder = folder.parent
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of the same length or longer, so that a name which is too long shows.
        trial = unfinished(path)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise ConfigError(
            f"{argument} {path}: this cannot be written",
            seen=error.strerror or error,
            allowed="a file in a folder that can be written",
            todo="name another, or make the folder writable",
        ) from error
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


def make_folder(path: Path) -> None:
    """Make a folder, with those above it, unless it is there.

    Raises:
        ConfigError: It cannot be made: the disk is full, a file is in the way, or it may not be written there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> ConfigError:
    """Say that a file or a new folder could not be written, and what to do."""
    full, saved = error.errno in _FULL, (path.parent / "checkpoint.safetensors").is_file()
    return ConfigError(
        f"{path}: {'the disk is full' if full else 'this could not be written'}",
        seen=error.strerror or str(error),
        todo=("free some space" if full else "make the folder writable")
        + (
            "; what was saved before is intact (go on with --resume)"
            if saved
            else "; nothing was started, so start anew"
        ),
    )


def _replace(temporary: Path, path: Path) -> None:
    for pause_s in _PAUSES_S:
        try:
            os.replace(temporary, path)
            return
        except PermissionError:
            time.sleep(pause_s)
    os.replace(temporary, path)


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name itself durable, where the system can do that (Windows cannot open a folder)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
