"""Keithley 6220 and 6221 precision current sources."""

from spinhw.instruments.roles import CurrentSource, Measured
from spinhw.instruments.words import Words

# Bit of the measurement condition register that says: in compliance.
_IN_COMPLIANCE = 1 << 3


class Keithley6221(CurrentSource):
    """Sources current; it measures nothing, but knows whether it is in compliance."""

    port: Words
    words = {
        "range": "value",
        "compliance": "value",
        "current": "value",
        "read_current": "",
        "output": "value",
        "read_output": "",
        "condition": "",
    }

    def _prepare(self, channel: str) -> None:
        limits, text = self.channels[channel], self.port.text
        self.port.send_all(
            text("range", value=max(abs(limits.lowest_a), abs(limits.highest_a))),
            text("compliance", value=limits.compliance_v),
        )

    def _set_current(self, channel: str, current_a: float) -> None:
        self.port.send("current", value=current_a)

    def _read_setpoint(self, channel: str) -> float:
        return self.port.number("read_current")

    def _set_output(self, channel: str, on: bool) -> None:
        self.port.send("output", value=int(on))

    def _read_output(self, output: str) -> bool:
        return self.port.flag("read_output")

    def _measure(self, channel: str) -> Measured:
        in_compliance = bool(self.port.whole("condition") & _IN_COMPLIANCE)
        return Measured(self._read_setpoint(channel), float("nan"), in_compliance)
