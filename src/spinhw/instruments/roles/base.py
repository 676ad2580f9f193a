"""What every instrument is, whatever its role."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from spinhw.config import Settings
from spinhw.errors import ConfigError, DeviceError, LimitError
from spinhw.instruments.words import Port

_log = logging.getLogger(__name__)

# Switching off changes nothing for the worse when it is done twice, unlike any other setting.
_ATTEMPTS_TO_SWITCH_OFF = 3

ChannelT = TypeVar("ChannelT", bound=Settings)
PortT = TypeVar("PortT", bound=Port)

Setting = float | bool | int | str


@dataclass(frozen=True)
class Build(Generic[ChannelT]):
    """What a driver is made of.

    Args:
        name: In the station.
        port: How it is reached.
        channels: Its channels on this bench, with their limits.
        outputs: Every output that the model may have, used or not.
    """

    name: str
    port: Any
    channels: Mapping[str, ChannelT]
    outputs: tuple[str, ...] = ()


class Instrument(ABC, Generic[ChannelT]):
    """Base of all roles. Public methods check limits and read back; drivers fill the hooks of their role.

    Args:
        build: Name, port, channels.
    """

    role: ClassVar[str]
    words: ClassVar[Mapping[str, str]] = {}  # Commands that the driver needs in a profile, with their placeholders.
    optional_words: ClassVar[Mapping[str, str]] = {}  # Commands that some models lack.
    ranges: ClassVar[Mapping[str, str]] = {}  # Ranges that the driver needs in a profile, with their units.

    def __init__(self, build: Build[ChannelT]) -> None:
        self.name, self.channels, self.port = build.name, dict(build.channels), build.port
        self._outputs = build.outputs
        self._settings: dict[str, Setting] = {}
        self._generation = 0
        self._foreign_words = False  # Whether somebody sent messages of his own.
        self.identity = ""

    @classmethod
    def make_port(cls, address: str) -> Port:
        """Make what the instrument is reached through, for drivers that come without a profile."""
        raise ConfigError(f"driver {cls.__name__} needs a profile", todo="name a profile file instead of the driver")

    def open(self) -> str:
        """Connect without changing anything, and return who answers."""
        self.identity = self.port.open()
        if self._generation != self.port.generation:
            self.forget()  # Whoever was disconnected may have been switched off and on.
        return self.identity

    def close(self) -> None:
        """Disconnect, and leave the outputs as they are."""
        self.port.close()

    def outputs(self) -> list[str]:
        """List the outputs in use; none for instruments that only measure."""
        return []

    def make_safe(self) -> list[str]:
        """Ramp down and switch off every output in reverse order, read back, and return those not confirmed off."""
        outputs = self.outputs()
        if outputs and self._foreign_words:
            outputs += [output for output in self._outputs if output not in outputs]
        return [f"{self.name}.{output}" for output in reversed(outputs) if not self._switched_off(output)]

    def is_safe(self, output: str) -> bool:
        """Read back whether an output is off."""
        return not self._read_output(output)

    def cached(self) -> dict[str, Setting]:
        """Give the settings as last read back, without asking; empty where nothing is known for sure."""
        if self._generation != self.port.generation:
            self.forget()
        return dict(self._settings)

    def survey(self) -> dict[str, Setting]:
        """Read all settings back."""
        self.forget()
        self._survey()
        return dict(self._settings)

    def forget(self, foreign_words: bool = False) -> None:
        """Forget the cached settings: the instrument was opened again, or somebody talked to it past this class."""
        self._generation = self.port.generation
        self._foreign_words |= foreign_words
        self._settings.clear()

    def _survey(self) -> None:
        """Read every setting of the role back and `_keep` it."""

    def _switch_off(self, output: str) -> None:
        """Bring one output to its safe state: ramped down, then off."""
        raise NotImplementedError(f"{type(self).__name__} has outputs and must say how they are switched off")

    def _cut_off(self, output: str) -> None:
        """Switch one output off at once, where ramping it down failed."""
        self._switch_off(output)

    def _read_output(self, output: str) -> bool:
        """Read back whether an output is on."""
        raise NotImplementedError(f"{type(self).__name__} has outputs and must say how they are read back")

    def _switched_off(self, output: str) -> bool:
        for attempt in range(_ATTEMPTS_TO_SWITCH_OFF):
            try:
                (self._cut_off if attempt else self._switch_off)(output)
                if not self._read_output(output):
                    return True
                _log.error("%s: output %s reads back as on", self.name, output)
            except Exception as error:  # the next output must still be switched off
                _log.error("%s: output %s could not be switched off: %s", self.name, output, error)
        return False

    def _keep(self, key: str, value: Setting) -> None:
        self._settings[key] = value

    def _channel(self, channel: str) -> ChannelT:
        """Give the settings of a channel.

        Raises:
            LimitError: The bench file does not list it, so that it has no limits.
        """
        found = self.channels.get(channel)
        if found is None:
            raise LimitError(
                f"{self.name}: channel {channel} is not listed in the bench file and so has no limits",
                allowed=", ".join(self.channels),
                todo="list it under 'channels' of this instrument",
            )
        return found

    def _check(self, what: str, channel: str, value: float, limits: tuple[float, float], unit: str) -> None:
        """Refuse a value beyond its limits, NaN included.

        Raises:
            LimitError: Nothing was sent.
        """
        low, high = limits
        slack = 1e-9 * max(abs(low), abs(high))  # Rounding is no violation.
        if low - slack <= value <= high + slack:
            return
        raise LimitError(
            f"{self.name}: {what} of channel {channel} is beyond its limit and nothing was sent",
            seen=f"{value:.6g} {unit}".rstrip(),
            allowed=f"{low:.6g} to {high:.6g} {unit}".rstrip(),
            todo="lower the value, or change the limit in the bench file if the bench allows it",
        )

    def _agree(self, what: str, channel: str, wanted: float, seen: float, tolerance: float, unit: str) -> float:
        """Return what was read back, or refuse it.

        Raises:
            DeviceError: It is not what was set.
        """
        if abs(seen - wanted) <= tolerance:
            return seen
        raise DeviceError(
            f"{self.name}: {what} of channel {channel} does not read back as set",
            seen=f"{seen:.6g} {unit}",
            allowed=f"{wanted:.6g} {unit} within {tolerance:.3g}",
            todo="look at the front panel; another limit or range of the instrument may be in force",
        )

    def _agree_flag(self, what: str, channel: str, wanted: bool, seen: bool) -> None:
        if wanted != seen:
            raise DeviceError(
                f"{self.name}: {what} of channel {channel} does not read back as set",
                seen="on" if seen else "off",
                allowed="on" if wanted else "off",
                todo="look at the front panel",
            )


class SwitchedOutputs(Instrument[ChannelT]):
    """Base of the roles whose channels are outputs, each switched on and off by itself."""

    @abstractmethod
    def _set_output(self, channel: str, on: bool) -> None:
        """Switch an output on or off."""

    @abstractmethod
    def _read_output(self, output: str) -> bool:
        """Read back whether an output is on."""

    def outputs(self) -> list[str]:
        return list(self.channels)

    def output_enabled(self, channel: str) -> bool:
        """Read back whether an output is on."""
        self._channel(channel)
        seen = self._read_output(channel)
        self._keep(f"{channel}.output", seen)
        return seen

    def _cut_off(self, output: str) -> None:
        self._set_output(output, False)


def wait(seconds: float) -> None:
    """Let something settle."""
    if seconds > 0:
        time.sleep(seconds)


def wait_for(done: Callable[[], bool], timeout_s: float, who: str, what: str, pause_s: float = 1e-3) -> None:
    """Ask again and again until something is done.

    Raises:
        DeviceError: It is not, in time.
    """
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise DeviceError(
                f"{who}: {what} was not done in time",
                seen=f"{timeout_s:g} s",
                todo="check the trigger cable and the trigger settings",
            )
        wait(min(pause_s, timeout_s / 10))
