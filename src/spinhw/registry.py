"""What other packages add: kinds that a YAML file names, found in their entry points, never by an import path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from spinhw.errors import ConfigError, did_you_mean


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
    """

    group: str
    what: str
    own: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.group)

    def names(self) -> list[str]:
        """List every kind, without importing any."""
        return sorted({*self.own, *_foreign(self.group)})

    def knows(self, kind: str) -> bool:
        """Tell whether there is such a kind; other packages are only looked at where it is none of spinhw's own."""
        return kind in self.own or kind in _foreign(self.group)

    def find(self, kind: str) -> Any:
        """Import a kind.

        Raises:
            ConfigError: There is none of that name, or its package cannot be imported.
        """
        if kind in self.own:
            module, _, name = self.own[kind].partition(":")
            return getattr(import_module(module), name)
        point = _foreign(self.group).get(kind)
        if point is None:
            raise ConfigError(
                f"there is no {self.what} of this kind",
                seen=kind,
                allowed=", ".join(self.names()),
                todo=did_you_mean(kind, self.names()) or f"install the package that adds it to {self.group}",
            )
        return _imported(point, self.what)


@lru_cache
def _foreign(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def _imported(point: EntryPoint, what: str) -> Any:
    package = point.dist.name if point.dist is not None else point.module.partition(".")[0]
    try:
        return point.load()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise ConfigError(
            f"the {what} {point.name!r} of the package {package} needs another package",
            seen=f"{missing} is not installed",
            todo=f"pip install {missing}",
        ) from error
    except Exception as error:  # a foreign module may fail in any way
        raise ConfigError(
            f"the {what} {point.name!r} of the package {package} cannot be imported",
            seen=f"{type(error).__name__}: {error}",
            todo=f"pip install --upgrade {package}, or ask its authors",
        ) from error
