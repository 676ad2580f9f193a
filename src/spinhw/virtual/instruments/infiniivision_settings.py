"""Settings of Keysight InfiniiVision oscilloscopes: their headers, values after *RST, and bounds; sources as there."""

from typing import Any

from spinhw.virtual.scpi import Call, Command, accept, ask, both, choice, do, number, switch

_GENERATED = ("SINusoid", "SQUare", "RAMP", "PULSe", "NOISe", "DC")


def _scaled(header: str, name: str, divisions: int, highest: float, unit: str) -> Command:
    """Make a setting that is told for a division, and kept for the screen."""

    def write(scope: Any, call: Call) -> None:
        scope.store(name, call.channel, divisions * call.args.number(0, unit, 1e-10, highest))

    return both(header, write, lambda scope, call: scope.get(name, call.channel) / divisions)


ACQUISITION = (
    choice("ACQuire:TYPE", "kind", ("NORMal", "AVERage", "HRESolution", "PEAK")),
    number("ACQuire:COUNt", "count", 8, 1, 65536, whole=True),
    choice("ACQuire:MODE", "mode", ("RTIMe", "SEGMented")),
    number("ACQuire:SEGMented:COUNt", "segments", 2, 2, 1000, whole=True),
    number("ACQuire:SEGMented:INDex", "segment", 1, 1, 1000, whole=True),
)

CHANNELS = (
    number("CHANnel#:RANGe", "range_v", 40.0, 8e-3, 40, "V"),
    _scaled("CHANnel#:SCALe", "range_v", 8, 5, "V"),
    number("CHANnel#:OFFSet", "offset_v", 0.0, -20, 20, "V"),
    switch("CHANnel#:DISPlay", "display", True),
    choice("CHANnel#:COUPling", "coupling", ("DC", "AC")),
    choice("CHANnel#:IMPedance", "impedance", ("ONEMeg", "FIFTy")),
    choice("CHANnel#:INPut", "input", ("DC", "DC50", "DCFifty", "LFR1", "LFR2")),
    switch("CHANnel#:BWLimit", "bandwidth_limit"),
    switch("CHANnel#:INVert", "invert"),
    number("CHANnel#:PROBe", "probe", 1.0, 0.1, 1e4),
    number("CHANnel#:PROBe:SKEW", "skew_s", 0.0, -1e-7, 1e-7, "S"),
    choice("CHANnel#:UNITs", "unit", ("VOLT", "AMPere")),
    ask("CHANnel#:PROTection", lambda self, call: self.protection(call.channel)),
    do("CHANnel#:PROTection:CLEar", lambda self, call: self.clear_protection()),
)

TIMEBASE = (
    number("TIMebase:RANGe", "range_s", 1e-3, 1e-9, 500, "S"),
    _scaled("TIMebase:SCALe", "range_s", 10, 50, "S"),
    number("TIMebase:POSition|DELay", "position_s", 0.0, -500, 500, "S"),
    choice("TIMebase:REFerence", "reference", ("CENTer", "LEFT", "RIGHt")),
    choice("TIMebase:MODE", "timebase", ("MAIN", "WINDow", "XY", "ROLL")),
    switch("TIMebase:REFClock", "reference_clock"),
)

TRIGGER = (
    choice("TRIGger:MODE", "trigger_mode", ("EDGE", "GLITch", "PATTern", "TV")),
    choice("TRIGger:SWEep", "sweep", ("AUTO", "NORMal")),
    choice(
        "TRIGger[:EDGE]:SOURce",
        "trigger_source",
        ("CHANnel1", "CHANnel2", "CHANnel3", "CHANnel4", "EXTernal", "LINE", "WGEN"),
    ),
    number("TRIGger[:EDGE]:LEVel", "trigger_level_v", 0.0, -20, 20, "V"),
    choice("TRIGger[:EDGE]:SLOPe", "trigger_slope", ("POSitive", "NEGative", "EITHer", "ALTernate")),
    choice("TRIGger[:EDGE]:COUPling", "trigger_coupling", ("DC", "AC", "LFReject")),
    choice("TRIGger[:EDGE]:REJect", "trigger_reject", ("OFF", "LFReject", "HFReject")),
    switch("TRIGger:HFReject", "trigger_slowed"),
    switch("TRIGger:NREJect", "noise_reject"),
    number("TRIGger:HOLDoff", "holdoff_s", 40e-9, 40e-9, 10, "S"),
    switch("TRIGger:ZONE:STATe", "zone"),
    number("EXTernal:RANGe", "external_range_v", 8.0, 1.6, 8, "V"),
    number("EXTernal:PROBe", "external_probe", 1.0, 0.1, 1e4),
    choice("EXTernal:UNITs", "external_unit", ("VOLT", "AMPere")),
)

WAVEFORM = (
    choice("WAVeform:FORMat", "format", ("BYTE", "WORD", "ASCii")),
    choice("WAVeform:BYTeorder", "byte_order", ("MSBFirst", "LSBFirst")),
    switch("WAVeform:UNSigned", "unsigned", True),
    switch("WAVeform:STReaming", "streaming"),
    choice("WAVeform:VIEW", "view", ("MAIN", "ALL")),
    choice("WAVeform:POINts:MODE", "points_mode", ("NORMal", "MAXimum", "RAW")),
)

# Both generators of the 4000 series. Their output and its setting are there with a licence only; this one has it.
GENERATOR = (
    switch("WGEN#:OUTPut", "generator_on"),
    choice("WGEN#:OUTPut:LOAD", "generator_load", ("ONEMeg", "FIFTy")),
    choice("WGEN#:OUTPut:POLarity", "generator_polarity", ("NORMal", "INVerted")),
    choice("WGEN#:FUNCtion", "generator_function", _GENERATED),
    number("WGEN#:FREQuency", "generator_hz", 1e3, 0.1, 20e6, "HZ"),
    number("WGEN#:VOLTage", "generator_v", 0.5, 10e-3, 10, "V"),
    number("WGEN#:VOLTage:OFFSet", "generator_offset_v", 0.0, -5, 5, "V"),
)

SETTINGS = (
    *ACQUISITION,
    *CHANNELS,
    *TIMEBASE,
    *TRIGGER,
    *WAVEFORM,
    *GENERATOR,
    accept("SYSTem:HEADer"),
    accept("SYSTem:LONGform"),
)
