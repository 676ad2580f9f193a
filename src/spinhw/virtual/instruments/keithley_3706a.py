"""Keithley 3706A switch system, which is told what to do in its script language (TSP).

After "Series 3700A System Switch/Multimeter Reference Manual" (3700AS-901-01), section 11, checked against QCoDeS'
`Keithley_3706A.py`. Only single statements and `print(...)`: no variables, no loops. Channels are SRCC: slot,
row, column. Of a scan there is only whether one goes on; backplane relays close with the channels they belong to.
"""

import re
from collections.abc import Callable, Hashable
from typing import Any, ClassVar

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import ScpiError
from spinhw.virtual.scpi.framing import MOST_UNITS
from spinhw.virtual.scpi.instrument import Reply

_STATEMENT = re.compile(
    # No part of it can match in two ways: a long statement takes no longer than it must.
    r"(?P<name>[\w.]+)\s*(?:\((?P<argument>.*)\)|=\s*(?P<value>\S+))?$",
    re.DOTALL,
)
_SEPARATE = re.compile(r"(?<=\))\s+(?=[\w.]+\s*\()")
_CHANNEL = re.compile(r"[1-6][0-9]{3}")
_LONGEST = 1 << 16  # Of a message: six slots of 99 columns, listed twice.
_SYNTAX = ScpiError(-285, "TSP Syntax error")
_UNKNOWN = ScpiError(1114, "Settings conflict; no such channel")
_PRINTED = "{:.5e}"
_RULES = {"channel.OFF": 0, "channel.BREAK_BEFORE_MAKE": 1, "channel.MAKE_BEFORE_BREAK": 2, "channel.ON": 1}
_RULES |= {str(value): value for value in (0, 1, 2)}
_BREAK, _MAKE = 1, 2
_EMPTY, _RUNNING, _ABORTED = 0, 2, 3  # States of a scan.
_FIND = "string.find("


