"""Kinds of commands. A dialect is a list of them: the header as the manual writes it, and what it sets or does."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from spinhw.virtual.scpi.arguments import Arguments, short_form
from spinhw.virtual.scpi.errors import ScpiError


@dataclass(frozen=True)
class Call:
    """One command as it arrived.

    Args:
        suffixes: Numeric suffixes of its header, in order; 1 where none is written.
        args: Its parameters.
        channels: Of the instrument: no handler ever sees a number beyond.
    """

    suffixes: tuple[int, ...]
    args: Arguments
    channels: int = 9999

    @property
    def channel(self) -> int:
        """Get the first suffix; 1 for a header without.

        Raises:
            ScpiError: There is no such channel (-114).
        """
        channel = self.suffixes[0] if self.suffixes else 1
        if not 1 <= channel <= self.channels:
            raise ScpiError(-114)
        return channel


# The first argument is the instrument. A table is written inside its class, where its methods are plain functions.
Handler = Callable[[Any, Call], Any]


@dataclass(frozen=True)
class Command:
    """A header and its handlers.

    Args:
        header: As manuals write it, see `headers.py`.
        write: Carries out the command; None where there is only a query.
        ask: Answers the query, with text, a number or bytes; None where there is no query.
        name: Name of the setting that it controls, if it does.
        reset: Value of that setting after power-on and *RST.
        words: Words that may be written, in their short form; none where it takes a number.
        span: Lowest and highest number that may be written; None where it takes a word, or anything.
    """

    header: str
    write: Handler | None = None
    ask: Handler | None = None
    name: str = ""
    reset: Any = field(default=None, compare=False)
    words: tuple[str, ...] = ()
    span: tuple[float, float] | None = None


def do(header: str, write: Handler) -> Command:
    """Make a command without a query."""
    return Command(header, write=write)


def ask(header: str, answer: Handler) -> Command:
    """Make a query without a command."""
    return Command(header, ask=answer)


def both(header: str, write: Handler, answer: Handler) -> Command:
    """Make a command with a query of its own."""
    return Command(header, write, answer)


def accept(header: str) -> Command:
    """Make a command that changes nothing here."""
    return Command(header, write=lambda instrument, call: None)


def constant(header: str, value: object) -> Command:
    """Make a query with one answer."""
    return Command(header, ask=lambda instrument, call: str(value))


def number(
    header: str,
    name: str,
    reset: float,
    lowest: float = -math.inf,
    highest: float = math.inf,
    unit: str = "",
    whole: bool = False,
) -> Command:
    """Make a setting that is a number.

    Args:
        header: Its header.
        name: Name of the setting.
        reset: Value after *RST.
        lowest: Smallest value allowed; others are refused with -222.
        highest: Largest value allowed.
        unit: Unit that may be written, in capitals, such as "HZ".
        whole: Whether values are rounded to whole numbers.
    """

    def write(instrument: Any, call: Call) -> None:
        word = call.args.word()
        value = reset if word in {"DEF", "DEFAULT"} else call.args.number(0, unit, lowest, highest)
        instrument.store(name, call.channel, round(value) if whole else value)

    def answer(instrument: Any, call: Call) -> float:
        bounds = {"MIN": lowest, "MAX": highest, "DEF": reset}
        value = call.args.bound(bounds) if len(call.args) else instrument.get(name, call.channel)
        return round(value) if whole else float(value)

    value = round(reset) if whole else float(reset)
    return Command(header, write, answer, name, value, span=(lowest, highest))


def switch(header: str, name: str, reset: bool = False) -> Command:
    """Make a setting that is on or off; it answers 1 or 0."""

    def write(instrument: Any, call: Call) -> None:
        instrument.store(name, call.channel, call.args.boolean())

    def answer(instrument: Any, call: Call) -> int:
        return int(instrument.get(name, call.channel))

    return Command(header, write, answer, name, reset, words=("0", "1"))


def choice(header: str, name: str, options: Sequence[str], reset: str = "") -> Command:
    """Make a setting that is one of some words, written as "EXTernal"; it is kept and answered in the short form.

    The first option is the value after *RST unless `reset` names another.
    """

    def write(instrument: Any, call: Call) -> None:
        instrument.store(name, call.channel, call.args.choice(options))

    spelled = {short_form(option): option.upper() for option in options}

    def answer(instrument: Any, call: Call) -> str:
        short = instrument.get(name, call.channel)
        return spelled.get(short, short) if instrument.answers_in_full else short

    return Command(header, write, answer, name, short_form(reset or options[0]), words=tuple(spelled))


def text(header: str, name: str, reset: str = "", quoted: bool = True) -> Command:
    """Make a setting that is any text; it answers in quotes unless told otherwise."""

    def write(instrument: Any, call: Call) -> None:
        instrument.store(name, call.channel, call.args.text())

    def answer(instrument: Any, call: Call) -> str:
        value = instrument.get(name, call.channel)
        return f'"{value}"' if quoted else value

    return Command(header, write, answer, name, reset)
