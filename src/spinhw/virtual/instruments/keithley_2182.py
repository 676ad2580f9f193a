"""Keithley 2182A nanovoltmeter.

After "Models 2182 and 2182A Nanovoltmeter User's Manual" (2182A-900-01), checked against PyMeasure's `keithley2182.py`.
Not here: time, so that a trigger delay or the analogue filter only shows in what is kept; temperatures read 23 degrees.
"""

from typing import Any, ClassVar

from spinhw.virtual.instruments.keithley_sources import NOT_A_NUMBER
from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, both, choice, do, number, switch

RANGES_V = (0.01, 0.1, 1.0, 10.0, 100.0)  # Channel 1; channel 2 ends at 10 V.
_OVERFLOW = 9.9e37
_ROOM_C = 23.0
# What the zero of the converter, and of the input stage, is off by when it is not taken off at each reading.
_DRIFT_V = {"autozero": 4e-6, "front_autozero": 2e-6}
_FILTERED = 10  # Readings that the digital filter averages, unless one leaves its window,
_WINDOW = 1e-4  # this share of the range.
_SETTLED = 0.9  # What the analogue filter has followed of a step when the reading is taken.
_FULL_DIGITS = 8
_MAINS_HZ, _LEAST_S = 50.0, 0.02  # A reading takes its power line cycles, and some time more.
# Readings that would take longer are never answered: nobody would wait for them.
_PATIENCE_S = 10.0
_KEPT = 1024  # Readings, as many as the buffer has.


