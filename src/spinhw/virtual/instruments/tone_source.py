"""What RF sources of all makers share: a tone, and how settings of others change what its connector gives.

Settings hold what is true at the connector; what is displayed, and what a client sends and reads, follows from offsets
and multipliers. Numbers that no manual gives (how far off a level is without levelling, what a table left by somebody
adds) are examples, large enough to be seen.
"""

import math
from typing import Any, ClassVar

from spinhw.virtual.instruments.panel import Level, Panel
from spinhw.virtual.scpi import Call, Command, ScpiError, both, choice, number, switch

# What the level is off by without automatic level control, and what the correction table in the memory adds.
UNLEVELLED_DB, TABLE_DB = 1.0, 3.0
# What an I/Q modulator without any signal at its inputs still lets through, in dB below the tone.
_LEAKAGE_DB = -60.0
# How far off the clock is with an external reference selected and nothing connected.
UNLOCKED = 1e-6
_OHM = 50.0
_BEYOND = 1e4  # Of any unit of level: no source is near it, and powers of it still are numbers.


class ToneSource(Panel):
    """A tone on each path: "frequency_hz" and "level_dbm" at the connector, and "on"."""

    number_format = "{:.12g}"
    suffers = frozenset({"overload"})
    lowest_hz: ClassVar[float] = 9e3
    highest_hz: ClassVar[float] = 6e9
    lowest_dbm: ClassVar[float] = -145.0
    highest_dbm: ClassVar[float] = 30.0
    modulations: ClassVar[frozenset[str]] = frozenset()  # Settings that switch one on.

    def before(self, name: str, channel: int, value: Any) -> None:
        if name == "frequency_hz" and not self.lowest_hz <= value <= self.highest_hz:
            raise ScpiError(-222)
        if name == "level_dbm" and not self.lowest_dbm <= value <= self.highest_dbm:
            raise ScpiError(-222)

    def after(self, name: str, channel: int) -> None:
        # One modulator serves both: each switches the other off.
        other = {"fm": "pm", "pm": "fm"}.get(name, "")
        if other in self.modulations and self.get(name, channel):
            self._values[other, channel] = False

    def has(self, name: str, channel: int) -> bool:
        """Say whether a switch is there, and on."""
        return name in self._resets and bool(self.get(name, channel))

    # What is displayed

    def level_shift_db(self, channel: int) -> float:
        """Give what the displayed level is above that at the connector, in dB."""
        return float(self.get("level_offset_db", channel))

    def frequency_shift_hz(self, channel: int) -> float:
        """Give what is added to the multiplied frequency for the display."""
        return float(self.get("frequency_offset_hz", channel))

    def multiplier(self, channel: int) -> float:
        """Give the multiplier of the display."""
        return float(self.get("multiplier", channel))

    def set_frequency(self, call: Call) -> None:
        """Carry out FREQuency: the frequency that is displayed."""
        low, high = (self._shown_hz(end, call.channel) for end in (self.lowest_hz, self.highest_hz))
        shown = {"MIN": low, "MAX": high}.get(call.args.word()[:3])
        if shown is None:
            shown = call.args.number(0, "HZ")
        value = (shown - self.frequency_shift_hz(call.channel)) / self.multiplier(call.channel)
        self.store("frequency_hz", call.channel, value)

    def ask_frequency(self, call: Call) -> float:
        """Answer FREQuency?."""
        bounds = {"MIN": self.lowest_hz, "MAX": self.highest_hz}
        value = call.args.bound(bounds) if len(call.args) else self.get("frequency_hz", call.channel)
        return self._shown_hz(value, call.channel)

    def _shown_hz(self, value: float, channel: int) -> float:
        return value * self.multiplier(channel) + self.frequency_shift_hz(channel)

    def set_level(self, call: Call) -> None:
        """Carry out POWer: the level that is displayed, in the unit of the display."""
        self.store("level_dbm", call.channel, self._level(call) - self.level_shift_db(call.channel))

    def ask_level(self, call: Call) -> float:
        """Answer POWer?."""
        bounds = {"MIN": self.lowest_dbm, "MAX": self.highest_dbm}
        value = call.args.bound(bounds) if len(call.args) else self.get("level_dbm", call.channel)
        return self._in_unit(value + self.level_shift_db(call.channel), call.channel)

    def _level(self, call: Call) -> float:
        word = call.args.word()
        if word[:3] in {"MIN", "MAX"}:
            return {"MIN": self.lowest_dbm, "MAX": self.highest_dbm}[word[:3]] + self.level_shift_db(call.channel)
        if word.endswith("DBM"):
            return call.args.number(0, "DBM")
        return self._from_unit(call.args.number(0, "DB" if word.endswith("DB") else ""), call.channel)

    @property
    def unit(self) -> str:
        """Get the unit of levels that are written without one."""
        return str(self.get("unit")) if "unit" in self._resets else "DBM"

    def _from_unit(self, value: float, channel: int) -> float:
        if self.unit in {"DBM", "DB"}:
            return value
        if abs(value) > _BEYOND:
            raise ScpiError(-222)
        volts = 1e-6 * 10 ** (value / 20) if self.unit.startswith("DBUV") else value
        if not volts > 0:
            raise ScpiError(-222)
        return 10 * math.log10((volts / self._emf(channel)) ** 2 / _OHM / 1e-3)

    def _in_unit(self, level_dbm: float, channel: int) -> float:
        if self.unit in {"DBM", "DB"}:
            return level_dbm
        volts = math.sqrt(1e-3 * 10 ** (level_dbm / 10) * _OHM) * self._emf(channel)
        return 20 * math.log10(volts / 1e-6) if self.unit.startswith("DBUV") else volts

    def _emf(self, channel: int) -> float:
        """Give the voltage that is displayed over that into 50 ohms: that of the open source is twice as high."""
        return 2.0 if self.unit.endswith("EMF") or self.has("emf", channel) else 1.0

    # What the connector gives

    def tone_hz(self, channel: int = 1) -> float:
        """Give the frequency of the tone in hertz, where a sweep starts and modulation pulls it most."""
        mode = self.get("frequency_mode", channel) if "frequency_mode" in self._resets else "CW"
        value = self.get({"SWE": "start_hz", "LIST": "list_hz"}.get(mode, "frequency_hz"), channel)
        if self.modulated("fm", channel):
            value += self.get("fm_deviation_hz", channel)
        if self.modulated("pm", channel):
            value += self.get("pm_deviation_rad", channel) * self.get("lf_hz")
        return float(value * (1 + UNLOCKED if self.get("reference") == "EXT" else 1.0))

    def modulated(self, name: str, channel: int) -> bool:
        """Say whether a modulation acts on the tone now."""
        return self.has(name, channel)

    def level_out_dbm(self, channel: int) -> float:
        """Give the level of the tone before modulation, in dBm: everything that levels and limits it taken in."""
        return self.corrected_dbm(self.planned_dbm(channel), channel)

    def planned_dbm(self, channel: int) -> float:
        """Give the highest level of what is played: a tone, a sweep or a list."""
        if "frequency_mode" in self._resets and self.get("frequency_mode", channel) == "LIST":
            return float(self.get("list_dbm", channel))
        if "power_mode" in self._resets and self.get("power_mode", channel) in {"SWE", "LIST"}:
            return float(max(self.get("start_dbm", channel), self.get("stop_dbm", channel)))
        return float(self.get("level_dbm", channel))

    def corrected_dbm(self, level_dbm: float, channel: int) -> float:
        """Give what becomes of a level: the correction table, and level control that is off."""
        if self.has("correction", channel):
            level_dbm += TABLE_DB
        if "alc" in self._resets and self.get("alc", channel) in {"OFF", False}:
            level_dbm += UNLEVELLED_DB
        return level_dbm

    def peak_w(self, channel: int = 1) -> float:
        """Give the highest power at the connector during modulation, in watts; 0 with the output off."""
        return self._power_w(channel, peak=True)

    def power_w(self, channel: int = 1) -> float:
        """Give the mean power at the output in watts; 0 with the output off."""
        if self.take_disturbance("overload"):
            self._values["on", channel] = False
            self.status.report(ScpiError(-310, "System error; RF output overload, RF switched off"))
        return self._power_w(channel, peak=False)

    def _power_w(self, channel: int, peak: bool) -> float:
        if not self.get("on", channel) or not self.gives_tone(channel):
            return 0.0
        power = 1e-3 * 10 ** (self.level_out_dbm(channel) / 10)
        if self.modulated("iq", channel):
            power *= self._leakage(channel)
        if self.modulated("am", channel):
            depth = self.get("am_depth_percent", channel) / 100
            power *= (1 + depth) ** 2 if peak else 1 + depth**2 / 2
        return power * (self._gate(channel, peak) if self.modulated("pulse", channel) else 1.0)

    def gives_tone(self, channel: int) -> bool:
        """Say whether the tone gets to the connector at all."""
        return True

    def _leakage(self, channel: int) -> float:
        if not self.has("iq_impairment", channel):
            return float(10 ** (_LEAKAGE_DB / 10))
        i, q = self.get("iq_leak_i", channel) / 100, self.get("iq_leak_q", channel) / 100
        return float(max(10 ** (_LEAKAGE_DB / 10), i**2 + q**2))

    def _gate(self, channel: int, peak: bool) -> float:
        """Give how much of the tone pulses let through; nothing is connected to the input for pulses of others."""
        if self.get("pulse_source", channel) == "EXT":
            return 1.0 if self.get("pulse_polarity", channel) == "INV" else 0.0
        duty = self.get("pulse_width_s", channel) / self.get("pulse_period_s", channel)
        return 1.0 if peak else min(1.0, float(duty))

    def at_connectors(self) -> dict[str, Level]:
        return {str(path): Level(power_w=self.peak_w(path)) for path in range(1, self.channels + 1)}

    def lf_level(self, number: int) -> Level:
        """Give what a low-frequency output gives; its voltage is that of the peak."""
        volts = self.get("lf_v", number) if self.get("lf", number) else 0.0
        return Level(lowest_v=-volts, highest_v=volts)


