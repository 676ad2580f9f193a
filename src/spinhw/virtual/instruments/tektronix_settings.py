"""Settings of Tektronix MSO and DPO oscilloscopes: their headers, values after *RST, and bounds; sources as there."""

from spinhw.virtual.scpi import Command, accept, choice, constant, number, switch

_EDGES = ("CH1", "CH2", "CH3", "CH4", "AUXiliary", "AUX", "LINE")

ACQUISITION = (
    choice("ACQuire:STOPAfter", "stop_after", ("RUNSTop", "SEQuence")),
    choice("ACQuire:MODe", "kind", ("SAMple", "AVErage", "HIRes", "PEAKdetect", "ENVelope", "WFMDB")),
    number("ACQuire:NUMAVg", "average_count", 16, 2, 10000, whole=True),
)

CHANNELS = (
    number("CH#:SCAle", "scale_v", 0.1, 1e-3, 10, "V"),
    number("CH#:OFFSet", "offset_v", 0.0, -100, 100, "V"),
    number("CH#:POSition", "position_div", 0.0, -8, 8),
    choice("CH#:COUPling", "coupling", ("DC", "AC", "GND", "DCREJect")),
    number("CH#:TERmination", "termination_ohm", 1e6, 50, 1e6),
    number("CH#:DESKew", "skew_s", 0.0, -75e-9, 75e-9, "S"),
    number("CH#:THRESHold", "threshold_v", 0.0, -100, 100, "V"),
    number("CH#:VTERm:BIAS", "bias_v", 0.0, -5, 5, "V"),
    number("CH#:PROBEFunc:EXTAtten", "attenuation", 1.0, 1e-10, 1e10),
    switch("CH#:INVert", "invert"),
    switch("SELect:CH#", "shown", True),
    switch("DISplay:GLObal:CH#:STATE", "shown", True),
)

HORIZONTAL = (
    number("HORizontal:MODE:RECOrdlength", "record", 1000, 100, 62.5e6, whole=True),
    number("HORizontal:RECOrdlength", "record", 1000, 100, 62.5e6, whole=True),
    number("HORizontal:MODE:SAMPLERate", "rate_hz", 1e9, 1, 10e9, "S/S"),
    number("HORizontal:SAMPLERate", "rate_hz", 1e9, 1, 10e9, "S/S"),
    choice("HORizontal:MODE", "horizontal_mode", ("AUTO", "CONStant", "MANual")),
    number("HORizontal[:MAIn]:POSition", "position_percent", 50.0, 0, 100),
    switch("HORizontal[:MAIn]:DELay:MODe", "delay_on"),
    number("HORizontal[:MAIn]:DELay:TIMe", "delay_s", 0.0, -10, 10, "S"),
    constant("HORizontal:MAIn:UNIts", '"s"'),
    choice("HORizontal:MODE:MANual:CONFIGure", "manual_kind", ("HORIZontalscale", "RECORDLength")),
    choice("HORizontal:ROLL", "roll", ("AUTO", "ON", "OFF")),
    switch("HORizontal:FASTframe:STATE", "fast_frame"),
    number("HORizontal:FASTframe:COUNt", "frames", 2, 2, 10000, whole=True),
    choice("ROSc:SOUrce", "reference_clock", ("INTERnal", "EXTernal", "TRACking", "TEKLink")),
)

TRIGGER = (
    choice("TRIGger:A|B:TYPE", "trigger_type", ("EDGE", "LOGIc", "PULSe", "VIDeo")),
    choice("TRIGger:A:MODe", "trigger_mode", ("AUTO", "NORMal")),
    choice("TRIGger:A|B:EDGE:SOUrce", "trigger_source", _EDGES),
    choice("TRIGger:A|B:EDGE:SLOpe", "trigger_slope", ("RISe", "FALL", "EITher")),
    choice("TRIGger:A|B:EDGE:COUPling", "trigger_coupling", ("DC", "AC", "HFRej", "LFRej", "NOISErej", "ATRIGger")),
    number("TRIGger:A|B:LEVel", "trigger_level_v", 0.0, -100, 100, "V"),
    number("TRIGger:A:LEVel:CH#", "trigger_level_v", 0.0, -100, 100, "V"),
    number("TRIGger:AUXLevel", "aux_level_v", 1.4, -5, 5, "V"),
    switch("TRIGger:B:STATE", "second_trigger"),
)

TRANSFER = (
    number("DATa:STARt", "start", 1, 1, 1e9, whole=True),
    number("DATa:STOP", "stop", 1000, 1, 1e9, whole=True),
    number("DATa:WIDth", "width", 1, 1, 2, whole=True),
    number("WFMOutpre:BYT_Nr", "width", 1, 1, 2, whole=True),
    choice("WFMOutpre:BYT_Or", "order", ("MSB", "LSB")),
    choice("WFMOutpre:BN_Fmt", "sign", ("RI", "RP")),
    number("DATa:RESample", "every", 1, 1, 1e6, whole=True),
    number("WFMOutpre:RESample", "every", 1, 1, 1e6, whole=True),
    switch("HEADer", "header_on", True),
    switch("VERBose", "verbose", True),
)

COMMON = (
    *ACQUISITION,
    *CHANNELS,
    *HORIZONTAL,
    *TRIGGER,
    *TRANSFER,
    constant("WFMOutpre:XUNit", '"s"'),
    constant("WFMOutpre:YUNit", '"V"'),
    constant("WFMOutpre:PT_Fmt", "Y"),
    accept("CLEARMenu"),
    accept("AUTOSet"),
    constant("ALLEv", '0,"No events to report - queue empty"'),
)

# What the 5 and 6 series have of their own; their generator is there with a licence only, and this one has it.
MSO: tuple[Command, ...] = (
    switch("ACQuire:FASTAcq:STATE", "fast"),
    number("ACQuire:SEQuence:NUMSEQuence", "sequence", 1, 1, 1e6, whole=True),
    choice("AUXout:SOUrce", "aux_out", ("ATRIGger", "REFOUT", "AFG")),
    switch("AFG:OUTPut:STATE", "generator_on"),
    choice("AFG:OUTPut:LOAd:IMPEDance", "generator_load", ("HIGHZ", "FIFty")),
    choice("AFG:FUNCtion", "generator_function", ("SINE", "SQUare", "PULSe", "RAMP", "NOISe", "DC")),
    number("AFG:FREQuency", "generator_hz", 1e5, 0.1, 50e6, "HZ"),
    number("AFG:AMPLitude", "generator_v", 0.5, 10e-3, 10, "V"),
    number("AFG:OFFSet", "generator_offset_v", 0.0, -5, 5, "V"),
)

# And what the families before have.
DPO: tuple[Command, ...] = (
    switch("FASTAcq:STATE", "fast"),
    choice("ACQuire:SAMPlingmode", "sampling", ("RT", "ET", "IT")),
    choice("AUXout:SOUrce", "aux_out", ("ATRIGger", "BTRIGger", "DELayed", "EVENT", "REFOUT")),
)
