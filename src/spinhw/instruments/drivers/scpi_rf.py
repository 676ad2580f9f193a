"""RF sources that speak plain SCPI: Rohde & Schwarz, and others by their profiles."""

from spinhw.instruments.roles import RFSource
from spinhw.instruments.words import Words


class ScpiRFSource(RFSource):
    """One tone; models differ only by their strings and ranges."""

    port: Words
    words = {
        "frequency": "value",
        "read_frequency": "",
        "power": "value",
        "read_power": "",
        "output": "value",
        "read_output": "",
    }
    ranges = {"frequency": "Hz", "power_dbm": ""}

    def _set_frequency(self, channel: str, frequency_hz: float) -> None:
        self._check("frequency", channel, frequency_hz, self.port.range("frequency", "Hz"), "Hz")
        self.port.send("frequency", value=frequency_hz)

    def _read_frequency(self, channel: str) -> float:
        return self.port.number("read_frequency")

    def _set_power_dbm(self, channel: str, power_dbm: float) -> None:
        self._check("power", channel, power_dbm, self.port.range("power_dbm", ""), "dBm")
        self.port.send("power", value=power_dbm)

    def _read_power_dbm(self, channel: str) -> float:
        return self.port.number("read_power")

    def _lowest_dbm(self) -> float:
        # Further down it is as good as off, and models without a step attenuator refuse it.
        return max(self.port.range("power_dbm", "")[0], super()._lowest_dbm())

    def _set_output(self, channel: str, on: bool) -> None:
        self.port.send("output", value=int(on))

    def _read_output(self, output: str) -> bool:
        return self.port.flag("read_output")
