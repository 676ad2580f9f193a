"""Keysight 33500B and 33600A waveform generators.

After "Keysight Trueform Series Operating and Service Guide" (33500-90901 and 33600-90901), checked against PyMeasure's
`agilent33500.py` and QCoDeS' `KeysightAgilent_33XXX.py`. Not here: modulation, sweeps, sequences of sequences, files.
"""

import math
from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.lab import Lab, Played
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, both, choice, constant, do, number, switch, text

OUTPUT_OHM = 50.0
_FULL_SCALE = 32767
_EXISTS = ScpiError(785, "Specified arb waveform already exists")
_MISSING = ScpiError(786, "Specified arb waveform does not exist")
# Samples of one period of a plain function, where the clock would give fewer or far more.
_LEAST_POINTS, _MOST_POINTS = 16, 1 << 16
FUNCTIONS = ("SINusoid", "SQUare", "TRIangle", "RAMP", "PULSe", "PRBS", "NOISe", "ARB", "DC")


class Keysight33500(Panel):
    """The 33522B: two channels, 250 MSa/s, 16 bits."""

    maker, model, firmware = "Agilent Technologies", "33522B", "3.05-1.19-2.00-52-00"
    serial_number = "MY52000001"
    number_format = "{:+.15E}"
    suffers = frozenset({"overload"})
    no_error = '+0,"No error"'
    channels = 2
    highest_rate_hz: ClassVar[float] = 250e6
    memory_points: ClassVar[int] = 16_000_000
    bits: ClassVar[int] = 16

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._arbs: dict[tuple[int, str], np.ndarray] = {}
        self._sequences: dict[tuple[int, str], list[tuple[str, int]]] = {}
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._arbs.clear()
        self._sequences.clear()

    # Rules between settings

    def before(self, name: str, channel: int, value: Any) -> None:
        if name == "arb" and (channel, value) not in self._arbs and (channel, value) not in self._sequences:
            raise ScpiError(_MISSING.code, _MISSING.text)
        if name in {"amplitude_v", "offset_v"}:
            amplitude = value if name == "amplitude_v" else self.get("amplitude_v", channel)
            offset = value if name == "offset_v" else self.get("offset_v", channel)
            if abs(offset) + amplitude / 2 > 5.0 * self._load_factor(channel) + 1e-9:
                raise ScpiError(-221, "Settings conflict; offset and amplitude beyond the output range")

    def after(self, name: str, channel: int) -> None:
        if name in {"on", "burst", "trigger_source"}:
            self.lab.look()

    def _load_factor(self, channel: int) -> float:
        """Give the ratio of the voltage shown to that into 50 ohms."""
        load = self.get("load_ohm", channel)
        return 2.0 if math.isinf(load) else 2 * load / (load + OUTPUT_OHM)

    # Arbitrary waveforms

    def upload(self, call: Call, as_codes: bool) -> None:
        """Carry out DATA:ARBitrary[:DAC]: name, then numbers or a block (float32 in -1 to 1, or int16)."""
        key = (call.channel, call.args.text(0))
        values = self._block_values(call, as_codes) if call.args.is_block(1) else call.args.numbers(1)
        if len(values) < 8:
            raise ScpiError(-222, "Data out of range; arb too short")
        largest = 1.0 + 1e-6 if not as_codes else _FULL_SCALE
        if not (values.min() >= -largest and values.max() <= largest):  # NaN is neither
            raise ScpiError(-222)
        if key in self._arbs:
            raise ScpiError(_EXISTS.code, _EXISTS.text)
        if self._used(call.channel) + len(values) > self.memory_points:
            raise ScpiError(781, "Not enough memory to store new arb waveform; use DATA:VOLATILE:CLEAR")
        codes = np.float32(2 ** (self.bits - 1) - 1)
        scaled = values.astype(np.float32) * (codes / np.float32(_FULL_SCALE) if as_codes else codes)
        self._arbs[key] = np.rint(scaled, out=scaled) / codes

    def _block_values(self, call: Call, as_codes: bool) -> np.ndarray:
        data, order = call.args.block(1), ">" if self.get("byte_order") == "NORM" else "<"
        size = 2 if as_codes else 4
        if len(data) % size:
            raise ScpiError(-161)
        return np.frombuffer(data, order + ("i2" if as_codes else "f4"))

    def _used(self, channel: int) -> int:
        return sum(len(data) for (owner, _), data in self._arbs.items() if owner == channel)

    def catalogue(self, call: Call) -> str:
        """Answer DATA:VOLatile:CATalog?."""
        names = ["INTERNAL:\\BUILTIN\\EXP_RISE.ARB"]
        names += [name for owner, name in (*self._arbs, *self._sequences) if owner == call.channel]
        return ",".join(f'"{name}"' for name in names)

    def clear_arbs(self, call: Call) -> None:
        """Carry out DATA:VOLatile:CLEar."""
        self._arbs = {key: data for key, data in self._arbs.items() if key[0] != call.channel}
        self._sequences = {key: data for key, data in self._sequences.items() if key[0] != call.channel}

    def load_sequence(self, call: Call) -> None:
        """Carry out DATA:SEQuence: a block of text, name then arb, count, mode, marker, level for each step."""
        fields = [field.strip().strip('"') for field in bytes(call.args.block(0)).decode("latin-1").split(",")]
        steps = [(fields[place], int(fields[place + 1])) for place in range(1, len(fields) - 4, 5)]
        if not steps or any((call.channel, arb) not in self._arbs for arb, _ in steps):
            raise ScpiError(_MISSING.code, _MISSING.text)
        self._sequences[call.channel, fields[0]] = steps

    def points(self, call: Call) -> int:
        """Answer FUNCtion:ARBitrary:POINts? and DATA:ATTRibute:POINts?."""
        name = call.args.text(0) if len(call.args) else self.get("arb", call.channel)
        return len(self._arb(call.channel, name))

    def _arb(self, channel: int, name: str) -> np.ndarray:
        if (channel, name) in self._sequences:
            steps = self._sequences[channel, name]
            return np.concatenate([np.tile(self._arbs[channel, arb], max(1, count)) for arb, count in steps])
        if (channel, name) not in self._arbs:
            raise ScpiError(_MISSING.code, _MISSING.text)
        return self._arbs[channel, name]

    # Levels

    def set_level(self, call: Call, high: bool) -> None:
        """Carry out VOLTage:HIGH and :LOW."""
        value, (low_v, high_v) = call.args.number(0, "V", -10, 10), self._levels(call.channel)
        low_v, high_v = (low_v, value) if high else (value, high_v)
        if low_v >= high_v:
            raise ScpiError(-221)
        self._values["amplitude_v", call.channel] = high_v - low_v
        self._values["offset_v", call.channel] = (high_v + low_v) / 2

    def _levels(self, channel: int) -> tuple[float, float]:
        centre, half = self.get("offset_v", channel), self.get("amplitude_v", channel) / 2
        return centre - half, centre + half

    def set_load(self, call: Call) -> None:
        """Carry out OUTPut:LOAD: ohms, or INFinity; the voltages shown change, those of the circuit do not."""
        word = call.args.word()
        load = math.inf if word in {"INF", "INFINITY", "MAX"} or word.startswith("9.9") else 0.0
        load = load or call.args.number(0, "OHM", 1, 10e3)
        before = self._load_factor(call.channel)
        self.store("load_ohm", call.channel, load)
        ratio = self._load_factor(call.channel) / before
        for name in ("amplitude_v", "offset_v"):
            self._values[name, call.channel] = self.get(name, call.channel) * ratio

    def get_load(self, call: Call) -> float | str:
        """Answer OUTPut:LOAD?: 9.9E+37 stands for high impedance."""
        load = self.get("load_ohm", call.channel)
        return "9.900000000000000E+37" if math.isinf(load) else load

    # Playing

    def trigger(self) -> None:
        self.lab.trigger(self)

    @property
    def runs_freely(self) -> bool:
        return any(self.get("on", channel) and self._is_free(channel) for channel in range(1, self.channels + 1))

    def _is_free(self, channel: int) -> bool:
        return not self.get("burst", channel) or self.get("trigger_source", channel) in {"IMM", "TIM"}

    def played(self, external: bool) -> dict[int, Played]:
        wanted = {"EXT"} if external else {"EXT", "BUS"}
        if self.take_disturbance("overload"):
            # An overload at the output terminals switches the relay off (operating guide, "Output overload").
            self._values["on", 1] = False
            self.status.report(ScpiError(-310, "System error; Output overload, channel 1 disabled"))
        ready = [
            channel
            for channel in range(1, self.channels + 1)
            if self.get("on", channel) and (self._is_free(channel) or self.get("trigger_source", channel) in wanted)
        ]
        return {channel: self._waveform(channel) for channel in ready}

    def _waveform(self, channel: int) -> Played:
        """Give the voltage into 50 ohms of one burst, or of one period of what runs freely."""
        to_real = 1 / self._load_factor(channel)
        half, offset = self.get("amplitude_v", channel) / 2 * to_real, self.get("offset_v", channel) * to_real
        function = self.get("function", channel)
        sign = -1.0 if self.get("polarity", channel) == "INV" else 1.0
        if function == "DC":
            return Played(np.array([offset * sign]), self.highest_rate_hz)
        if function == "ARB" and self.get("arb", channel):
            shape, rate = self._arb(channel, self.get("arb", channel)), self.get("arb_rate_hz", channel)
        else:
            shape, rate = self._function(function, channel)
        cycles = 1 if self._is_free(channel) else min(self.get("cycles", channel), 1e6)
        samples = np.tile(shape, int(cycles)) if cycles > 1 else shape
        return Played(sign * (half * samples.astype(np.float64) + offset), rate)

    def _function(self, function: str, channel: int) -> tuple[np.ndarray, float]:
        frequency = self.get("frequency_hz", channel)
        points = int(np.clip(self.highest_rate_hz / frequency, _LEAST_POINTS, _MOST_POINTS))
        phase = (np.arange(points) / points + self.get("phase_deg", channel) / 360) % 1.0
        if function == "SQU" or function == "PULS":
            shape = np.where(phase < self.get("duty_percent", channel) / 100, 1.0, -1.0)
        elif function in {"RAMP", "TRI"}:
            top = max(1e-9, self.get("symmetry_percent", channel) / 100 if function == "RAMP" else 0.5)
            shape = np.where(phase < top, 2 * phase / top - 1, 1 - 2 * (phase - top) / max(1e-9, 1 - top))
        else:
            shape = np.sin(2 * np.pi * phase)
        return shape, frequency * points

    commands: ClassVar[tuple[Command, ...]] = (
        choice("[SOURce#:]FUNCtion", "function", FUNCTIONS),
        number("[SOURce#:]FREQuency[:CW|FIXed]", "frequency_hz", 1e3, 1e-6, 120e6, "HZ"),
        choice("[SOURce#:]FREQuency:MODE", "frequency_mode", ("CW", "LIST", "SWEep", "FIXed")),
        number("[SOURce#:]PHASe[:ADJust]", "phase_deg", 0.0, -360, 360, "DEG"),
        accept("[SOURce#:]PHASe:SYNChronize"),
        number("[SOURce#:]VOLTage[:LEVel][:IMMediate][:AMPLitude]", "amplitude_v", 0.1, 1e-3, 20, "VPP"),
        number("[SOURce#:]VOLTage[:LEVel][:IMMediate]:OFFSet", "offset_v", 0.0, -10, 10, "V"),
        both(
            "[SOURce#:]VOLTage[:LEVel][:IMMediate]:HIGH",
            lambda self, call: self.set_level(call, True),
            lambda self, call: self._levels(call.channel)[1],
        ),
        both(
            "[SOURce#:]VOLTage[:LEVel][:IMMediate]:LOW",
            lambda self, call: self.set_level(call, False),
            lambda self, call: self._levels(call.channel)[0],
        ),
        choice("[SOURce#:]VOLTage:UNIT", "unit", ("VPP", "VRMS", "DBM")),
        switch("[SOURce#:]VOLTage:RANGe:AUTO", "autorange", True),
        text("[SOURce#:]FUNCtion:ARBitrary", "arb"),
        number("[SOURce#:]FUNCtion:ARBitrary:SRATe", "arb_rate_hz", 40e3, 1e-6, 1e9),
        choice("[SOURce#:]FUNCtion:ARBitrary:FILTer", "arb_filter", ("NORMal", "STEP", "OFF"), "STEP"),
        choice("[SOURce#:]FUNCtion:ARBitrary:ADVance", "arb_advance", ("TRIGger", "SRATe"), "SRATe"),
        ask("[SOURce#:]FUNCtion:ARBitrary:POINts", points),
        accept("[SOURce#:]FUNCtion:ARBitrary:SYNChronize"),
        number("[SOURce#:]FUNCtion:SQUare:DCYCle", "duty_percent", 50.0, 0.01, 99.99),
        number("[SOURce#:]FUNCtion:PULSe:DCYCle", "duty_percent", 50.0, 0.01, 99.99),
        number("[SOURce#:]FUNCtion:RAMP:SYMMetry", "symmetry_percent", 100.0, 0, 100),
        number("[SOURce#:]FUNCtion:PULSe:PERiod", "pulse_period_s", 1e-3, 30e-9, 1e6, "S"),
        number("[SOURce#:]FUNCtion:PULSe:WIDTh", "pulse_width_s", 1e-4, 4e-9, 1e6, "S"),
        number("[SOURce#:]FUNCtion:PULSe:TRANsition[:BOTH]", "pulse_edge_s", 10e-9, 2.9e-9, 1e-6, "S"),
        choice("[SOURce#:]FUNCtion:PULSe:HOLD", "pulse_hold", ("WIDTh", "DCYCle")),
        do("[SOURce#:]DATA:ARBitrary#", lambda self, call: self.upload(call, False)),
        do("[SOURce#:]DATA:ARBitrary#:DAC", lambda self, call: self.upload(call, True)),
        do("[SOURce#:]DATA:SEQuence", load_sequence),
        do("[SOURce#:]DATA:VOLatile:CLEar", clear_arbs),
        ask("[SOURce#:]DATA:VOLatile:CATalog", catalogue),
        ask("[SOURce#:]DATA:VOLatile:FREE", lambda self, call: self.memory_points - self._used(call.channel)),
        ask("[SOURce#:]DATA:ATTRibute:POINts", points),
        switch("[SOURce#:]BURSt:STATe", "burst"),
        choice("[SOURce#:]BURSt:MODE", "burst_mode", ("TRIGgered", "GATed")),
        number("[SOURce#:]BURSt:NCYCles", "cycles", 1, 1, 1e8),
        number("[SOURce#:]BURSt:PHASe", "burst_phase_deg", 0.0, -360, 360, "DEG"),
        number("[SOURce#:]BURSt:INTernal:PERiod", "burst_period_s", 10e-3, 1e-6, 8e3, "S"),
        choice("[SOURce#:]BURSt:GATE:POLarity", "gate_polarity", ("NORMal", "INVerted")),
        number("[SOURce#:]MARKer:POINt", "marker_point", 10, 4, 64e6, whole=True),
        choice("[SOURce#:]ROSCillator:SOURce", "reference", ("INTernal", "EXTernal")),
        switch("OUTPut#[:STATe]", "on"),
        both("OUTPut#:LOAD", set_load, get_load),
        Command("DIAGnostic:LOAD", name="load_ohm", reset=OUTPUT_OHM),
        choice("OUTPut#:POLarity", "polarity", ("NORMal", "INVerted")),
        choice("OUTPut:SYNC:SOURce", "sync_source", ("CH1", "CH2")),
        choice("OUTPut#:SYNC:MODE", "sync_mode", ("NORMal", "CARRier", "MARKer")),
        switch("OUTPut:SYNC[:STATe]", "sync", True),
        switch("OUTPut:TRIGger[:STATe]", "trigger_out"),
        choice("TRIGger#:SOURce", "trigger_source", ("IMMediate", "EXTernal", "TIMer", "BUS")),
        choice("TRIGger#:SLOPe", "trigger_slope", ("POSitive", "NEGative")),
        number("TRIGger#:COUNt", "trigger_count", 1, 1, 1e6, whole=True),
        number("TRIGger#:DELay", "trigger_delay_s", 0.0, 0, 1000, "S"),
        number("TRIGger#:TIMer", "trigger_timer_s", 1.0, 1e-6, 8000, "S"),
        do("TRIGger#[:IMMediate]", lambda self, call: self.trigger()),
        accept("ABORt"),
        choice("FORMat:BORDer", "byte_order", ("NORMal", "SWAPped")),
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
