"""Keysight (Agilent) 33500 and 33600 waveform generators."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spinhw.instruments.channels import VoltageOutput
from spinhw.instruments.drivers.scpi_waveform import ScpiWaveformSource
from spinhw.instruments.roles import Build
from spinhw.instruments.roles.waveform import Trigger

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NAME = "SPINHW"
_FULL_SCALE = 32767
# Share of the largest deviation from the rest below which a waveform counts as flat.
_FLAT = 1e-9
# Levels read back within this share of the amplitude.
_WITHIN = 2e-3


class Keysight33500(ScpiWaveformSource):
    """An arbitrary waveform is uploaded as integers of the converter and played as a burst of one cycle.

    The offset is the rest of a waveform and the integer 0 stands for it, so that the output waits at its rest whatever
    its memory holds. The amplitude is taken by the instrument for the span of the waveform's own points.
    """

    words = {
        **ScpiWaveformSource.words,
        "load": "channel ohm",
        "byte_order": "",
        "clear": "channel",
        "data": "channel name",
        "select": "channel name",
        "function": "channel",
        "filter": "channel",
        "rate": "channel value",
        "read_rate": "channel",
        "read_points": "channel name",
        "burst": "channel",
        "trigger_source": "channel source",
        "align": "",
        "trigger": "",
    }
    optional_words = {
        **ScpiWaveformSource.optional_words,
        "least_amplitude": "channel",
        "waiting_function": "channel",
        "choose_range": "channel",
        "hold_range": "channel",
    }

    def __init__(self, build: Build[VoltageOutput]) -> None:
        super().__init__(build)
        self._set_levels: dict[str, tuple[float, float]] = {}  # Amplitude and offset of what was uploaded, by channel.

    def _set_range(self, channel: str, lowest_v: float, highest_v: float, load_ohm: float | None) -> None:
        text, rest = self.port.text, min(max(0.0, lowest_v), highest_v)
        widest = 2 * max(highest_v - rest, rest - lowest_v)  # What is played can deviate so much from its rest.
        self._set_levels.pop(channel, None)
        messages = [
            text("load", channel=channel, ohm="INF" if load_ohm is None else f"{load_ohm:g}"),
            text("offset", channel=channel, value=0.0),  # With no offset every amplitude is legal.
            *self._if_known("choose_range", channel),
            text("amplitude", channel=channel, value=min(widest, highest_v - lowest_v)),
            *self._if_known("hold_range", channel),  # From now on no relay of an attenuator moves.
            *self._if_known("least_amplitude", channel),
            text("offset", channel=channel, value=rest),
        ]
        self.port.send_all(*messages)

    def _upload(self, waves: "Mapping[str, NDArray[np.float32]]", rate_hz: float) -> tuple[float, int]:
        import numpy as np

        rates, points = set(), set()
        for channel, wave in waves.items():
            limits = self.channels[channel]
            middle_v, half_v = (limits.highest_v + limits.lowest_v) / 2, (limits.highest_v - limits.lowest_v) / 2
            self._upload_one(channel, middle_v + half_v * wave.astype(np.float64), rate_hz)
            rates.add(self.port.number("read_rate", channel=channel))
            points.add(self.port.whole("read_points", channel=channel, name=_NAME))
        return min(rates), min(points)

    def _upload_one(self, channel: str, volts: "NDArray[np.float64]", rate_hz: float) -> None:
        text, link = self.port.text, self.port.link
        codes, amplitude_v = self._codes(channel, volts)
        self._rest_at(channel, float(volts[0]))
        with link.exclusive():
            self.port.send_all(
                *self._if_known("least_amplitude", channel),
                text("trigger_source", channel=channel, source="BUS"),
                *self._if_known("waiting_function", channel),
                text("clear", channel=channel),
                text("byte_order"),
            )
            link.write_block(text("data", channel=channel, name=_NAME), codes, self.port.profile.block)
            link.check(f"uploading to channel {channel}")
            self.port.send_all(
                text("select", channel=channel, name=_NAME),
                text("filter", channel=channel),
                text("rate", channel=channel, value=rate_hz),
                text("burst", channel=channel),
                text("function", channel=channel),
                text("amplitude", channel=channel, value=amplitude_v),
            )
        self._set_levels[channel] = (amplitude_v, float(volts[0]))
        self._confirm_levels(channel)

    def _codes(self, channel: str, volts: "NDArray[np.float64]") -> "tuple[NDArray[np.float64], float]":
        """Return a waveform as integers, 0 for its rest, and the amplitude that makes volts of them.

        What spans less than the smallest amplitude gets one point before its end that makes up for it.
        """
        import numpy as np

        limits, least_v = self.channels[channel], self._least_v(channel)
        deviation = volts - volts[0]
        if np.ptp(deviation) < least_v * (1 - _FLAT):
            room = limits.highest_v - volts[0] >= least_v + max(0.0, -float(deviation.min()))
            deviation[-2] = deviation.min() + least_v if room else deviation.max() - least_v
        largest = float(abs(deviation).max())
        return np.rint(deviation * (_FULL_SCALE / largest)), float(np.ptp(deviation))

    def _rest_at(self, channel: str, rest_v: float) -> None:
        """Bring the offset to the rest of the next waveform; an output that is on goes off for another rest."""
        held = self._set_levels.get(channel)
        if held is not None and abs(held[1] - rest_v) < _FLAT:
            return
        was_on = channel in self._playing
        if was_on:
            self._switch(channel, False)
        self.port.send_all(
            *self._if_known("least_amplitude", channel), self.port.text("offset", channel=channel, value=rest_v)
        )
        self._set_levels.pop(channel, None)
        if was_on:
            self._switch(channel, True)

    def _before_switching_on(self, channel: str) -> None:
        if channel in self._set_levels:
            amplitude_v, offset_v = self._set_levels[channel]
            text = self.port.text
            self.port.send_all(
                *self._if_known("least_amplitude", channel),
                text("offset", channel=channel, value=offset_v),
                text("amplitude", channel=channel, value=amplitude_v),
            )
            self._confirm_levels(channel)

    def _confirm_levels(self, channel: str) -> None:
        """Read amplitude and offset back.

        Raises:
            DeviceError: They are not what was set.
        """
        amplitude_v, offset_v = self._set_levels[channel]
        for lever, wanted in zip(self._level_levers(channel, None, 0.0), (amplitude_v, offset_v), strict=False):
            self._agree(lever.quantity, channel, wanted, lever.read(), max(_WITHIN * amplitude_v, 1e-6), "V")

    def _least_v(self, channel: str) -> float:
        """Return the smallest amplitude into what hangs on a channel, in volts."""
        ranges = self.port.profile.ranges
        least_v = self.port.range("amplitude", "V")[0] if "amplitude" in ranges else 0.0
        return max(least_v, 1e-3) * self.load_factor(self.channels[channel].load_ohm)

    def _if_known(self, command: str, channel: str) -> list[str]:
        return [self.port.text(command, channel=channel)] if self.port.has(command) else []

    def forget(self) -> None:
        super().forget()
        self._set_levels.clear()

    def _arm(self, channels: tuple[str, ...], trigger: Trigger) -> None:
        source = "BUS" if trigger == "software" else "EXT"
        messages = [self.port.text("trigger_source", channel=channel, source=source) for channel in channels]
        if len(channels) > 1:
            messages.append(self.port.text("align"))
        self.port.send_all(*messages)

    def _trigger(self) -> None:
        self.port.send("trigger")

    def _stop(self) -> None:
        # A burst that waits for a trigger which only this program can send plays nothing.
        messages = [self.port.text("trigger_source", channel=channel, source="BUS") for channel in self._ours()]
        if messages:
            self.port.send_all(*messages)
