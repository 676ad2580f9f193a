"""What current sources with one output that speak plain SCPI have in common."""

from collections.abc import Mapping
from typing import ClassVar

from spinhw.instruments.roles import CurrentSource
from spinhw.instruments.words import Words


class ScpiCurrentSource(CurrentSource):
    """One output; how it is prepared and what it measures is a model's own."""

    port: Words
    words: ClassVar[Mapping[str, str]] = {
        "range": "value",
        "compliance": "value",
        "current": "value",
        "read_current": "",
        "output": "value",
        "read_output": "",
    }

    def _range_a(self, channel: str) -> float:
        """Return the largest current that the limits of a channel allow, in amperes."""
        limits = self.channels[channel]
        return max(abs(limits.lowest_a), abs(limits.highest_a))

    def _set_current(self, channel: str, current_a: float) -> None:
        self.port.send("current", value=current_a)

    def _read_setpoint(self, channel: str) -> float:
        return self.port.number("read_current")

    def _set_output(self, channel: str, on: bool) -> None:
        self.port.send("output", value=int(on))

    def _read_output(self, output: str) -> bool:
        return self.port.flag("read_output")
