"""One experiment as a NetCDF file, written as a whole or not at all, with a checksum of all that it says."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from numpy.typing import NDArray

from spinhw.atomic import write_atomically
from spinhw.errors import ConfigError
from spinhw.hdf5 import attributes_of, digest_of, opened_hdf5

Arrays = Mapping[str, NDArray[Any]]

_CHECKSUM = "contents_sha256"


def write_dataset(data: xarray.Dataset, path: Path, what: str) -> None:
    """Write a dataset whole or not at all.

    Args:
        data: What is written.
        path: Where.
        what: What it holds, for the message.

    Raises:
        ConfigError: The file cannot be written; what was there before is intact.
    """
    arrays = {str(name): one.to_numpy() for name, one in data.data_vars.items()}
    signed = data.assign_attrs({_CHECKSUM: _digest(arrays, data.attrs)})
    try:
        write_atomically(path, bytes(signed.to_netcdf(engine="h5netcdf")))
    except ConfigError as error:
        raise ConfigError(
            f"{path}: the {what} cannot be written",
            seen=error.seen,
            todo="free some space or make the folder writable, then give the same command again: what was measured "
            "before is kept",
        ) from error


def read_dataset(path: Path, names: Iterable[str], optional: Iterable[str] = ()) -> tuple[Arrays, dict[str, Any]]:
    """Read all variables and attributes that `write_dataset` wrote, and check that they are what was written.

    Args:
        path: The file.
        names: Of the variables.
        optional: Of variables that need not be there.

    Raises:
        One of `UNREADABLE`: It is no such file, or is damaged.
    """
    with opened_hdf5(path) as file:
        wanted = [*names, *(name for name in optional if name in file)]
        arrays = {name: np.asarray(file[name][()]) for name in wanted}
        about = attributes_of(file)
    checksum = about.pop(_CHECKSUM, None)  # Files before 2026-11-29 lack it.
    if checksum is not None and checksum != _digest(arrays, about):
        raise ValueError("contents that do not match their checksum")
    return arrays, about


def _digest(arrays: Arrays, about: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(digest_of(about).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
