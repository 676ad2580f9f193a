"""What the Keithley 2400 and 6221 share: a current through a load, its voltage, compliance."""

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.scpi import ScpiError

NOT_A_NUMBER = 9.91e37


class CurrentSource(Panel):
    """A source of current with a bound on the voltage; settings "on", "current_a" and "compliance_v"."""

    number_format = "{:+.6E}"
    suffers = frozenset({"nan", "overload"})

    def voltage_and_current(self) -> tuple[float, float]:
        """Give what the load gets, in volts and amperes; zero with the output off."""
        if self.take_disturbance("overload"):
            self.trip()
        if not self.get("on"):
            return 0.0, 0.0
        current, limit, load = self.get("current_a"), self.get("compliance_v"), self.lab.load_ohm(self, 1)
        if abs(current) * load <= limit:
            return current * load, current
        return (limit if current > 0 else -limit), (limit if current > 0 else -limit) / load

    @property
    def in_compliance(self) -> bool:
        """Whether the voltage is at its bound, so that the current is not what was asked for."""
        current, limit = self.get("current_a"), self.get("compliance_v")
        return bool(self.get("on")) and abs(current) * self.lab.load_ohm(self, 1) > limit

    def trip(self) -> None:
        """Switch the output off, as the protection does."""
        self._values["on", 1] = False
        self.status.report(ScpiError(802, "OUTPUT blocked by output protection"))

    def reading(self, value: float) -> float:
        """Give a value as it is read; NaN where a reading was disturbed."""
        return NOT_A_NUMBER if self.take_disturbance("nan") else value
