"""Faults on demand: what goes wrong with a message follows from seed, instrument and message number, nothing else."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Literal, get_args

from pydantic import Field

from spinhw.config import Settings
from spinhw.streams import numpy_stream
from spinhw.units import DurationS

_log = logging.getLogger(__name__)

Kind = Literal[
    "slow",
    "silent",
    "dropped",
    "late",
    "half",
    "identity",
    "error",
    "nan",
    "clipped",
    "stuck",
    "overload",
    "reboot",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
# These need something to be answered; the others may befall any message.
NEEDS_ANSWER = frozenset({"slow", "silent", "late", "half"})
# These befall the instrument and show in what it measures or plays next.
PHYSICAL = frozenset({"nan", "clipped", "stuck", "overload"})

Rate = Annotated[float, Field(ge=0.0, le=1.0)]


class FaultSettings(Settings):
    """How often what goes wrong. Every rate is a probability for each message that the fault can befall."""

    seed: int = Field(default=0, ge=0, description="Seed of the faults, 0 or above.")
    instruments: tuple[str, ...] = Field(default=(), description="Names of the instruments that fail; none means all.")
    most: int | None = Field(default=None, ge=0, description="Number of faults after which all is well; null for none.")
    slow: Rate = Field(default=0.0, description="Answers after `slow_delay`, within any sensible timeout.")
    silent: Rate = Field(default=0.0, description="Never answers this message.")
    dropped: Rate = Field(default=0.0, description="Closes the connection instead of reading the message.")
    late: Rate = Field(default=0.0, description="Answers after `late_delay`, when the client has given up.")
    half: Rate = Field(default=0.0, description="Sends half of the answer and no more.")
    identity: Rate = Field(default=0.0, description="Gives another identity to *IDN?.")
    error: Rate = Field(default=0.0, description="Puts a system error into the error queue.")
    nan: Rate = Field(default=0.0, description="Has gaps in its next reading or acquisition.")
    clipped: Rate = Field(default=0.0, description="Its next acquisition runs out of its range.")
    stuck: Rate = Field(default=0.0, description="One channel of its next acquisition does not move.")
    overload: Rate = Field(default=0.0, description="An output trips, or an input is overloaded.")
    reboot: Rate = Field(default=0.0, description="Restarts: settings and connections are lost.")
    slow_delay_s: DurationS = Field(default=2e-3, description="Delay of a slow answer; 0 or above.")
    late_delay_s: DurationS = Field(default=0.2, description="Delay of a late answer; above the client's timeout.")

    @property
    def active(self) -> bool:
        """Whether any fault can happen."""
        return any(getattr(self, kind) > 0 for kind in KINDS)


@dataclass(frozen=True)
class Fault:
    """A fault that was injected.

    Args:
        instrument: Name of the instrument.
        number: Number of the message that it befell, counted from 0 for each instrument.
        kind: What went wrong.
        message: The start of that message.
    """

    instrument: str
    number: int
    kind: Kind
    message: str


class Faults:
    """Draws faults and keeps a log of them.

    Args:
        settings: Rates and seed.
    """

    def __init__(self, settings: FaultSettings) -> None:
        self.settings, self._is_active = settings, settings.active
        self.log: list[Fault] = []
        self._lock = Lock()

    def draw(self, instrument: str, number: int, message: bytes, suffers: Collection[str] = PHYSICAL) -> Kind | None:
        """Say what goes wrong with a message, if anything, and log it.

        Args:
            instrument: Name of the instrument that it was sent to.
            number: Its number there.
            message: The message without its end.
            suffers: What can go wrong with what this instrument measures or plays.
        """
        asked = self.settings
        if not self._is_active or (asked.instruments and instrument not in asked.instruments):
            return None
        draws = numpy_stream("virtual fault", asked.seed, instrument, number).random(len(KINDS))
        able = [kind for kind, draw in zip(KINDS, draws, strict=True) if draw < getattr(asked, kind)]
        kind = next((one for one in able if _can_befall(one, message, suffers)), None)
        with self._lock:
            if kind is None or (asked.most is not None and len(self.log) >= asked.most):
                return None
            self.log.append(Fault(instrument, number, kind, message[:60].decode("latin-1")))
        _log.debug("fault %s into message %d of %s: %r", kind, number, instrument, message[:60])
        return kind


def _can_befall(kind: Kind, message: bytes, suffers: Collection[str]) -> bool:
    if kind in PHYSICAL:
        return kind in suffers
    if kind == "identity":
        return b"*IDN?" in message[:200].upper()
    return kind not in NEEDS_ANSWER or b"?" in message[:400]