class Keithley3706A(Panel):
    """The 3706A: six slots, here each with 9 rows and 99 columns."""

    maker, model, firmware = "KEITHLEY INSTRUMENTS INC.", "MODEL 3706A", "01.56a"
    serial_number = "04000001"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.closed: set[str] = set()
        self.most_closed = 0  # At once, while it went from one set of channels to another.
        self._rules: dict[str, int] = {}
        self._backplane: dict[str, list[str]] = {}
        self._scan = _EMPTY
        super().__init__(name, serial, lab)

    @property
    def identity(self) -> str:
        return f"{self.maker}, {self.model}, {self.serial}, {self.firmware}".replace(", MODEL", ",MODEL", 1)

    def reset(self) -> None:
        super().reset()
        self.closed.clear()
        self._rules = {"channel.connectrule": _BREAK, "channel.connectsequential": 0}
        self._backplane, self._scan = {}, _EMPTY

    def execute(self, message: bytes, reply: Reply, owner: Hashable = None) -> None:
        text = message.decode("latin-1").strip()
        if text.startswith("*") or not text:
            super().execute(message, reply, owner)
            return
        statements = _SEPARATE.split(text, MOST_UNITS) if len(text) <= _LONGEST else []
        if not 0 < len(statements) <= MOST_UNITS:
            self.status.report(ScpiError(-223))
            return
        for statement in statements:
            try:
                self._statement(statement, reply)
            except Exception as error:
                self.refuse(error, message)
            self.observer()

    def _statement(self, statement: str, reply: Reply) -> None:
        match = _STATEMENT.match(statement.strip().removesuffix(";").rstrip())
        if match is None:
            raise ScpiError(_SYNTAX.code, _SYNTAX.text)
        argument = (match["argument"] or "").strip()
        if match["name"] == "print":
            reply(self._value(argument).encode("latin-1") + b"\n")
            return
        if match["name"] in self._rules and match["value"]:
            self._set_rule(match["name"], match["value"])
            return
        function = self._functions().get(match["name"])
        if function is None and not match["value"]:
            raise ScpiError(_SYNTAX.code, f"{_SYNTAX.text}; {match['name']}")
        if function is not None:
            function(argument)

    def _functions(self) -> dict[str, Callable[[str], object]]:
        return {
            "channel.close": self._close,
            "channel.open": lambda argument: self.closed.difference_update(self._channels(argument)),
            "channel.exclusiveclose": self._only,
            "channel.reset": lambda argument: self.closed.difference_update(self._channels(argument)),
            "channel.setbackplane": self._set_backplane,
            "scan.background": lambda argument: setattr(self, "_scan", _RUNNING),
            "scan.abort": lambda argument: setattr(self, "_scan", _ABORTED if self._scan == _RUNNING else self._scan),
            "errorqueue.clear": lambda argument: self.status.errors.clear(),
            "reset": lambda argument: self.reset(),
            "waitcomplete": lambda argument: None,
            "beeper.beep": lambda argument: None,
        }

    def _set_rule(self, name: str, value: str) -> None:
        if value not in _RULES or (name == "channel.connectsequential" and _RULES[value] == _MAKE):
            raise ScpiError(1115, "Parameter error")
        self._rules[name] = _RULES[value]

    def _set_backplane(self, argument: str) -> None:
        channels, _, relays = (one.strip().strip("\"'") for one in argument.partition('",'))
        if channels == "allslots":
            self._backplane.clear()
        for channel in [] if channels == "allslots" else self._channels(channels):
            self._backplane[channel] = [one for one in relays.split(",") if one]

    def _close(self, argument: str) -> None:
        if self._scan == _RUNNING:
            raise ScpiError(5521, "Settings conflict; a scan is running")
        channels = self._channels(argument)
        self.closed.update(channels, *(self._backplane.get(channel, []) for channel in channels))

    def _only(self, argument: str) -> None:
        channels = set(self._channels(argument))
        at_once = self.closed & channels if self._rules["channel.connectrule"] == _BREAK else self.closed | channels
        self.most_closed = max(len(at_once), len(channels))
        self.closed.clear()
        self.closed.update(channels)

    def _value(self, expression: str) -> str:
        if expression.replace(".", "", 1).isdecimal():
            return _PRINTED.format(float(expression))
        match = _STATEMENT.match(expression)
        name, argument = (match["name"], (match["argument"] or "").strip()) if match else ("", "")
        if name == "string.find":
            text, _, pattern = (one.strip() for one in argument.rpartition(","))
            if pattern != '"%d"' or text.startswith(_FIND):
                raise ScpiError(_SYNTAX.code, _SYNTAX.text)
            place = re.search("[0-9]", self._value(text))
            return "nil" if place is None else "\t".join([_PRINTED.format(place.start() + 1)] * 2)
        if name == "channel.getbackplane":
            return ";".join(",".join(relays) for relays in self._backplane.values())
        if name == "channel.getclose":
            closed = sorted(self.closed & set(self._channels(argument, known=True)))
            return ";".join(closed) or "nil"
        if name == "errorqueue.next":
            code, text = self.status.errors.pop()
            return f"{_PRINTED.format(code)}\t{text if code else 'Queue Is Empty'}\t{_PRINTED.format(0)}\t"
        values = {
            **{rule: _PRINTED.format(value) for rule, value in self._rules.items()},
            "(scan.state())": _PRINTED.format(self._scan),
            "errorqueue.count": _PRINTED.format(len(self.status.errors)),
            "localnode.model": "3706A",
            "localnode.serialno": self.serial,
            "localnode.version": self.firmware,
            "localnode.linefreq": _PRINTED.format(50),
        }
        return values.get(name or expression, "nil")

    def _channels(self, argument: str, known: bool = False) -> list[str]:
        """Read a channel list such as "1101,1102", or "allslots", "slot1".

        Raises:
            ScpiError: A channel that cannot be.
        """
        text = argument.strip("\"'")
        if text == "allslots":
            return list(self.closed)
        if text.startswith("slot"):
            return [one for one in self.closed if one.startswith(text[4:])]
        channels = [one.strip() for one in text.split(",")]
        if not all(_CHANNEL.fullmatch(one) for one in channels):
            raise ScpiError(_UNKNOWN.code, _UNKNOWN.text)
        return channels

    commands: ClassVar[tuple[Any, ...]] = ()
