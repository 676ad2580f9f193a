"""What the signal generators of Rohde & Schwarz share: level offset and limit, attenuator, pulses, state at power-on.

After "R&S SMB100A Operating Manual" (1407.0806.32, version 23, chapter 6), the manuals of the SGS100A and SMW200A, and
what R&S's own RsSgt, RsSmab and RsSmw say of each command. Lists have one entry here, and only modulation by the
built-in generators exists: nothing is connected to any input.
"""

from typing import ClassVar

from spinhw.virtual.instruments.tone_source import TONE, ToneSource
from spinhw.virtual.scpi import Call, Command, accept, ask, both, choice, constant, number, switch

# Range in which the level follows with the attenuator fixed, around the level at which it was fixed.
_FIXED_BELOW_DB, _FIXED_ABOVE_DB = 20.0, 5.0


class RohdeSource(ToneSource):
    """A generator: POWer is the level at the connector plus an offset; it is limited without a word."""

    maker = "Rohde&Schwarz"
    kept: ClassVar[frozenset[str]] = frozenset({"level_limit_dbm", "power_on", "emf"})  # *RST leaves them alone.

    def reset(self) -> None:
        kept = {key: value for key, value in self._values.items() if key[0] in self.kept}
        super().reset()
        self._values.update(kept)
        self._switched_off: dict[int, set[str]] = {}

    def reboot(self) -> None:
        paths = range(1, self.channels + 1)
        stay = [path for path in paths if self.get("on", path) and self.get("power_on", path) == "UNCH"]
        super().reboot()
        for path in stay:
            self._values["on", path] = True

    def after(self, name: str, channel: int) -> None:
        super().after(name, channel)
        if name == "attenuator" and self.get(name, channel) == "FIX":
            self._values["fixed_dbm", channel] = self.get("level_dbm", channel)

    def switch_modulations(self, call: Call) -> None:
        """Carry out MODulation:ALL: all off, or those on again that were on before."""
        path = call.channel
        if call.args.boolean():
            names = self._switched_off.pop(path, set())
        else:
            names = {name for name in self.modulations if self.get(name, path)}
            if names:
                self._switched_off[path] = names
        for name in names:
            self.store(name, path, call.args.boolean())

    def any_modulation(self, call: Call) -> int:
        """Answer MODulation:ALL?."""
        return int(any(self.get(name, call.channel) for name in self.modulations))

    def level_out_dbm(self, channel: int) -> float:
        level = self.planned_dbm(channel)
        if self.has("power_control", channel):
            level = float(self.get("target_dbm", channel))  # What the loop ends at, with the sensor at the connector.
        if self.get("attenuator", channel) == "FIX":
            low, high = self._fixed_range(channel)
            level = min(max(level, low), high)
        return min(self.corrected_dbm(level, channel), float(self.get("level_limit_dbm", channel)))

    def _fixed_range(self, channel: int) -> tuple[float, float]:
        level = self.get("fixed_dbm", channel)
        return level - _FIXED_BELOW_DB, level + _FIXED_ABOVE_DB

    def set_connector_level(self, call: Call) -> None:
        """Carry out POWer:POWer: the level at the connector, whatever the offset."""
        self.store("level_dbm", call.channel, self._level(call))

    commands: ClassVar[tuple[Command, ...]] = (
        *TONE,
        both(
            "[SOURce#:]POWer:POWer",
            set_connector_level,
            lambda self, call: self._in_unit(self.get("level_dbm", call.channel), call.channel),
        ),
        number("[SOURce#:]POWer:LIMit[:AMPLitude]", "level_limit_dbm", 30.0, -145, 30, "DBM"),
        choice("[SOURce#:]POWer:ALC[:STATe]", "alc", ("AUTO", "ON", "OFF")),
        choice("[SOURce#:]POWer:LMODe", "level_mode", ("NORMal", "LOWNoise", "LOWDistortion")),
        choice("OUTPut#:AMODe", "attenuator", ("AUTO", "FIXed")),
        ask("OUTPut#:AFIXed:RANGe:LOWer", lambda self, call: self._fixed_range(call.channel)[0]),
        ask("OUTPut#:AFIXed:RANGe:UPPer", lambda self, call: self._fixed_range(call.channel)[1]),
        Command("DIAGnostic:ATTenuator", name="fixed_dbm", reset=-30.0),
        choice("OUTPut#[:STATe]:PON", "power_on", ("UNCHanged", "OFF")),
        accept("OUTPut#:PROTection:CLEar"),
        constant("OUTPut#:PROTection:TRIPped", 0),
        choice("[SOURce:]ROSCillator:SOURce", "reference", ("INTernal", "EXTernal")),
        switch("[SOURce#:]PULM:STATe", "pulse"),
        choice("[SOURce#:]PULM:SOURce", "pulse_source", ("INTernal", "EXTernal")),
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
        constant("SYSTem:SERRor", '0,"No error"'),
        accept("SYSTem:DISPlay:UPDate"),
    )


