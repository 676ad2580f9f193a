"""Meters of direct voltage."""

from abc import abstractmethod

from spinhw.errors import DeviceError
from spinhw.instruments.channels import VoltmeterInput
from spinhw.instruments.roles.base import Instrument


class DCVoltmeter(Instrument[VoltmeterInput]):
    """A meter of direct voltage."""

    role = "dc-voltmeter"

    @abstractmethod
    def _configure(self, channel: str, range_v: float | None, power_line_cycles: float) -> None:
        """Set range (None for automatic) and integration time of an input, and select it."""

    @abstractmethod
    def _measure(self, channel: str) -> float:
        """Measure once, in volts; NaN for an overload."""

    def measure_voltage(self, channel: str) -> float:
        """Measure the voltage of an input once, in volts.

        Raises:
            DeviceError: The input is overloaded.
        """
        settings = self._channel(channel)
        self.ready()
        if not self.cached().get(f"{channel}.configured"):
            self._configure(channel, settings.range_v, settings.power_line_cycles)
            for other in self.channels:
                self._keep(f"{other}.configured", other == channel)
        value = self._measure(channel)
        if value != value:
            raise DeviceError(
                f"{self.name}: input {channel} is overloaded",
                allowed="automatic" if settings.range_v is None else f"up to {settings.range_v:g} V",
                todo="look at the wiring, or widen 'range' in the bench file",
            )
        return value
