"""Sources of one RF tone."""

import math
from abc import abstractmethod

from spinhw.instruments.channels import RFOutput
from spinhw.instruments.roles.base import SwitchedOutputs, wait

# Generators take power in steps of 0.01 dB and frequency in steps of 0.01 Hz or less.
_STEP_DB, _STEP_HZ = 0.011, 0.011


class RFSource(SwitchedOutputs[RFOutput]):
    """A source of one RF tone. Power is in watts here; drivers speak dBm."""

    role = "rf-source"

    @abstractmethod
    def _set_frequency(self, channel: str, frequency_hz: float) -> None:
        """Set the frequency, in hertz, within limits."""

    @abstractmethod
    def _read_frequency(self, channel: str) -> float:
        """Read the frequency back, in hertz."""

    @abstractmethod
    def _set_power_dbm(self, channel: str, power_dbm: float) -> None:
        """Set the power, in dBm, within limits."""

    @abstractmethod
    def _read_power_dbm(self, channel: str) -> float:
        """Read the power back, in dBm."""

    def set_frequency(self, channel: str, frequency_hz: float) -> float:
        """Set the frequency in hertz, within the limits of the channel, and return it as read back."""
        limits = self._channel(channel)
        self._check("frequency", channel, frequency_hz, (limits.lowest_frequency_hz, limits.highest_frequency_hz), "Hz")
        self._set_frequency(channel, frequency_hz)
        wait(limits.settle_s)
        return self._agree("frequency", channel, frequency_hz, self.frequency_setpoint(channel), _STEP_HZ, "Hz")

    def frequency_setpoint(self, channel: str) -> float:
        """Read the frequency back, in hertz."""
        self._channel(channel)
        seen = self._read_frequency(channel)
        self._keep(f"{channel}.frequency_hz", seen)
        return seen

    def set_power(self, channel: str, power_w: float) -> float:
        """Set the power in watts, above zero and within the limit of the channel, and return it as read back.

        No power at all is an output that is off.
        """
        limits = self._channel(channel)
        if not power_w > 0:
            raise ValueError(f"{self.name}: power must be above zero, not {power_w}; switch the output off instead")
        self._check("power", channel, power_w, (0.0, limits.highest_power_w), "W")
        wanted_dbm = to_dbm(power_w)
        self._set_power_dbm(channel, wanted_dbm)
        wait(limits.settle_s)
        seen_w = self.power_setpoint(channel)
        self._agree("power", channel, wanted_dbm, to_dbm(seen_w), _STEP_DB, "dBm")
        return seen_w

    def power_setpoint(self, channel: str) -> float:
        """Read the power back, in watts."""
        self._channel(channel)
        seen_w = to_watts(self._read_power_dbm(channel))
        self._keep(f"{channel}.power_w", seen_w)
        return seen_w

    def set_output(self, channel: str, on: bool) -> None:
        """Switch an output on, if the power set is within its limit, or off.

        Raises:
            LimitError: The power that the instrument holds is beyond the limit; it stays off.
            DeviceError: It does not read back as set.
        """
        limits = self._channel(channel)
        if on:
            held = self.power_setpoint(channel)
            self._check("power", channel, held, (0.0, limits.highest_power_w * 10 ** (_STEP_DB / 10)), "W")
            self._check(
                "frequency",
                channel,
                self.frequency_setpoint(channel),
                (limits.lowest_frequency_hz, limits.highest_frequency_hz),
                "Hz",
            )
        self._set_output(channel, on)
        wait(limits.settle_s)
        self._agree_flag("output", channel, on, self.output_enabled(channel))

    def _survey(self) -> None:
        for channel in self.channels:
            self.frequency_setpoint(channel)
            self.power_setpoint(channel)
            self.output_enabled(channel)

    def _switch_off(self, output: str) -> None:
        self._cut_off(output)


def to_dbm(power_w: float) -> float:
    """Convert watts, above zero, to dBm."""
    return 10 * math.log10(power_w / 1e-3)


def to_watts(power_dbm: float) -> float:
    """Convert dBm to watts."""
    return 1e-3 * 10 ** (power_dbm / 10)
