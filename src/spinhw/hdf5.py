"""HDF5 files that may be anything: what is read from one that is damaged, or no such file, is an error to be told."""

import hashlib
import json
import mmap
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What h5py, and whoever makes something of what it reads, raises where bytes are not what was written; the last of
# them for an array of a size that no memory has.
UNREADABLE = (OSError, RuntimeError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, MemoryError)

_HEAP = b"GCOL\x01\0\0\0"
_MOST_HEAP = 1 << 26  # HDF5 makes them of 4 kB, and of the size of a text that is longer.


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Any]:
    """Open a file for reading; h5py takes a tenth of the time of xarray, and says nothing of its own when it fails.

    Raises:
        One of `UNREADABLE`: It is no such file, or is damaged.
    """
    import h5py  # Here, because it is slow to import.

    _refuse_endless_heaps(path)
    with h5py.File(path, "r") as file:
        yield file


def _refuse_endless_heaps(path: Path) -> None:
    """Look at the heaps in which texts lie: in one whose next entry is where this one is, HDF5 looks for ever.

    HDF5 file format 3.0, III.E: a collection says its size; each entry has 16 bytes of header, the last eight of them
    its size, in which that of entry 0 counts the header and all others do not, and are padded to eight bytes.

    Raises:
        OSError: The file is not there, or cannot be read.
        ValueError: There is such a heap.
    """
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = data.find(_HEAP)
            while start >= 0:
                size = int.from_bytes(data[start + 8 : start + 16], "little")
                _refuse_endless(data[start : start + min(size, _MOST_HEAP)])
                start = data.find(_HEAP, start + 1)


def _refuse_endless(heap: bytes) -> None:
    place = 16
    while place + 16 <= len(heap):
        number, size = int.from_bytes(heap[place : place + 2], "little"), heap[place + 8 : place + 16]
        step = int.from_bytes(size, "little")
        step = step if number == 0 else 16 + -(-step // 8) * 8
        if not 0 < step <= len(heap) - place:
            raise ValueError("a heap of texts that has no end")
        place += step


def attributes_of(file: Any) -> dict[str, Any]:
    """Read the attributes of a file; a number alone comes as an array of one, and is taken out of it."""
    return {name: _plain(value) for name, value in file.attrs.items() if name != "_NCProperties"}


def digest_of(attributes: Mapping[str, Any]) -> str:
    """Return a checksum of attributes, the same before they are written and after they are read."""
    said = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in attributes.items()}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "size", 0) == 1 else value
