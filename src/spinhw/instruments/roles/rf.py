"""Sources of one RF tone."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial

from spinhw.instruments.channels import RFOutput
from spinhw.instruments.ramp import Lever
from spinhw.instruments.roles.base import Build
from spinhw.instruments.roles.known_state import Fields
from spinhw.instruments.roles.switched import SwitchedOutputs

# Generators take power in steps of 0.01 dB and frequency in steps of 0.01 Hz or less.
_STEP_DB, _STEP_HZ = 0.011, 0.011
# Where a way down ends, unless a driver knows better.
_FAINT_DBM = -60.0


class RFSource(SwitchedOutputs[RFOutput]):
    """A source of one RF tone. Power is in watts here; drivers speak dBm."""

    role = "rf-source"

    def __init__(self, build: Build[RFOutput]) -> None:
        super().__init__(build)
        self._last_dbm: dict[str, float] = {}  # What was set last, by channel.

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
        limits = self._ours_to_set(channel)
        self._check("frequency", channel, frequency_hz, (limits.lowest_frequency_hz, limits.highest_frequency_hz), "Hz")
        self.ready()
        self.is_on(channel)
        self._set_frequency(channel, frequency_hz)
        self._wait(limits.settle_s)
        return self._agree("frequency", channel, frequency_hz, self.frequency_setpoint(channel), _STEP_HZ, "Hz")

    def frequency_setpoint(self, channel: str) -> float:
        """Read the frequency back, in hertz."""
        self._channel(channel)
        seen = self._finite("frequency", channel, self._read_frequency(channel))
        self._keep(f"{channel}.frequency_hz", seen)
        return seen

    def set_power(self, channel: str, power_w: float) -> float:
        """Set the power in watts, above zero and within the limit of the channel, and return it as read back.

        No power at all is an output that is off.
        """
        limits = self._ours_to_set(channel)
        if not power_w > 0:
            raise ValueError(f"{self.name}: power must be above zero, not {power_w}; switch the output off instead")
        self._check("power", channel, power_w, (0.0, limits.highest_power_w), "W")
        self.ready()
        self.is_on(channel)
        wanted_dbm = to_dbm(power_w)
        self._send_power(channel, wanted_dbm)
        self._wait(limits.settle_s)
        seen_w = self.power_setpoint(channel)
        self._agree("power", channel, wanted_dbm, to_dbm(seen_w), _STEP_DB, "dBm")
        return seen_w

    def power_setpoint(self, channel: str) -> float:
        """Read the power back, in watts."""
        self._channel(channel)
        seen_w = to_watts(self._finite("power", channel, self._read_power_dbm(channel)))
        self._keep(f"{channel}.power_w", seen_w)
        return seen_w

    def set_output(self, channel: str, on: bool) -> None:
        """Switch an output on, from the known state and if the power set is within its limit, or off.

        Raises:
            LimitError: The power that the instrument holds is beyond the limit; it stays off.
            OccupiedError: Something on the bench is on that is not ours.
            DeviceError: It does not read back as set.
        """
        if self._switch(channel, on):
            self._wait(self.channels[channel].settle_s)
            self._agree_flag("output", channel, on, self.output_enabled(channel))

    def _survey(self) -> None:
        for channel in self.channels:
            self.frequency_setpoint(channel)
            self.power_setpoint(channel)
            self.output_enabled(channel)

    def _limits_of(self, channel: str) -> Fields:
        return {"channel": channel, "highest_dbm": to_dbm(self.channels[channel].highest_power_w)}

    def _before_switching_on(self, channel: str) -> None:
        limits = self.channels[channel]
        highest_w = limits.highest_power_w * 10 ** (_STEP_DB / 10)
        self._check("power", channel, self.power_setpoint(channel), (0.0, highest_w), "W")
        band_hz = (limits.lowest_frequency_hz, limits.highest_frequency_hz)
        self._check("frequency", channel, self.frequency_setpoint(channel), band_hz, "Hz")

    def _before_switching_off(self, channel: str) -> None:
        if self.channels[channel].ramp_step_db is not None:
            for lever in self._levers(channel):
                lever.lower(f"{self.name}: output {channel}", self._wait)

    def _levers(self, output: str) -> Sequence[Lever]:
        limits = self.channels.get(output)
        step_db, delay_s = (None, 0.0) if limits is None else (limits.ramp_step_db, limits.ramp_delay_s)
        read, send = partial(self._read_power_dbm, output), partial(self._send_power, output)
        end, last = self._lowest_dbm(), self._last_dbm.get(output)
        return [Lever("power", "dBm", read, send, end=end, step=step_db, delay_s=delay_s, last=last)]

    def _lowest_dbm(self) -> float:
        """Return the lowest power that the instrument takes, in dBm: where a way down ends."""
        return _FAINT_DBM

    def _send_power(self, channel: str, power_dbm: float) -> None:
        self._last_dbm[channel] = power_dbm
        self._set_power_dbm(channel, power_dbm)


def to_dbm(power_w: float) -> float:
    """Convert watts, above zero, to dBm."""
    return 10 * math.log10(power_w / 1e-3)


def to_watts(power_dbm: float) -> float:
    """Convert dBm to watts."""
    return 1e-3 * 10 ** (power_dbm / 10)