class Keithley2182(Panel):
    """The 2182A: two channels, one after the other."""

    maker, model, firmware = "KEITHLEY INSTRUMENTS INC.", "MODEL 2182A", "C02  /A02"
    serial_number = "4000001"
    suffers = frozenset({"nan", "clipped", "stuck", "overload"})
    number_format = "{:+.8E}"
    channels = 2

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._readings: list[float] = []
        self._stack: dict[int, list[float]] = {}
        self._last = 0.0
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._readings, self._stack, self._last = [], {}, 0.0

    def read(self) -> float:
        """Take a reading of the active channel: volts, or degrees where temperature is measured."""
        trouble = self.take_disturbance("nan", "stuck", "clipped", "overload")
        if trouble:
            return NOT_A_NUMBER if trouble == "nan" else _OVERFLOW
        channel = round(self.get("sense_channel"))
        if self.get("scan") == "INT":  # One channel after the other.
            channel = 1 + len(self._readings) % 2
        if self.get("function") == "TEMP":
            return _ROOM_C
        reading = self._calculated(self._combined(channel))
        self._readings.append(reading)
        if len(self._readings) > _KEPT:
            del self._readings[:2]  # A scan tells by their number which channel is next.
        return reading

    def format(self, value: Any) -> bytes:
        return None if value is None else super().format(value)  # type: ignore[return-value]

    def take(self, call: Call) -> str | None:
        """Answer READ?: as many readings as the trigger model takes, each with what it was asked to tell."""
        if self.get("continuous"):
            raise ScpiError(-213, "Init ignored")
        if self.get("trigger_source") not in {"IMM", "TIM"}:
            raise ScpiError(-214, "Trigger deadlock")  # Nobody triggers: the real one does not answer.
        count = self.get("trigger_count") * self.get("sample_count")
        if count * (self.get("nplc") / _MAINS_HZ + _LEAST_S) > _PATIENCE_S:
            return None  # Whoever asked waits until the time is up.
        return ",".join(self._told(self.read()) for _ in range(count))

    def _told(self, reading: float) -> str:
        told = {
            "READ": self.number_format.format(reading),
            "CHAN": str(round(self.get("sense_channel"))),
            "UNIT": "VDC",
        }
        return ",".join(told[element] for element in self.get("elements"))

    def _combined(self, channel: int) -> float:
        """Measure, and take the other channel into account where ratio or delta ask for it."""
        before = self._last
        value = self._measured(channel)
        if self.get("ratio"):
            other = self._measured(2)
            value = self._measured(1) / other if other else _OVERFLOW
        if self.get("delta"):
            value = (value - before) / 2
        return value

    def _measured(self, channel: int) -> float:
        value = self.lab.voltage(self, channel) - self._reference(channel)
        value += sum(drift for name, drift in _DRIFT_V.items() if not self.get(name))
        if abs(value) > self._range(channel) * 1.2:
            return _OVERFLOW
        if self.get("analog_filter", channel):
            value = self._last + _SETTLED * (value - self._last)
        self._last = value
        return self._rounded(self._filtered(channel, value), channel)

    def _filtered(self, channel: int, value: float) -> float:
        """Average over earlier readings of the channel, as long as they lie within the filter's window."""
        kept = self._stack.setdefault(channel, [])
        if not self.get("digital_filter", channel) or (kept and abs(value - kept[-1]) > _WINDOW * self._range(channel)):
            kept.clear()
        kept.append(value)
        del kept[:-_FILTERED]
        return sum(kept) / len(kept)

    def _rounded(self, value: float, channel: int) -> float:
        digits = self.get("digits")
        if digits == _FULL_DIGITS:
            return value
        step = next((one for one in RANGES_V if abs(value) <= one), self._range(channel)) * 10.0 ** (1 - digits)
        return round(value / step) * step

    def _calculated(self, value: float) -> float:
        if not self.get("calculation") or value == _OVERFLOW:
            return value
        if self.get("calculation_kind") == "PERC":
            target = self.get("percent_of")
            return 100 * (value - target) / target
        return float(self.get("slope") * value + self.get("intercept"))

    def _range(self, channel: int) -> float:
        return RANGES_V[-1] if self.get("autorange", channel) else self.get("range_v", channel)

    def _reference(self, channel: int) -> float:
        return self.get("reference_v", channel) if self.get("reference_on", channel) else 0.0

    def set_elements(self, call: Call) -> None:
        """Carry out FORMat:ELEMents READing[,CHANnel][,UNITs]."""
        options = ("READing", "CHANnel", "UNITs")
        self.store("elements", 1, tuple(call.args.choice(options, index) for index in range(len(call.args))))

    def set_function(self, call: Call) -> None:
        """Carry out SENSe:FUNCtion 'VOLT[:DC]' or 'TEMP'."""
        word = call.args.text().upper()
        if not word.startswith(("VOLT", "TEMP")):
            raise ScpiError(-224)
        self._values["function", 1] = word[:4]

    def get_function(self, call: Call) -> str:
        """Answer SENSe:FUNCtion?."""
        return '"VOLT:DC"' if self.get("function") == "VOLT" else '"TEMP"'

    def set_range(self, call: Call) -> None:
        """Carry out SENSe:VOLTage:CHANnel:RANGe: the smallest range that holds the value; ends the automatic one."""
        value = abs(call.args.number(0, "V", -120, 120))
        self.store("range_v", call.channel, next((one for one in RANGES_V if value <= one), RANGES_V[-1]))
        self.store("autorange", call.channel, False)

    def acquire_reference(self, call: Call) -> None:
        """Carry out SENSe:VOLTage:CHANnel:REFerence:ACQuire."""
        self.store("reference_v", call.channel, self.lab.voltage(self, call.channel))

    def statistic(self, call: Call) -> float:
        """Answer CALCulate2:IMMediate?: of the readings since the last reset."""
        values = self._readings or [self.read()]
        kind = self.get("statistic")
        mean = sum(values) / len(values)
        spread = (sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)) ** 0.5
        return {"MEAN": mean, "MAX": max(values), "MIN": min(values), "SDEV": spread}.get(kind, values[-1])

    def line_frequency(self, call: Call) -> str:
        """Answer SYSTem:LFRequency?."""
        return "50"

    commands: ClassVar[tuple[Command, ...]] = (
        number("SENSe:CHANnel", "sense_channel", 1, 0, 2, whole=True),
        both("SENSe:FUNCtion", set_function, get_function),
        Command("DIAGnostic:FUNCtion", name="function", reset="VOLT"),
        both("SENSe:VOLTage[:DC][:CHANnel#]:RANGe[:UPPer]", set_range, lambda self, call: self._range(call.channel)),
        Command("DIAGnostic:RANGe", name="range_v", reset=RANGES_V[-1]),
        switch("SENSe:VOLTage[:DC][:CHANnel#]:RANGe:AUTO", "autorange", True),
        number("SENSe:VOLTage[:DC][:CHANnel#]:REFerence", "reference_v", 0.0, -120, 120, "V"),
        switch("SENSe:VOLTage[:DC][:CHANnel#]:REFerence:STATe", "reference_on"),
        do("SENSe:VOLTage[:DC][:CHANnel#]:REFerence:ACQuire", acquire_reference),
        switch("SENSe:VOLTage[:DC][:CHANnel#]:LPASs[:STATe]", "analog_filter"),
        switch("SENSe:VOLTage[:DC][:CHANnel#]:DFILter[:STATe]", "digital_filter", True),
        switch("SENSe:VOLTage[:DC]:RATio", "ratio"),
        switch("SENSe:VOLTage[:DC]:DELTa", "delta"),
        number("SENSe:VOLTage[:DC]:DIGits", "digits", _FULL_DIGITS, 4, _FULL_DIGITS, whole=True),
        number("SENSe:VOLTage[:DC]:NPLCycles", "nplc", 5.0, 0.01, 60),
        number("SENSe:TEMPerature:NPLCycles", "temperature_nplc", 5.0, 0.01, 60),
        number("SENSe:TEMPerature:CHANnel#:REFerence", "temperature_reference_c", 0.0, -328, 3310),
        switch("SENSe:TEMPerature:CHANnel#:REFerence:STATe", "temperature_reference_on"),
        accept("SENSe:TEMPerature:CHANnel#:REFerence:ACQuire"),
        choice("SENSe:TEMPerature:TCouple", "thermocouple", ("J", "K", "T", "E", "R", "S", "B", "N")),
        choice("SENSe:TEMPerature:RJUNction:RSELect", "junction", ("REAL", "SIMulated")),
        number("SENSe:TEMPerature:RJUNction:SIMulated", "junction_c", 23.0, 0, 60),
        ask("SENSe:TEMPerature:RTEMperature", lambda self, call: _ROOM_C),
        ask("READ", take),
        ask("FETCh", lambda self, call: self._readings[-1] if self._readings else self.read()),
        ask("SENSe:DATA[:LATest]", lambda self, call: self._readings[-1] if self._readings else self.read()),
        ask("SENSe:DATA:FRESh", lambda self, call: self.read()),
        ask("MEASure[:VOLTage[:DC]]", lambda self, call: self.read()),
        do("INITiate[:IMMediate]", lambda self, call: self.read()),
        switch("INITiate:CONTinuous", "continuous"),
        accept("ABORt"),
        choice("TRIGger:SOURce", "trigger_source", ("IMMediate", "TIMer", "BUS", "EXTernal", "MANual")),
        number("TRIGger:COUNt", "trigger_count", 1, 1, 9999, whole=True),
        switch("TRIGger:DELay:AUTO", "trigger_delay_auto"),
        number("TRIGger:DELay", "trigger_delay_s", 0.0, 0, 999999.999, "S"),
        number("SAMPle:COUNt", "sample_count", 1, 1, 1024, whole=True),
        choice("ROUTe:SCAN:LSELect", "scan", ("NONE", "INTernal", "EXTernal")),
        choice("FORMat[:DATA]", "data_format", ("ASCii", "SREal", "DREal")),
        both("FORMat:ELEMents", set_elements, lambda self, call: ",".join(self.get("elements"))),
        Command("DIAGnostic:ELEMents", name="elements", reset=("READ",)),
        choice("CALCulate:FORMat", "calculation_kind", ("MXB", "PERCent", "NONE")),
        number("CALCulate:KMATh:MMFactor", "slope", 1.0, -100e6, 100e6),
        number("CALCulate:KMATh:MBFactor", "intercept", 0.0, -100e6, 100e6),
        number("CALCulate:KMATh:PERCent", "percent_of", 1.0, -100e6, 100e6),
        switch("CALCulate:STATe", "calculation"),
        choice("CALCulate2:FORMat", "statistic", ("NONE", "MEAN", "SDEViation", "MAXimum", "MINimum")),
        switch("CALCulate2:STATe", "statistic_on"),
        ask("CALCulate2:IMMediate", statistic),
        switch("SYSTem:AZERo[:STATe]", "autozero", True),
        switch("SYSTem:FAZero[:STATe]", "front_autozero", True),
        switch("SYSTem:LSYNc[:STATe]", "line_sync"),
        switch("OUTPut[:STATe]", "analog_output", True),
        ask("SYSTem:LFRequency", line_frequency),
        accept("SYSTem:BEEPer[:STATe]"),
        switch("DISPlay:ENABle", "display", True),
        accept("STATus:PRESet"),
        do("STATus:QUEue:CLEar", lambda self, call: self.status.errors.clear()),
    )
