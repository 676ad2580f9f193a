"""Rohde & Schwarz SMB100A signal generator, after "R&S SMB100A Operating Manual" (1407.0806.32, version 23)."""

from typing import ClassVar

from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.instruments.rohde_sources import BENCHTOP, RohdeSource
from spinhw.virtual.instruments.tone_source import analog_modulation
from spinhw.virtual.scpi import Command, choice, number, switch


class RohdeSMB100A(RohdeSource):
    """The SMB100A: 9 kHz to 6 GHz, with pulse modulator and pulse generator."""

    model, firmware = "SMB100A", "3.1.19.15-3.20.390.24"
    serial_number = "1406.6000k03/100001"
    modulations = frozenset({"am", "fm", "pm", "pulse"})

    def at_connectors(self) -> dict[str, Level]:
        return super().at_connectors() | {"lf": self.lf_level(1)}

    commands: ClassVar[tuple[Command, ...]] = (
        *RohdeSource.commands,
        *BENCHTOP,
        *analog_modulation(),
        number("[SOURce#:]PHASe", "phase_rad", 0.0, -720, 720, "RAD"),
        switch("[SOURce:]LFOutput[:STATe]", "lf"),
        number("[SOURce:]LFOutput:VOLTage", "lf_v", 1.0, 0, 3, "V"),
        switch("[SOURce#:]PGENerator:STATe", "video"),
        choice("[SOURce:]ROSCillator:EXTernal:FREQuency", "reference_in", ("10MHZ", "5MHZ")),
    )
