"""Disks that are full and folders that may not be written any more, from the n-th change on: root has none."""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

from pytest_mock import MockerFixture


class _Refusing:
    """Stands for what changes a disk, and counts; from the n-th time on it is refused.

    Args:
        mocker: Puts it there.
        at: How often it goes well.
    """

    def __init__(self, mocker: MockerFixture, at: int) -> None:
        self.left = at
        self._mocker = mocker

    @property
    def refused(self) -> bool:
        """Tell whether anything was refused."""
        return self.left < 0

    def counted(self) -> bool:
        """Count one change; tell whether it is refused."""
        self.left -= 1
        return self.left < 0

    def _replace_in(self, owner: Any, name: str, other: Any) -> None:
        self._mocker.patch.object(owner, name, other)

    def _database(self, trouble: str) -> None:
        """Count what is written to a database as well: SQLite does not ask Python for its files."""
        disk, connect = self, sqlite3.connect

        class Cursor(sqlite3.Cursor):
            def execute(self, said: str, *values: Any) -> sqlite3.Cursor:
                if not said.lstrip().upper().startswith(("SELECT", "PRAGMA")) and disk.counted():
                    raise sqlite3.OperationalError(trouble)
                return super().execute(said, *values)

        class Connection(sqlite3.Connection):
            def cursor(self, factory: Any = Cursor) -> sqlite3.Cursor:
                return super().cursor(factory)

        self._replace_in(sqlite3, "connect", lambda *given, **named: connect(*given, factory=Connection, **named))


class FullDisk(_Refusing):
    """What is written below a folder does not fit; folders, names and what is removed do."""

    def __init__(self, mocker: MockerFixture, at: int, folder: Path) -> None:
        super().__init__(mocker, at)
        move = os.replace

        def moved(source: Any, target: Any) -> None:
            if folder in Path(target).parents:  # Not those of kernels that are compiled on the way.
                self._room()
            move(source, target)

        self._replace_in(os, "replace", moved)
        self._replace_in(os, "fsync", lambda file: self._room())
        self._database("database or disk is full")

    def _room(self) -> None:
        if self.counted():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class ReadOnlyFolder(_Refusing):
    """Nothing may be made, renamed or removed below a folder; files that are there may be written."""

    def __init__(self, mocker: MockerFixture, at: int, folder: Path) -> None:
        super().__init__(mocker, at)
        self._folder = folder
        for name in ("replace", "rename", "mkdir", "rmdir", "unlink", "remove"):
            self._replace_in(os, name, self._guarded(getattr(os, name)))
        self._path_open, self._os_open = Path.open, os.open
        self._replace_in(Path, "open", lambda path, mode="r", *given, **named: self._open(path, mode, given, named))
        self._replace_in(os, "open", self._descriptor)
        self._database("attempt to write a readonly database")

    def _refuse(self, path: Any) -> None:
        if self._folder in Path(path).parents and self.counted():
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def _guarded(self, done: Any) -> Any:
        def guarded(path: Any, *given: Any, **named: Any) -> Any:
            if not isinstance(path, int):
                self._refuse(path)
            return done(path, *given, **named)

        return guarded

    def _open(self, path: Path, mode: str, given: Any, named: Any) -> Any:
        if set(mode) & set("wax") and not path.exists():
            self._refuse(path)
        return self._path_open(path, mode, *given, **named)

    def _descriptor(self, path: Any, flags: int, *given: Any, **named: Any) -> int:
        if flags & os.O_CREAT and not os.path.exists(path):
            self._refuse(path)
        return self._os_open(path, flags, *given, **named)
