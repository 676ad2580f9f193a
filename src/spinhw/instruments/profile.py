"""Profiles of models: what tells an instrument from others of its family, as YAML, each command with its source."""

import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from spinhw.config import Settings, load, shipped
from spinhw.errors import ConfigError, nearest
from spinhw.instruments.known import OtherOutput, Reviewed, StateSetting, WiredSetting, check_reviewed
from spinhw.units import Quantity, parse_quantity

TESTED, UNTESTED = "tested", "from manual, untested"

# Time for one reply: no wait is without an end.
TimeoutS = Annotated[float, Quantity("s", minimum=1e-3, maximum=600.0)]

# What placeholders are rendered with when a template is checked.
_SAMPLES: dict[str, object] = {"channel": "1", "route": "1101", "name": "wave", "count": 1, "first": 1, "last": 2}

_TEMPLATES = "write it as the shipped profiles do: {value:.6g}"


class ProfileCommand(Settings):
    """One command of the instrument."""

    send: str = Field(description="Message, with placeholders such as {value:.6g}; without a line feed.")
    source: str = Field(min_length=8, description="Manual with page or section, or the public driver, that shows it.")

    @field_validator("send")
    @classmethod
    def _is_one_line(cls, send: str) -> str:
        if not send or not send.isascii() or not send.isprintable():
            raise ValueError("a command is one line of ASCII")
        return send


class Span(Settings):
    """A range of numbers, plain or with units."""

    lowest: float | str = Field(description="Smallest value, such as 8 or '1 uHz'.")
    highest: float | str = Field(description="Largest value.")

    def of_unit(self, unit: str) -> tuple[float, float]:
        """Return both ends in an SI unit; "" for plain numbers."""
        low, high = (float(end) if not unit else parse_quantity(end, unit) for end in (self.lowest, self.highest))
        if low > high:
            raise ValueError("lowest is above highest")
        return low, high


class ErrorQueue(Settings):
    """How the error queue is asked."""

    ask: str = Field(default=":SYST:ERR?", description="Question that takes out one entry; '' where there is no queue.")
    joined: bool = Field(default=True, description="Whether it may stand in one message with a setting, after ';'.")


class Profile(Settings):
    """One family of instruments that are told apart by nothing but these strings and numbers."""

    driver: str = Field(description="Driver: a shipped one, or the name of an entry point in 'spinhw.drivers'.")
    maker: str = Field(description="Maker.")
    models: tuple[str, ...] = Field(min_length=1, description="Models that this profile is for.")
    status: Literal["tested", "from manual, untested"] = Field(
        description="'tested': its conversations are in the test suite; or written from the manual and never tried."
    )
    identity: str = Field(description="Regular expression that the reply to the identity question must match.")
    ask_identity: str = Field(default="*IDN?", description="The identity question.")
    errors: ErrorQueue = Field(default=ErrorQueue(), description="The error queue.")
    timeout_s: TimeoutS | None = Field(default=None, description="Time for one reply, where 2 s is not right.")
    outputs: tuple[str, ...] = Field(default=(), description="Every output that the largest of the models has.")
    fewer_outputs: dict[str, tuple[str, ...]] = Field(
        default={}, description="Outputs of models that have fewer, by a regular expression for their identity."
    )
    other_outputs: dict[str, OtherOutput] = Field(
        default={}, description="Outputs that no role uses, by name: looked at before anything is switched on."
    )
    state: dict[str, StateSetting] = Field(
        default={},
        description="Settings that must have one value before an output is switched on, in the order in which they "
        "are set; those that the driver's own commands set come last, only to be read back.",
    )
    wired: dict[str, WiredSetting] = Field(
        default={}, description="Settings that say how something is wired: compared with the bench file, never changed."
    )
    reviewed: tuple[Reviewed, ...] = Field(
        default=(), description="Every setting that drivers of others know, and what becomes of it here."
    )
    block: str = Field(
        default="<f4", pattern=r"^[<>](i1|i2|i4|u1|u2|f4|f8)$", description="Numbers in blocks, as numpy writes types."
    )
    ranges: dict[str, Span] = Field(default={}, description="What the instrument can do, by quantity.")
    commands: dict[str, ProfileCommand] = Field(description="Commands by the name that the driver knows.")

    @field_validator("identity")
    @classmethod
    def _is_a_pattern(cls, identity: str) -> str:
        try:
            re.compile(identity)
        except re.error as error:
            raise ValueError(f"must be a regular expression; {error}") from error
        return identity


def instrument_profile_names() -> list[str]:
    """List the shipped instrument profiles."""
    return sorted(path.stem for path in (shipped("devices") / "instruments").glob("*.yaml"))


def find_instrument_profile(name: str, beside: Path | None = None) -> Path | None:
    """Find a profile: a YAML file beside the bench file, or the name of a shipped one; None if there is neither."""
    if name.endswith((".yaml", ".yml")):
        path = (beside or Path()) / name
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such instrument profile", todo="check the path")
        return path
    path = shipped("devices") / "instruments" / f"{name}.yaml"
    return path if Path(name).name == name and path.is_file() else None


def load_profile(path: Path) -> Profile:
    """Read a profile; whether its commands fit a driver is for `check_profile`."""
    return load(Profile, path)


def check_profile(
    profile: Profile, source: str, words: Mapping[str, str], ranges: Mapping[str, str], optional: Mapping[str, str]
) -> None:
    """Refuse a profile whose commands or ranges are not those that its driver uses.

    Args:
        profile: The profile.
        source: Its file, for messages.
        words: Commands that the driver needs, each with the names of its placeholders, separated by blanks.
        ranges: Ranges that the driver needs, each with its unit.
        optional: Commands that some models lack, with their placeholders.

    Raises:
        ConfigError: Names file and key.
    """
    known = {**words, **optional}
    for name in words:
        if name not in profile.commands:
            raise ConfigError(f"{source}: commands.{name}: this command is missing", todo="add it, from the manual")
    for name, command in profile.commands.items():
        if name not in known:
            raise ConfigError(f"{source}: commands.{name}: the driver has no such command", todo=nearest(name, known))
        _check_template(f"{source}: commands.{name}.send", command.send, known[name].split())
    check_reviewed(source, profile.reviewed, {*profile.state, *profile.commands}, profile.wired)
    for name, unit in ranges.items():
        if name not in profile.ranges:
            raise ConfigError(f"{source}: ranges.{name}: this range is missing", todo="add it, from the data sheet")
        try:
            profile.ranges[name].of_unit(unit)
        except ValueError as error:
            raise ConfigError(f"{source}: ranges.{name}: {error}", seen=profile.ranges[name].to_yaml()) from error


def _check_template(place: str, template: str, placeholders: list[str]) -> None:
    allowed = ", ".join(f"{{{name}}}" for name in placeholders) or "no placeholder"
    try:
        used = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
        unknown = [field for field in used if field not in placeholders]
        if unknown:
            raise ValueError(f"{{{unknown[0]}}} is not known here")
        template.format(**{name: _SAMPLES.get(name, 1.0) for name in placeholders})
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise ConfigError(
            f"{place}: broken template ({error})", seen=template, allowed=allowed, todo=_TEMPLATES
        ) from error
    missing = [name for name in placeholders if name not in used and name != "channel"]
    if missing:
        raise ConfigError(
            f"{place}: broken template ({{{missing[0]}}} is not in it)", seen=template, allowed=allowed, todo=_TEMPLATES
        )
