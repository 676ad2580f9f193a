"""The known state of one instrument: what its profile sets, compares and reads back, filled in for a bench."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from spinhw.errors import ConfigError, nearest
from spinhw.instruments.known import OtherOutput, StateSetting, WiredSetting, agrees
from spinhw.instruments.words import Words

# What templates are filled in with, such as {"channel": "1", "compliance_v": 2.0}.
Fields = Mapping[str, str | float]
# What a bench file says of its wiring: by name, for all channels or for each.
Wired = Mapping[str, str | Mapping[str, str]]


@dataclass(frozen=True)
class Filled:
    """A setting of the known state, filled in.

    Args:
        label: Its name in the profile, with the channel where each has it: "polarity.1".
        channel: The channel; None for what the whole instrument has.
        send: Message that sets it; None where the driver's own commands do.
        ask: Question that reads it.
        replies: What may come back.
        within: Share by which a number may be off.
    """

    label: str
    channel: str | None
    send: str | None
    ask: str
    replies: tuple[str, ...]
    within: float

    def holds(self, seen: str) -> bool:
        """Tell whether a reply means one of the values wanted."""
        return any(agrees(seen, wanted, self.within) for wanted in self.replies)


class KnownState:
    """What a profile says of the settings of one instrument.

    Args:
        port: The instrument, with its profile.
        wired: What the bench file says of its wiring.
    """

    def __init__(self, port: Words, wired: Wired) -> None:
        self._port, self._profile, self._wired = port, port.profile, wired

    def outputs(self, outputs: Sequence[str]) -> list[str]:
        """Leave out the outputs that the connected model does not have."""
        for pattern, fewer in self._profile.fewer_outputs.items():
            if re.search(pattern, self._port.link.identity):
                return [output for output in outputs if output in fewer]
        return list(outputs)

    def other_outputs(self) -> dict[str, OtherOutput]:
        """Return the outputs of the connected model that no role uses."""
        return {name: one for name, one in self._profile.other_outputs.items() if self._applies(one.only)}

    def settings(self, channels: Sequence[Fields]) -> list[Filled]:
        """Fill in the settings of the connected model, in the order in which they are set.

        Args:
            channels: What templates may name, for each channel in use; none where all are set by hand. What the whole
                instrument has is filled in for the first.
        """
        found = []
        for name, setting in self._profile.state.items():
            if not self._applies(setting.only):
                continue
            for fields in channels if setting.of_channel else channels[:1]:
                found.append(_filled(name, setting, fields))
        return found

    def wired_otherwise(self, channels: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """Read how things are wired.

        Returns:
            What was read, by name, and in words what is otherwise than the bench file says.
        """
        found, otherwise = {}, []
        for name, setting in self._profile.wired.items():
            if not self._applies(setting.only):
                continue
            for channel in channels if setting.of_channel else [None]:
                label = name if channel is None else f"{name}.{channel}"
                found[label] = _called(setting, self._port.link.query(setting.ask.format(channel=channel)))
                stated = self._stated(name, channel)
                if stated is not None and stated != found[label]:
                    otherwise.append(f"{self._port.link.name}: {label} is {found[label]}, not {stated}")
        return found, otherwise

    def _stated(self, name: str, channel: str | None) -> str | None:
        stated = self._wired.get(name)
        return stated if stated is None or isinstance(stated, str) else stated.get(channel or "")

    def _applies(self, only: str | None) -> bool:
        return only is None or re.search(only, self._port.link.identity) is not None


def check_wired(place: str, wired: Wired, known: Mapping[str, WiredSetting], channels: Iterable[str]) -> None:
    """Refuse what a bench file says of a wiring that the profile cannot compare.

    Raises:
        ConfigError: Names file and key.
    """
    for name, stated in wired.items():
        if name not in known:
            allowed = ", ".join(known) or "nothing: the profile of this instrument says of no setting how it is read"
            raise ConfigError(
                f"{place}.wired.{name}: the profile knows no such setting",
                allowed=allowed,
                todo=nearest(name, known) if known else "leave it out, or add it under 'wired' in a profile",
            )
        values = stated if isinstance(stated, Mapping) else {"": stated}
        for channel, value in values.items():
            if channel and (not known[name].of_channel or channel not in channels):
                raise ConfigError(f"{place}.wired.{name}: there is no channel of this name", seen=channel)
            if value not in known[name].replies:
                raise ConfigError(
                    f"{place}.wired.{name}: there is no such setting",
                    seen=value,
                    allowed=", ".join(known[name].replies),
                    todo=nearest(value, known[name].replies),
                )


def _filled(name: str, setting: StateSetting, fields: Fields) -> Filled:
    channel = str(fields["channel"]) if setting.of_channel else None
    return Filled(
        name if channel is None else f"{name}.{channel}",
        channel,
        None if setting.send is None else setting.send.format(**fields),
        setting.ask.format(**fields),
        tuple(reply.format(**fields) for reply in setting.replies),
        setting.within,
    )


def _called(setting: WiredSetting, reply: str) -> str:
    """Say what a bench file calls what was answered."""
    return next((name for name, answer in setting.replies.items() if agrees(reply, answer)), reply)
