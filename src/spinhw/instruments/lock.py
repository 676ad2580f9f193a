"""One process at a time on an instrument: locked files, let go when the process ends, shared by all users."""

import hashlib
import json
import os
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spinhw.errors import DeviceError
from spinhw.instruments.address import canonical
from spinhw.instruments.owner import Owner
from spinhw.instruments.shared import VARIABLE, open_shared, prepare_folder, shared_folder, shared_place
from spinhw.locks import lock

__all__ = ["BenchLock", "NoLockError", "Owner", "guard_of", "identity_key", "owner_of", "shared_folder"]

# Who asks for the owner of a lock holds it for a moment: wait that long before each new attempt.
_PAUSES_S = (0.01, 0.03, 0.1)
# More than any owner writes.
_LONGEST = 1 << 16
# What instruments without a serial number say in its place, besides zeros.
_NO_SERIAL = {"", "NA", "NONE", "NULL", "NIL", "UNKNOWN", "NOSERIAL", "SERIAL", "SN", "SERIALNUMBER"}
_IN_USE = "end that one, or wait for it"
# What the marks of guards are called beside the locks of their instruments.
_GUARD = "guard "


class NoLockError(DeviceError):
    """Locks cannot be kept here at all, so nobody knows whether an instrument is in use."""


@dataclass(frozen=True)
class _Held:
    file: int
    writable: bool
    instrument: str = ""
    address: str = ""


class BenchLock:
    """Keeps two processes off one instrument, whoever runs them. A process that died holds nothing.

    Instruments are locked by their addresses, in whatever spelling, and once they have answered by who they are: one
    box that is reached by LAN and by GPIB is one.

    Args:
        folder: Where the lock files are, made if need be; None for the one that all users share.
        addresses: VISA addresses.
        guard: Whether these are no locks but the marks of a guard, which say that it watches over the instruments.
    """

    def __init__(self, folder: Path | None, addresses: Iterable[str], *, guard: bool = False) -> None:
        self._folder, self._prefix = shared_place(folder), _GUARD if guard else ""
        self._addresses = {canonical(address): address for address in sorted(addresses)}
        self._held: dict[str, _Held] = {}
        self._who = ""
        _LOCKS.add(self)

    def acquire(self, who: str) -> None:
        """Take the locks of all addresses.

        Args:
            who: Name of the bench, for messages of others.

        Raises:
            NoLockError: There is no folder in which locks can be kept.
            DeviceError: Another process has one of them. None is held then.
        """
        self._who = who
        try:
            try:
                prepare_folder(self._folder)
            except OSError as error:
                raise _no_lock(who, self._folder, error) from error
            for key, address in sorted(self._addresses.items()):
                what = f"{who}: the instrument at {address} is in use by another process"
                self._take(f"{self._prefix}{key}", what, _IN_USE, address=address)
        except BaseException:
            self.release()
            raise

    def acquire_identity(self, name: str, identity: str, address: str = "") -> None:
        """Take the lock of the box that answered. Again for the same instrument it does nothing.

        An identity without a serial number says too little and is not locked.

        Args:
            name: Of the instrument in this bench.
            identity: Its reply to ``*IDN?``.
            address: Where it answered, for messages.

        Raises:
            DeviceError: The box is held already, by this bench under another name or by another process.
        """
        key = identity_key(identity)
        if not key:
            return
        held = self._held.get(key)
        if held is None:
            what = f"{self._who}: {name}{_at(address)} is an instrument that another process uses by another address"
            todo = f"{_IN_USE}; LAN and GPIB of one box are one instrument"
            self._take(key, what, todo, instrument=name, address=address)
        elif held.instrument != name:
            raise DeviceError(
                f"{self._who}: {held.instrument}{_at(held.address)} and {name}{_at(address)} are one and the same box",
                seen=identity,
                allowed="each instrument once; LAN and GPIB of one box are one",
                todo="list it once in the bench file, with all its channels",
            )

    def release(self) -> None:
        """Return all locks back."""
        for held in self._held.values():
            if held.writable:
                with suppress(OSError):
                    os.ftruncate(held.file, 0)
            os.close(held.file)  # The lock goes with it.
        self._held.clear()

    def owner(self) -> Owner | None:
        """Say which process has one of these locks; see `owner_of`."""
        return _first((f"{self._prefix}{key}" for key in self._addresses), self._folder)

    def guard(self) -> Owner | None:
        """Say which guard watches over one of these instruments, or is at work there; as `owner`."""
        return _first((f"{_GUARD}{key}" for key in self._addresses), self._folder)

    def forget(self) -> None:
        """Close what this process got from the one that it was forked from, which has the locks and keeps them."""
        for held in self._held.values():
            with suppress(OSError):
                os.close(held.file)
        self._held.clear()

    def _take(self, key: str, what: str, todo: str, *, instrument: str = "", address: str = "") -> None:
        path = _file(self._folder, key)
        try:
            opened = _locked(path)
        except OSError as error:
            raise _no_lock(self._who, path, error) from error
        if opened is None:
            raise DeviceError(what, seen=_holder(path, instrument), allowed="one process at a time", todo=todo)
        file, writable = opened
        self._held[key] = _Held(file, writable, instrument, address)
        if writable:
            with suppress(OSError):  # A full disk keeps the name out of the file, not the lock off it.
                os.ftruncate(file, 0)
                os.lseek(file, 0, os.SEEK_SET)
                os.write(file, json.dumps(vars(Owner.myself(self._who, instrument, address))).encode())


