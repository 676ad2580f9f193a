"""Rohde & Schwarz SGS100A RF source, after "R&S SGS100A User Manual" (1173.9105.02) and QCoDeS' `SGS100A.py`."""

from typing import ClassVar

from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.instruments.rohde_sources import IQ_MODULATOR, RohdeSource
from spinhw.virtual.scpi import Command, choice, number

# What the connector REF/LO OUT gives of each; typical values.
_REFERENCE_W, _OSCILLATOR_W = 5e-3, 10e-3
_LOGIC_V = 3.3


class RohdeSGS100A(RohdeSource):
    """The SGS100A: 1 MHz to 6 or 12.75 GHz, with I/Q modulator and pulse modulator."""

    model, firmware = "SGS100A", "4.2.76.0-4.30.046.295"
    serial_number = "1416.0505k02/100001"
    lowest_hz, highest_hz = 1e6, 12.75e9
    lowest_dbm, highest_dbm = -120.0, 25.0
    modulations = frozenset({"pulse", "iq"})

    def gives_tone(self, channel: int) -> bool:
        # In bypass the I/Q inputs lead to the connector; without an external oscillator there is nothing to give.
        return self.get("mode") == "NORM" and self.get("lo") == "INT"

    def at_connectors(self) -> dict[str, Level]:
        power_w = {"REF": _REFERENCE_W, "LO": _OSCILLATOR_W}.get(self.get("reflo_out"), 0.0)
        # "Signal valid" is high while the output is on, "not valid" while it is off, pulse video follows the pulses.
        high = {"SVAL": self.get("on"), "SNV": not self.get("on"), "PVO": self.get("pulse")}
        logic_v = _LOGIC_V if high.get(self.get("trigger_out"), False) else 0.0
        return super().at_connectors() | {"ref_lo": Level(power_w=power_w), "trigger": Level(highest_v=logic_v)}

    commands: ClassVar[tuple[Command, ...]] = (
        *RohdeSource.commands,
        *IQ_MODULATOR,
        number("[SOURce#:]PHASe", "phase_deg", 0.0, -36000, 36000, "DEG"),
        choice("[SOURce:]ROSCillator:EXTernal:FREQuency", "reference_in", ("10MHZ", "100MHZ", "1000MHZ")),
        choice("[SOURce:]ROSCillator:OUTPut:FREQuency", "reference_out", ("10MHZ", "100MHZ", "1000MHZ")),
        choice("[SOURce#:]LOSCillator:SOURce", "lo", ("INTernal", "EXTernal")),
        choice("[SOURce#:]OPMode", "mode", ("NORMal", "BBBYpass")),
        choice("CONNector:REFLo:OUTPut", "reflo_out", ("REF", "LO", "OFF")),
        choice(
            "CONNector:TRIGger:OMODe",
            "trigger_out",
            ("SVALid", "SNValid", "PVOut", "PETRigger", "PEMSource"),
        ),
    )
