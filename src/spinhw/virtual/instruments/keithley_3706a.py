"""Keithley 3706A switch system, which is told what to do in its script language (TSP).

After "Series 3700A System Switch/Multimeter Reference Manual" (3700AS-901-01), section 11, checked against QCoDeS'
`Keithley_3706A.py`. Only single statements and `print(...)`: no variables, no loops. Channels are SRCC: slot,
row, column.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import ScpiError
from spinhw.virtual.scpi.instrument import Reply

_STATEMENT = re.compile(
    r"\s*(?P<name>[\w.]+)\s*(?:\(\s*(?P<argument>.*?)\s*\)|=\s*(?P<value>\S+))?\s*;?\s*$", re.DOTALL
)
_SEPARATE = re.compile(r"(?<=\))\s+(?=[\w.]+\s*\()")
_CHANNEL = re.compile(r"[1-6]\d\d\d")
_SYNTAX = ScpiError(-285, "TSP Syntax error")
_UNKNOWN = ScpiError(1114, "Settings conflict; no such channel")
_PRINTED = "{:.5e}"


class Keithley3706A(Panel):
    """The 3706A: six slots, here each with 9 rows and 99 columns."""

    maker, model, firmware = "KEITHLEY INSTRUMENTS INC.", "MODEL 3706A", "01.56a"
    serial_number = "04000001"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.closed: set[str] = set()
        super().__init__(name, serial, lab)

    @property
    def identity(self) -> str:
        return f"{self.maker}, {self.model}, {self.serial}, {self.firmware}".replace(", MODEL", ",MODEL", 1)

    def reset(self) -> None:
        super().reset()
        self.closed.clear()

    def execute(self, message: bytes, reply: Reply) -> None:
        text = message.decode("latin-1").strip()
        if text.startswith("*") or not text:
            super().execute(message, reply)
            return
        for statement in _SEPARATE.split(text):
            try:
                self._statement(statement, reply)
            except ScpiError as error:
                self.status.report(error)

    def _statement(self, statement: str, reply: Reply) -> None:
        match = _STATEMENT.match(statement)
        if match is None:
            raise ScpiError(_SYNTAX.code, _SYNTAX.text)
        argument = match["argument"] or ""
        if match["name"] == "print":
            reply(self._value(argument).encode("latin-1") + b"\n")
            return
        function = self._functions().get(match["name"])
        if function is None and not match["value"]:
            raise ScpiError(_SYNTAX.code, f"{_SYNTAX.text}; {match['name']}")
        if function is not None:
            function(argument)

    def _functions(self) -> dict[str, Callable[[str], object]]:
        return {
            "channel.close": lambda argument: self.closed.update(self._channels(argument)),
            "channel.open": lambda argument: self.closed.difference_update(self._channels(argument)),
            "channel.exclusiveclose": self._only,
            "channel.reset": lambda argument: self.closed.difference_update(self._channels(argument)),
            "errorqueue.clear": lambda argument: self.status.errors.clear(),
            "reset": lambda argument: self.reset(),
            "waitcomplete": lambda argument: None,
            "beeper.beep": lambda argument: None,
        }

    def _only(self, argument: str) -> None:
        channels = self._channels(argument)
        self.closed.clear()
        self.closed.update(channels)

    def _value(self, expression: str) -> str:
        if expression.replace(".", "", 1).isdigit():
            return _PRINTED.format(float(expression))
        match = _STATEMENT.match(expression)
        name, argument = (match["name"], match["argument"] or "") if match else ("", "")
        if name == "channel.getclose":
            found = sorted(self.closed & set(self._channels(argument, known=True)))
            return ";".join(found) or "nil"
        if name == "errorqueue.next":
            code, text = self.status.errors.pop()
            return f"{_PRINTED.format(code)}\t{text if code else 'Queue Is Empty'}\t{_PRINTED.format(0)}\t"
        values = {
            "errorqueue.count": _PRINTED.format(len(self.status.errors)),
            "localnode.model": "3706A",
            "localnode.serialno": self.serial,
            "localnode.version": self.firmware,
            "localnode.linefreq": _PRINTED.format(50),
        }
        return values.get(name, "nil")

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
