"""What every instrument is, whatever its role."""

import logging
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from spinhw.config import Settings
from spinhw.errors import ConfigError, DeviceError, LimitError
from spinhw.instruments.custody import Custody
from spinhw.instruments.profile import Profile
from spinhw.instruments.ramp import Lever
from spinhw.instruments.roles.checks import Checks
from spinhw.instruments.roles.known_state import Fields, Filled, KnownState, Wired
from spinhw.instruments.waiting import wait
from spinhw.instruments.words import InstrumentAccess, Words

_log = logging.getLogger(__name__)

# Switching off changes nothing for the worse when it is done twice, unlike any other setting.
_ATTEMPTS_TO_SWITCH_OFF = 3

ChannelT = TypeVar("ChannelT", bound=Settings)
PortT = TypeVar("PortT", bound=InstrumentAccess)

Setting = float | bool | int | str


@dataclass(frozen=True)
class Build(Generic[ChannelT]):
    """What a driver is made of.

    Args:
        name: In the station.
        port: How it is reached.
        channels: Its channels on this bench, with their limits.
        outputs: Every output that the model may have, used or not.
        by_hand: Outputs that somebody sets by hand: only ever measured.
        wired: What the bench file says of its wiring, to be compared.
        wait: Waits so many seconds for something to settle.
    """

    name: str
    port: Any
    channels: Mapping[str, ChannelT]
    outputs: tuple[str, ...] = ()
    by_hand: frozenset[str] = frozenset()
    wired: Wired = field(default_factory=dict)
    wait: Callable[[float], None] = wait


