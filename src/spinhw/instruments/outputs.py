"""What the outputs of a bench do, and which of them somebody chooses to bring down."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class OutputState:
    """What one output of a bench was found to do.

    Args:
        name: Instrument and output, such as "supply.1".
        on: Whether it is on; None where it cannot be read.
        gives: What it gives, in words, or why it cannot be read.
        ours: Whether a session of spinhw is known to have switched it on.
        by_hand: Whether the bench file says that it is set by hand.
    """

    name: str
    on: bool | None
    gives: str
    ours: bool
    by_hand: bool


@dataclass(frozen=True)
class BroughtDown:
    """What a bench was left in after it was brought down.

    Args:
        unconfirmed: Outputs that were to come down and could not be confirmed off, and those that cannot be read.
        left: What is on still, since it is not ours and was not chosen.
    """

    unconfirmed: tuple[str, ...]
    left: tuple[OutputState, ...]


# Is shown what is on and not ours, and gives the names of what shall come down too.
Choose = Callable[[list[OutputState]], Iterable[str]]


def nothing_else(others: list[OutputState]) -> list[str]:
    """Choose nothing of what is not ours."""
    return []


def everything(others: list[OutputState]) -> list[str]:
    """Choose all that is on or cannot be read, whoever switched it on."""
    return [one.name for one in others]
