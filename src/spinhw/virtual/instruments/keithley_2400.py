"""Keithley 2400 source meter.

After "Series 2400 SourceMeter User's Manual" (2400S-900-01), checked against PyMeasure's `keithley2400.py`, `buffer.py`
and QCoDeS' `Keithley_2400.py`. Not here: source memory, limit tests, digital lines, contact check. Nothing takes time:
readings come at once, or never where they wait for a trigger or for longer than anybody would.
"""

import math
from collections import Counter
from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.keithley_2400_output import Keithley2400Output
from spinhw.virtual.instruments.keithley_sources import NOT_A_NUMBER
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, both, choice, do, number, switch

ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus")
_IN_COMPLIANCE = 1 << 3  # Bit 3 of the status word of a reading.
_OUTPUT_ON = 1 << 0
_BUFFER_FULL = 1 << 9  # Of the measurement event register.
_SUMMARY = 1  # Measurement summary bit of the status byte.
_PATIENCE_S = 10.0
_MOST_READINGS = 2500  # Of one run through the trigger model.
_CYCLES = {"nplc_v", "nplc_a", "nplc_ohm"}


class Keithley2400(Keithley2400Output):
    """The 2400: 1 A, 200 V, one channel."""

    maker, model, firmware = "KEITHLEY INSTRUMENTS INC.", "MODEL 2400", "C30   Mar 17 2006 09:29:29/A02  /K/J"
    serial_number = "1234567"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.leads_ohm = 0.0  # Of both wires to the load together.
        self.drift_v = 0.0  # What its own offset has drifted to, unless it is looked at before each reading.
        self.hum_v, self.mains_hz = 0.0, 50.0  # What the mains put on the wires.
        self.trigger_pulses: Counter[int] = Counter()  # On the lines of the trigger link.
        self._history: list[tuple[float, float]] = []
        self._buffer: list[float] = []
        self._elements: tuple[str, ...] = ("VOLT", "CURR", "RES", "TIME", "STAT")
        self._measurement_event = 0
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._elements, self._buffer, self._history = ("VOLT", "CURR", "RES", "TIME", "STAT"), [], []

    def before(self, name: str, channel: int, value: Any) -> None:
        super().before(name, channel, value)
        if name in {"buffer_points", "feed"} and self.get("feed_control") == "NEXT":
            raise ScpiError(800, "Illegal with storage active")

    def after(self, name: str, channel: int) -> None:
        super().after(name, channel)
        if name in _CYCLES:  # One speed for all functions.
            self._values.update({(other, channel): self.get(name) for other in _CYCLES})
        if name == "delay_s":
            self._values["auto_delay", channel] = False
        if name.startswith("filter"):
            self._history = []

    # Readings

    def set_elements(self, call: Call) -> None:
        """Carry out FORMat:ELEMents: which values a reading has; they always come in the same order."""
        if self.get("feed_control") == "NEXT":
            raise ScpiError(800, "Illegal with storage active")
        asked = {call.args.choice(ELEMENTS, index) for index in range(len(call.args))}
        self._elements = tuple(name for name in ("VOLT", "CURR", "RES", "TIME", "STAT") if name in asked)

    def read(self) -> list[float] | None:
        """Carry out all cycles of source, delay and measure; None where that would take for ever.

        Raises:
            ScpiError: The output is off (803), or the cycles have no end (830).
        """
        arms, triggers = self.get("arm_count"), self.get("trigger_count")
        if math.isinf(arms):
            raise ScpiError(830, "Invalid with INF ARM:COUNT")
        if arms * triggers > _MOST_READINGS:
            raise ScpiError(-221, "Settings conflict; more than 2500 readings")
        delay_s = self.get("trigger_delay_s") + (0.0 if self.get("auto_delay") else self.get("delay_s"))
        sources = {self.get("arm_source"), self.get("trigger_source")}
        if sources != {"IMM"} or arms * triggers * delay_s > _PATIENCE_S:
            return None
        if self.get("arm_output") != "NONE":
            self.trigger_pulses[self.get("arm_out")] += int(arms)
        return [value for _ in range(int(arms * triggers)) for value in self._cycle()]

    def _cycle(self) -> list[float]:
        """Source, delay, measure: with auto output-off the output goes on before and off after it."""
        may_be_off = self.get("off_mode") == "ZERO" or self.disturbance == "overload"
        if not self.get("on") and self.get("auto_clear"):
            self.store("on", 1, True)
        elif not self.get("on") and not may_be_off:
            raise ScpiError(803, "Not permitted with OUTPUT off")
        self.take_triggered()
        if self.get("trigger_output") != "NONE":
            self.trigger_pulses[self.get("trigger_out")] += 1
        values = self._measure()
        if self.get("auto_clear"):
            self.switch_off()
        return values

    def _measure(self) -> list[float]:
        voltage, current = self._filtered(*self._converted(*self.voltage_and_current()))
        status = (_IN_COMPLIANCE if self.in_compliance else 0) | (_OUTPUT_ON if self.get("on") else 0)
        sets_current = self.sources_current
        unsensed = (NOT_A_NUMBER, self.level_a) if sets_current else (self.get("voltage_v"), NOT_A_NUMBER)
        values = {
            "VOLT": self.reading(voltage if "VOLT:DC" in self._sensed else unsensed[0]),
            "CURR": current if "CURR:DC" in self._sensed else unsensed[1],
            "RES": voltage / current if current and "RES" in self._sensed else NOT_A_NUMBER,
            "TIME": 0.0,
            "STAT": float(status),
        }
        return [values[name] for name in self._elements]

    def _converted(self, voltage: float, current: float) -> tuple[float, float]:
        """Give what the converter makes of the voltage and the current at the load."""
        drop = 0.0 if self.get("four_wires") else current * self.leads_ohm
        drift = 0.0 if self.get("autozero") else self.drift_v
        # Over whole cycles of the mains their hum averages out, at worst phase to sin(x) / x.
        cycles = self.get("nplc_v") * self.mains_hz / self.get("line_hz")
        return voltage + drop + drift + self.hum_v * abs(float(np.sinc(cycles))), current

    def _filtered(self, voltage: float, current: float) -> tuple[float, float]:
        """Average over the last readings where the moving filter is on; the repeating one changes nothing here."""
        if not self.get("filter") or self.get("filter_kind") != "MOV":
            return voltage, current
        self._history = [*self._history, (voltage, current)][-self.get("filter_count") :]
        voltages, currents = zip(*self._history, strict=True)
        return sum(voltages) / len(voltages), sum(currents) / len(currents)

    def answer_readings(self, values: list[float] | None) -> str | bytes | None:
        """Write readings as text or as a block; None where there is no answer."""
        if values is None:
            return None
        if self.get("format") == "ASC":
            return ",".join(self.number_format.format(value) for value in values)
        order = ">f4" if self.get("byte_order") == "NORM" else "<f4"
        return b"#0" + np.array(values, order).tobytes()

    def format(self, value: Any) -> bytes:
        # Nothing is sent for None: whoever asked waits until the time is up.
        return None if value is None else super().format(value)  # type: ignore[return-value]

    def configure(self, call: Call, what: str) -> None:
        """Carry out CONFigure:<what>: measures this alone, once for each command."""
        self.set_sensed({what})
        once: dict[str, Any] = {"arm_source": "IMM", "trigger_source": "IMM", "arm_count": 1, "trigger_count": 1}
        self._values.update({(name, 1): value for name, value in once.items()})
        self._values["auto_delay", 1], self._values["trigger_delay_s", 1] = True, 0.0

    def measure(self, call: Call, what: str) -> str | bytes | None:
        """Answer MEASure:<what>?: configures, switches on, then reads."""
        self.configure(call, what)
        if not self.get("on"):
            self.store("on", 1, True)
        return self.answer_readings(self.read())

    def initiate(self, call: Call) -> None:
        """Carry out INITiate: fills the buffer if it is fed."""
        if self.get("feed_control") == "NEXT":
            readings = [self._cycle() for _ in range(self.get("buffer_points"))]
            self._buffer = [value for reading in readings for value in reading]
            self._measurement_event |= _BUFFER_FULL
            self._values["feed_control", 1] = "NEV"
        else:
            self.read()

    def clear_buffer(self, call: Call) -> None:
        """Carry out TRACe:CLEar."""
        self._buffer = []

    def set_arm_count(self, call: Call) -> None:
        """Carry out ARM:COUNt: a number or INFinite."""
        is_infinite = call.args.word() in {"INF", "INFINITE"}
        self._values["arm_count", 1] = math.inf if is_infinite else call.args.integer(0, 1, 2500)

    def arm_count(self, call: Call) -> float | int:
        """Answer ARM:COUNt?: 9.9E37 stands for infinity."""
        count = self.get("arm_count")
        return 9.9e37 if math.isinf(count) else int(count)

    def measurement_event(self, call: Call) -> int:
        """Answer STATus:MEASurement[:EVENt]?, which clears it."""
        event, self._measurement_event = self._measurement_event, 0
        return event

    def status_byte(self, call: Call) -> int:
        """Answer *STB? with the measurement summary."""
        summary = _SUMMARY if self._measurement_event & self.get("measurement_enable") else 0
        byte = self.status.byte(False) | summary
        return byte | (64 if byte & self.status.service_enable else 0)

    def preset(self, call: Call) -> None:
        """Carry out STATus:PRESet."""
        self._values["measurement_enable", 1] = 0
        self._measurement_event = 0

    commands: ClassVar[tuple[Command, ...]] = (
        *Keithley2400Output.outputs,
        number("SOURce:DELay", "delay_s", 0.0, 0, 9999.999, "S"),
        switch("SOURce:DELay:AUTO", "auto_delay", True),
        number("SENSe:VOLTage[:DC]:NPLCycles", "nplc_v", 1.0, 0.01, 10),
        number("SENSe:CURRent[:DC]:NPLCycles", "nplc_a", 1.0, 0.01, 10),
        number("SENSe:RESistance:NPLCycles", "nplc_ohm", 1.0, 0.01, 10),
        switch("SENSe:AVERage[:STATe]", "filter"),
        choice("SENSe:AVERage:TCONtrol", "filter_kind", ("REPeat", "MOVing")),
        number("SENSe:AVERage:COUNt", "filter_count", 10, 1, 100, whole=True),
        both("FORMat:ELEMents[:SENSe]", set_elements, lambda self, call: ",".join(self._elements)),
        choice("FORMat[:DATA]", "format", ("ASCii", "REAL", "SREal")),
        choice("FORMat:BORDer", "byte_order", ("NORMal", "SWAPped")),
        ask("READ", lambda self, call: self.answer_readings(self.read())),
        ask("FETCh", lambda self, call: self.answer_readings(self._measure())),
        ask("SENSe:DATA[:LATest]", lambda self, call: self.answer_readings(self._measure())),
        ask("MEASure[:CURRent[:DC]]", lambda self, call: self.measure(call, "CURR:DC")),
        ask("MEASure:VOLTage[:DC]", lambda self, call: self.measure(call, "VOLT:DC")),
        ask("MEASure:RESistance", lambda self, call: self.measure(call, "RES")),
        do("CONFigure[:CURRent[:DC]]", lambda self, call: self.configure(call, "CURR:DC")),
        do("CONFigure:VOLTage[:DC]", lambda self, call: self.configure(call, "VOLT:DC")),
        do("CONFigure:RESistance", lambda self, call: self.configure(call, "RES")),
        do("INITiate[:IMMediate]", initiate),
        accept("ABORt"),
        number("TRACe|DATA:POINts", "buffer_points", 100, 1, 2500, whole=True),
        choice("TRACe|DATA:FEED", "feed", ("SENSe", "SENSe1", "CALCulate1", "CALCulate2")),
        choice("TRACe|DATA:FEED:CONTrol", "feed_control", ("NEVer", "NEXT")),
        do("TRACe|DATA:CLEar", clear_buffer),
        ask("TRACe|DATA:DATA", lambda self, call: self.answer_readings(self._buffer)),
        number("TRIGger:COUNt", "trigger_count", 1, 1, 2500, whole=True),
        number("TRIGger[:SEQuence]:DELay", "trigger_delay_s", 0.0, 0, 999.9999, "S"),
        choice("TRIGger:SOURce", "trigger_source", ("IMMediate", "TLINk")),
        choice("TRIGger:OUTPut", "trigger_output", ("NONE", "SOURce", "DELay", "SENSe")),
        number("TRIGger:ILINe", "trigger_in", 1, 1, 4, whole=True),
        number("TRIGger:OLINe", "trigger_out", 2, 1, 4, whole=True),
        accept("TRIGger:CLEar"),
        both("ARM:COUNt", set_arm_count, arm_count),
        Command("DIAGnostic:ARMS", name="arm_count", reset=1),
        choice("ARM:SOURce", "arm_source", ("IMMediate", "TLINk", "TIMer", "MANual", "BUS")),
        choice("ARM:OUTPut", "arm_output", ("NONE", "TENTer", "TEXit")),
        number("ARM:ILINe", "arm_in", 1, 1, 4, whole=True),
        number("ARM:OLINe", "arm_out", 2, 1, 4, whole=True),
        number("ARM:TIMer", "arm_timer_s", 0.1, 0.001, 99999.99, "S"),
        ask("STATus:MEASurement[:EVENt]", measurement_event),
        number("STATus:MEASurement:ENABle", "measurement_enable", 0, 0, 65535, whole=True),
        do("STATus:PRESet", preset),
        do("STATus:QUEue:CLEar", lambda self, call: self.status.errors.clear()),
        ask("*STB", status_byte),
        switch("SYSTem:AZERo[:STATe]", "autozero", True),
        number("SYSTem:LFRequency", "line_hz", 50, 50, 60, whole=True),
        switch("SYSTem:LFRequency:AUTO", "line_auto"),
        accept("SYSTem:BEEPer[:IMMediate]"),
        switch("SYSTem:BEEPer:STATe", "beeper", True),
        switch("DISPlay:ENABle", "display", True),
    )
