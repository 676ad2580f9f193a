"""Keithley 6221 DC and AC current source.

After "Model 6220/6221 Reference Manual" (622x-901-01), checked against PyMeasure's `keithley6221.py`. Not here: sweeps,
pulse delta, the serial relay to a nanovoltmeter; delta readings take the voltage of the load directly.
"""

import math
from typing import ClassVar

import numpy as np

from spinhw.virtual.instruments.keithley_sources import CurrentSource
from spinhw.virtual.lab import Lab, Played
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, both, choice, constant, do, number, switch

_COMPLIANCE = 1 << 3  # Of the measurement condition register.
_MOST_POINTS = 65536
# Samples of one period of a plain shape.
_PERIOD = 1000


class Keithley6221(CurrentSource):
    """The 6221: 105 mA, one channel, arbitrary waveforms up to 100 kHz."""

    maker, model, firmware = "KEITHLEY INSTRUMENTS INC.", "MODEL 6221", "D04  /700x"
    serial_number = "1300001"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._points: list[float] = []
        self._arbs: dict[int, np.ndarray] = {}
        self._wave_state = "off"
        self._buffer: list[float] = []
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._wave_state, self._points, self._buffer = "off", [], []

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

    def arm(self, call: Call) -> None:
        """Carry out SOURce:WAVE:ARM.

        Raises:
            ScpiError: It is armed already (403), or the points of the shape were never stored.
        """
        if self._wave_state != "off":
            raise ScpiError(403, "Not allowed with mode armed")
        function = self.get("wave_function")
        if function.startswith("ARB") and function != "ARB0" and int(function[3:]) not in self._arbs:
            raise ScpiError(-221)
        self._wave_state = "armed"

    def start(self, call: Call) -> None:
        """Carry out SOURce:WAVE:INITiate: the output goes on and the phase marker triggers the bench."""
        if self._wave_state == "off":
            raise ScpiError(404, "Not allowed; mode not armed")
        self._wave_state = "running"
        self._values["on", 1] = True
        self.lab.trigger(self)

    def stop(self, call: Call) -> None:
        """Carry out SOURce:WAVE:ABORt: the output goes off."""
        if self._wave_state != "off":
            self._values["on", 1] = False
        self._wave_state = "off"

    def trigger(self) -> None:
        self.lab.trigger(self)

    @property
    def runs_freely(self) -> bool:
        return self._wave_state == "running" and math.isinf(min(self.get("wave_time_s"), self.get("wave_cycles")))

    def played(self, external: bool) -> dict[int, Played]:
        if self._wave_state == "off":
            return {1: Played(np.array([self.voltage_and_current()[1]]), 1e6)} if self.get("on") else {}
        if external and self._wave_state == "armed" and self.get("external_trigger"):
            self._wave_state = "running"
        if self._wave_state != "running" or not self.get("on"):
            return {}
        shape, frequency = self._shape(), self.get("wave_hz")
        cycles = min(self.get("wave_cycles"), self.get("wave_time_s") * frequency)
        cycles = 1.0 if math.isinf(cycles) else cycles
        count = max(1, round(cycles * len(shape)))
        samples = np.resize(shape, count) * self.get("wave_amplitude_a") + self.get("wave_offset_a")
        limit = self.get("compliance_v") / self.lab.load_ohm(self, 1)
        return {1: Played(np.clip(samples, -limit, limit), frequency * len(shape))}

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
        """Carry out INITiate in delta mode: alternates the current and stores half the difference of voltages."""
        load, high, low = self.lab.load_ohm(self, 1), self.get("delta_high_a"), self.get("delta_low_a")
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

    def condition(self, call: Call) -> int:
        """Answer STATus:MEASurement:CONDition? and the event."""
        return _COMPLIANCE if self.in_compliance else 0

    def after(self, name: str, channel: int) -> None:
        if name == "current_range_a":
            self._values["current_autorange", 1] = False
        if name == "delta_high_a":
            self._values["delta_low_a", 1] = -self.get("delta_high_a")
        if name == "on":
            self.lab.look()

    commands: ClassVar[tuple[Command, ...]] = (
        switch("OUTPut[:STATe]", "on"),
        choice("OUTPut:ISHield", "shield", ("OLOW", "GUARd")),
        choice("OUTPut:LTEarth", "low_to_earth", ("OFF", "ON", "0", "1")),
        switch("OUTPut:RESPonse", "fast"),
        ask("OUTPut:INTerlock:TRIPped", lambda self, call: 1),
        number("SOURce:CURRent[:AMPLitude]", "current_a", 0.0, -0.105, 0.105, "A"),
        number("SOURce:CURRent:RANGe", "current_range_a", 1e-3, -0.105, 0.105, "A"),
        switch("SOURce:CURRent:RANGe:AUTO", "current_autorange"),
        number("SOURce:CURRent:COMPliance", "compliance_v", 10.0, 0.1, 105, "V"),
        switch("SOURce:CURRent:FILTer[:STATe]", "filter"),
        number("SOURce:DELay", "delay_s", 1.0, 1e-3, 999999.999, "S"),
        do("SOURce:CLEar[:IMMediate]", lambda self, call: self.store("on", 1, False)),
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
        do("SOURce:WAVE:ARM", arm),
        ask("SOURce:WAVE:ARM", lambda self, call: int(self._wave_state != "off")),
        do("SOURce:WAVE:INITiate", start),
        do("SOURce:WAVE:ABORt", stop),
        ask("SOURce:DELTa:NVPResent", lambda self, call: 1),
        number("SOURce:DELTa:HIGH", "delta_high_a", 10e-6, 0, 0.105, "A"),
        number("SOURce:DELTa:LOW", "delta_low_a", -10e-6, -0.105, 0, "A"),
        number("SOURce:DELTa:DELay", "delta_delay_s", 2e-3, 0, 9999.999, "S"),
        number("SOURce:DELTa:COUNt", "delta_count", 65536, 1, 65536, whole=True),
        switch("SOURce:DELTa:CABort", "delta_abort"),
        switch("SOURce:DELTa:CSWitch", "delta_cold"),
        accept("SOURce:DELTa:ARM"),
        accept("SOURce:SWEep:ABORt"),
        number("SOURce:SWEep:COUNt", "sweep_count", 1, 1, 9999, whole=True),
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
