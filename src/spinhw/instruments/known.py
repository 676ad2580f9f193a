"""What a profile says of every setting of a model: what is set before an output goes on, and what only compared."""

import re
import string
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from spinhw.config import Settings
from spinhw.errors import ConfigError, nearest

# Numbers read back within this share of the value that was set, unless the profile says otherwise.
_WITHIN = 1e-4
# What instruments say for infinity, such as the load of an open output.
_BEYOND = 9.8e37
# Closer numbers are one: what is left of a sum that should be zero.
_NOTHING = 1e-12

# What a template of a known state may name: the channel, and the limits of the bench file for it.
FIELDS = (
    "channel",
    "largest_a",
    "compliance_v",
    "lowest_v",
    "highest_v",
    "amplitude_v",
    "middle_v",
    "load",
    "highest_dbm",
    "range_v",
)


def _is_one_line(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("a command is one line of ASCII")
    named = [field for _, field, _, _ in string.Formatter().parse(text) if field is not None]
    unknown = [field for field in named if field not in FIELDS]
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} is not known here, only {', '.join(FIELDS)}")
    return text


def _is_a_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"must be a regular expression; {error}") from error
    return text


Line = Annotated[str, AfterValidator(_is_one_line)]
Pattern = Annotated[str, AfterValidator(_is_a_pattern)]
Source = Annotated[str, Field(min_length=8, description="Manual with page or section, or the public driver.")]
Only = Annotated[Pattern | None, Field(description="On models whose identity matches this only; null for all.")]


class StateSetting(Settings):
    """One setting that must have one value before an output is switched on."""

    send: Line | None = Field(
        default=None,
        description="Message that sets it; null where the driver's own commands do, and it is only read back.",
    )
    ask: Line = Field(description="Question that reads it back.")
    reply: Line | tuple[Line, ...] = Field(
        description="What must come back, or one of several: a number, or a word without its quotes."
    )
    within: float = Field(default=_WITHIN, ge=0, lt=1, description="Share by which a number may be off.")
    only: Only = None
    source: Source

    @property
    def of_channel(self) -> bool:
        """Whether each channel has it."""
        return "{channel" in self.ask

    @property
    def replies(self) -> tuple[str, ...]:
        """Get what may come back, as templates."""
        return self.reply if isinstance(self.reply, tuple) else (self.reply,)


class WiredSetting(Settings):
    """One setting that says how something is wired: read and compared with the bench file, never changed."""

    ask: Line = Field(description="Question that reads it.")
    replies: dict[str, Line] = Field(
        min_length=1, description="What the bench file calls each, and what the instrument answers for it."
    )
    only: Only = None
    source: Source

    @property
    def of_channel(self) -> bool:
        """Whether each channel has it."""
        return "{channel" in self.ask


class OtherOutput(Settings):
    """An output that no role uses, such as a low-frequency output: never switched on, but looked at."""

    ask: Line = Field(description="Question that reads whether it is on.")
    send: Line = Field(description="Message that switches it off, for 'spinhw off --all' alone.")
    only: Only = None
    source: Source


class Reviewed(Settings):
    """Every setting that somebody else's driver, or the manual, can change, and what becomes of it here."""

    driver: str = Field(min_length=3, description="Class of the driver, with its module; or the manual.")
    set: dict[str, str] = Field(
        default={}, description="Its name for what we set, with our name under 'state' or 'commands'."
    )
    compared: dict[str, str] = Field(default={}, description="Its name for what we compare, with ours under 'wired'.")
    harmless: dict[str, Annotated[str, Field(min_length=8)]] = Field(
        default={}, description="Its name for what changes nothing at a connector or in a reading, with the reason."
    )

    @model_validator(mode="after")
    def _is_one_of_three(self) -> "Reviewed":
        names = [*self.set, *self.compared, *self.harmless]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{self.driver}: {', '.join(twice)}: a setting is set, or compared, or harmless")
        return self


def agrees(seen: str, wanted: str, within: float = _WITHIN) -> bool:
    """Tell whether a reply means what was wanted: numbers by value, words without quotes and case, lists by parts."""
    parts = [[part.strip().strip("\"'").upper() for part in text.split(",")] for text in (seen, wanted)]
    pairs = zip(parts[0], parts[1], strict=False)
    return len(parts[0]) == len(parts[1]) and all(_same(left, right, within) for left, right in pairs)


def _same(seen: str, wanted: str, within: float) -> bool:
    if seen == wanted:
        return True
    try:
        left, right = float(seen), float(wanted)
    except ValueError:
        return False
    if abs(right) >= _BEYOND:
        return left * right > 0 and abs(left) >= _BEYOND
    return abs(left - right) <= within * abs(right) + _NOTHING


def check_reviewed(source: str, reviewed: tuple[Reviewed, ...], known: set[str], wired: Mapping[str, object]) -> None:
    """Refuse a review that names settings which the profile does not have.

    Raises:
        ConfigError: Names file and key.
    """
    for one in reviewed:
        for kind, names, there in (("set", one.set, known), ("compared", one.compared, set(wired))):
            for parameter, name in names.items():
                if name not in there:
                    raise ConfigError(
                        f"{source}: reviewed: {one.driver}: {kind}.{parameter}: the profile has no such setting",
                        seen=name,
                        todo=nearest(name, there),
                    )
