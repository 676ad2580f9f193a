"""Compiled functions that are kept between processes, whatever older versions of spinhw have left behind."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import njit

_log = logging.getLogger(__name__)


def kept(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile as `numba.njit` does and keep the code between processes.

    Numba files what it compiled by the types of the arguments, named tuples among them, in an index beside the
    sources. After an upgrade that renamed one of them it cannot read the older index, and raises an error at the first
    call. Such an index counts as empty, as does one that was cut short: the function is compiled again.

    Args:
        options: Of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            compiled = njit(cache=True, **options)(function)
        except RuntimeError:  # Neither beside the sources nor in the user's folders a file can be written.
            _tell_once()
            return njit(**options)(function)
        # Numba has no public name for its index; without a folder to write to there is none.
        index = getattr(compiled._cache, "_cache_file", None)  # noqa: SLF001
        if index is not None:
            index._load_index = _or_nothing(index._load_index)  # noqa: SLF001
        return compiled

    return decorate


@cache
def _tell_once() -> None:
    _log.warning(
        "compiled functions cannot be kept: neither the folder of spinhw nor your home can be written, so every "
        "process compiles them anew; set NUMBA_CACHE_DIR to a folder that can be written"
    )


def _or_nothing(load: Callable[[], dict[Any, Any]]) -> Callable[[], dict[Any, Any]]:
    def loaded() -> dict[Any, Any]:
        try:
            return load()
        except OSError:
            raise
        except Exception:  # whatever unpickling the unknown may raise
            return {}

    return loaded
