"""What the Keithley 2400 and 6221 share: a current through a load, its voltage, compliance, ranges."""

from collections.abc import Sequence
from typing import Any

from spinhw.virtual.instruments.panel import Level, Panel
from spinhw.virtual.scpi import Call, Command, ScpiError

NOT_A_NUMBER = 9.91e37
# What a source sees at terminals that nothing hangs on.
OPEN_OHM = 1e10


def fit(value: float, ranges: Sequence[float]) -> float:
    """Give the smallest range that holds a value; the largest where none does."""
    return next((one for one in ranges if abs(value) <= one), ranges[-1])


def ranged(header: str, name: str, reset: float, ranges: Sequence[float], unit: str = "") -> Command:
    """Make a setting that is a range: the smallest that holds the value that is sent."""
    words = {"MIN": ranges[0], "MINIMUM": ranges[0], "MAX": ranges[-1], "MAXIMUM": ranges[-1], "DEF": reset}

    def write(instrument: Any, call: Call) -> None:
        value = words.get(call.args.word())
        if value is None:
            value = fit(call.args.number(0, unit, -ranges[-1], ranges[-1]), ranges)
        instrument.store(name, call.channel, value)

    def answer(instrument: Any, call: Call) -> float:
        return float(instrument.get(name, call.channel))

    return Command(header, write, answer, name, reset, span=(ranges[0], ranges[-1]))


class CurrentSource(Panel):
    """A source of current with a bound on the voltage; settings "on", "current_a" and "compliance_v"."""

    number_format = "{:+.6E}"
    suffers = frozenset({"nan", "overload"})

    @property
    def level_a(self) -> float:
        """Get the current that it drives while it is on, unless the voltage is at its bound."""
        return float(self.get("current_a"))

    @property
    def limit_v(self) -> float:
        """Get the largest voltage that it gives."""
        return abs(float(self.get("compliance_v")))

    @property
    def load_ohm(self) -> float:
        """Get the resistance at the terminals."""
        return self.lab.load_ohm(self, 1)

    def driven(self, current_a: float) -> tuple[float, float]:
        """Give what the load gets of a current, in volts and amperes."""
        load, limit = self.load_ohm, self.limit_v
        if abs(current_a) * load <= limit:
            return current_a * load, current_a
        return (limit if current_a > 0 else -limit), (limit if current_a > 0 else -limit) / load

    def at_load(self) -> tuple[float, float]:
        """Give what the load gets now, in volts and amperes; zero with the output off."""
        return self.driven(self.level_a) if self.get("on") else (0.0, 0.0)

    def voltage_and_current(self) -> tuple[float, float]:
        """Give what the load gets, in volts and amperes, after what was to go wrong went wrong."""
        if self.take_disturbance("overload"):
            self.trip()
        return self.at_load()

    def at_connectors(self) -> dict[str, Level]:
        voltage, current = self.at_load()
        return {"1": Level(voltage, voltage, current)}

    @property
    def in_compliance(self) -> bool:
        """Whether the voltage is at its bound, so that the current is not what was asked for."""
        return bool(self.get("on")) and abs(self.level_a) * self.load_ohm > self.limit_v

    def trip(self) -> None:
        """Switch the output off, as the protection does."""
        self._values["on", 1] = False
        self.status.report(ScpiError(802, "OUTPUT blocked by output protection"))

    def reading(self, value: float) -> float:
        """Give a value as it is read; NaN where a reading was disturbed."""
        return NOT_A_NUMBER if self.take_disturbance("nan") else value
