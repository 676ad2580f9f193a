"""The words of one instrument: its profile's commands, filled in and sent over its link."""

import math
from abc import ABC, abstractmethod
from typing import Any

from spinhw.instruments.failures import LinkError
from spinhw.instruments.link import Link
from spinhw.instruments.profile import Profile

# What instruments say for "no number": SCPI has 9.91e37 for NaN and 9.9e37 for infinity.
_BEYOND = 9.8e37


class InstrumentAccess(ABC):
    """What an instrument is reached through: a link, or somebody else's driver."""

    @abstractmethod
    def open(self) -> str:
        """Connect without changing anything, and return who answers."""

    @abstractmethod
    def close(self) -> None:
        """Disconnect; allowed on a connection that is broken or was never open."""

    @property
    @abstractmethod
    def generation(self) -> int:
        """Get how often the connection was made: what was set before the last time may be lost."""

    def pin(self) -> None:
        """Refuse settings from now on once the connection was made anew, until this is called again.

        Nothing to do for what connects anew only in `open`.
        """
        return None


class Words(InstrumentAccess):
    """Commands of a profile, over a link.

    Args:
        link: To the instrument.
        profile: Its commands, ranges and number formats.
    """

    def __init__(self, link: Link, profile: Profile) -> None:
        self.link, self.profile = link, profile
        self._ranges: dict[str, tuple[float, float]] = {}

    def open(self) -> str:
        return self.link.open()

    def close(self) -> None:
        self.link.close()

    @property
    def generation(self) -> int:
        return self.link.generation

    def pin(self) -> None:
        self.link.pin()

    def has(self, command: str) -> bool:
        """Tell whether the profile has a command that not all models have."""
        return command in self.profile.commands

    def text(self, command: str, **fields: Any) -> str:
        """Fill in a command."""
        return self.profile.commands[command].send.format(**fields)

    def send(self, command: str, **fields: Any) -> None:
        """Send one setting and look into the error queue."""
        self.link.set_and_check(self.text(command, **fields))

    def send_all(self, *messages: str) -> None:
        """Send several filled-in settings as one message, and look into the error queue once."""
        self.link.set_and_check(";".join(messages))

    def ask(self, command: str, **fields: Any) -> str:
        """Ask a question that changes nothing."""
        return self.link.query(self.text(command, **fields))

    def number(self, command: str, **fields: Any) -> float:
        """Ask for one number.

        Raises:
            LinkError: The reply is no number, or one of those that stand for none.
        """
        reply = self.ask(command, **fields)
        value = self.as_number(reply, command)
        if not math.isfinite(value):
            raise self._odd(reply, command, "a number")
        return value

    def whole(self, command: str, **fields: Any) -> int:
        """Ask for one whole number."""
        return int(self.number(command, **fields))

    def flag(self, command: str, **fields: Any) -> bool:
        """Ask for on or off."""
        return self.flag_of(self.text(command, **fields))

    def flag_of(self, question: str) -> bool:
        """Ask a question of one's own for on or off.

        Raises:
            LinkError: The reply is neither.
        """
        reply = self.link.query(question).upper()
        if reply in {"1", "ON", "0", "OFF"}:
            return reply in {"1", "ON"}
        value = self.as_number(reply, question)
        if not math.isfinite(value):
            raise self._odd(reply, question, "on or off")
        return value != 0

    def finish(self, command: str = "finished", timeout_s: float | None = None) -> None:
        """Wait until the instrument says that it is done (``*OPC?``)."""
        reply = self.link.ask_once(self.text(command), timeout_s=timeout_s)
        if not reply.lstrip("+").startswith("1"):
            raise self._odd(reply, command, "1")

    def as_number(self, reply: str, about: str) -> float:
        """Read a number out of a reply; NaN where the instrument says that it has none.

        Raises:
            LinkError: The reply is no number.
        """
        try:
            value = float(reply.strip())
        except ValueError as error:
            raise self._odd(reply, about, "a number") from error
        return value if abs(value) < _BEYOND else float("nan")

    def range(self, name: str, unit: str) -> tuple[float, float]:
        """Return a range of the profile in SI; "" for plain numbers."""
        if name not in self._ranges:  # Every batch asks, and units take their time.
            self._ranges[name] = self.profile.ranges[name].of_unit(unit)
        return self._ranges[name]

    def record_ranges(self) -> tuple[tuple[float, float], tuple[int, int]]:
        """Return the profile's range of sample rates in hertz and of record lengths in points."""
        least, most = self.range("points", "")
        return self.range("rate", "Hz"), (int(least), int(most))

    def _odd(self, reply: str, about: str, allowed: str) -> LinkError:
        return LinkError(
            f"{self.link.name}: odd reply to '{about}'", seen=repr(reply), allowed=allowed, todo="check the profile"
        )