TONE: tuple[Command, ...] = (
    both("[SOURce#:]FREQuency[:CW|FIXed]", ToneSource.set_frequency, ToneSource.ask_frequency),
    both("[SOURce#:]POWer[:LEVel][:IMMediate][:AMPLitude]", ToneSource.set_level, ToneSource.ask_level),
    number("[SOURce#:]POWer[:LEVel][:IMMediate]:OFFSet", "level_offset_db", 0.0, -100, 100, "DB"),
    number("[SOURce#:]FREQuency:OFFSet", "frequency_offset_hz", 0.0, -3e12, 3e12, "HZ"),
    Command("DIAGnostic:FREQuency", name="frequency_hz", reset=1e9),
    Command("DIAGnostic:LEVel", name="level_dbm", reset=-30.0),
    Command("DIAGnostic:MULTiplier", name="multiplier", reset=1.0),
    switch("OUTPut#[:STATe]", "on"),
)


def analog_modulation(suffix: str = "") -> tuple[Command, ...]:
    """List the commands of amplitude, frequency and phase modulation by the built-in generator.

    Args:
        suffix: "#" where there are several of each; they are one here.
    """
    sources = ("INTernal", "EXTernal", "LF1", "LF2", "NOISe", "EXT1", "EXT2")
    return (
        switch(f"[SOURce#:]AM{suffix}:STATe", "am"),
        number(f"[SOURce#:]AM{suffix}[:DEPTh]", "am_depth_percent", 30.0, 0, 100),
        choice(f"[SOURce#:]AM{suffix}:SOURce", "am_source", sources),
        switch(f"[SOURce#:]FM{suffix}:STATe", "fm"),
        number(f"[SOURce#:]FM{suffix}[:DEViation]", "fm_deviation_hz", 10e3, 0, 160e6, "HZ"),
        choice(f"[SOURce#:]FM{suffix}:SOURce", "fm_source", sources),
        switch(f"[SOURce#:]PM{suffix}:STATe", "pm"),
        number(f"[SOURce#:]PM{suffix}[:DEViation]", "pm_deviation_rad", 1.0, 0, 16, "RAD"),
        choice(f"[SOURce#:]PM{suffix}:SOURce", "pm_source", sources),
    )
