"""One experiment as a NetCDF file, written as a whole or not at all, with a checksum of all that it says."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from numpy.typing import NDArray

from spinhw.atomic import write_atomically
from spinhw.device import OscillatorBank, SynapseBank
from spinhw.errors import CalibrationError, ConfigError
from spinhw.hdf5 import attributes_of, digest_of, opened_hdf5

Arrays = Mapping[str, NDArray[Any]]

_CHECKSUM = "contents_sha256"
STATE = "state"  # What a bank said of itself afterwards, as bytes of JSON: attributes of HDF5 end at 64 kB.


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


def state_written(state: Mapping[str, Any]) -> dict[str, Any]:
    """Write the state of a bank as a variable of a dataset; none where there is nothing to say."""
    said = np.frombuffer(json.dumps(state).encode(), np.uint8)
    return {STATE: ("byte", said, {"long_name": "state of the device afterwards, as JSON"})} if state else {}


def state_read(arrays: Arrays) -> dict[str, Any]:
    """Read what `state_written` wrote; nothing where there is none.

    Raises:
        ValueError: It is no state.
    """
    found = json.loads(arrays[STATE].astype(np.uint8).tobytes()) if STATE in arrays else {}
    if not isinstance(found, dict):
        raise ValueError("a state of the device that is none")
    return found


def follow(bank: OscillatorBank | SynapseBank, path: Path, state: dict[str, Any]) -> None:
    """Bring a bank to where it was after an experiment that was measured before: what follows is as if it went on.

    A simulated one would otherwise draw the noise of its first shots twice, and forget its drift.

    Raises:
        CalibrationError: It is the state of another device.
    """
    try:
        if state:
            bank.restore(state)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CalibrationError(
            f"{path}: this was measured on a device with other settings",
            seen=str(error) or type(error).__name__,
            allowed=f"{bank.name} as it is described now",
            todo="write the record elsewhere (--out), or remove the folder of its traces",
        ) from error
