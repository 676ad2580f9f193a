"""Keithley 6220 and 6221 precision current sources."""

from spinhw.instruments.drivers.scpi_current import ScpiCurrentSource
from spinhw.instruments.roles import Measured

# Bit of the measurement condition register that says: in compliance.
_IN_COMPLIANCE = 1 << 3


class Keithley6221(ScpiCurrentSource):
    """Sources current; it measures nothing, but knows whether it is in compliance."""

    words = {**ScpiCurrentSource.words, "condition": ""}

    def _prepare(self, channel: str) -> None:
        limits, text = self.channels[channel], self.port.text
        self.port.send_all(
            text("range", value=self._range_a(channel)),
            text("compliance", value=limits.compliance_v),
        )

    def _measure(self, channel: str) -> Measured:
        in_compliance = bool(self.port.whole("condition") & _IN_COMPLIANCE)
        return Measured(self._read_setpoint(channel), float("nan"), in_compliance)
