"""Sources of direct current."""

from abc import abstractmethod
from dataclasses import dataclass

from spinhw.instruments.channels import CurrentOutput
from spinhw.instruments.ramp import steps
from spinhw.instruments.roles.base import SwitchedOutputs, wait

# Read-back within this share of the value, or of the resolution that sources of this kind have.
_RELATIVE, _ABSOLUTE_A = 1e-4, 1e-9


@dataclass(frozen=True)
class Measured:
    """What a source measures at its own output; NaN where it cannot.

    Args:
        current_a: Current in amperes.
        voltage_v: Voltage in volts.
        in_compliance: Whether the voltage limit is in force, and the current therefore below its setpoint.
    """

    current_a: float
    voltage_v: float
    in_compliance: bool


class CurrentSource(SwitchedOutputs[CurrentOutput]):
    """A source of direct current, ramped from the value read back."""

    role = "current-source"

    @abstractmethod
    def _prepare(self, channel: str) -> None:
        """Set function, range and compliance for the limits of a channel; its output is off."""

    @abstractmethod
    def _set_current(self, channel: str, current_a: float) -> None:
        """Set the setpoint, in amperes, within limits."""

    @abstractmethod
    def _read_setpoint(self, channel: str) -> float:
        """Read the setpoint back, in amperes."""

    @abstractmethod
    def _measure(self, channel: str) -> Measured:
        """Measure at an output that is on."""

    def set_current(self, channel: str, current_a: float) -> float:
        """Ramp the setpoint, in amperes, within the limits of the channel.

        Returns:
            The setpoint as read back, in amperes.

        Raises:
            LimitError: The value is beyond its limit; nothing was sent.
            DeviceError: It does not read back as set.
        """
        limits = self._channel(channel)
        self._check("current", channel, current_a, (limits.lowest_a, limits.highest_a), "A")
        self._ramp(channel, current_a)
        seen = self.current_setpoint(channel)
        tolerance = max(_RELATIVE * max(abs(limits.lowest_a), abs(limits.highest_a)), _ABSOLUTE_A)
        return self._agree("current", channel, current_a, seen, tolerance, "A")

    def current_setpoint(self, channel: str) -> float:
        """Read the setpoint back, in amperes."""
        self._channel(channel)
        seen = self._read_setpoint(channel)
        self._keep(f"{channel}.current_a", seen)
        return seen

    def set_output(self, channel: str, on: bool) -> None:
        """Switch an output on, at zero and with its compliance set, or ramp it down and switch it off.

        Raises:
            DeviceError: It does not read back as set.
        """
        self._channel(channel)
        if not on:
            self._switch_off(channel)
        elif not self._read_output(channel):
            self._set_current(channel, 0.0)
            self._prepare(channel)
            self._set_output(channel, True)
        self._agree_flag("output", channel, on, self.output_enabled(channel))

    def measure(self, channel: str) -> Measured:
        """Measure current and voltage at an output, where the source can."""
        self._channel(channel)
        return self._measure(channel)

    def _survey(self) -> None:
        for channel in self.channels:
            self.current_setpoint(channel)
            self.output_enabled(channel)

    def _switch_off(self, output: str) -> None:
        if output in self.channels and self._read_output(output):
            self._ramp(output, 0.0)
        self._cut_off(output)

    def _ramp(self, channel: str, target_a: float) -> None:
        limits = self.channels[channel]
        for value in steps(self._read_setpoint(channel), target_a, limits.ramp_step_a):
            self._set_current(channel, value)
            wait(limits.ramp_delay_s)
        wait(limits.settle_s)
