"""Rohde & Schwarz SMB100A and SGS100A signal generators.

After "R&S SMB100A Operating Manual" (1407.0806.32) and "R&S SGS100A User Manual" (1173.9105.02), checked against
QCoDeS' `SGS100A.py` and QCoDeS contrib's `SMB100A.py`. Not here: analog modulation, lists, user correction.
"""

from typing import Any, ClassVar

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.scpi import Command, ScpiError, accept, choice, constant, number, switch


class RohdeSource(Panel):
    """A tone: settings "frequency_hz", "power_dbm" and "on"."""

    maker = "Rohde&Schwarz"
    number_format = "{:.12g}"
    suffers = frozenset({"overload"})
    lowest_hz: ClassVar[float] = 9e3
    highest_hz: ClassVar[float] = 6e9

    def before(self, name: str, channel: int, value: Any) -> None:
        if name == "frequency_hz" and not self.lowest_hz <= value <= self.highest_hz:
            raise ScpiError(-222)

    def power_w(self) -> float:
        """Give the power at the output in watts; 0 with the output off."""
        if self.take_disturbance("overload"):
            self._values["on", 1] = False
            self.status.report(ScpiError(-310, "System error; RF output overload, RF switched off"))
        return 1e-3 * 10 ** (self.get("power_dbm") / 10) if self.get("on") else 0.0

    commands: ClassVar[tuple[Command, ...]] = (
        number("[SOURce#:]FREQuency[:CW|FIXed]", "frequency_hz", 1e9, 1e3, 40e9, "HZ"),
        number("[SOURce#:]POWer[:LEVel][:IMMediate][:AMPLitude]", "power_dbm", -30.0, -145, 30, "DBM"),
        number("[SOURce#:]POWer[:LEVel][:IMMediate]:OFFSet", "power_offset_db", 0.0, -100, 100, "DB"),
        number("[SOURce#:]POWer:LIMit[:AMPLitude]", "power_limit_dbm", 30.0, -145, 30, "DBM"),
        number("[SOURce#:]PHASe", "phase_deg", 0.0, -36000, 36000, "DEG"),
        switch("OUTPut#[:STATe]", "on"),
        choice("[SOURce#:]ROSCillator:SOURce", "reference", ("INTernal", "EXTernal")),
        choice("[SOURce#:]ROSCillator:EXTernal:FREQuency", "reference_in", ("10MHZ", "100MHZ", "1000MHZ")),
        choice("[SOURce#:]ROSCillator:OUTPut:FREQuency", "reference_out", ("10MHZ", "100MHZ", "1000MHZ")),
        choice("[SOURce#:]LOSCillator:SOURce", "lo", ("INTernal", "EXTernal")),
        switch("[SOURce#:]PULM:STATe", "pulse"),
        choice("[SOURce#:]PULM:SOURce", "pulse_source", ("EXTernal", "INTernal")),
        choice("[SOURce#:]PULM:MODE", "pulse_mode", ("SINGle", "DOUBle", "PTRain")),
        choice("[SOURce#:]PULM:POLarity", "pulse_polarity", ("NORMal", "INVerted")),
        number("[SOURce#:]PULM:WIDTh", "pulse_width_s", 2e-6, 20e-9, 100, "S"),
        number("[SOURce#:]PULM:PERiod", "pulse_period_s", 1e-5, 100e-9, 100, "S"),
        number("[SOURce#:]PULM:DELay", "pulse_delay_s", 0.0, 0, 100, "S"),
        number("[SOURce#:]PULM:DOUBle:DELay", "pulse_double_delay_s", 1e-6, 0, 100, "S"),
        number("[SOURce#:]PULM:DOUBle:WIDTh", "pulse_double_width_s", 2e-6, 20e-9, 100, "S"),
        choice("[SOURce#:]PULM:TRIGger:MODE", "pulse_trigger", ("AUTO", "EXTernal", "EGATe")),
        choice("[SOURce#:]PULM:TRIGger:EXTernal:SLOPe", "pulse_slope", ("POSitive", "NEGative")),
        choice("[SOURce#:]PULM:TRIGger:EXTernal:IMPedance", "pulse_impedance", ("G50", "G10K")),
        choice("[SOURce#:]PULM:TRIGger:EXTernal:GATE:POLarity", "gate_polarity", ("NORMal", "INVerted")),
        switch("[SOURce#:]IQ:STATe", "iq"),
        switch("[SOURce#:]IQ:IMPairment[:STATe]", "iq_impairment"),
        number("[SOURce#:]IQ:IMPairment:LEAKage:I", "iq_leak_i", 0.0, -10, 10),
        number("[SOURce#:]IQ:IMPairment:LEAKage:Q", "iq_leak_q", 0.0, -10, 10),
        number("[SOURce#:]IQ:IMPairment:IQRatio[:MAGNitude]", "iq_ratio", 0.0, -10, 10),
        number("[SOURce#:]IQ:IMPairment:QUADrature[:ANGLe]", "iq_angle", 0.0, -10, 10),
        choice("[SOURce#:]OPMode", "mode", ("NORMal", "BBBYpass")),
        choice("CONNector:REFLo:OUTPut", "reflo_out", ("REF", "LO", "OFF")),
        choice(
            "CONNector:TRIGger:OMODe",
            "trigger_out",
            ("SVALid", "SNValid", "PVOut", "PETRigger", "PEMSource"),
        ),
        constant("SYSTem:SERRor", '0,"No error"'),
        accept("SYSTem:DISPlay:UPDate"),
    )


class RohdeSGS100A(RohdeSource):
    """The SGS100A: 1 MHz to 6 or 12.75 GHz."""

    model, firmware = "SGS100A", "4.2.76.0-4.30.046.295"
    serial_number = "1416.0505k02/100001"
    lowest_hz, highest_hz = 1e6, 12.75e9


class RohdeSMB100A(RohdeSource):
    """The SMB100A: 9 kHz to 6 GHz."""

    model, firmware = "SMB100A", "3.1.19.15-3.20.390.24"
    serial_number = "1406.6000k03/100001"
