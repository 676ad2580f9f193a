"""Tektronix AWG5200 arbitrary waveform generators."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spinhw.errors import ConfigError, LimitError
from spinhw.instruments.drivers.scpi_waveform import ScpiWaveformSource
from spinhw.instruments.profile import Profile
from spinhw.instruments.ramp import Lever
from spinhw.instruments.roles.waveform import Trigger
from spinhw.instruments.waiting import wait_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What AWGControl:RSTate? says of a generator that waits for its trigger; 0 is stopped, 2 is running.
_WAITS = 1
_ARMING_S = 10.0
# How far a level may be off between two messages of a way down.
_BETWEEN_V = 0.5e-3


class TektronixAWG5200(ScpiWaveformSource):
    """A waveform goes into the waveform list as floats, and is played once for each trigger of input A."""

    words = {
        **ScpiWaveformSource.words,
        "path": "channel",
        "list": "",
        "delete": "name",
        "new": "name count",
        "data": "name count",
        "read_points": "name",
        "rate": "value",
        "read_rate": "",
        "assign": "channel name",
        "finished": "",
        "run_mode": "channel",
        "trigger_input": "channel",
        "run": "",
        "stop": "",
        "state": "",
        "trigger": "",
    }
    ranges = {**ScpiWaveformSource.ranges, "amplitude": "V"}

    def _set_range(self, channel: str, lowest_v: float, highest_v: float, load_ohm: float | None) -> None:
        if load_ohm != 50.0:
            raise LimitError(f"{self.name}: the load of channel {channel} must be 50 ohm", seen=load_ohm)
        text, middle = self.port.text, (lowest_v + highest_v) / 2
        self._check("span of the limits", channel, highest_v - lowest_v, self.port.range("amplitude", "V"), "V")
        self.port.send_all(
            text("path", channel=channel),
            text("amplitude", channel=channel, value=highest_v - lowest_v),
            text("offset", channel=channel, value=middle),
        )

    def _upload(self, waves: "Mapping[str, NDArray[np.float32]]", rate_hz: float) -> tuple[float, int]:
        text, link = self.port.text, self.port.link
        for channel in self._restless:
            self._switch(channel, False)  # While it is stopped it gives 0 V and nothing else.
        with link.exclusive():
            self.port.send("stop")
            present = self.port.ask("list")
            for channel, wave in waves.items():
                name, count = f"spinhw{channel}", len(wave)
                messages = [text("delete", name=name)] if name in present else []
                self.port.send_all(*messages, text("new", name=name, count=count))
                link.write_block(text("data", name=name, count=count), wave, self.port.profile.block)
                link.check(f"uploading to channel {channel}")
            self.port.send("rate", value=rate_hz)
            for channel in waves:
                self.port.send("assign", channel=channel, name=f"spinhw{channel}")
            self.port.finish()
        for channel in self._restless:
            self._switch(channel, True)
        points = min(self.port.whole("read_points", name=f"spinhw{channel}") for channel in waves)
        return self.port.number("read_rate"), points

    def _arm(self, channels: tuple[str, ...], trigger: Trigger) -> None:
        # A software trigger is an event of trigger A too, so both kinds are armed alike.
        text = self.port.text
        for channel in channels:
            self.port.send_all(text("run_mode", channel=channel), text("trigger_input", channel=channel))
        self.port.send("run")
        wait_for(lambda: self.port.whole("state") == _WAITS, _ARMING_S, self.name, "arming")

    def _halt(self, output: str) -> None:
        """Let it wait: stopped, all its outputs would fall to 0 V at once."""

    def _level_levers(self, output: str, step_v: float | None, delay_s: float) -> Sequence[Lever]:
        if not (self.port.has("read_amplitude") and self.port.has("read_offset")):
            return []
        amplitude_v = self.port.number("read_amplitude", channel=output)
        offset_v = self.port.number("read_offset", channel=output)
        rest_v = self._idle_v.get(output)
        if rest_v is not None and self.custody.is_ours(self.name, output):
            # Where it waits is known: the offset alone takes it to 0 V.
            def shift(to_v: float) -> None:
                self.port.send("offset", channel=output, value=offset_v - rest_v + to_v)

            return [Lever("level", "V", lambda: rest_v, shift, step=step_v, delay_s=delay_s)]
        largest_v, least_v = abs(offset_v) + amplitude_v / 2, self.port.range("amplitude", "V")[0]

        def lower(to_v: float) -> None:
            # Both together: it waits anywhere between its levels, and comes down in proportion.
            share = to_v / largest_v
            self.port.send("amplitude", channel=output, value=amplitude_v * share)
            self.port.send("offset", channel=output, value=offset_v * share)

        # The amplitude goes no lower; what is left then is as small a part of what was there, and is cut.
        end_v = largest_v * min(1.0, least_v / amplitude_v)
        # One is set before the other: in between the level is off by half a step of the amplitude.
        fine_v = largest_v * 2 * _BETWEEN_V / amplitude_v
        step_v = fine_v if step_v is None else min(step_v, fine_v)
        return [Lever("level", "V", lambda: largest_v, lower, end=end_v, step=step_v, delay_s=delay_s)]

    def _describe(self, output: str) -> str:
        return ", ".join(
            f"{one.quantity} {one.read():.6g} {one.unit}" for one in super()._level_levers(output, None, 0.0)
        )

    @classmethod
    def check_limits(cls, place: str, channels: Mapping[str, Any], profile: Profile | None) -> None:
        super().check_limits(place, channels, profile)
        by_hand = [channel for channel, limits in channels.items() if limits.by_hand]
        if by_hand and len(by_hand) < len(channels):
            raise ConfigError(
                f"{place}.channels.{by_hand[0]}: by_hand: the channels of this generator start and stop together",
                seen=f"set by hand beside {', '.join(one for one in channels if one not in by_hand)}",
                allowed="all of them set by hand, or none",
                todo="take what is set by hand from another instrument",
            )

    def _trigger(self) -> None:
        self.port.send("trigger")

    def _stop(self) -> None:
        self.port.send("stop")
