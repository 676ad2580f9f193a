"""Rohde & Schwarz FSV signal and spectrum analyser.

After "R&S FSV Operating Manual" (1176.7510.02), checked against PyMeasure's `fsseries.py` and QCoDeS contrib's
`FSV_3013.py`. Only what reads power: zero span, one trace, markers, channel power. The tone is the oscillator's; its
power over time comes from the bench. Not here: what a resolution filter of another shape makes of noise.
"""

import math
from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.panel import Level, Panel
from spinhw.virtual.lab import Lab, Shot, Window
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, block, choice, do, number, switch

_OHM = 50.0
_FLOOR_DBM = -120.0
_SWEEP_S = 1e-6  # Of a sweep whose time it chooses itself.
_CAPACITOR_HZ = 1e6  # Corner of the capacitor behind an input that is coupled through one.
_MIXER_DBM = 0.0  # The mixer gives no more than this, behind the attenuator.
_SETTLED = 20
_SUPPLY_V = 28.0  # For a noise source, at the rear.
# Decibels above dBm, into 50 ohms.
_ABOVE_DBM = {"DBM": 0.0, "DBMV": 46.99, "DBUV": 106.99}


class RohdeFSV(Panel):
    """The FSV7: 691 points, zero span."""

    maker, model, firmware = "Rohde&Schwarz", "FSV-7", "3.40"
    serial_number = "1321.3008K07/100001"
    suffers = frozenset({"nan", "clipped", "stuck", "overload"})
    number_format = "{:.9g}"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._trace_dbm = np.full(691, _FLOOR_DBM)
        self._power_dbm, self._is_armed, self._left = _FLOOR_DBM, False, 0
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._is_armed, self._left, self._power_dbm = False, 0, _FLOOR_DBM
        self._trace_dbm = np.full(691, _FLOOR_DBM)

    def at_connectors(self) -> dict[str, Level]:
        supply_v = _SUPPLY_V if self.get("noise_source") else 0.0
        return {"noise_source": Level(lowest_v=supply_v, highest_v=supply_v)}

    @property
    def armed(self) -> bool:
        return self._is_armed

    @property
    def busy(self) -> bool:
        return self._is_armed

    def initiate(self, call: Call) -> None:
        """Carry out INITiate[:IMMediate]: the sweeps of a measurement, at once or at the trigger."""
        if self.get("mode") != "SAN":
            raise ScpiError(-221)
        self._left = max(1, self.get("sweep_count"))
        if self.get("trigger_source") == "IMM" and not self.get("gate"):
            # All sweeps see the same; an average has settled after some.
            self._left = min(self._left, _SETTLED)
            shot = self.lab.shot()
            while self._left:
                self._measure(shot)
        else:
            self._is_armed = True
            self.lab.look()

    def abort(self, call: Call) -> None:
        """Carry out ABORt."""
        self._is_armed = False

    def give_up(self) -> None:
        self._is_armed = False
        self.proceed()

    def record(self, shot: Shot) -> None:
        self._measure(shot)
        self._is_armed = self._left > 0
        if not self._is_armed:
            self.proceed()

    def _measure(self, shot: Shot) -> None:
        self._left -= 1
        points = self.get("points")
        interval = self._sweep_s() / points
        volts = shot.sample(self, 1, Window(self.get("trigger_delay_s"), interval, points))
        floor_w = 1e-3 * 10 ** (_FLOOR_DBM / 10)
        power_w = self._received(volts**2 / _OHM) + floor_w
        if self.get("noise_correction"):
            power_w = np.maximum(power_w - floor_w, floor_w * 1e-3)
        swept = self._detected(10 * np.log10(power_w / 1e-3)) + self.get("reference_offset_db")
        self._trace_dbm = self._kept(swept)
        power_dbm = self._mean_dbm()
        self._power_dbm = max(self._power_dbm, power_dbm) if self.get("power_mode") == "MAXH" else power_dbm
        self._spoil(points)

    def _spoil(self, points: int) -> None:
        trouble = self.take_disturbance("nan", "clipped", "stuck", "overload")
        if trouble == "nan":
            self._trace_dbm[:: max(1, points // 10)] = math.nan
        elif trouble:
            self._trace_dbm[:] = self.get("reference_dbm") if trouble != "stuck" else _FLOOR_DBM
            if trouble == "overload":
                self.status.report(ScpiError(-310, "System error; RF OVLD"))
        if trouble:
            self._power_dbm = self._mean_dbm()

    def _sweep_s(self) -> float:
        return _SWEEP_S if self.get("sweep_auto") else float(self.get("sweep_s"))

    def _received(self, power_w: np.ndarray) -> np.ndarray:
        """Give what the first mixer sees, scaled back: a capacitor and a mixer that has enough are in the way."""
        if self.get("coupling") == "AC":
            true_hz = self.get("centre_hz") - self.get("frequency_offset_hz")
            power_w = power_w * (true_hz**2 / (true_hz**2 + _CAPACITOR_HZ**2))
        if self.get("impedance_ohm") != _OHM:
            power_w = power_w * (_OHM / self.get("impedance_ohm"))
        return np.minimum(power_w, 1e-3 * 10 ** ((_MIXER_DBM + self._attenuation_db()) / 10))

    def _attenuation_db(self) -> float:
        if not self.get("attenuation_auto"):
            return float(self.get("attenuation_db"))
        return max(10.0, 5 * math.ceil((self.get("reference_dbm") - self.get("reference_offset_db")) / 5))

    def _detected(self, power_dbm: np.ndarray) -> np.ndarray:
        """Give what detector and video filter make of samples."""
        padded = np.pad(power_dbm, 1, mode="edge")
        if self.get("detector") in {"POS", "APE"}:
            power_dbm = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
        if not self.get("video_auto") and self.get("vbw_hz") < self.get("rbw_hz"):  # It averages decibels.
            power_dbm = np.full_like(power_dbm, power_dbm.mean())
        return power_dbm

    def _kept(self, swept: np.ndarray) -> np.ndarray:
        """Give what the trace keeps of a sweep."""
        before, mode = self._trace_dbm, self.get("trace_mode")
        if mode in {"VIEW", "BLAN"}:
            return before
        if len(before) != len(swept) or mode == "WRIT":
            return swept
        return {"MAXH": np.maximum(before, swept), "MINH": np.minimum(before, swept)}.get(mode, (before + swept) / 2)

    def _shown(self) -> np.ndarray:
        """Give the trace as it is told: less the other trace where that is asked for, in the unit of the display."""
        shown = self._trace_dbm - (_FLOOR_DBM if self.get("trace_math") else 0.0)
        return self._in_unit(shown)

    def _in_unit(self, power_dbm: Any) -> Any:
        unit = "V" if self.get("spacing") == "LIN" else self.get("unit")
        if unit in _ABOVE_DBM:
            return power_dbm + _ABOVE_DBM[unit]
        power_w = 1e-3 * 10 ** (power_dbm / 10)
        return power_w if unit == "WATT" else np.sqrt(power_w * _OHM)

    def trace(self, call: Call) -> bytes:
        """Answer TRACe:DATA? TRACE1: text, or a block of float32, LSB first, after FORMat REAL,32."""
        if self.get("format") == "REAL":
            return block(self._shown().astype("<f4").tobytes())
        return ",".join(self.number_format.format(value) for value in self._shown()).encode()

    def _mean_dbm(self) -> float:
        return float(10 * np.log10(np.mean(10 ** (self._trace_dbm / 10))))

    def channel_power(self, call: Call) -> str:
        """Answer CALCulate:MARKer:FUNCtion:POWer:RESult?: the mean power of the trace, for each channel there is."""
        per_hz = 10 * math.log10(self.get("channel_hz")) if self.get("per_hz") else 0.0
        told = self.number_format.format(float(self._in_unit(self._power_dbm - per_hz)))
        return ",".join([told] * self.get("channels_used"))

    def peak(self, call: Call, place: bool) -> float:
        """Answer CALCulate:MARKer:X? and Y?."""
        shown = self._shown()
        index = int(np.argmax(shown))
        return index * self._sweep_s() / len(shown) if place else float(shown[index])

    def set_sweep_time(self, call: Call) -> None:
        """Carry out SENSe:SWEep:TIME, which ends the automatic one."""
        self.store("sweep_s", 1, call.args.number(0, "S", 1e-7, 16000))
        self.store("sweep_auto", 1, False)

    def set_video(self, call: Call) -> None:
        """Carry out SENSe:BANDwidth:VIDeo, which ends the automatic one."""
        self.store("vbw_hz", 1, call.args.number(0, "HZ", 1, 40e6))
        self.store("video_auto", 1, False)

    def set_attenuation(self, call: Call) -> None:
        """Carry out INPut:ATTenuation, which ends the automatic one."""
        self.store("attenuation_db", 1, call.args.number(0, "DB", 0, 75))
        self.store("attenuation_auto", 1, False)

    def set_format(self, call: Call) -> None:
        """Carry out FORMat[:DATA] ASCii|REAL[,32]."""
        self.store("format", 1, call.args.choice(("ASCii", "REAL", "UINT"), 0))

    commands: ClassVar[tuple[Command, ...]] = (
        number("[SENSe#:]FREQuency:CENTer", "centre_hz", 3.5e9, 0, 7e9, "HZ"),
        number("[SENSe#:]FREQuency:SPAN", "span_hz", 0.0, 0, 7e9, "HZ"),
        number("[SENSe#:]FREQuency:STARt", "start_hz", 0.0, 0, 7e9, "HZ"),
        number("[SENSe#:]FREQuency:STOP", "stop_hz", 7e9, 0, 7e9, "HZ"),
        number("[SENSe#:]BANDwidth|BWIDth[:RESolution]", "rbw_hz", 10e6, 1, 40e6, "HZ"),
        Command("[SENSe#:]BANDwidth|BWIDth:VIDeo", set_video, lambda self, call: self.get("vbw_hz"), "vbw_hz", 10e6),
        Command("[SENSe#:]SWEep:TIME", set_sweep_time, lambda self, call: self._sweep_s(), "sweep_s", _SWEEP_S),
        switch("[SENSe#:]SWEep:TIME:AUTO", "sweep_auto", True),
        switch("[SENSe#:]SWEep:EGATe", "gate"),
        number("[SENSe#:]FREQuency:OFFSet", "frequency_offset_hz", 0.0, -100e9, 100e9, "HZ"),
        choice("[SENSe#:]BANDwidth|BWIDth[:RESolution]:TYPE", "filter", ("NORMal", "FFT", "CFILter", "RRC")),
        switch("[SENSe#:]BANDwidth|BWIDth:VIDeo:AUTO", "video_auto", True),
        switch("[SENSe#:]POWer:NCORrection", "noise_correction"),
        number("[SENSe#:]POWer:ACHannel:TXCHannel:COUNt", "channels_used", 1, 1, 18, whole=True),
        number("[SENSe#:]SWEep:POINts", "points", 691, 101, 32001, whole=True),
        number("[SENSe#:]SWEep:COUNt", "sweep_count", 0, 0, 32767, whole=True),
        choice("[SENSe#:]DETector#[:FUNCtion]", "detector", ("RMS", "APEak", "POSitive", "SAMPle", "AVERage")),
        number("DISPlay[:WINDow#]:TRACe#:Y[:SCALe]:RLEVel", "reference_dbm", 0.0, -130, 30, "DBM"),
        Command(
            "INPut#:ATTenuation", set_attenuation, lambda self, call: self._attenuation_db(), "attenuation_db", 10.0
        ),
        choice("INPut#:COUPling", "coupling", ("AC", "DC")),
        number("INPut#:IMPedance", "impedance_ohm", 50, 50, 75, whole=True),
        number("DISPlay[:WINDow#]:TRACe#:Y[:SCALe]:RLEVel:OFFSet", "reference_offset_db", 0.0, -200, 200, "DB"),
        choice("DISPlay[:WINDow#]:TRACe#:Y:SPACing", "spacing", ("LOGarithmic", "LINear", "LDB", "PERCent")),
        choice(
            "DISPlay[:WINDow#]:TRACe#:MODE",
            "trace_mode",
            ("WRITe", "AVERage", "MAXHold", "MINHold", "VIEW", "BLANk"),
        ),
        choice("CALCulate#:UNIT:POWer", "unit", ("DBM", "DBMV", "DBUV", "VOLT", "WATT")),
        switch("CALCulate#:MATH:STATe", "trace_math"),
        choice("CALCulate#:MARKer#:FUNCtion:POWer:MODE", "power_mode", ("WRITe", "MAXHold")),
        switch("CALCulate#:MARKer#:FUNCtion:POWer:RESult:PHZ", "per_hz"),
        switch("DIAGnostic:SERVice:NSOurce", "noise_source"),
        switch("INPut#:ATTenuation:AUTO", "attenuation_auto", True),
        switch("INITiate#:CONTinuous", "continuous", True),
        do("INITiate#[:IMMediate]", initiate),
        do("ABORt", abort),
        choice("TRIGger#[:SEQuence]:SOURce", "trigger_source", ("IMMediate", "EXTernal", "IFPower", "VIDeo")),
        number("TRIGger#[:SEQuence]:HOLDoff[:TIME]", "trigger_delay_s", 0.0, -1, 30, "S"),
        number("TRIGger#[:SEQuence]:LEVel[:EXTernal]", "trigger_level_v", 1.4, 0.5, 3.5, "V"),
        ask("TRACe#[:DATA]", trace),
        Command(
            "FORMat[:DATA]", write=set_format, ask=lambda self, call: self.get("format"), name="format", reset="ASC"
        ),
        choice("FORMat:BORDer", "byte_order", ("SWAPped", "NORMal")),
        switch("CALCulate#:MARKer#[:STATe]", "marker"),
        accept("CALCulate#:MARKer#:MAXimum[:PEAK]"),
        ask("CALCulate#:MARKer#:X", lambda self, call: self.peak(call, True)),
        ask("CALCulate#:MARKer#:Y", lambda self, call: self.peak(call, False)),
        choice("CALCulate#:MARKer#:FUNCtion:POWer:SELect", "power_kind", ("CPOWer", "ACPower", "OBANdwidth")),
        ask("CALCulate#:MARKer#:FUNCtion:POWer:RESult", channel_power),
        ask("FETCh:POWer:ACPower", channel_power),
        number("[SENSe#:]POWer:ACHannel:ACPairs", "adjacent", 1, 0, 12, whole=True),
        number("[SENSe#:]POWer:ACHannel:BANDwidth|BWIDth[:CHANnel#]", "channel_hz", 14e3, 100, 1e9, "HZ"),
        choice("INSTrument[:SELect]", "mode", ("SANalyzer", "IQ")),
        accept("SYSTem:DISPlay:UPDate"),
    )
