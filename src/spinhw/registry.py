"""What other packages add: kinds that a YAML file names, found in their entry points, never by an import path."""

import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from spinhw.errors import ConfigError, did_you_mean

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registry:
    """The kinds of one sort of thing, by name; each is imported when it is asked for and not before.

    A package adds one in its ``pyproject.toml``:

        [project.entry-points."spinhw.tasks"]
        parity = "mypackage.parity:ParitySettings"

    Args:
        group: Entry-point group, such as "spinhw.tasks".
        what: What its members are called in messages, such as "task".
        own: Those of spinhw itself: "module:name" by kind. No package can put another in their place.
        base: Class that each is derived from, "module:name"; nothing where that is not looked at.
    """

    group: str
    what: str
    own: Mapping[str, str] = field(default_factory=dict)
    base: str = ""

    def __hash__(self) -> int:
        return hash(self.group)

    def names(self) -> list[str]:
        """List every kind, spinhw's own first, without importing any."""
        return [*self.own, *sorted(set(_foreign(self.group)) - set(self.own))]

    def knows(self, kind: str) -> bool:
        """Tell whether there is such a kind; other packages are only looked at where it is none of spinhw's own."""
        return kind in self.own or kind in _foreign(self.group)

    def find(self, kind: str) -> Any:
        """Import a kind.

        Raises:
            ConfigError: There is none of that name, its package cannot be imported, or it is something else.
        """
        if kind in self.own:
            return _named(self.own[kind])
        point = _foreign(self.group).get(kind)
        if point is None:
            raise ConfigError(
                f"there is no {self.what} of this kind",
                seen=kind,
                allowed=", ".join(self.names()),
                todo=did_you_mean(kind, self.names()) or f"install the package that adds it to {self.group}",
            )
        found = _imported(point, self.what)
        if self.base and not (isinstance(found, type) and issubclass(found, _named(self.base))):
            raise ConfigError(
                f"{self.what} {kind!r} (package {_package(point)}) is none",
                seen=getattr(found, "__qualname__", found),
                allowed=f"a class derived from {self.base.replace(':', '.')}",
                todo="ask its authors",
            )
        return found

    def all(self) -> Iterator[tuple[str, Any]]:
        """Import every kind; one whose package is broken is named in the log and left out."""
        for kind in self.names():
            try:
                yield kind, self.find(kind)
            except ConfigError as error:
                _log.warning("%s", error)


def _foreign(group: str) -> dict[str, EntryPoint]:
    return _points(group, tuple(sys.path))


@lru_cache
def _points(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    return {point.name: point for point in _all_points(path).select(group=group)}


@lru_cache(maxsize=1)
def _all_points(path: tuple[str, ...]) -> Any:
    """Look through the packages that are installed on a path: once for all groups, for it takes a while."""
    return entry_points()


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module.partition(".")[0]


def _imported(point: EntryPoint, what: str) -> Any:
    package = _package(point)
    try:
        return point.load()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise ConfigError(
            f"{what} {point.name!r} (package {package}) needs another package",
            seen=f"{missing} is not installed",
            todo=f"pip install {missing}",
        ) from error
    except Exception as error:  # a foreign module may fail in any way
        raise ConfigError(
            f"{what} {point.name!r} (package {package}) cannot be loaded",
            seen=f"{type(error).__name__}: {error}",
            todo=f"ask its authors, or try a newer one: pip install --upgrade {package}",
        ) from error
