"""Pictures that commands draw of what they have measured: whatever fails there, the figures are safe."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spinhw.errors import ConfigError, SpinhwError


@contextmanager
def drawing(place: Path, safe: str, todo: str) -> Iterator[None]:
    """Make one line of whatever fails within.

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
    except Exception as error:  # matplotlib and the fonts and files that it needs raise errors of many kinds
        seen = (isinstance(error, OSError) and error.strerror) or f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{place}: the pictures could not be drawn",
            seen=seen,
            todo=f"{safe}; free some space or close the picture, then {todo}",
        ) from error
