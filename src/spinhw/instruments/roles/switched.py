"""Outputs that are switched on and off, each by itself."""

from abc import abstractmethod

from spinhw.errors import DeviceError
from spinhw.instruments.roles.base import ChannelT, Instrument


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

    def _before_switching_on(self, channel: str) -> None:
        """Bring an output that is off, in the known state, to what it shall give at first, or refuse to."""

    def _before_switching_off(self, channel: str) -> None:
        """Bring an output that is on to where it may be switched off; ramped where the bench file states a step."""

    def _switch(self, channel: str, on: bool) -> bool:
        """Switch an output on from the known state, or off; tell whether anything was to be done.

        Raises:
            OccupiedError: It is on, and not by us.
            DeviceError: It does not read back as set, or is off where we had switched it on.
        """
        self._ours_to_set(channel)
        if not on:
            return self._switch_off_ours(channel)
        self.ready()
        self.custody.tell_lost(self.name, channel)  # It is made again right now.
        if self.is_on(channel):
            return False
        self._make_known()  # Somebody may have been at the front panel since.
        self._before_switching_on(channel)
        self.custody.take(self.name, channel)
        self._set_output(channel, True)
        return True

    def is_on(self, channel: str) -> bool:
        """Read whether an output is on, by us.

        Raises:
            OccupiedError: It is on, and not by us.
            DeviceError: It is off, though we had switched it on.
        """
        on, ours = self.output_enabled(channel), self.custody.is_ours(self.name, channel)
        if on and not ours:
            raise self.custody.refuse([(self.name, channel)])
        if self.custody.tell_lost(self.name, channel) or (ours and not on):
            self.forget()
            self.custody.give(self.name, channel)
            raise DeviceError(
                f"{self.name}: output {channel} is off though it was switched on here; nothing was sent",
                seen="off",
                allowed="on",
                todo="it was restarted, or switched itself off: look for a short circuit, then switch it on again",
            )
        return on

    def _switch_off_ours(self, channel: str) -> bool:
        if not self.output_enabled(channel):
            self.custody.give(self.name, channel)
            return False
        if not self.custody.is_ours(self.name, channel):
            raise self.custody.refuse([(self.name, channel)])
        self._before_switching_off(channel)
        self._set_output(channel, False)
        self._agree_flag("output", channel, False, self.output_enabled(channel))
        self.custody.give(self.name, channel)
        return True

    def _cut_off(self, output: str) -> None:
        self._set_output(output, False)
