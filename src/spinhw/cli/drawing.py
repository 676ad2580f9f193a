"""Pictures that commands draw of what they have measured: whatever fails there, the figures are safe."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spinhw.errors import ConfigError, SpinhwError

_log = logging.getLogger(__name__)


@dataclass
class Drawing:
    """What became of pictures.

    Args:
        failed: Whether they could not be drawn.
    """

    failed: bool = False


@contextmanager
def drawing(place: Path, safe: str, todo: str) -> Iterator[Drawing]:
    """Warn in one line of whatever fails within, and go on: it ends no command that has measured something.

    Args:
        place: File or folder of the pictures.
        safe: What is kept all the same, and where.
        todo: How the pictures are drawn once more.
    """
    outcome = Drawing()
    try:
        yield outcome
    except Exception as error:  # matplotlib and the fonts and files that it needs raise errors of many kinds
        outcome.failed = True
        _log.warning("%s", _not_drawn(place, error, safe, todo))


@contextmanager
def drawing_alone(place: Path, safe: str, todo: str) -> Iterator[None]:
    """Make one line of whatever fails within, for a command that is there for the picture.

    Args:
        place: File or folder of the pictures.
        safe: What is kept all the same, and where.
        todo: How the pictures are drawn once more.

    Raises:
        ConfigError: Something failed.
    """
    try:
        yield
    except SpinhwError:
        raise
    except Exception as error:
        raise _not_drawn(place, error, safe, todo) from error


def _not_drawn(place: Path, error: Exception, safe: str, todo: str) -> ConfigError:
    said = error.strerror if isinstance(error, OSError) else str(error) if isinstance(error, SpinhwError) else None
    return ConfigError(
        f"{place}: the pictures could not be drawn",
        seen=said or f"{type(error).__name__}: {error}",
        todo=f"{safe}; free some space or close the picture, then {todo}",
    )
