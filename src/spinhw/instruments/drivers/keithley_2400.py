"""Keithley 2400 series source meters as current sources."""

from collections.abc import Sequence
from functools import partial

from spinhw.errors import DeviceError
from spinhw.instruments.drivers.scpi_current import ScpiCurrentSource
from spinhw.instruments.ramp import Lever
from spinhw.instruments.roles import Measured

# Share of its setpoint that a current reaches where nothing limits the voltage; its errors are a hundredth of the rest.
_REACHED = 0.95


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
    # What somebody else may have left: a source of voltage, an output that each reading switches.
    optional_words = {"read_function": "", "voltage": "value", "read_voltage": "", "auto_output": ""}

    def _prepare(self, channel: str) -> None:
        limits, text = self.channels[channel], self.port.text
        self.port.send_all(
            text("function"),
            text("compliance", value=limits.compliance_v),  # A large range is legal with a small compliance only.
            text("range", value=self._range_a(channel)),
            text("measure_voltage"),
            text("elements"),
        )

    def _levers(self, output: str) -> Sequence[Lever]:
        if not self.port.has("read_function") or self.port.ask("read_function").upper().startswith("CURR"):
            return super()._levers(output)
        read, send = partial(self.port.number, "read_voltage"), self._send_voltage
        return [Lever("voltage", "V", read, send)]

    def _send_voltage(self, voltage_v: float) -> None:
        self.port.send("voltage", value=voltage_v)

    def _measure(self, channel: str) -> Measured:
        if self.port.has("auto_output") and self.port.flag("auto_output"):
            raise DeviceError(
                f"{self.name}: a reading would switch output {channel} off afterwards; nothing was sent",
                seen="auto output-off is on",
                allowed="off (:SOURce:CLEar:AUTO 0)",
                todo="set it off at the front panel, or let spinhw switch this output",
            )
        self.port.send("elements")
        reply = self.port.link.ask_once(self.port.text("measure"))
        voltage, _, current = reply.partition(",")
        measured_a, wanted_a = self.port.as_number(current, "measure"), self._read_setpoint(channel)
        # A range or a protection that limits the voltage does not show as tripped.
        short = abs(measured_a) < _REACHED * abs(wanted_a)
        return Measured(measured_a, self.port.as_number(voltage, "measure"), self.port.flag("tripped") or short)
