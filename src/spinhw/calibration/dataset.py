"""One experiment as a NetCDF file, written as a whole or not at all."""

import os
from pathlib import Path

import xarray

from spinhw.errors import CalibrationError


def write_dataset(data: xarray.Dataset, path: Path, what: str) -> None:
    """Write a dataset through a temporary file beside it, so that nothing half written stays.

    Args:
        data: What is written.
        path: Where.
        what: What it holds, for the message.

    Raises:
        CalibrationError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        data.to_netcdf(temporary, engine="h5netcdf")
        temporary.replace(path)
    except OSError as error:
        raise CalibrationError(f"{path}: the {what} cannot be written", seen=error, todo="free some space") from error
    finally:
        temporary.unlink(missing_ok=True)
