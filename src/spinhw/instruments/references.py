"""How a bench file names channels and the paths that lead to them."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator

from spinhw.errors import MisfitError

_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\.[A-Za-z0-9_]+")
_PATH = re.compile(rf"({_REFERENCE.pattern})(?:\s+via\s+({_REFERENCE.pattern}))?")


def _is_reference(text: str) -> str:
    if not _REFERENCE.fullmatch(text):
        raise ValueError("must be INSTRUMENT.CHANNEL, such as 'awg.1'")
    return text


def _is_path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError("must be INSTRUMENT.CHANNEL, or 'scope.1 via matrix.1101' with a crosspoint of a switch")
    return text


Reference = Annotated[str, AfterValidator(_is_reference)]
ReadoutPath = Annotated[str, AfterValidator(_is_path)]

# Key in the file, reference, role that it must have.
Use = tuple[str, str, str]
# Key of what is set at an output as the file says, the output, the value in SI, and its unit.
Level = tuple[str, str, float, str]


def split_path(path: str) -> tuple[str, str | None]:
    """Split a read-out path into the input and the crosspoint, if there is one."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"{path!r} is no read-out path")
    return found[1], found[2]


def split_reference(reference: str) -> tuple[str, str]:
    """Split "awg.1" into instrument and channel."""
    name, _, channel = reference.partition(".")
    return name, channel


def uses_of(paths: Mapping[str, str], role: str) -> Iterator[Use]:
    """Go through what paths use: the input that each leads to, which has a role, and its crosspoint if it has one."""
    for key, path in paths.items():
        channel, crosspoint = split_path(path)
        yield key, channel, role
        if crosspoint is not None:
            yield f"{key} (via)", crosspoint, "switch"


def by_key(key: str, paths: tuple[str, ...]) -> dict[str, str]:
    """Name each path as the file does, such as "neurons[3]"."""
    return {f"{key}[{number}]": path for number, path in enumerate(paths)}


def check_apart(references: Mapping[str, str]) -> None:
    """Refuse two on one output of a source: it plays one waveform at a time."""
    first: dict[str, str] = {}
    for key, reference in references.items():
        other = first.setdefault(reference, key)
        if other != key:
            raise MisfitError(
                f"{other} and {key} are on one output of a source",
                seen=reference,
                allowed="an output of its own for each",
                todo="correct the wiring",
            )


def check_sharing(paths: Mapping[str, str]) -> None:
    """Refuse two on one input without a switch between them."""
    first: dict[str, str] = {}
    for key, path in paths.items():
        channel, crosspoint = split_path(path)
        other = first.setdefault(channel, key)
        if other != key and (crosspoint is None or split_path(paths[other])[1] is None):
            raise MisfitError(
                f"{other} and {key} are on one channel without a switch",
                seen=channel,
                allowed="each on a channel of its own, or each via a crosspoint of a switch",
                todo="correct the wiring",
            )