class Instrument(Checks, ABC, Generic[ChannelT]):
    """Base of all roles. Public methods check limits and read back; drivers fill the hooks of their role.

    Before anything is set, the whole bench is looked over, and this instrument is brought into a known state, once for
    each connection; see `ready`.

    Args:
        build: Name, port, channels.
    """

    role: ClassVar[str]
    words: ClassVar[Mapping[str, str]] = {}  # Commands that the driver needs in a profile, with their placeholders.
    optional_words: ClassVar[Mapping[str, str]] = {}  # Commands that some models lack.
    ranges: ClassVar[Mapping[str, str]] = {}  # Ranges that the driver needs in a profile, with their units.
    # Limits of a channel that are set at the instrument, with the range of a profile that must hold them, and its unit.
    settable: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def __init__(self, build: Build[ChannelT]) -> None:
        self.name, self.channels, self.port = build.name, dict(build.channels), build.port
        self.by_hand, self._wait = build.by_hand, build.wait
        self._outputs = build.outputs
        self._state = KnownState(build.port, build.wired) if isinstance(build.port, Words) else None
        self._settings: dict[str, Setting] = {}
        self._generation = 0
        self._known = -1  # Connection for which the state is known.
        self.found: dict[str, Any] = {}  # What was found before anything was set, for the run folder.
        self.identity = ""
        self.custody = Custody(build.name)
        self.custody.join(self)

    @classmethod
    def make_port(cls, address: str) -> InstrumentAccess:
        """Make what the instrument is reached through, for drivers that come without a profile."""
        raise ConfigError(f"driver {cls.__name__} needs a profile", todo="name a profile file instead of the driver")

    @classmethod
    def check_limits(cls, place: str, channels: Mapping[str, Any], profile: Profile | None) -> None:
        """Refuse limits of a bench file that the instrument cannot be set to.

        Raises:
            ConfigError: Names file and key.
        """
        for channel, limits in channels.items():
            for key, (name, unit) in cls.settable.items():
                span = None if profile is None else profile.ranges.get(name)
                if span is None or limits.by_hand:
                    continue
                value, (low, high) = cls._as_set(key, limits), span.of_unit(unit)
                if not low <= value <= high:
                    raise ConfigError(
                        f"{place}.channels.{channel}: {key.rpartition('_')[0]}: the instrument cannot be set to this",
                        seen=f"{value:.6g} {unit}",
                        allowed=f"{low:.6g} to {high:.6g} {unit}",
                        todo="state what your chip survives, within what the instrument can do",
                    )

    @classmethod
    def _as_set(cls, key: str, limits: Any) -> float:
        """Return a limit of a channel as the range of a profile states it."""
        value: float = getattr(limits, key)
        return value

    @property
    def generation(self) -> int:
        """Get how often the connection was made."""
        generation: int = self.port.generation
        return generation

    def open(self) -> str:
        """Connect without changing anything, and return who answers."""
        self.identity = self.port.open()
        if self._generation != self.port.generation:
            self.forget()  # Whoever was disconnected may have been switched off and on.
        return self.identity

    def close(self) -> None:
        """Disconnect, and leave the outputs as they are."""
        self.port.close()

    # Outputs

    def outputs(self) -> list[str]:
        """List the outputs in use; none for instruments that only measure."""
        return []

    def all_outputs(self) -> list[str]:
        """List every output that the model has, used or not, those that no role uses included."""
        known = self._outputs if self._state is None else self._state.outputs(self._outputs)
        used = [output for output in self.outputs() if output not in known]
        return [*known, *used, *self._others()]

    def sources(self) -> list[str]:
        """List the outputs that can put something onto a wire."""
        return self.all_outputs()

    def reads_on(self, output: str) -> bool:
        """Read back whether an output is on."""
        other = self._others().get(output)
        return self._read_output(output) if other is None else self.port.flag_of(other.ask)

    def describe_output(self, output: str) -> str:
        """Read what an output gives, in words such as "voltage 5 V"; changes nothing."""
        try:
            return "" if output in self._others() else self._describe(output)
        except Exception as error:  # it is only for a message
            return f"what it gives cannot be read: {error}"

    def make_safe(self) -> list[str]:
        """Ramp down and switch off what this session switched on, and return the outputs not confirmed off."""
        return self.custody.bring_down(self.custody.ours(self.name))

    def is_safe(self, output: str) -> bool:
        """Read back whether an output is off."""
        return not self.reads_on(output)

    def bring_down(self, output: str) -> bool:
        """Ramp an output down, switch it off, and tell whether it reads as off, after some attempts.

        The way down starts at what was read, never sends more than was read, and does not stop at an error.
        """
        for attempt in range(_ATTEMPTS_TO_SWITCH_OFF):
            try:
                self.port.pin()  # Even on an instrument that was connected anew.
                (self._cut_off if attempt else self._switch_off)(output)
                if not self.reads_on(output):
                    return True
                _log.error("%s: output %s reads back as on", self.name, output)
            except Exception as error:  # the next attempt, and the next output, must still be made
                _log.error("%s: output %s could not be switched off: %s", self.name, output, error)
        return False

    # Settings

    def ready(self) -> None:
        """Make sure that the bench was looked over and this instrument's state is known, once for each connection.

        Raises:
            OccupiedError: Something is on that is not ours, or wired otherwise; nothing was changed.
            DeviceError: A setting of the known state does not read back.
        """
        self.custody.look_over()
        if self._known != self.generation:
            self._make_known()

    def examine(self) -> list[str]:
        """Read what was found, before anything is set, and list in words what is wired otherwise than stated."""
        found: dict[str, Any] = {output: self.reads_on(output) for output in self.all_outputs()}
        otherwise: list[str] = []
        if self._state is not None:
            wired, otherwise = self._state.wired_otherwise(self.channels)
            state = {one.label: self.port.link.query(one.ask) for one in self._state.settings(self._fields())}
            found = {"outputs": found, "wired": wired, "state": state}
        self.found = self.found or found  # What the first connection found is what somebody left.
        return otherwise

    def cached(self) -> dict[str, Setting]:
        """Return the settings as last read back, without asking; empty where nothing is known for sure."""
        if self._generation != self.port.generation:
            self.forget()
        return dict(self._settings)

    def survey(self) -> dict[str, Setting]:
        """Read all settings back."""
        self.forget()
        self._survey()
        return dict(self._settings)

    def forget(self) -> None:
        """Forget what is known: the instrument was opened again, or somebody talked to it past this class."""
        self._generation = self.port.generation
        self._known = -1
        self._settings.clear()

    # Hooks

    def _survey(self) -> None:
        """Read every setting of the role back and `_keep` it."""

    def _prepare(self, channel: str) -> None:
        """Set what follows from the limits of a channel in use; every output is off."""

    def _limits_of(self, channel: str) -> Fields:
        """Return what templates of the known state may name for a channel in use."""
        return {"channel": channel}

    def _halt(self, output: str) -> None:
        """Let an output come to rest before its way down."""

    def _levers(self, output: str) -> Sequence[Lever]:
        """Return the quantities of an output that a way down brings to their end, in this order."""
        return []

    def _describe(self, output: str) -> str:
        """Read what an output gives, in words."""
        return ", ".join(f"{one.quantity} {one.read():.6g} {one.unit}" for one in self._levers(output))

    def _cut_off(self, output: str) -> None:
        """Switch one output off at once."""
        raise NotImplementedError(f"{type(self).__name__} has outputs and must say how they are switched off")

    def _read_output(self, output: str) -> bool:
        """Read back whether an output is on."""
        raise NotImplementedError(f"{type(self).__name__} has outputs and must say how they are read back")

    # Inside

    def _others(self) -> Mapping[str, Any]:
        return {} if self._state is None else self._state.other_outputs()

    def _fields(self) -> list[Fields]:
        return [self._limits_of(channel) for channel in self.channels if channel not in self.by_hand]

    def _switch_off(self, output: str) -> None:
        """Bring one output down: ramped, then off."""
        other = self._others().get(output)
        if other is not None:
            self.port.link.set_and_check(other.send)
            return
        try:
            if self._read_output(output):
                self._halt(output)
                for lever in self._levers(output):
                    lever.lower(f"{self.name}: output {output}", self._wait, self.port.pin)
        except Exception as error:  # what cannot be ramped must go off all the same
            _log.error("%s: output %s is cut at once: %s", self.name, output, error)
        self._cut_off(output)

    def _make_known(self) -> None:
        """Bring this instrument into the known state, whole and in order, unless it is known to be in it still.

        Nothing is set while an output of this instrument is on; channels that the bench file does not list are left.
        """
        self.port.pin()
        settings = [] if self._state is None else self._state.settings(self._fields())
        wrong = [one for one in settings if not self._holds(one)]
        if self._known == self.generation and not wrong:
            return
        self.custody.look_over()  # The line may have been opened again while it was asked.
        self.port.pin()
        sent = self._may_be_set(settings, wrong)
        self._settings.clear()
        for one in sent:
            if one.send is not None:
                self.port.link.set_and_check(one.send)
                self._confirm_setting(one)
        for channel in self.channels:
            if channel not in self.by_hand:
                self._prepare(channel)
        for one in settings:
            self._confirm_setting(one)  # One setting may have moved another.
        self._known = self.generation

    def _may_be_set(self, settings: Sequence[Filled], wrong: Sequence[Filled]) -> list[Filled]:
        """List what may be set now: nothing while an output is on; one set by hand forbids only what all share.

        Raises:
            OccupiedError: An output is on, and not by us.
            DeviceError: Something that is wrong must not be set now.
        """
        on = [output for output in self.all_outputs() if self.reads_on(output)]
        shared = [one for one in settings if one.channel is None and one.send is not None]
        others = [one for one in on if one not in self.by_hand and not self.custody.is_ours(self.name, one)]
        if others:
            raise self.custody.refuse([(self.name, output) for output in others])
        if any(output not in self.by_hand for output in on) or (on and any(one in shared for one in wrong)):
            raise DeviceError(
                f"{self.name}: settings are not as they must be and cannot be set while an output is on",
                seen=f"{', '.join(on)} on; {', '.join(one.label for one in wrong) or 'a new connection'}",
                allowed="every output of this instrument off",
                todo="switch it off first; what is set by hand must be set as the profile says under 'state'",
            )
        return [one for one in settings if not (on and one in shared)]

    def _holds(self, setting: Filled) -> bool:
        return setting.holds(self.port.link.query(setting.ask))

    def _confirm_setting(self, setting: Filled) -> None:
        seen = self.port.link.query(setting.ask)
        if not setting.holds(seen):
            raise DeviceError(
                f"{self.name}: {setting.label} does not read back as it must be before an output is switched on",
                seen=f"{seen} to {setting.ask}",
                allowed=" or ".join(setting.replies),
                todo="look at the front panel; another limit or range of the instrument may be in force",
            )

    def _keep(self, key: str, value: Setting) -> None:
        self._settings[key] = value

    def _channel(self, channel: str) -> ChannelT:
        """Return the settings of a channel.

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

    def _ours_to_set(self, channel: str) -> ChannelT:
        """Return the settings of a channel that may be set.

        Raises:
            LimitError: The bench file does not list it, or says that it is set by hand.
        """
        found = self._channel(channel)
        if channel in self.by_hand:
            raise LimitError(
                f"{self.name}: channel {channel} is set by hand and is only ever measured; nothing was sent",
                allowed="channels that the bench file does not mark so",
                todo="take 'by_hand: true' out of the bench file, or give the supply a current there",
            )
        return found
