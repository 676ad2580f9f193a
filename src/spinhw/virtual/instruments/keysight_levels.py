"""Amplitude, offset, limits and load of the 33500 and 33600 generators: what is shown, and what the circuit gives."""

import math
from abc import abstractmethod
from typing import ClassVar

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.scpi import Call, Command, ScpiError, both, number, switch

OUTPUT_OHM = 50.0
# Into 50 ohms (data sheets of the 33500B and the 33600A, "Output characteristics").
_LEAST_V, _MOST_V, _PEAK_V = 1e-3, 10.0, 5.0
_BEYOND = 1e3  # Of volts and dBm: no output is near it, and powers of it still are numbers.
_UNITS = ("VPP", "VRMS", "DBM")


class Levelled(Panel):
    """A source whose voltages are kept peak to peak, as shown for the load that it was told."""

    @abstractmethod
    def rms_share(self, channel: int) -> float:
        """Give the effective value of what a channel plays as a share of its peak-to-peak value."""

    def load_factor(self, channel: int) -> float:
        """Give the ratio of the voltage shown to that into 50 ohms."""
        load = self.get("load_ohm", channel)
        return 2.0 if math.isinf(load) else 2 * load / (load + OUTPUT_OHM)

    def check_levels(self, channel: int, amplitude_v: float, offset_v: float) -> None:
        """Refuse levels beyond the output range or, where they are on, beyond the limits that somebody set."""
        low, high = offset_v - amplitude_v / 2, offset_v + amplitude_v / 2
        if max(-low, high) > _PEAK_V * self.load_factor(channel) + 1e-9:
            raise ScpiError(-221, "Settings conflict; offset and amplitude beyond the output range")
        limited = self.get("limited", channel)
        if limited and not self.get("limit_low_v", channel) - 1e-9 <= low <= high <= (
            self.get("limit_high_v", channel) + 1e-9
        ):
            raise ScpiError(-221, "Settings conflict; amplitude or offset beyond the voltage limits")

    # Amplitude

    def set_amplitude(self, call: Call) -> None:
        """Carry out VOLTage: a number in the unit written behind it, or in that of VOLTage:UNIT."""
        word = call.args.word().upper()
        factor = self.load_factor(call.channel)
        bounds = {"MIN": _LEAST_V * factor, "MAX": _MOST_V * factor, "DEF": 0.1 * factor}
        if word[:3] in bounds:
            self.store("amplitude_v", call.channel, bounds[word[:3]])
            return
        unit = next((one for one in _UNITS if word.endswith(one)), self.get("unit", call.channel))
        amplitude_v = self._peak_to_peak(call.channel, call.args.number(0, unit), unit)
        if not _LEAST_V * factor * (1 - 1e-9) <= amplitude_v <= _MOST_V * factor * (1 + 1e-9):
            raise ScpiError(-222)
        self.store("amplitude_v", call.channel, amplitude_v)

    def get_amplitude(self, call: Call) -> float:
        """Answer VOLTage? in the unit of VOLTage:UNIT."""
        factor, channel = self.load_factor(call.channel), call.channel
        if len(call.args):
            return call.args.bound({"MIN": _LEAST_V, "MAX": _MOST_V, "DEF": 0.1}) * factor
        unit, amplitude_v = self.get("unit", channel), float(self.get("amplitude_v", channel))
        if unit == "VPP":
            return amplitude_v
        effective_v = amplitude_v * self.rms_share(channel)
        return effective_v if unit == "VRMS" else 10 * math.log10(effective_v**2 / self._watts_ohm(channel) / 1e-3)

    def _peak_to_peak(self, channel: int, value: float, unit: str) -> float:
        if unit == "VPP":
            return value
        if abs(value) > _BEYOND:
            raise ScpiError(-222)
        effective_v = value if unit == "VRMS" else math.sqrt(1e-3 * 10 ** (value / 10) * self._watts_ohm(channel))
        return effective_v / self.rms_share(channel)

    def _watts_ohm(self, channel: int) -> float:
        """Give the load that a power is for."""
        load = float(self.get("load_ohm", channel))
        if math.isinf(load):
            raise ScpiError(-221, "Settings conflict; dBm not allowed with high impedance")
        return load

    def set_unit(self, call: Call) -> None:
        """Carry out VOLTage:UNIT."""
        unit = call.args.choice(_UNITS)
        if unit == "DBM":
            self._watts_ohm(call.channel)
        self.store("unit", call.channel, unit)

    # Levels and load

    def set_level(self, call: Call, high: bool) -> None:
        """Carry out VOLTage:HIGH and :LOW."""
        value, (low_v, high_v) = call.args.number(0, "V", -10, 10), self.levels(call.channel)
        low_v, high_v = (low_v, value) if high else (value, high_v)
        if low_v >= high_v:
            raise ScpiError(-221)
        self.check_levels(call.channel, high_v - low_v, (high_v + low_v) / 2)
        self._values["amplitude_v", call.channel] = high_v - low_v
        self.store("offset_v", call.channel, (high_v + low_v) / 2)

    def levels(self, channel: int) -> tuple[float, float]:
        """Give the lowest and highest voltage, as shown."""
        centre, half = self.get("offset_v", channel), self.get("amplitude_v", channel) / 2
        return centre - half, centre + half

    def set_load(self, call: Call) -> None:
        """Carry out OUTPut:LOAD: ohms, or INFinity; the voltages shown change, those of the circuit do not."""
        channel = call.channel
        if self.get("limited", channel):
            raise ScpiError(-221, "Settings conflict; load cannot be changed with voltage limits on")
        word = call.args.word()
        load = math.inf if word in {"INF", "INFINITY", "MAX"} or word.startswith("9.9") else 0.0
        load = load or call.args.number(0, "OHM", 1, 10e3)
        before = self.load_factor(channel)
        self.store("load_ohm", channel, load)
        ratio = self.load_factor(channel) / before
        for name in ("amplitude_v", "offset_v"):
            self._values[name, channel] = self.get(name, channel) * ratio
        if math.isinf(load) and self.get("unit", channel) == "DBM":
            self.store("unit", channel, "VPP")

    def get_load(self, call: Call) -> float | str:
        """Answer OUTPut:LOAD?: 9.9E+37 stands for high impedance."""
        load = self.get("load_ohm", call.channel)
        return "9.900000000000000E+37" if math.isinf(load) else load

    level_commands: ClassVar[tuple[Command, ...]] = (
        Command("[SOURce#:]VOLTage[:LEVel][:IMMediate][:AMPLitude]", set_amplitude, get_amplitude, "amplitude_v", 0.1),
        number("[SOURce#:]VOLTage[:LEVel][:IMMediate]:OFFSet", "offset_v", 0.0, -10, 10, "V"),
        both(
            "[SOURce#:]VOLTage[:LEVel][:IMMediate]:HIGH",
            lambda self, call: self.set_level(call, True),
            lambda self, call: self.levels(call.channel)[1],
        ),
        both(
            "[SOURce#:]VOLTage[:LEVel][:IMMediate]:LOW",
            lambda self, call: self.set_level(call, False),
            lambda self, call: self.levels(call.channel)[0],
        ),
        number("[SOURce#:]VOLTage:LIMit:HIGH", "limit_high_v", 5.0, -10, 10, "V"),
        number("[SOURce#:]VOLTage:LIMit:LOW", "limit_low_v", -5.0, -10, 10, "V"),
        switch("[SOURce#:]VOLTage:LIMit:STATe", "limited"),
        Command("[SOURce#:]VOLTage:UNIT", set_unit, lambda self, call: self.get("unit", call.channel), "unit", "VPP"),
        switch("[SOURce#:]VOLTage:RANGe:AUTO", "autorange", True),
        Command("OUTPut#:LOAD", set_load, get_load, "load_ohm", OUTPUT_OHM),
        # The arbitrary waveform's own name for the amplitude.
        Command("[SOURce#:]FUNCtion:ARBitrary:PTPeak", set_amplitude, get_amplitude),
    )
