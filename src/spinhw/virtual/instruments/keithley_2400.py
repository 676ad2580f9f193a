"""Keithley 2400 source meter.

After "Series 2400 SourceMeter User's Manual" (2400S-900-01), checked against PyMeasure's `keithley2400.py`, `buffer.py`
and QCoDeS' `Keithley_2400.py`. Not here: lists, sweeps, limit tests, the trigger link.
"""

from typing import ClassVar

from spinhw.virtual.instruments.keithley_sources import NOT_A_NUMBER, CurrentSource
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, both, choice, do, number, switch

ELEMENTS = ("VOLTage", "CURRent", "RESistance", "TIME", "STATus")
_IN_COMPLIANCE = 1 << 3  # Bit 3 of the status word of a reading.
_OUTPUT_ON = 1 << 0
_BUFFER_FULL = 1 << 9  # Of the measurement event register.
_SUMMARY = 1  # Measurement summary bit of the status byte.


class Keithley2400(CurrentSource):
    """The 2400: 1 A, 200 V, one channel."""

    maker, model, firmware = "KEITHLEY INSTRUMENTS INC.", "MODEL 2400", "C30   Mar 17 2006 09:29:29/A02  /K/J"
    serial_number = "1234567"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._buffer: list[float] = []
        self._elements: tuple[str, ...] = ("VOLT", "CURR", "RES", "TIME", "STAT")
        self._measurement_event = 0
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._elements, self._buffer = ("VOLT", "CURR", "RES", "TIME", "STAT"), []

    def after(self, name: str, channel: int) -> None:
        if name == "on":
            self.lab.look()

    # Output

    def voltage_and_current(self) -> tuple[float, float]:
        if self.get("function") == "CURR":
            return super().voltage_and_current()
        if self.take_disturbance("overload"):
            self.trip()
        if not self.get("on"):
            return 0.0, 0.0
        voltage, limit, load = self.get("voltage_v"), self.get("compliance_a"), self.lab.load_ohm(self, 1)
        current = max(-limit, min(limit, voltage / load))
        return current * load, current

    @property
    def in_compliance(self) -> bool:
        if self.get("function") == "CURR":
            return super().in_compliance
        return self.get("on") and abs(self.get("voltage_v")) / self.lab.load_ohm(self, 1) > self.get("compliance_a")

    # Readings

    def set_elements(self, call: Call) -> None:
        """Carry out FORMat:ELEMents: which values a reading has; they always come in the same order."""
        asked = {call.args.choice(ELEMENTS, index) for index in range(len(call.args))}
        self._elements = tuple(name for name in ("VOLT", "CURR", "RES", "TIME", "STAT") if name in asked)

    def read(self) -> list[float]:
        """Take a reading.

        Raises:
            ScpiError: The output is off (803).
        """
        tripping = self.disturbance == "overload"
        voltage, current = self.voltage_and_current()
        if not self.get("on") and not self.get("auto_clear") and not tripping:
            raise ScpiError(803, "Not permitted with OUTPUT off")
        status = (_IN_COMPLIANCE if self.in_compliance else 0) | (_OUTPUT_ON if self.get("on") else 0)
        values = {
            "VOLT": self.reading(voltage),
            "CURR": current,
            "RES": voltage / current if current and self.get("sense") == "RES" else NOT_A_NUMBER,
            "TIME": 0.0,
            "STAT": float(status),
        }
        return [values[name] for name in self._elements]

    def _answer(self, values: list[float]) -> str:
        return ",".join(self.number_format.format(value) for value in values)

    def measure(self, call: Call, what: str) -> str:
        """Answer MEASure:<what>?: configures, then reads."""
        self._values["sense", 1] = what
        return self._answer(self.read())

    def initiate(self, call: Call) -> None:
        """Carry out INITiate: fills the buffer if it is fed."""
        if self.get("feed_control") == "NEXT":
            readings = [self.read() for _ in range(self.get("buffer_points"))]
            self._buffer = [value for reading in readings for value in reading]
            self._measurement_event |= _BUFFER_FULL
        else:
            self.read()

    def clear_buffer(self, call: Call) -> None:
        """Carry out TRACe:CLEar."""
        self._buffer = []

    def set_sense(self, call: Call) -> None:
        """Carry out SENSe:FUNCtion: "VOLT[:DC]", "CURR[:DC]" or "RES"."""
        word = call.args.text().upper().split(":")[0]
        names = {"VOLTAGE": "VOLT", "CURRENT": "CURR", "RESISTANCE": "RES"}
        if names.get(word, word) not in names.values():
            raise ScpiError(-224)
        self._values["sense", 1] = names.get(word, word)

    def get_sense(self, call: Call) -> str:
        """Answer SENSe:FUNCtion?."""
        return {"VOLT": '"VOLT:DC"', "CURR": '"CURR:DC"', "RES": '"RES"'}[self.get("sense")]

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
        switch("OUTPut[:STATe]", "on"),
        choice("OUTPut:SMODe", "off_mode", ("NORMal", "HIMPedance", "ZERO", "GUARd")),
        choice("SOURce:FUNCtion[:MODE]", "function", ("VOLTage", "CURRent", "MEMory"), "VOLTage"),
        number("SOURce:CURRent[:LEVel][:IMMediate][:AMPLitude]", "current_a", 0.0, -1.05, 1.05, "A"),
        number("SOURce:CURRent:RANGe", "current_range_a", 1.05e-4, -1.05, 1.05, "A"),
        switch("SOURce:CURRent:RANGe:AUTO", "current_autorange", True),
        choice("SOURce:CURRent:MODE", "current_mode", ("FIXed", "LIST", "SWEep")),
        number("SOURce:VOLTage[:LEVel][:IMMediate][:AMPLitude]", "voltage_v", 0.0, -210, 210, "V"),
        number("SOURce:VOLTage:RANGe", "voltage_range_v", 21.0, -210, 210, "V"),
        switch("SOURce:VOLTage:RANGe:AUTO", "voltage_autorange", True),
        choice("SOURce:VOLTage:MODE", "voltage_mode", ("FIXed", "LIST", "SWEep")),
        number("SOURce:DELay", "delay_s", 0.0, 0, 9999.999, "S"),
        switch("SOURce:DELay:AUTO", "auto_delay", True),
        switch("SOURce:CLEar:AUTO", "auto_clear"),
        both("SENSe:FUNCtion[:ON]", set_sense, get_sense),
        accept("SENSe:FUNCtion:ALL"),
        accept("SENSe:FUNCtion:OFF"),
        accept("SENSe:FUNCtion:OFF:ALL"),
        switch("SENSe:FUNCtion:CONCurrent", "concurrent", True),
        Command("DIAGnostic:SENSe", name="sense", reset="CURR"),
        number("SENSe:VOLTage[:DC]:PROTection[:LEVel]", "compliance_v", 21.0, -210, 210, "V"),
        ask("SENSe:VOLTage[:DC]:PROTection:TRIPped", lambda self, call: int(self.in_compliance)),
        number("SENSe:VOLTage[:DC]:RANGe[:UPPer]", "sense_range_v", 21.0, -210, 210, "V"),
        switch("SENSe:VOLTage[:DC]:RANGe:AUTO", "sense_autorange_v", True),
        number("SENSe:VOLTage[:DC]:NPLCycles", "nplc_v", 1.0, 0.01, 10),
        number("SENSe:CURRent[:DC]:PROTection[:LEVel]", "compliance_a", 1.05e-4, -1.05, 1.05, "A"),
        ask("SENSe:CURRent[:DC]:PROTection:TRIPped", lambda self, call: int(self.in_compliance)),
        number("SENSe:CURRent[:DC]:RANGe[:UPPer]", "sense_range_a", 1.05e-4, -1.05, 1.05, "A"),
        switch("SENSe:CURRent[:DC]:RANGe:AUTO", "sense_autorange_a", True),
        number("SENSe:CURRent[:DC]:NPLCycles", "nplc_a", 1.0, 0.01, 10),
        choice("SENSe:RESistance:MODE", "ohms_mode", ("MANual", "AUTO"), "MANual"),
        number("SENSe:RESistance:RANGe[:UPPer]", "sense_range_ohm", 210e3, 0, 210e6),
        switch("SENSe:RESistance:RANGe:AUTO", "sense_autorange_ohm", True),
        number("SENSe:RESistance:NPLCycles", "nplc_ohm", 1.0, 0.01, 10),
        switch("SENSe:AVERage[:STATe]", "filter"),
        choice("SENSe:AVERage:TCONtrol", "filter_kind", ("REPeat", "MOVing")),
        number("SENSe:AVERage:COUNt", "filter_count", 10, 1, 100, whole=True),
        both("FORMat:ELEMents[:SENSe]", set_elements, lambda self, call: ",".join(self._elements)),
        choice("FORMat[:DATA]", "format", ("ASCii", "REAL", "SREal")),
        ask("READ", lambda self, call: self._answer(self.read())),
        ask("FETCh", lambda self, call: self._answer(self.read())),
        ask("SENSe:DATA[:LATest]", lambda self, call: self._answer(self.read())),
        ask("MEASure[:CURRent[:DC]]", lambda self, call: self.measure(call, "CURR")),
        ask("MEASure:VOLTage[:DC]", lambda self, call: self.measure(call, "VOLT")),
        ask("MEASure:RESistance", lambda self, call: self.measure(call, "RES")),
        accept("CONFigure[:CURRent[:DC]]"),
        do("INITiate[:IMMediate]", initiate),
        accept("ABORt"),
        number("TRACe|DATA:POINts", "buffer_points", 100, 1, 2500, whole=True),
        choice("TRACe|DATA:FEED", "feed", ("SENSe", "SENSe1", "CALCulate1", "CALCulate2")),
        choice("TRACe|DATA:FEED:CONTrol", "feed_control", ("NEVer", "NEXT")),
        do("TRACe|DATA:CLEar", clear_buffer),
        ask("TRACe|DATA:DATA", lambda self, call: self._answer(self._buffer)),
        number("TRIGger:COUNt", "trigger_count", 1, 1, 2500, whole=True),
        number("TRIGger:DELay", "trigger_delay_s", 0.0, 0, 999.9999, "S"),
        choice("TRIGger:SOURce", "trigger_source", ("IMMediate", "TLINk")),
        choice("TRIGger:OUTPut", "trigger_output", ("NONE", "SOURce", "DELay", "SENSe")),
        number("TRIGger:ILINe", "trigger_in", 1, 1, 4, whole=True),
        number("TRIGger:OLINe", "trigger_out", 2, 1, 4, whole=True),
        accept("TRIGger:CLEar"),
        number("ARM:COUNt", "arm_count", 1, 1, 2500, whole=True),
        choice("ARM:SOURce", "arm_source", ("IMMediate", "TLINk", "TIMer", "MANual", "BUS")),
        number("ARM:TIMer", "arm_timer_s", 0.1, 0.001, 99999.99, "S"),
        ask("STATus:MEASurement[:EVENt]", measurement_event),
        number("STATus:MEASurement:ENABle", "measurement_enable", 0, 0, 65535, whole=True),
        do("STATus:PRESet", preset),
        do("STATus:QUEue:CLEar", lambda self, call: self.status.errors.clear()),
        ask("*STB", status_byte),
        switch("SYSTem:RSENse", "four_wires"),
        switch("SYSTem:AZERo[:STATe]", "autozero", True),
        number("SYSTem:LFRequency", "line_hz", 50, 50, 60, whole=True),
        switch("SYSTem:LFRequency:AUTO", "line_auto"),
        accept("SYSTem:BEEPer[:IMMediate]"),
        switch("SYSTem:BEEPer:STATe", "beeper", True),
        choice("ROUTe:TERMinals", "terminals", ("FRONt", "REAR")),
        switch("DISPlay:ENABle", "display", True),
    )
