"""Sources of direct current."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from spinhw.errors import DeviceError
from spinhw.instruments.channels import CurrentOutput
from spinhw.instruments.ramp import Lever, steps
from spinhw.instruments.roles.base import Build
from spinhw.instruments.roles.known_state import Fields
from spinhw.instruments.roles.switched import SwitchedOutputs

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
    settable = {"lowest_a": ("current", "A"), "highest_a": ("current", "A"), "compliance_v": ("compliance", "V")}

    def __init__(self, build: Build[CurrentOutput]) -> None:
        super().__init__(build)
        self._last_a: dict[str, float] = {}  # What was set last, by channel.

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
            OccupiedError: Something on the bench is on that is not ours.
            DeviceError: It does not read back as set, or the output is off though it was switched on.
        """
        limits = self._ours_to_set(channel)
        self._check("current", channel, current_a, (limits.lowest_a, limits.highest_a), "A")
        self.ready()
        self.is_on(channel)
        self._ramp(channel, current_a)
        seen = self.current_setpoint(channel)
        return self._agree("current", channel, current_a, seen, self._tolerance_a(limits), "A")

    def current_setpoint(self, channel: str) -> float:
        """Read the setpoint back, in amperes."""
        self._channel(channel)
        seen = self._finite("current", channel, self._read_setpoint(channel))
        self._keep(f"{channel}.current_a", seen)
        return seen

    def set_output(self, channel: str, on: bool) -> None:
        """Switch an output on, from the known state and at zero, or ramp it down and switch it off.

        Raises:
            OccupiedError: Something on the bench is on that is not ours.
            DeviceError: It does not read back as set.
        """
        if self._switch(channel, on):
            self._agree_flag("output", channel, on, self.output_enabled(channel))

    def measure(self, channel: str) -> Measured:
        """Measure current and voltage at an output that is on, where the source can.

        Raises:
            DeviceError: The output is off, or would be switched by the question.
        """
        self._channel(channel)
        if not self._read_output(channel):
            raise DeviceError(
                f"{self.name}: nothing can be measured at output {channel} while it is off; nothing was sent",
                seen="off",
                allowed="an output that is on",
                todo="switch it on first: set_output(channel, True)",
            )
        return self._measure(channel)

    def _survey(self) -> None:
        for channel in self.channels:
            self.current_setpoint(channel)
            self.output_enabled(channel)

    def _limits_of(self, channel: str) -> Fields:
        limits = self.channels[channel]
        largest = max(abs(limits.lowest_a), abs(limits.highest_a))
        return {"channel": channel, "largest_a": largest, "compliance_v": limits.compliance_v}

    def _before_switching_on(self, channel: str) -> None:
        self._send_current(channel, 0.0)
        seen = self.current_setpoint(channel)
        self._agree("current", channel, 0.0, seen, self._tolerance_a(self.channels[channel]), "A")

    def _before_switching_off(self, channel: str) -> None:
        self._ramp(channel, 0.0)

    def _levers(self, output: str) -> Sequence[Lever]:
        limits = self.channels.get(output)
        step_a, delay_s = (None, 0.0) if limits is None else (limits.ramp_step_a, limits.ramp_delay_s)
        read, send = partial(self._read_setpoint, output), partial(self._send_current, output)
        return [Lever("current", "A", read, send, step=step_a, delay_s=delay_s, last=self._last_a.get(output))]

    def _ramp(self, channel: str, target_a: float) -> None:
        limits = self.channels[channel]
        start_a = self._finite("current", channel, self._read_setpoint(channel))
        for value in steps(start_a, target_a, limits.ramp_step_a):
            self._send_current(channel, value)
            self._wait(limits.ramp_delay_s)
        self._wait(limits.settle_s)

    def _send_current(self, channel: str, current_a: float) -> None:
        self._last_a[channel] = current_a
        self._set_current(channel, current_a)

    @staticmethod
    def _tolerance_a(limits: CurrentOutput) -> float:
        return max(_RELATIVE * max(abs(limits.lowest_a), abs(limits.highest_a)), _ABSOLUTE_A)
