"""Keithley 6221 DC and AC current source.

After "Model 6220/6221 Reference Manual" (622x-901-01), checked against PyMeasure's `keithley6221.py`. Not here: the
steps of sweeps, the serial relay to a nanovoltmeter; delta readings take the voltage of the load directly.
"""

import math
from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.keithley_6221_output import Keithley6221Output
from spinhw.virtual.lab import Lab, SourceOutput
from spinhw.virtual.records import lowpass
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, both, choice, constant, do, number, switch

_COMPLIANCE = 1 << 3  # Of the measurement condition register.
_MOST_POINTS = 65536
# Samples of one period of a plain shape.
_PERIOD = 1000
# Samples of a wave: what comes later is in nobody's record any more.
_LONGEST_WAVE = 1 << 22


class Keithley6221(Keithley6221Output):
    """The 6221: 105 mA, one channel, arbitrary waveforms up to 100 kHz."""

    maker, model, firmware = "KEITHLEY INSTRUMENTS INC.", "MODEL 6221", "D04  /700x"
    serial_number = "1300001"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._points: list[float] = []
        self._arbs: dict[int, np.ndarray] = {}
        self._buffer: list[float] = []
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._points, self._buffer = [], []

    def reboot(self) -> None:
        self._arbs.clear()
        super().reboot()

    # Waveforms

    def write_points(self, call: Call, append: bool) -> None:
        """Carry out SOURce:WAVE:ARBitrary:DATA and :APPend: at most 100 numbers in -1 to 1 for one command."""
        values = call.args.numbers()
        if len(values) > 100:
            raise ScpiError(-223)
        if np.abs(values).max() > 1:
            raise ScpiError(-222)
        points = [*self._points, *values] if append else list(values)
        if len(points) > _MOST_POINTS:
            raise ScpiError(-223)
        self._points = points

    def copy_points(self, call: Call) -> None:
        """Carry out SOURce:WAVE:ARBitrary:COPY: keeps the points in memory 1 to 4."""
        place = call.args.integer(0, 1, 4)
        if len(self._points) < 2:
            raise ScpiError(-221)
        self._arbs[place] = np.array(self._points)

    def set_duration(self, call: Call, name: str, other: str) -> None:
        """Carry out SOURce:WAVE:DURation:TIME and :CYCLes: a number or INFinity; one replaces the other."""
        infinite = call.args.word() in {"INF", "INFINITY"}
        self._values[name, 1] = math.inf if infinite else call.args.number(0, "S", 1e-7, 99999999900)
        self._values[other, 1] = math.inf

    def get_duration(self, name: str) -> float:
        """Answer the durations: 9.9E37 stands for infinity."""
        value = self.get(name)
        return 9.9e37 if math.isinf(value) else value

    def arm_wave(self, call: Call) -> None:
        """Carry out SOURce:WAVE:ARM.

        Raises:
            ScpiError: A mode is armed already (403), or the points of the shape were never stored.
        """
        if not self._has_points(self.get("wave_function")):
            raise ScpiError(-221)
        self.arm("WAVE")

    def before(self, name: str, channel: int, value: Any) -> None:
        super().before(name, channel, value)
        if name == "wave_function" and self._mode == "WAVE" and not self._has_points(value):
            raise ScpiError(-221)

    def _has_points(self, function: str) -> bool:
        if not function.startswith("ARB"):
            return True
        return len(self._points) > 1 if function == "ARB0" else int(function[3:]) in self._arbs

    def start_wave(self, call: Call) -> None:
        """Carry out SOURce:WAVE:INITiate: the output goes on and the phase marker triggers the bench."""
        if self._mode != "WAVE":
            raise ScpiError(404, "Not allowed; mode not armed")
        self._is_running = True
        self._values["on", 1] = True
        self.lab.trigger(self)

    def trigger(self) -> None:
        self.lab.trigger(self)

    @property
    def plays_wave(self) -> bool:
        """Whether a wave is what it drives."""
        return self._mode == "WAVE" and self._is_running

    @property
    def runs_freely(self) -> bool:
        return self.plays_wave and math.isinf(min(self.get("wave_time_s"), self.get("wave_cycles")))

    def span_a(self) -> tuple[float, float]:
        if not self.plays_wave:
            return super().span_a()
        wave = self._wave()
        return float(wave.min()), float(wave.max())

    def played(self, external: bool) -> dict[int, SourceOutput]:
        if self._mode != "WAVE":
            return {1: SourceOutput(np.array([self.voltage_and_current()[1]]), 1e6)} if self.get("on") else {}
        if external and self.get("external_trigger"):
            self._is_running = True
        if not self._is_running or not self.get("on"):
            return {}
        limit = self.limit_v / self.load_ohm
        return {1: SourceOutput(np.clip(self._wave(), -limit, limit), self._rate_hz)}

    @property
    def _rate_hz(self) -> float:
        return float(self.get("wave_hz") * len(self._shape()))

    def _wave(self) -> np.ndarray:
        """Give the whole wave in amperes, one cycle of one without end."""
        shape = self._shape()
        cycles = min(self.get("wave_cycles"), self.get("wave_time_s") * self.get("wave_hz"))
        count = max(1, round(min((1.0 if math.isinf(cycles) else cycles) * len(shape), _LONGEST_WAVE)))
        samples = np.resize(shape, count) * self.get("wave_amplitude_a") + self.get("wave_offset_a")
        return lowpass(samples, 1 / self._rate_hz, self.bandwidth_hz)

    def _shape(self) -> np.ndarray:
        function, phase = self.get("wave_function"), np.arange(_PERIOD) / _PERIOD
        if function.startswith("ARB"):
            return np.array(self._points) if function == "ARB0" else self._arbs[int(function[3:])]
        if function == "SQU":
            return np.where(phase < self.get("wave_duty_percent") / 100, 1.0, -1.0)
        if function == "RAMP":
            return 2 * phase - 1
        return np.sin(2 * np.pi * phase)

    # Delta readings

    def delta(self, call: Call) -> None:
        """Carry out INITiate: runs what is armed; delta mode stores half the difference of voltages."""
        if self._mode in {"", "WAVE"}:
            return
        self._is_running = True
        self.store("on", 1, True)
        if self._mode != "DELT":
            return
        load, high, low = self.load_ohm, self.get("delta_high_a"), self.get("delta_low_a")
        count = min(self.get("delta_count"), self.get("buffer_points"))
        self._buffer = [self.reading((high - low) / 2 * load) for _ in range(int(count))]

    def buffer(self, call: Call) -> str:
        """Answer TRACe:DATA?: reading and time of each."""
        pairs = [(value, index * self.get("delta_delay_s")) for index, value in enumerate(self._buffer)]
        return ",".join(self.number_format.format(number) for pair in pairs for number in pair)

    def latest(self, call: Call) -> str:
        """Answer SENSe:DATA?: the last delta reading and its time."""
        if not self._buffer:
            raise ScpiError(-230)
        return ",".join(self.number_format.format(number) for number in (self._buffer[-1], 0.0))

    def condition(self, call: Call) -> str:
        """Answer STATus:MEASurement:CONDition? and the event."""
        return self.register(_COMPLIANCE if self.in_compliance else 0)

    commands: ClassVar[tuple[Command, ...]] = (
        *Keithley6221Output.outputs,
        choice(
            "SOURce:WAVE:FUNCtion",
            "wave_function",
            ("SINusoid", "SQUare", "RAMP", "ARBitrary0", "ARBitrary1", "ARBitrary2", "ARBitrary3", "ARBitrary4"),
        ),
        do("SOURce:WAVE:ARBitrary:DATA", lambda self, call: self.write_points(call, False)),
        do("SOURce:WAVE:ARBitrary:APPend", lambda self, call: self.write_points(call, True)),
        do("SOURce:WAVE:ARBitrary:COPY", copy_points),
        ask("SOURce:WAVE:ARBitrary:POINts", lambda self, call: len(self._points)),
        number("SOURce:WAVE:FREQuency", "wave_hz", 1e3, 1e-3, 1e5, "HZ"),
        number("SOURce:WAVE:AMPLitude", "wave_amplitude_a", 1e-3, 2e-12, 0.105, "A"),
        number("SOURce:WAVE:OFFSet", "wave_offset_a", 0.0, -0.105, 0.105, "A"),
        number("SOURce:WAVE:DCYCle", "wave_duty_percent", 50.0, 0, 100),
        both(
            "SOURce:WAVE:DURation:TIME",
            lambda self, call: self.set_duration(call, "wave_time_s", "wave_cycles"),
            lambda self, call: self.get_duration("wave_time_s"),
        ),
        both(
            "SOURce:WAVE:DURation:CYCLes",
            lambda self, call: self.set_duration(call, "wave_cycles", "wave_time_s"),
            lambda self, call: self.get_duration("wave_cycles"),
        ),
        Command("DIAGnostic:TIME", name="wave_time_s", reset=math.inf),
        Command("DIAGnostic:CYCLes", name="wave_cycles", reset=math.inf),
        choice("SOURce:WAVE:RANGing", "wave_ranging", ("BEST", "FIXed")),
        switch("SOURce:WAVE:PMARk:STATe", "marker"),
        number("SOURce:WAVE:PMARk[:LEVel]", "marker_deg", 180.0, 0, 360),
        number("SOURce:WAVE:PMARk:OLINe", "marker_line", 3, 1, 6, whole=True),
        switch("SOURce:WAVE:EXTRig[:ENABle]", "external_trigger"),
        number("SOURce:WAVE:EXTRig:ILINe", "external_line", 1, 1, 6, whole=True),
        both("SOURce:WAVE:ARM", arm_wave, lambda self, call: self.is_armed("WAVE")),
        do("SOURce:WAVE:INITiate", start_wave),
        do("SOURce:WAVE:ABORt", lambda self, call: self.abort(waves=True)),
        ask("SOURce:DELTa:NVPResent", lambda self, call: 1),
        number("SOURce:DELTa:DELay", "delta_delay_s", 2e-3, 0, 9999.999, "S"),
        number("SOURce:DELTa:COUNt", "delta_count", 65536, 1, 65536, whole=True),
        switch("SOURce:DELTa:CABort", "delta_abort"),
        switch("SOURce:DELTa:CSWitch", "delta_cold"),
        do("INITiate[:IMMediate]", delta),
        accept("ABORt"),
        number("TRACe|DATA:POINts", "buffer_points", 100, 1, 65536, whole=True),
        ask("TRACe|DATA:DATA", buffer),
        do("TRACe|DATA:CLEar", lambda self, call: setattr(self, "_buffer", [])),
        ask("SENSe:DATA[:LATest]", latest),
        choice("UNIT:VOLTage[:DC]", "unit", ("V", "OHMS", "W", "SIEMens")),
        choice("TRIGger:SOURce", "trigger_source", ("IMMediate", "TLINk")),
        choice("TRIGger:OUTPut", "trigger_output", ("NONE", "SOURce", "DELay")),
        number("TRIGger:ILINe", "trigger_in", 1, 1, 6, whole=True),
        number("TRIGger:OLINe", "trigger_out", 2, 1, 6, whole=True),
        choice("ARM:SOURce", "arm_source", ("IMMediate", "TLINk", "TIMer", "MANual", "BUS")),
        number("ARM:ILINe", "arm_in", 1, 1, 6, whole=True),
        number("ARM:TIMer", "arm_timer_s", 0.1, 0, 99999.99, "S"),
        ask("STATus:MEASurement[:EVENt]", condition),
        ask("STATus:MEASurement:CONDition", condition),
        number("STATus:MEASurement:ENABle", "measurement_enable", 0, 0, 65535, whole=True),
        constant("STATus:OPERation[:EVENt]", 0),
        number("STATus:OPERation:ENABle", "operation_enable", 0, 0, 65535, whole=True),
        constant("STATus:QUEStionable[:EVENt]", 0),
        number("STATus:QUEStionable:ENABle", "questionable_enable", 0, 0, 65535, whole=True),
        accept("STATus:PRESet"),
        do("STATus:QUEue:CLEar", lambda self, call: self.status.errors.clear()),
        accept("SYSTem:BEEPer[:IMMediate]"),
        switch("DISPlay:ENABle", "display", True),
    )