# Of this process. A child that is forked must not hold them on when the process that took them has ended.
_LOCKS: weakref.WeakSet[BenchLock] = weakref.WeakSet()


def _forget_all() -> None:
    for one in list(_LOCKS):
        one.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def owner_of(addresses: Iterable[str], folder: Path | None = None) -> Owner | None:
    """Say which process has one of these instruments open: the first found, this process included.

    Args:
        addresses: VISA addresses in any spelling, such as all of a bench.
        folder: Where the lock files are; None for the one that all users share.

    Returns:
        Its owner, with `pid` None where it did not say; None where nobody has any of them. What a process that died
        left in a file is nobody.
    """
    return BenchLock(folder, addresses).owner()


def guard_of(addresses: Iterable[str], folder: Path | None = None) -> Owner | None:
    """Say which guard watches over one of these instruments, or is at work there; as `owner_of`."""
    return BenchLock(folder, addresses).guard()


def identity_key(identity: str) -> str:
    """Return what tells one box from all others: maker, model and serial number of a reply to ``*IDN?``.

    Letter case, white space and firmware make no difference.

    Returns:
        The key; "" where the reply has no serial number that tells anything.
    """
    fields = [" ".join(field.split()).upper() for field in identity.split(",")]
    if len(fields) < 3:
        return ""
    maker, model, serial = fields[:3]
    bare = "".join(letter for letter in serial if letter.isalnum())
    return "" if bare in _NO_SERIAL or not bare.strip("0") else f"*IDN {maker},{model},{serial}"


def _first(keys: Iterable[str], folder: Path) -> Owner | None:
    for key in sorted(keys):
        path = _file(folder, key)
        with suppress(OSError):
            if _is_locked(path):
                return _written(path)
    return None


def _file(folder: Path, key: str) -> Path:
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.lock"


def _locked(path: Path) -> tuple[int, bool] | None:
    """Open and lock a file; give its descriptor and whether it can be written, None where somebody else holds it."""
    for pause_s in (*_PAUSES_S, None):
        file, writable = open_shared(path)
        if _try(file):
            # Somebody may have tidied the folder up between the two.
            if _is_still(path, file):
                return file, writable
            os.close(file)
            continue
        os.close(file)
        if pause_s is not None:
            time.sleep(pause_s)
    return None


def _is_locked(path: Path) -> bool:
    file, _ = open_shared(path, create=False)
    try:
        return not _try(file)
    finally:
        os.close(file)


def _try(file: int) -> bool:
    try:
        lock(file)
    except OSError:
        return False
    return True


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False


def _written(path: Path) -> Owner:
    """Read who holds a lock; nobody in particular where that is not to be found out."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        file, _ = open_shared(path, create=False)
        try:
            owner = Owner.of(json.loads(os.read(file, _LONGEST)))
        finally:
            os.close(file)
        # Who could not write the file holds it under the name of the one before, who is gone.
        return Owner() if owner.is_gone() else owner
    return Owner()


def _holder(path: Path, instrument: str) -> str:
    owner = _written(path)
    by = f", as {owner.instrument}{_at(owner.address)}" if instrument and owner.instrument else ""
    return f"{owner}{by}"


def _at(address: str) -> str:
    return f" at {address}" if address else ""


def _no_lock(who: str, path: Path, error: OSError) -> NoLockError:
    return NoLockError(
        f"{who}: locks cannot be kept, so nobody knows whether an instrument is in use",
        seen=str(error) if str(path) in str(error) else f"{path}: {error}",
        allowed="a folder that every user of this computer can write to",
        todo=f"make it one (chmod 1777), or set {VARIABLE}=/srv/spinhw in the environment, a folder for all users",
    )
