"""Data sets that lie in installed packages, named in place of a path: `aeon:JapaneseVowels`."""

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from spinhw.errors import ConfigError, did_you_mean

# Two letters at least: one is a drive of Windows. A path with a colon has an ending, or folders.
_NAME = re.compile(r"(?P<package>[A-Za-z]\w+):(?P<data>[\w-]*)")


@dataclass(frozen=True)
class _Package:
    """Where a package keeps its data sets.

    Args:
        folder: Inside the package; each data set has a folder of its name in it.
        file: Of a part, in that folder.
        install: What to type to have it.
    """

    folder: str
    file: str
    install: str


# Nothing of a package is imported, so that nothing that it depends on has to be there.
_PACKAGES = {"aeon": _Package("datasets/data", "{data}_{part}.ts", "pip install --no-deps aeon")}


def is_packaged(name: str) -> bool:
    """Tell whether a name is one of a data set in a package, and not of a file."""
    return _NAME.fullmatch(name) is not None or name.partition(":")[0] in _PACKAGES


def file_of(name: str, part: Literal["TRAIN", "TEST"], key: str) -> Path:
    """Return where a file lies that is named by its path, or as a data set of an installed package.

    Args:
        name: A path, or PACKAGE:NAME.
        part: Which file of a data set.
        key: Where the settings name it, for messages.

    Raises:
        ConfigError: The package is not installed, or has no such data set.
    """
    if not is_packaged(name):
        return Path(name)
    package, _, data = name.partition(":")
    if package not in _PACKAGES:
        raise ConfigError(
            f"{key}: nobody knows where a package of this name has data sets",
            seen=name,
            allowed=", ".join(f"{one}:NAME" for one in _PACKAGES) + ", or a path",
            todo=did_you_mean(package, _PACKAGES),
        )
    found = _data_sets(package)
    if not found:
        raise ConfigError(
            f"{key}: {name} comes with the package {package}",
            seen="it is not installed, or without its data sets",
            allowed=f"an installed {package}",
            todo=_PACKAGES[package].install,
        )
    if data not in found:
        raise ConfigError(
            f"{key}: the installed {package} has no data set of this name",
            seen=name,
            allowed=", ".join(sorted(found)),
            todo=did_you_mean(name, [f"{package}:{one}" for one in found])
            or "write one of these, or the path of its files",
        )
    return found[data] / _PACKAGES[package].file.format(data=data, part=part)


def _data_sets(package: str) -> dict[str, Path]:
    """Return the folders of the data sets that a package has, by name; none where it is not installed."""
    known = _PACKAGES[package]
    spec = find_spec(package)  # Looks for the package, and does not import it.
    places = [Path(one, known.folder) for one in (spec.submodule_search_locations or ())] if spec else []
    folders = [one for place in places if place.is_dir() for one in place.iterdir()]
    return {one.name: one for one in folders if (one / known.file.format(data=one.name, part="TRAIN")).is_file()}
