"""Tektronix oscilloscopes of the MSO and DPO families."""

from spinhw.instruments.roles import Acquisition, Digitizer, Waveform
from spinhw.instruments.waiting import wait_for
from spinhw.instruments.words import Words

_ARMING_S = 5.0
_DIVISIONS = 8  # Volts per division times this is the range of the converter, a little more in truth.
# Samples of 8 bits in words of 16: the ends of the range.
_HIGHEST, _LOWEST = 127 * 256, -128 * 256


class TektronixScope(Digitizer):
    """Sample rate and record length are set by hand (horizontal mode MANual)."""

    port: Words
    words = {
        "terse": "",
        "show": "channel",
        "scale": "channel value",
        "offset": "channel value",
        "position": "channel",
        "manual": "",
        "rate": "value",
        "read_rate": "",
        "points": "count",
        "read_points": "",
        "delay": "value",
        "sample": "",
        "single": "",
        "trigger": "",
        "level": "value",
        "run": "",
        "stop": "",
        "state": "",
        "trigger_state": "",
        "force": "",
        "source": "channel",
        "encoding": "",
        "first": "",
        "last": "count",
        "scaling": "",
        "data": "",
    }
    optional_words = {"termination": "channel"}  # Not used: it says how a channel is wired.
    ranges = {"rate": "Hz", "points": ""}

    def _limits(self) -> tuple[tuple[float, float], tuple[int, int]]:
        return self.port.record_ranges()

    def _configure(self, plan: Acquisition) -> tuple[float, int]:
        text = self.port.text
        self.port.send("terse")
        for channel in plan.channels:
            limits = self.channels[channel]
            self.port.send_all(
                text("show", channel=channel),
                text("position", channel=channel),
                text("scale", channel=channel, value=(limits.highest_v - limits.lowest_v) / _DIVISIONS),
                text("offset", channel=channel, value=(limits.highest_v + limits.lowest_v) / 2),
            )
        self.port.send_all(
            text("manual"),
            text("rate", value=plan.rate_hz),
            text("points", count=plan.points),
            text("delay", value=plan.delay_s + plan.duration_s / 2),
        )
        self.port.send_all(text("sample"), text("single"), text("trigger"), text("level", value=plan.trigger_v))
        return self.port.number("read_rate"), self.port.whole("read_points")

    def _arm(self, plan: Acquisition) -> None:
        self.port.send("run")
        wait_for(self._is_armed, _ARMING_S, self.name, "arming")
        if plan.trigger == "immediate":
            self.port.send("force")

    def _is_armed(self) -> bool:
        return self.port.ask("trigger_state").upper().startswith(("READY", "TRIG", "SAVE"))

    def _is_complete(self) -> bool:
        return not self.port.flag("state")

    def _fetch(self, channel: str, points: int) -> Waveform:
        import numpy as np

        text, link = self.port.text, self.port.link
        with link.exclusive():
            self.port.send_all(
                text("source", channel=channel), text("encoding"), text("first"), text("last", count=points)
            )
            fields = self.port.ask("scaling").split(";")
            y_step, y_offset, y_zero, x_step, x_zero = (self.port.as_number(field, "scaling") for field in fields)
            raw = link.query_block(text("data"), self.port.profile.block, most=points)
        volts = (raw.astype(np.float64) - y_offset) * y_step + y_zero
        return Waveform(volts, x_step, x_zero, (raw >= _HIGHEST) | (raw <= _LOWEST))

    def _stop(self) -> None:
        self.port.send("stop")
