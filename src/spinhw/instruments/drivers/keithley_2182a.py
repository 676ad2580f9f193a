"""Keithley 2182A nanovoltmeters."""

from spinhw.instruments.roles import DCVoltmeter
from spinhw.instruments.words import Words


class Keithley2182A(DCVoltmeter):
    """Two inputs, measured one at a time."""

    port: Words
    words = {
        "single": "",
        "function": "",
        "channel": "channel",
        "cycles": "value",
        "automatic": "channel",
        "range": "channel value",
        "measure": "",
    }

    def _configure(self, channel: str, range_v: float | None, power_line_cycles: float) -> None:
        text = self.port.text
        ranging = (
            text("automatic", channel=channel) if range_v is None else text("range", channel=channel, value=range_v)
        )
        self.port.send_all(
            text("single"),
            text("function"),
            text("channel", channel=channel),
            text("cycles", value=power_line_cycles),
            ranging,
        )

    def _measure(self, channel: str) -> float:
        # One measurement takes its integration time, twice with auto-zero, and more with automatic ranges.
        patience_s = self.port.link.timeout_s + 0.2 * self.channels[channel].power_line_cycles
        reply = self.port.link.ask_once(self.port.text("measure"), timeout_s=patience_s)
        return self.port.as_number(reply, "measure")
