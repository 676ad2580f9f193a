"""Keysight 33500B and 33600A waveform generators.

After "Keysight Trueform Series Operating and Service Guide" (33500-90901 and 33600-90901), checked against PyMeasure's
`agilent33500.py` and QCoDeS' `KeysightAgilent_33XXX.py`. A burst that waits for its trigger gives the voltage at its
starting phase, which for an arbitrary waveform is its first point, and it comes back to that when it is over. Not here:
that the amplitude of an arbitrary waveform is the span of its own points (guide, DATA:ATTRibute:PTPeak?) unless
`spans_data` says so; sequences of sequences; files.
"""

import math
from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.keysight_33500_settings import (
    BURST,
    COUPLED,
    COUPLING,
    MODULATION,
    MODULATIONS,
    SHAPE,
    SWEEP,
    SYNC,
    TRIGGER,
    UNTRACKED,
)
from spinhw.virtual.instruments.keysight_arbs import ArbMemory
from spinhw.virtual.instruments.keysight_levels import OUTPUT_OHM
from spinhw.virtual.instruments.keysight_shapes import filtered, modulated, periodic, rms_share
from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.lab import Lab, SourceOutput
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, choice, constant, do, number, switch

# Samples of one period of a plain function, where the clock would give fewer.
_LEAST_POINTS = 16
# Of a burst: what comes later is in nobody's record any more.
_LONGEST_BURST = 1 << 22
FUNCTIONS = ("SINusoid", "SQUare", "TRIangle", "RAMP", "PULSe", "PRBS", "NOISe", "ARB", "DC")
# What may set an output free that waited, and so let an armed digitizer go.
_FREEING = frozenset({"on", "burst", "trigger_source", "function", "sweep", "frequency_mode", *MODULATIONS})
_TRIGGER_LINE_V = 3.3