# What the benchtop models have, and the SGS100A has not: units, sweeps, lists, correction, power control by a sensor.
BENCHTOP: tuple[Command, ...] = (
    choice("UNIT:POWer", "unit", ("DBM", "V", "DBUV")),
    switch("[SOURce#:]POWer:EMF:STATe", "emf"),
    number("[SOURce#:]FREQuency:MULTiplier", "multiplier", 1.0, 1, 10_000),
    choice("[SOURce#:]FREQuency:MODE", "frequency_mode", ("CW", "FIXed", "SWEep", "LIST")),
    number("[SOURce#:]FREQuency:STARt", "start_hz", 100e6, 9e3, 44e9, "HZ"),
    number("[SOURce#:]FREQuency:STOP", "stop_hz", 500e6, 9e3, 44e9, "HZ"),
    number("[SOURce#:]FREQuency:CENTer", "center_hz", 300e6, 9e3, 44e9, "HZ"),
    number("[SOURce#:]FREQuency:SPAN", "span_hz", 400e6, 0, 44e9, "HZ"),
    choice("[SOURce#:]POWer:MODE", "power_mode", ("CW", "FIXed", "SWEep")),
    number("[SOURce#:]POWer:STARt", "start_dbm", -30.0, -145, 30, "DBM"),
    number("[SOURce#:]POWer:STOP", "stop_dbm", -10.0, -145, 30, "DBM"),
    number("[SOURce#:]LIST:FREQuency", "list_hz", 1e9, 9e3, 44e9, "HZ"),
    number("[SOURce#:]LIST:POWer", "list_dbm", -10.0, -145, 30, "DBM"),
    number("[SOURce#:]SWEep[:FREQuency]:STEP[:LINear]", "sweep_step_hz", 1e6, 1e-3, 44e9, "HZ"),
    number("[SOURce#:]SWEep[:FREQuency]:POINts", "sweep_points", 401, 2, 2**31, whole=True),
    number("[SOURce#:]SWEep[:FREQuency]:DWELl", "sweep_dwell_s", 15e-3, 1e-3, 1000, "S"),
    choice("TRIGger#:FSWeep:SOURce", "sweep_trigger", ("AUTO", "SINGle", "EXTernal", "EAUTo")),
    switch("[SOURce#:]POWer:SPC:STATe", "power_control"),
    number("[SOURce#:]POWer:SPC:TARGet", "target_dbm", -10.0, -50, 30, "DBM"),
    switch("[SOURce#:]CORRection[:STATe]", "correction"),
    both("[SOURce#:]MODulation[:ALL][:STATe]", RohdeSource.switch_modulations, RohdeSource.any_modulation),
    number("[SOURce:]LFOutput#:FREQuency", "lf_hz", 1e3, 0.1, 10e6, "HZ"),
)


# The I/Q modulator of the vector models.
IQ_MODULATOR: tuple[Command, ...] = (
    switch("[SOURce#:]IQ:STATe", "iq"),
    switch("[SOURce#:]IQ:IMPairment[:STATe]", "iq_impairment"),
    number("[SOURce#:]IQ:IMPairment:LEAKage:I", "iq_leak_i", 0.0, -10, 10, "PCT"),
    number("[SOURce#:]IQ:IMPairment:LEAKage:Q", "iq_leak_q", 0.0, -10, 10, "PCT"),
    number("[SOURce#:]IQ:IMPairment:IQRatio[:MAGNitude]", "iq_ratio", 0.0, -10, 10, "DB"),
    number("[SOURce#:]IQ:IMPairment:QUADrature[:ANGLe]", "iq_angle", 0.0, -10, 10, "DEG"),
)
