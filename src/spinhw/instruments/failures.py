"""What can go wrong between this computer and one instrument."""

import re
from collections.abc import Sequence

from spinhw.errors import DeviceError

# 0,"No error"; +0,"No error"; a register before it (Tektronix); tabs and floats (TSP).
_ENTRY = re.compile(r"\s*(?:\d+;)?([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*(?:[,\t].*)?", re.DOTALL)


# SCPI-99 numbers errors with 16 bits; makers go somewhat further.
_LARGEST = 10**6
LATE = "did not answer in time"


class LinkError(DeviceError):
    """The connection to an instrument failed: closed, silent, late, cut short, or somebody else answers."""


class IdentityError(LinkError):
    """Another instrument answers than the one in the configuration."""


class RefusedError(DeviceError):
    """The instrument understood the message, and has put an error into its queue."""

    numbers: tuple[int, ...] = ()  # Of the errors.

    @property
    def may_pass(self) -> bool:  # type: ignore[override]
        """Whether the same message may be taken another time: no syntax and no range changes by itself."""
        return not any(number in _LASTING or -199 <= number <= -100 for number in self.numbers)


# Settings conflict, data out of range, too much data, illegal parameter value.
_LASTING = {-221, -222, -223, -224}


def error_number(reply: str) -> int | None:
    """Read the number out of an entry of an error queue; None where it is no such entry: a fraction, or beyond all."""
    found = _ENTRY.fullmatch(reply)
    number = float("nan") if found is None else float(found[1])
    return int(number) if abs(number) <= _LARGEST and number == int(number) else None


def refused(name: str, about: str, errors: Sequence[str]) -> RefusedError:
    """Say what an instrument put into its error queue."""
    error = RefusedError(
        f"{name}: the instrument reports an error after {about}",
        seen="; ".join(errors),
        allowed="an empty error queue",
        todo="look the number up in its manual",
    )
    error.numbers = tuple(number for number in map(error_number, errors) if number is not None)
    return error


def complaint(error: Exception) -> str:
    """Say in a few words what a failed exchange means, as the end of 'the instrument ...'."""
    if isinstance(error, TimeoutError) or "VI_ERROR_TMO" in str(error):
        return LATE
    if isinstance(error, UnicodeDecodeError):
        return "answered with bytes that are no text"
    if isinstance(error, ValueError):
        return "answered with something else than was asked for"
    return "cannot be reached"


def short(message: str) -> str:
    """Cut a message for an error text."""
    return message if len(message) <= 80 else message[:77] + "..."
