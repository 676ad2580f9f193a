"""Keysight N5173B and its family (EXG and MXG, N5171B to N5183B).

After the "X-Series Signal Generators SCPI Command Reference" and what public drivers of the family send (QCoDeS
`N51x1.py`, pyVirtualLab `AgilentN5183B.py`, pyHegel `agilent_rf_MXG`). Not here: functions of the vector models.
"""

from typing import ClassVar

from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.instruments.tone_source import TONE, ToneSource, analog_modulation
from spinhw.virtual.scpi import Command, ask, choice, number, switch


class KeysightN5173B(ToneSource):
    """The N5173B: 9 kHz to 20 GHz, with analog modulation; its display may be relative to a reference."""

    maker, model, firmware = "Agilent Technologies", " N5173B", " B.01.86"
    serial_number = " MY53270001"
    number_format = "{:+.14E}"
    no_error = '+0,"No error"'
    highest_hz = 20e9
    highest_dbm = 19.0
    modulations = frozenset({"am", "fm", "pm", "pulse"})
    # The range of the level with the step attenuator held where it is, around its own part.
    held_below_db: ClassVar[float] = 20.0

    def reset(self) -> None:
        kept = {key: value for key, value in self._values.items() if key[0] in {"user_max_dbm", "user_max"}}
        super().reset()
        self._values.update(kept)

    def after(self, name: str, channel: int) -> None:
        super().after(name, channel)
        if name == "attenuation_db":
            self._values["attenuation_auto", channel] = False
        if name == "frequency_offset_hz":
            self._values["frequency_offset", channel] = self.get(name) != 0

    def level_shift_db(self, channel: int) -> float:
        reference = self.get("level_reference_dbm", channel) if self.get("level_reference", channel) else 0.0
        return super().level_shift_db(channel) - float(reference)

    def frequency_shift_hz(self, channel: int) -> float:
        shift = super().frequency_shift_hz(channel) if self.get("frequency_offset", channel) else 0.0
        reference = self.get("frequency_reference_hz", channel) if self.get("frequency_reference", channel) else 0.0
        return shift - float(reference)

    def modulated(self, name: str, channel: int) -> bool:
        return super().modulated(name, channel) and bool(self.get("modulation", channel))

    def level_out_dbm(self, channel: int) -> float:
        level = self.planned_dbm(channel)
        if not self.get("attenuation_auto", channel):
            top = self.highest_dbm - self.get("attenuation_db", channel)
            level = min(max(level, top - self.held_below_db), top)
        if self.get("alc_source", channel) == "DIOD":
            level = self.highest_dbm  # No detector is connected: the loop turns all the way up.
        level = self.corrected_dbm(level, channel)
        return min(level, self.get("user_max_dbm", channel)) if self.get("user_max", channel) else level

    def at_connectors(self) -> dict[str, Level]:
        return super().at_connectors() | {"lf": self.lf_level(1)}

    commands: ClassVar[tuple[Command, ...]] = (
        ask("*OPT", lambda self, call: "520,UNT,UNW,1E1"),
        *TONE,
        *analog_modulation(),
        choice("UNIT:POWer", "unit", ("DBM", "DBUV", "DBUVEMF", "V", "VEMF")),
        choice("[SOURce:]FREQuency:MODE", "frequency_mode", ("CW", "FIXed", "LIST")),
        choice("[SOURce:]POWer:MODE", "power_mode", ("FIXed", "LIST")),
        number("[SOURce:]LIST:FREQuency", "list_hz", 1e9, 9e3, 20e9, "HZ"),
        number("[SOURce:]LIST:POWer", "list_dbm", -10.0, -144, 19, "DBM"),
        number("[SOURce:]POWer:STARt", "start_dbm", -144.0, -144, 19, "DBM"),
        number("[SOURce:]POWer:STOP", "stop_dbm", -10.0, -144, 19, "DBM"),
        number("[SOURce:]FREQuency:MULTiplier", "multiplier", 1.0, -1000, 1000),
        switch("[SOURce:]FREQuency:OFFSet:STATe", "frequency_offset"),
        number("[SOURce:]FREQuency:REFerence", "frequency_reference_hz", 0.0, 0, 20e9, "HZ"),
        switch("[SOURce:]FREQuency:REFerence:STATe", "frequency_reference"),
        number("[SOURce:]POWer:REFerence", "level_reference_dbm", 0.0, -400, 300, "DBM"),
        switch("[SOURce:]POWer:REFerence:STATe", "level_reference"),
        switch("[SOURce:]POWer:USER:ENABle", "user_max"),
        number("[SOURce:]POWer:USER:MAX", "user_max_dbm", 19.0, -144, 30, "DBM"),
        switch("[SOURce:]POWer:ALC[:STATe]", "alc", True),
        choice("[SOURce:]POWer:ALC:SOURce", "alc_source", ("INTernal", "DIODe")),
        number("[SOURce:]POWer:ATTenuation", "attenuation_db", 0.0, 0, 115, "DB"),
        switch("[SOURce:]POWer:ATTenuation:AUTO", "attenuation_auto", True),
        switch("[SOURce:]CORRection[:STATe]", "correction"),
        switch("OUTPut:MODulation[:STATe]", "modulation", True),
        switch("OUTPut:BLANking[:STATe]", "blanking"),
        number("[SOURce:]PHASe[:ADJust]", "phase_rad", 0.0, -6.2832, 6.2832, "RAD"),
        switch("[SOURce:]PULM:STATe", "pulse"),
        choice("[SOURce:]PULM:SOURce", "pulse_source", ("INTernal", "EXTernal")),
        choice("[SOURce:]PULM:EXTernal:POLarity", "pulse_polarity", ("NORMal", "INVerted")),
        number("[SOURce:]PULM:INTernal:PWIDth", "pulse_width_s", 2e-6, 20e-9, 42, "S"),
        number("[SOURce:]PULM:INTernal:PERiod", "pulse_period_s", 1e-5, 30e-9, 42, "S"),
        switch("[SOURce:]LFOutput:STATe", "lf"),
        number("[SOURce:]LFOutput:AMPLitude", "lf_v", 0.0, 0, 5, "V"),
        number("[SOURce:]LFOutput:FUNCtion:FREQuency", "lf_hz", 400.0, 0.1, 10e6, "HZ"),
        ask("[SOURce:]ROSCillator:SOURce", lambda self, call: self.get("reference")),
        Command("DIAGnostic:ROSCillator", name="reference", reset="INT"),
        switch("[SOURce:]ROSCillator:SOURce:AUTO", "reference_auto", True),
    )
