"""HDF5 files that may be anything: what is read from one that is damaged, or no such file, is an error to be told."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What h5py, and whoever makes something of what it reads, raises where bytes are not what was written; the last of
# them for an array of a size that no memory has.
UNREADABLE = (OSError, RuntimeError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, MemoryError)


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Any]:
    """Open a file for reading; h5py takes a tenth of the time of xarray, and says nothing of its own when it fails.

    Raises:
        One of `UNREADABLE`: It is no such file, or is damaged.
    """
    import h5py  # Here, because it is slow to import.

    with h5py.File(path, "r") as file:
        yield file


def attributes_of(file: Any) -> dict[str, Any]:
    """Read the attributes of a file; a number alone comes as an array of one, and is taken out of it."""
    return {name: _plain(value) for name, value in file.attrs.items() if name != "_NCProperties"}


def digest_of(attributes: Mapping[str, Any]) -> str:
    """Return a checksum of attributes, the same before they are written and after they are read."""
    said = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in attributes.items()}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return value.item() if getattr(value, "size", 0) == 1 else value
