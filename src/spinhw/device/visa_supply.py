"""The current sources that feed a chip, and what they take from the wall of the chip: measured power."""

import math
from collections.abc import Sequence

from spinhw.errors import DeviceError
from spinhw.instruments import CurrentSource, Station
from spinhw.instruments.references import split_reference


class Supply:
    """All supplies of a bench.

    Args:
        station: The instruments.
        references: Channels, such as "smu.1"; none where nothing feeds the chip.
        current_a: Of each; None where they are set by hand and only measured.
    """

    def __init__(self, station: Station, references: Sequence[str], current_a: float | None) -> None:
        self.current_a = current_a
        pairs = [split_reference(reference) for reference in references]
        self._channels = [(station.get(name, CurrentSource), channel) for name, channel in pairs]

    def feed(self) -> None:
        """Switch every supply on and ramp it to its current."""
        if self.current_a is None:
            return
        for source, channel in self._channels:
            source.set_output(channel, True)
            source.set_current(channel, self.current_a)

    def lower(self) -> None:
        """Ramp every supply down and switch it off."""
        for source, channel in reversed(self._channels) if self.current_a is not None else ():
            source.set_output(channel, False)

    def power_w(self) -> float | None:
        """Measure what the chip takes, voltage times current, in watts; None where a supply measures no voltage."""
        measured = [source.measure(channel) for source, channel in self._channels]
        total = sum(one.voltage_v * one.current_a for one in measured)
        return total if measured and math.isfinite(total) else None

    def confirm(self) -> None:
        """Find out whether every supply gives its current.

        Raises:
            DeviceError: One is off, or in compliance.
        """
        for source, channel in self._channels if self.current_a is not None else ():
            if not source.output_enabled(channel):
                raise DeviceError(
                    f"{source.name}: supply {channel} switched itself off",
                    allowed="on",
                    todo="look for a short circuit or an open line at the chip",
                )
            if source.measure(channel).in_compliance:
                raise DeviceError(
                    f"{source.name}: supply {channel} is in compliance: the chip does not get its current",
                    allowed=f"{self.current_a:g} A below the compliance voltage",
                    todo="check the line to the chip, or raise compliance in the bench file if the chip allows it",
                )
