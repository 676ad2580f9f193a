"""Keithley 2400 series source meters as current sources."""

from spinhw.instruments.roles import CurrentSource, Measured
from spinhw.instruments.words import Words


class Keithley2400(CurrentSource):
    """Sources current and measures voltage and current at its own output."""

    port: Words
    words = {
        "function": "",
        "range": "value",
        "measure_voltage": "",
        "compliance": "value",
        "current": "value",
        "read_current": "",
        "output": "value",
        "read_output": "",
        "elements": "",
        "measure": "",
        "tripped": "",
    }

    def _prepare(self, channel: str) -> None:
        limits, text = self.channels[channel], self.port.text
        self.port.send_all(
            text("function"),
            text("range", value=max(abs(limits.lowest_a), abs(limits.highest_a))),
            text("measure_voltage"),
            text("compliance", value=limits.compliance_v),
            text("elements"),
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
        self.port.send("elements")
        reply = self.port.link.ask_once(self.port.text("measure"))
        voltage, _, current = reply.partition(",")
        tripped = self.port.flag("tripped")
        return Measured(self.port.as_number(current, "measure"), self.port.as_number(voltage, "measure"), tripped)
