"""From a file to series, by what its name ends with."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from spinhw.errors import ConfigError, did_you_mean
from spinhw.tasks.series.layout import series_of_table
from spinhw.tasks.series.named_arrays import series_of_arrays
from spinhw.tasks.series.series import Series
from spinhw.tasks.series.settings import SeriesSettings
from spinhw.tasks.series.table import Table, read_csv, read_parquet
from spinhw.tasks.series.ts import read_ts
from spinhw.tasks.series.wav import read_wavs

Reader = Callable[[Path, SeriesSettings], Series]


def read_series(path: Path, settings: SeriesSettings, key: str = "task.file") -> Series:
    """Read the series of a file or folder.

    Args:
        path: Where it lies.
        settings: What is what in it.
        key: Where the settings name it, for messages.

    Raises:
        ConfigError: It is not there, of an unknown form, or something in it does not do; says where.
    """
    if path.is_dir():
        return read_wavs(path, settings)
    if not path.exists():
        raise ConfigError(
            f"{key}: there is no such file or folder",
            seen=path,
            allowed="a path, as it stands or beside the YAML file",
            todo=did_you_mean(path.name, _beside(path)) or "check the path",
        )
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(
            f"{key}: nobody knows how to read a file of this form",
            seen=path.name,
            allowed=f"{', '.join(_READERS)}, or a folder of WAV",
            todo="convert it to one of these",
        )
    try:
        return reader(path, settings)
    except OSError as error:
        raise ConfigError(
            f"{path}: this file cannot be read", seen=error.strerror or error, todo="look into it"
        ) from error


def _beside(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []


def read_table(path: Path) -> Table:
    """Read a table: CSV or Parquet.

    Raises:
        ConfigError: It is none, or rows of it are other than its first line says.
    """
    return _TABLES[path.suffix.lower()](path, path.name)


@contextmanager
def arrays_in(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Open the named arrays of an NPZ or NetCDF-4 file, for as long as this is entered.

    Raises:
        ConfigError: It is none.
    """
    with _OPENED[path.suffix.lower()](path) as arrays:
        yield arrays


@contextmanager
def _npz(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    try:
        file = np.load(path, allow_pickle=False)
    except (BadZipFile, EOFError, ValueError) as error:
        raise ConfigError(
            f"{path.name}: this is no NPZ file", seen=type(error).__name__, todo="save it anew with numpy.savez"
        ) from error
    if not isinstance(file, np.lib.npyio.NpzFile):
        raise ConfigError(f"{path.name}: this is no NPZ file", seen="one array", todo="save it with numpy.savez")
    with file:
        yield _Arrays(file, path.name)


class _Arrays(Mapping[str, NDArray[Any]]):
    """Arrays of an NPZ file; each is read when it is asked for, so that none is that nobody looks at.

    Args:
        file: As numpy opened it.
        shown: Its name.
    """

    def __init__(self, file: Any, shown: str) -> None:
        self._file, self._shown = file, shown

    def __contains__(self, name: object) -> bool:
        return name in self._file.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.files)

    def __len__(self) -> int:
        return len(self._file.files)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self:
            raise KeyError(name)
        try:
            return np.asarray(self._file[name])
        except (BadZipFile, EOFError, zlib.error) as error:
            raise ConfigError(
                f"{self._shown}: the array {name} is damaged", seen=error, todo="save the file anew"
            ) from error
        except ValueError as error:
            raise ConfigError(
                f"{self._shown}: the array {name} holds objects of Python, which are never read",
                seen=error,
                allowed="arrays of numbers or texts",
                todo="save sequences of different lengths one behind the other, or filled up, with their lengths",
            ) from error


@contextmanager
def _netcdf(path: Path) -> Iterator[Mapping[str, NDArray[Any]]]:
    import xarray as xr

    try:
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            arrays = {str(name): one.to_numpy() for name, one in dataset.variables.items()}
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path.name}: this is no NetCDF-4 file", seen=error, todo="save it as NetCDF-4") from error
    yield arrays


def _of_table(path: Path, settings: SeriesSettings) -> Series:
    return series_of_table(read_table(path), settings)


def _of_arrays(path: Path, settings: SeriesSettings) -> Series:
    with arrays_in(path) as arrays:
        return series_of_arrays(arrays, settings, path.name)


_TABLES: dict[str, Callable[[Path, str], Table]] = {".csv": read_csv, ".parquet": read_parquet}
_OPENED: dict[str, Callable[[Path], AbstractContextManager[Mapping[str, NDArray[Any]]]]] = {
    ".npz": _npz,
    ".nc": _netcdf,
}
TABLES, ARRAYS = frozenset(_TABLES), frozenset(_OPENED)
_READERS: dict[str, Reader] = {
    ".npz": _of_arrays,
    ".csv": _of_table,
    ".parquet": _of_table,
    ".ts": lambda path, settings: read_ts(path, path.name, settings),
    ".nc": _of_arrays,
}
