"""Keithley 2400 series source meters as current sources."""

from spinhw.instruments.drivers.scpi_current import ScpiCurrentSource
from spinhw.instruments.roles import Measured


class Keithley2400(ScpiCurrentSource):
    """Sources current and measures voltage and current at its own output."""

    words = {
        **ScpiCurrentSource.words,
        "function": "",
        "measure_voltage": "",
        "elements": "",
        "measure": "",
        "tripped": "",
    }

    def _prepare(self, channel: str) -> None:
        limits, text = self.channels[channel], self.port.text
        self.port.send_all(
            text("function"),
            text("range", value=self._range_a(channel)),
            text("measure_voltage"),
            text("compliance", value=limits.compliance_v),
            text("elements"),
        )

    def _measure(self, channel: str) -> Measured:
        self.port.send("elements")
        reply = self.port.link.ask_once(self.port.text("measure"))
        voltage, _, current = reply.partition(",")
        tripped = self.port.flag("tripped")
        return Measured(self.port.as_number(current, "measure"), self.port.as_number(voltage, "measure"), tripped)
