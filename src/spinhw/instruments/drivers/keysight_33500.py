"""Keysight (Agilent) 33500 and 33600 waveform generators."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spinhw.instruments.drivers.scpi_waveform import ScpiWaveformSource
from spinhw.instruments.roles.waveform import Trigger

_NAME = "SPINHW"
_FULL_SCALE = 32767


class Keysight33500(ScpiWaveformSource):
    """An arbitrary waveform is uploaded as integers of the converter and played as a burst of one cycle."""

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

    def _set_range(self, channel: str, lowest_v: float, highest_v: float, load_ohm: float | None) -> None:
        text, middle = self.port.text, (lowest_v + highest_v) / 2
        self.port.send_all(
            text("load", channel=channel, ohm="INF" if load_ohm is None else f"{load_ohm:g}"),
            text("offset", channel=channel, value=0.0),  # With no offset every amplitude is legal.
            text("amplitude", channel=channel, value=highest_v - lowest_v),
            text("offset", channel=channel, value=middle),
        )

    def _upload(self, waves: Mapping[str, NDArray[np.float32]], rate_hz: float) -> tuple[float, int]:
        rates, points = set(), set()
        for channel, wave in waves.items():
            self._upload_one(channel, wave, rate_hz)
            rates.add(self.port.number("read_rate", channel=channel))
            points.add(self.port.whole("read_points", channel=channel, name=_NAME))
        return min(rates), min(points)

    def _upload_one(self, channel: str, wave: NDArray[np.float32], rate_hz: float) -> None:
        text, link = self.port.text, self.port.link
        with link.exclusive():
            self.port.send_all(
                text("trigger_source", channel=channel, source="BUS"),
                text("clear", channel=channel),
                text("byte_order"),
            )
            link.write_block(
                text("data", channel=channel, name=_NAME), np.rint(wave * _FULL_SCALE), self.port.profile.block
            )
            link.check(f"uploading to channel {channel}")
            self.port.send_all(
                text("select", channel=channel, name=_NAME),
                text("function", channel=channel),
                text("filter", channel=channel),
                text("rate", channel=channel, value=rate_hz),
                text("burst", channel=channel),
            )

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
