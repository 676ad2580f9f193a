"""Keysight InfiniiVision oscilloscopes (X series)."""

from spinhw.instruments import blocks
from spinhw.instruments.failures import LinkError
from spinhw.instruments.roles import Acquisition, Digitizer, Waveform
from spinhw.instruments.waiting import wait_for
from spinhw.instruments.words import Words

# Bit of the operation condition register that says: running.
_RUNNING = 1 << 3
_ARMING_S = 5.0
# Words are bytes of the converter times 256: 0 is a hole, 1 and 255 the ends of the range.
_STEP = 256
_PREAMBLE = 10


class KeysightInfiniiVision(Digitizer):
    """The scope chooses its sample rate from the time range; the record is as long as its memory makes it."""

    port: Words
    words = {
        "show": "channel",
        "range": "channel value",
        "offset": "channel value",
        "reference": "",
        "time_range": "value",
        "position": "value",
        "acquire": "",
        "read_rate": "",
        "read_points": "",
        "trigger": "level",
        "single": "",
        "armed": "",
        "force": "",
        "stop": "",
        "condition": "",
        "source": "channel",
        "format": "",
        "points": "count",
        "preamble": "",
        "data": "",
    }
    optional_words = {"impedance": "channel"}  # Not used: it says how a channel is wired.
    ranges = {"rate": "Hz", "points": ""}

    def _limits(self) -> tuple[tuple[float, float], tuple[int, int]]:
        return self.port.record_ranges()

    def _configure(self, plan: Acquisition) -> tuple[float, int]:
        text, duration = self.port.text, plan.duration_s
        for channel in plan.channels:
            limits = self.channels[channel]
            self.port.send_all(
                text("show", channel=channel),
                text("range", channel=channel, value=limits.highest_v - limits.lowest_v),
                text("offset", channel=channel, value=(limits.highest_v + limits.lowest_v) / 2),
            )
        self.port.send_all(
            text("reference"),
            text("time_range", value=duration),
            text("position", value=plan.delay_s + duration / 2),
            text("acquire"),
            text("trigger", level=plan.trigger_v),
        )
        return self.port.number("read_rate"), self.port.whole("read_points")

    def _arm(self, plan: Acquisition) -> None:
        self.port.link.ask_once(self.port.text("armed"))  # Reading clears what is left of the last acquisition.
        self.port.send("single")
        wait_for(self._is_armed, _ARMING_S, self.name, "arming")
        if plan.trigger == "immediate":
            self.port.send("force")

    def _is_armed(self) -> bool:
        return self.port.as_number(self.port.link.ask_once(self.port.text("armed")), "armed") != 0

    def _is_complete(self) -> bool:
        return not self.port.whole("condition") & _RUNNING

    def _fetch(self, channel: str, points: int) -> Waveform:
        import numpy as np

        text, link = self.port.text, self.port.link
        with link.exclusive():
            self.port.send_all(text("source", channel=channel), text("format"), text("points", count=points))
            fields = self.port.ask("preamble").split(",")
            if len(fields) != _PREAMBLE:
                raise LinkError(f"{self.name}: odd preamble", seen=fields, allowed=f"{_PREAMBLE} numbers")
            numbers = [self.port.as_number(field, "preamble") for field in fields]
            if not 0 <= numbers[2] <= blocks.MOST_BYTES:
                raise LinkError(f"{self.name}: odd preamble", seen=fields, allowed="a number of points")
            raw = link.query_block(text("data"), self.port.profile.block, count=int(numbers[2]))
        _, _, _, _, x_step, x_origin, x_reference, y_step, y_origin, y_reference = numbers
        volts = np.multiply(raw, y_step, dtype=np.float64)
        volts += y_origin - y_reference * y_step
        clipped = (raw >= 255 * _STEP) | (raw < 2 * _STEP)
        if clipped.any():  # Rare, and records are long.
            holes = raw == 0
            volts[holes], clipped[holes] = np.nan, False
        return Waveform(volts, x_step, x_origin - x_reference * x_step, clipped)

    def _stop(self) -> None:
        self.port.send("stop")
