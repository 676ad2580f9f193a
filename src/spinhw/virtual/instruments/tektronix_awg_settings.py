"""The plain settings of the AWG5200 generators: those that need no more than to be kept.

After "AWG5200 Series Programmer Manual" (077-1337), command descriptions; values after a reset as they say.
"""

from spinhw.virtual.scpi import Command, choice, number, switch

CLOCK: tuple[Command, ...] = (
    number("CLOCk:SRATe", "rate_hz", 2.5e9, 298, 5e9, "HZ"),
    choice("CLOCk:SOURce", "clock", ("INTernal", "EFIXed", "EVARiable", "EXTernal")),
    number("CLOCk:ECLock:FREQuency", "external_clock_hz", 2.5e9, 2.5e9, 5e9, "HZ"),
    number("CLOCk:PHASe:ADJust:TIMe", "phase_s", 0.0, -5e-9, 5e-9, "S"),
    switch("CLOCk:OUTPut[:STATe]", "clock_out"),
    switch("CLOCk:SOUT[:STATe]", "sync_clock_out"),
)

TRIGGER: tuple[Command, ...] = (
    choice("[SOURce#:]RMODe", "run_mode", ("CONTinuous", "TRIGgered", "TCONtinuous", "GATed")),
    choice("[SOURce#:]TINPut", "trigger_input", ("ATRigger", "BTRigger", "ITRigger")),
)

DAC: tuple[Command, ...] = (
    number("[SOURce#:]DAC:RESolution", "resolution_bits", 16, 12, 16, whole=True),
    choice("[SOURce#:]DMODe", "dac_mode", ("NRZ", "MIX", "RZ")),
    switch("[SOURce#:]DDR", "interpolated"),
    number("[SOURce#:]SKEW", "skew_s", 0.0, -2e-9, 2e-9, "S"),
    number("[SOURce#:]VOLTage[:LEVel][:IMMediate]:BIAS", "bias_v", 0.0, -5, 5, "V"),
    switch("[SOURce#:]VOLTage[:LEVel][:IMMediate]:BIAS:ENABle", "bias"),
)

OUTPUT: tuple[Command, ...] = (
    choice("INSTrument:COUPle:SOURce", "coupled", ("NONE", "ALL", "PAIR")),
    switch("OUTPut#[:STATe]", "on"),
    switch("OUTPut:OFF", "all_off"),
    choice("OUTPut#:PATH", "path", ("DCHB", "DCHV", "ACDirect", "ACAMplified")),
    choice("OUTPut#:WVALue[:ANALog][:STATe]", "wait_value", ("ZERO", "FIRSt")),
    choice("OUTPut#:SVALue[:ANALog][:STATe]", "stop_value", ("ZERO", "OFF")),
    choice("OUTPut#:WVALue:MARKer#", "marker_wait", ("FIRST", "LOW", "HIGH")),
    choice("OUTPut#:SVALue:MARKer#", "marker_stop", ("OFF", "LOW")),
    number("SOURce#:MARKer#:VOLTage[:LEVel][:IMMediate]:HIGH", "marker_high_v", 1.0, -0.3, 1.75, "V"),
    number("SOURce#:MARKer#:VOLTage[:LEVel][:IMMediate]:LOW", "marker_low_v", 0.0, -0.5, 1.55, "V"),
)

FUNCTION: tuple[Command, ...] = (
    choice("INSTrument:MODE", "mode", ("AWG", "FGEN")),
    number("FGEN[:CHANnel#]:AMPLitude[:VOLTage]", "function_v", 0.5, 0, 1.5, "V"),
    number("FGEN[:CHANnel#]:OFFSet", "function_offset_v", 0.0, -2, 2, "V"),
    number("FGEN[:CHANnel#]:FREQuency", "function_hz", 1.2e6, 1, 1.25e9, "HZ"),
    number("FGEN[:CHANnel#]:DCLevel", "function_dc_v", 0.0, -2, 2, "V"),
    number("FGEN[:CHANnel#]:PHASe", "function_phase_deg", 0.0, -180, 180, "DEG"),
    number("FGEN[:CHANnel#]:SYMMetry", "function_symmetry", 100.0, 0, 100),
    choice(
        "FGEN[:CHANnel#]:TYPE",
        "function_type",
        ("SINE", "SQUare", "TRIangle", "NOISe", "DC", "GAUSsian", "EXPRise", "EXPDecay", "NONE"),
    ),
    choice("FGEN[:CHANnel#]:PATH", "function_path", ("DCHB", "DCHV", "DIRECT", "AC")),
)

# What a channel shares with the others it is coupled to (INSTrument:COUPle:SOURce).
COUPLED = frozenset(
    {"amplitude_v", "offset_v", "path", "resolution_bits", "interpolated", "dac_mode", "bias_v", "bias"}
    | {"wait_value", "stop_value"}
)
