"""Rohde & Schwarz FSV signal and spectrum analyser.

After "R&S FSV Operating Manual" (1176.7510.02), checked against PyMeasure's `fsseries.py` and QCoDeS contrib's
`FSV_3013.py`. Only what reads power: zero span, one trace, markers, channel power. The tone is the oscillator's; its
power over time comes from the bench.
"""

import math
from typing import ClassVar

import numpy as np

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.lab import Lab, Shot, Window
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, block, choice, do, number, switch

_OHM = 50.0
_FLOOR_DBM = -120.0


class RohdeFSV(Panel):
    """The FSV7: 691 points, zero span."""

    maker, model, firmware = "Rohde&Schwarz", "FSV-7", "3.40"
    serial_number = "1321.3008K07/100001"
    suffers = frozenset({"nan", "clipped", "stuck", "overload"})
    number_format = "{:.9g}"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._trace_dbm = np.full(691, _FLOOR_DBM)
        self._is_armed = False
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._is_armed, self._trace_dbm = False, np.full(691, _FLOOR_DBM)

    @property
    def armed(self) -> bool:
        return self._is_armed

    @property
    def busy(self) -> bool:
        return self._is_armed

    def initiate(self, call: Call) -> None:
        """Carry out INITiate[:IMMediate]: one sweep, at once or at the trigger."""
        if self.get("trigger_source") == "IMM":
            self._measure(self.lab.shot())
        else:
            self._is_armed = True
            self.lab.look()

    def abort(self, call: Call) -> None:
        """Carry out ABORt."""
        self._is_armed = False

    def record(self, shot: Shot) -> None:
        self._is_armed = False
        self._measure(shot)
        self.proceed()

    def _measure(self, shot: Shot) -> None:
        points = self.get("points")
        interval = self.get("sweep_s") / points
        volts = shot.sample(self, 1, Window(self.get("trigger_delay_s"), interval, points))
        power_w = volts**2 / _OHM + 1e-3 * 10 ** (_FLOOR_DBM / 10)
        self._trace_dbm = 10 * np.log10(power_w / 1e-3)
        trouble = self.take_disturbance("nan", "clipped", "stuck", "overload")
        if trouble == "nan":
            self._trace_dbm[:: max(1, points // 10)] = math.nan
        elif trouble:
            self._trace_dbm[:] = self.get("reference_dbm") if trouble != "stuck" else _FLOOR_DBM
            if trouble == "overload":
                self.status.report(ScpiError(-310, "System error; RF OVLD"))

    def trace(self, call: Call) -> bytes:
        """Answer TRACe:DATA? TRACE1: text, or a block of float32, LSB first, after FORMat REAL,32."""
        if self.get("format") == "REAL":
            return block(self._trace_dbm.astype("<f4").tobytes())
        return ",".join(self.number_format.format(value) for value in self._trace_dbm).encode()

    def channel_power(self, call: Call) -> float:
        """Answer CALCulate:MARKer:FUNCtion:POWer:RESult?: the mean power of the trace in dBm."""
        return float(10 * np.log10(np.mean(10 ** (self._trace_dbm / 10))))

    def peak(self, call: Call, place: bool) -> float:
        """Answer CALCulate:MARKer:X? and Y?."""
        index = int(np.argmax(self._trace_dbm))
        return index * self.get("sweep_s") / len(self._trace_dbm) if place else float(self._trace_dbm[index])

    def set_format(self, call: Call) -> None:
        """Carry out FORMat[:DATA] ASCii|REAL[,32]."""
        self.store("format", 1, call.args.choice(("ASCii", "REAL", "UINT"), 0))

    commands: ClassVar[tuple[Command, ...]] = (
        number("[SENSe#:]FREQuency:CENTer", "centre_hz", 3.5e9, 0, 7e9, "HZ"),
        number("[SENSe#:]FREQuency:SPAN", "span_hz", 0.0, 0, 7e9, "HZ"),
        number("[SENSe#:]FREQuency:STARt", "start_hz", 0.0, 0, 7e9, "HZ"),
        number("[SENSe#:]FREQuency:STOP", "stop_hz", 7e9, 0, 7e9, "HZ"),
        number("[SENSe#:]BANDwidth|BWIDth[:RESolution]", "rbw_hz", 10e6, 1, 40e6, "HZ"),
        number("[SENSe#:]BANDwidth|BWIDth:VIDeo", "vbw_hz", 10e6, 1, 40e6, "HZ"),
        number("[SENSe#:]SWEep:TIME", "sweep_s", 1e-6, 1e-7, 16000, "S"),
        number("[SENSe#:]SWEep:POINts", "points", 691, 101, 32001, whole=True),
        number("[SENSe#:]SWEep:COUNt", "sweep_count", 0, 0, 32767, whole=True),
        choice("[SENSe#:]DETector#[:FUNCtion]", "detector", ("RMS", "APEak", "POSitive", "SAMPle", "AVERage")),
        number("DISPlay[:WINDow#]:TRACe#:Y[:SCALe]:RLEVel", "reference_dbm", 0.0, -130, 30, "DBM"),
        number("INPut#:ATTenuation", "attenuation_db", 10.0, 0, 75, "DB"),
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