class Keysight33500(ArbMemory):
    """The 33522B: two channels, 250 MSa/s, 16 bits."""

    maker, model, firmware = "Agilent Technologies", "33522B", "3.05-1.19-2.00-52-00"
    serial_number = "MY52000001"
    number_format = "{:+.15E}"
    suffers = frozenset({"overload"})
    no_error = '+0,"No error"'
    channels = 2
    highest_rate_hz: ClassVar[float] = 250e6
    spans_data: ClassVar[bool] = True
    most_points = 1 << 16  # Samples of one period of a plain function, where the clock would give far more.

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._accepted: dict[int, int] = {}  # Triggers that a channel still takes, where it does not wait forever.
        self._position: dict[int, int] = {}  # Point at which a channel is that goes on by triggers.
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._accepted.clear()
        self._position.clear()

    # Rules between settings

    def store(self, name: str, channel: int, value: Any) -> None:
        super().store(name, channel, value)
        if name == "track" and value != "OFF":
            self._track(channel)
        for other in self._followers(name, channel):
            self._values[name, other] = value

    def _followers(self, name: str, channel: int) -> list[int]:
        """Give the channels that take a setting over."""
        channels = range(1, self.channels + 1)
        tracked = name in COUPLED or name not in UNTRACKED and any(self.get("track", one) != "OFF" for one in channels)
        coupled = any(name in names and any(self.get(by, one) for one in channels) for by, names in COUPLED.items())
        return [one for one in channels if one != channel and (tracked or coupled)]

    def _track(self, channel: int) -> None:
        """Copy a channel to the others, waveforms included; what INVerted inverts is all but the offset."""
        for other in range(1, self.channels + 1):
            for coupling in (*COUPLED, "combined"):
                self._values.pop((coupling, other), None)
            if other == channel:
                continue
            for name in {name for name, _ in self._values} - UNTRACKED:
                self._values[name, other] = self.get(name, channel)
            self.arbs |= {(other, arb): data for (owner, arb), data in self.arbs.items() if owner == channel}
            if self.get("track", channel) == "INV":
                self._values["polarity", other] = "INV" if self.get("polarity", channel) == "NORM" else "NORM"

    def before(self, name: str, channel: int, value: Any) -> None:
        if name == "arb" and not self.knows(channel, value):
            raise ScpiError(786, "Specified arb waveform does not exist")
        if name == "burst" and value and self.get("function", channel) == "DC":
            raise ScpiError(-221, "Settings conflict; DC has no burst")
        if name == "pwm" and value and self.get("function", channel) != "PULS":
            raise ScpiError(-221, "Settings conflict; pulse width modulation needs a pulse")
        amplitude_v, offset_v = self.get("amplitude_v", channel), self.get("offset_v", channel)
        if name in {"amplitude_v", "offset_v"}:
            amplitude_v, offset_v = (value, offset_v) if name == "amplitude_v" else (amplitude_v, value)
            self.check_levels(channel, amplitude_v, 0.0 if self.get("function", channel) == "DC" else offset_v)

    def after(self, name: str, channel: int) -> None:
        if name == "function" and self.get("function", channel) == "DC":
            self._only(channel, "")  # A mode that the function does not have goes off.
        elif name == "frequency_mode":
            self._values["sweep", channel] = self.get(name, channel) == "SWE"
            if self.get(name, channel) in {"SWE", "LIST"}:
                self._only(channel, "sweep")
        elif name == "sweep":
            self._values["frequency_mode", channel] = "SWE" if self.get("sweep", channel) else "CW"
            if self.get("sweep", channel):
                self._only(channel, name)
        elif (name == "burst" or name in MODULATIONS) and self.get(name, channel):
            self._only(channel, name)
        if name in _FREEING:
            self.lab.look()

    def _only(self, channel: int, kept: str) -> None:
        """Switch burst, sweep and modulation off, but for the one that was switched on."""
        for name in ("burst", "sweep", *MODULATIONS):
            if name != kept:
                self._values[name, channel] = False
        if kept != "sweep":
            self._values["frequency_mode", channel] = "CW"

    # Triggers

    def trigger(self) -> None:
        self.lab.trigger(self)

    def initiate(self, call: Call) -> None:
        """Carry out INITiate[:IMMediate]: take as many triggers as TRIGger:COUNt says."""
        self._check(call.channel)
        self._accepted[call.channel] = self.get("trigger_count", call.channel)

    @property
    def runs_freely(self) -> bool:
        return any(self._gives(channel) and self._is_free(channel) for channel in range(1, self.channels + 1))

    def _gives(self, channel: int) -> bool:
        """Say whether an output is on; one that a gate switches is off, as the trigger line is low at rest."""
        return bool(self.get("on", channel)) and self.get("output_mode", channel) == "NORM"

    def _is_free(self, channel: int) -> bool:
        if not self.get("burst", channel):
            return True
        if self.get("burst_mode", channel) == "GAT":
            return bool(self.get("gate_polarity", channel) == "INV")
        return self.get("trigger_source", channel) in {"IMM", "TIM"}

    def _hears(self, channel: int, external: bool) -> bool:
        """Say whether a channel plays at a trigger: over the line, a rising edge, or from the bus."""
        if self._is_free(channel):
            return True
        if external and (
            self.get("trigger_slope", channel) == "NEG" or self.get("trigger_level_v", channel) > _TRIGGER_LINE_V
        ):
            return False
        if self.get("burst_mode", channel) == "TRIG":
            wanted = {"EXT"} if external else {"EXT", "BUS"}
            if self.get("trigger_source", channel) not in wanted:
                return False
        elif not external:
            return False  # A gate ignores the bus.
        return bool(self.get("continuous", channel)) or self._accepted.get(channel, 0) > 0

    def played(self, external: bool) -> dict[int, SourceOutput]:
        if self.take_disturbance("overload"):
            # An overload at the output terminals switches the relay off (operating guide, "Output overload").
            self._values["on", 1] = False
            self.status.report(ScpiError(-310, "System error; Output overload, channel 1 disabled"))
        channels = range(1, self.channels + 1)
        ready = [one for one in channels if self._gives(one) and self._hears(one, external)]
        waves = {channel: self._combined(channel) for channel in ready}
        for channel in ready:
            if not self.get("continuous", channel):
                self._accepted[channel] = self._accepted.get(channel, 1) - 1
            self._position[channel] = self._position.get(channel, 0) + 1
        return waves

    # What comes out

    def at_connectors(self) -> dict[str, Level]:
        return {str(channel): self._level(channel) for channel in range(1, self.channels + 1)}

    def _level(self, channel: int) -> Level:
        if not self._gives(channel):
            return Level()
        volts = self._combined(channel).samples
        load = self.lab.load_ohm(self, channel)
        shown = 2.0 if math.isinf(load) else 2 * load / (load + OUTPUT_OHM)  # Of the voltage into 50 ohms.
        if not self._is_free(channel):
            volts = volts[:1]
        return Level(float(volts.min()) * shown, float(volts.max()) * shown)

    def _combined(self, channel: int) -> SourceOutput:
        """Give what the connector of a channel gives, that of another channel added where they are combined."""
        own = self._waveform(channel)
        fed = self.get("combined", channel)
        if fed == "NONE" or int(fed[2:]) == channel:
            return own
        other = self._waveform(int(fed[2:]))
        return SourceOutput(
            own.samples + other.at(own.rate_hz, len(own.samples)),
            own.rate_hz,
            own.delay_s,
        )

    def _waveform(self, channel: int) -> SourceOutput:
        """Give the voltage into 50 ohms of one burst, or of one period of what runs freely."""
        to_real = 1 / self.load_factor(channel)
        half, offset = self.get("amplitude_v", channel) / 2 * to_real, self.get("offset_v", channel) * to_real
        # The waveform is inverted around its offset, which stays.
        sign = -1.0 if self.get("polarity", channel) == "INV" else 1.0
        if self.get("function", channel) == "DC":
            return SourceOutput(np.array([offset]), self.highest_rate_hz)
        shape, rate = self._shape(channel)
        burst, free = self.get("burst", channel), self._is_free(channel)
        cycles = 1 if free or self.get("burst_mode", channel) == "GAT" else self.get("cycles", channel)
        cycles = min(cycles, max(1, _LONGEST_BURST // len(shape)))
        samples = np.tile(shape, int(cycles)) if cycles > 1 else shape
        if self.get("function", channel) == "ARB" and self.get("arb_advance", channel) == "TRIG":
            samples = samples[self._position.get(channel, 0) % len(samples) :][:1]
        delay_s = self.get("trigger_delay_s", channel) if burst and not free else 0.0
        return SourceOutput(sign * half * samples.astype(np.float64) + offset, rate, delay_s)

    def _shape(self, channel: int) -> tuple[np.ndarray, float]:
        """Give one period, -1 to 1, from where it starts, and its sample rate."""
        function = self.get("function", channel)
        start = (self.get("burst_phase_deg", channel) if self.get("burst", channel) else 0.0) / 360
        if function == "ARB":
            shape, rate = self.arb(channel, self.get("arb", channel)), self.get("arb_rate_hz", channel)
            if self.spans_data and np.ptp(shape) > 0:
                shape = shape * (2 / np.ptp(shape))
            start += self.get("arb_phase_deg", channel) / 360
            shape = np.roll(filtered(shape, self.get("arb_filter", channel)), -round(start * len(shape)))
            carrier_hz = rate / len(shape)
        else:
            carrier_hz = self._carrier_hz(channel)
            points = int(np.clip(self.highest_rate_hz / carrier_hz, _LEAST_POINTS, self.most_points))
            phase = (np.arange(points) / points + start + self.get("phase_deg", channel) / 360) % 1.0
            duty = self.get("duty_percent", channel) / 100
            if self.get("pwm", channel):
                duty += self.get("pwm_deviation_percent", channel) / 100
            shape = periodic(function, phase, duty, self.get("symmetry_percent", channel) / 100)
            rate = carrier_hz * points
        on = {name: self.get(by, channel) for name, by in MODULATIONS.items() if self.get(name, channel)}
        return modulated(shape, rate, on, carrier_hz)

    def _carrier_hz(self, channel: int) -> float:
        swept = self.get("sweep", channel) or self.get("frequency_mode", channel) == "LIST"
        return float(self.get("sweep_start_hz" if swept else "frequency_hz", channel))

    def rms_share(self, channel: int) -> float:
        return rms_share(self.get("function", channel), self.arb(channel, self.get("arb", channel)))

    commands: ClassVar[tuple[Command, ...]] = (
        choice("[SOURce#:]FUNCtion", "function", FUNCTIONS),
        *ArbMemory.level_commands,
        *SHAPE,
        *MODULATION,
        *SWEEP,
        *BURST,
        *TRIGGER,
        *SYNC,
        *COUPLING,
        # What the 33600 can be told, and here is as it is after power-on.
        Command("DIAGnostic:TRIGger:LEVel", name="trigger_level_v", reset=_TRIGGER_LINE_V),
        Command("DIAGnostic:INITiate", name="continuous", reset=True),
        Command("DIAGnostic:PHASe", name="arb_phase_deg", reset=0.0),
        *ArbMemory.memory_commands,
        number("[SOURce#:]FUNCtion:ARBitrary:SRATe", "arb_rate_hz", 40e3, 1e-6, 1e9),
        switch("OUTPut#[:STATe]", "on"),
        choice("OUTPut#:POLarity", "polarity", ("NORMal", "INVerted")),
        choice("OUTPut#:MODE", "output_mode", ("NORMal", "GATed")),
        do("TRIGger#[:IMMediate]", lambda self, call: self.trigger()),
        accept("ABORt"),
        accept("SYSTem:BEEPer[:IMMediate]"),
        accept("DISPlay[:STATe]"),
        accept("DISPlay:TEXT"),
        accept("DISPlay:TEXT:CLEar"),
        constant("STATus:OPERation:CONDition", 0),
    )


class Keysight33600(Keysight33500):
    """The 33622A: two channels, 1 GSa/s, 14 bits."""

    maker, model, firmware = "Keysight Technologies", "33622A", "A.02.03-3.15-03-64-02"
    highest_rate_hz = 1e9
    memory_points = 64_000_000
    bits = 14
    commands: ClassVar[tuple[Command, ...]] = (
        switch("INITiate#:CONTinuous[:ALL]", "continuous", True),
        do("INITiate#[:IMMediate][:ALL]", Keysight33500.initiate),
        number("TRIGger#:LEVel", "trigger_level_v", _TRIGGER_LINE_V, 0.9, 3.8, "V"),
        number("[SOURce#:]PHASe:ARBitrary", "arb_phase_deg", 0.0, -360, 360, "DEG"),
        *Keysight33500.commands,
    )
