"""Rohde & Schwarz SMW200A vector signal generator, after R&S's own RsSmw and QCoDeS contrib's `SMW200A.py`.

The baseband is always off: with I/Q modulation on there is nothing to modulate with. All modulators of a kind are one.
"""

from typing import ClassVar

from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.instruments.rohde_sources import BENCHTOP, IQ_MODULATOR, RohdeSource
from spinhw.virtual.instruments.tone_source import analog_modulation
from spinhw.virtual.scpi import Command, ask, choice, number, switch

_OSCILLATOR_W = 10e-3  # What LO OUT gives; a typical value.


class RohdeSMW200A(RohdeSource):
    """The SMW200A: 100 kHz to 20 GHz, two paths."""

    model, firmware = "SMW200A", "04.70.026.45 SP2"
    serial_number = "1412.0000K02/100001"
    channels = 2
    lowest_hz, highest_hz = 100e3, 20e9
    modulations = frozenset({"am", "fm", "pm", "pulse", "iq"})

    def gives_tone(self, channel: int) -> bool:
        return self.get("lo", 1) not in {"EXT", "ECO"}  # Nothing is connected to LO IN.

    def at_connectors(self) -> dict[str, Level]:
        others = {f"lf_{one}": self.lf_level(one) for one in (1, 2)}
        for one in (1, 2):
            volts = self.get("iq_v", one) / 2 if self.get("iq_out", one) else 0.0
            bias = self.get("iq_bias_v", one) if self.get("iq_out", one) else 0.0
            others[f"iq_{one}"] = Level(lowest_v=bias - volts, highest_v=bias + volts)
        others["lo"] = Level(power_w=_OSCILLATOR_W if self.get("lo_out") else 0.0)
        return super().at_connectors() | others

    commands: ClassVar[tuple[Command, ...]] = (
        ask("*OPT", lambda self, call: "SMW-B13T,SMW-B22,SMW-B120,SMW-B220,SMW-K22,SMW-K23"),
        *RohdeSource.commands,
        *BENCHTOP,
        *IQ_MODULATOR,
        *analog_modulation("#"),
        number("[SOURce#:]PHASe", "phase_deg", 0.0, -36000, 36000, "DEG"),
        choice("[SOURce#:]IQ:SOURce", "iq_source", ("BASeband", "ANALog", "DIFFerential")),
        switch("[SOURce#:]IQ:OUTPut[:ANALog]:STATe", "iq_out"),
        number("[SOURce#:]IQ:OUTPut[:ANALog]:LEVel", "iq_v", 1.0, 0.02, 4, "V"),
        number("[SOURce#:]IQ:OUTPut[:ANALog]:BIAS:I", "iq_bias_v", 0.0, -4, 4, "V"),
        choice("[SOURce#:]FREQuency:LOSCillator:MODE", "lo", ("INTernal", "EXTernal", "COUPled", "ECOupled")),
        switch("[SOURce#:]FREQuency:LOSCillator:OUTPut:STATe", "lo_out"),
        switch("[SOURce:]LFOutput#[:STATe]", "lf"),
        number("[SOURce:]LFOutput#:VOLTage", "lf_v", 1.0, 0, 3, "V"),
        choice("[SOURce:]ROSCillator:EXTernal:FREQuency", "reference_in", ("10MHZ", "VARiable", "5MHZ", "13MHZ")),
    )
