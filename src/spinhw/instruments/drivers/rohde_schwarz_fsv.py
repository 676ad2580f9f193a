"""Rohde & Schwarz FSV spectrum analysers."""

from typing import TYPE_CHECKING

from spinhw.instruments.roles import PowerReadout
from spinhw.instruments.words import Words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A sweep over megahertz with a resolution of kilohertz may take this long.
_SWEEP_S = 60.0


class RohdeSchwarzFSV(PowerReadout):
    """Measures the power of a channel as wide as the span, by its own channel power function."""

    port: Words
    words = {
        "single": "",
        "centre": "value",
        "span": "value",
        "bandwidth": "value",
        "reference": "value",
        "detector": "",
        "channel_power": "",
        "channels": "",
        "channel_width": "value",
        "sweep": "",
        "read_power": "",
        "format": "",
        "trace": "",
    }
    ranges = {"frequency": "Hz"}

    def _limits(self) -> tuple[float, float]:
        return self.port.range("frequency", "Hz")

    def _tune(self, channel: str, centre_hz: float, span_hz: float, bandwidth_hz: float, reference_dbm: float) -> None:
        text = self.port.text
        self.port.send_all(
            text("single"),
            text("centre", value=centre_hz),
            text("channel_power"),
            text("channels"),
            text("channel_width", value=span_hz),
            text("span", value=span_hz),
            text("bandwidth", value=bandwidth_hz),
            text("reference", value=reference_dbm),
            text("detector"),
        )

    def _sweep(self) -> None:
        self.port.finish("sweep", timeout_s=_SWEEP_S)

    def _read_power_dbm(self) -> float:
        return self.port.number("read_power")

    def _read_trace_dbm(self) -> "NDArray[np.float64]":
        import numpy as np

        with self.port.link.exclusive():
            self.port.send("format")
            return self.port.link.query_block(self.port.text("trace"), self.port.profile.block).astype(np.float64)
