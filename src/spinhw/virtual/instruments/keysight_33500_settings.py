"""The plain settings of the 33500 and 33600 generators: those that need no more than to be kept.

After "Keysight Trueform Series Operating and Service Guide" (33500-90901 and 33600-90901), chapter "SCPI Programming
Reference"; values after a reset as a 33600A answers them.
"""

from spinhw.virtual.scpi import Command, accept, choice, number, switch

# What can be modulated, with the name of its strength.
MODULATIONS = {
    "am": "am_depth",
    "fm": "fm_deviation_hz",
    "pm": "pm_deviation_deg",
    "pwm": "pwm_deviation_percent",
    "bpsk": "bpsk_phase_deg",
    "fsk": "fsk_hop_hz",
    "sum": "sum_percent",
}

MODULATION: tuple[Command, ...] = (
    switch("[SOURce#:]AM:STATe", "am"),
    number("[SOURce#:]AM[:DEPTh]", "am_depth", 100.0, 0, 120),
    switch("[SOURce#:]FM:STATe", "fm"),
    number("[SOURce#:]FM[:DEViation]", "fm_deviation_hz", 100.0, 1e-6, 60e6, "HZ"),
    switch("[SOURce#:]PM:STATe", "pm"),
    number("[SOURce#:]PM[:DEViation]", "pm_deviation_deg", 180.0, 0, 360, "DEG"),
    switch("[SOURce#:]PWM:STATe", "pwm"),
    number("[SOURce#:]PWM[:DEViation]:DCYCle", "pwm_deviation_percent", 1.0, 0, 100),
    switch("[SOURce#:]BPSK:STATe", "bpsk"),
    number("[SOURce#:]BPSK[:PHASe]", "bpsk_phase_deg", 180.0, 0, 360, "DEG"),
    switch("[SOURce#:]FSKey:STATe", "fsk"),
    number("[SOURce#:]FSKey:FREQuency", "fsk_hop_hz", 100.0, 1e-6, 120e6, "HZ"),
    switch("[SOURce#:]SUM:STATe", "sum"),
    number("[SOURce#:]SUM:AMPLitude", "sum_percent", 0.1, 0, 100),
)

SWEEP: tuple[Command, ...] = (
    choice("[SOURce#:]FREQuency:MODE", "frequency_mode", ("CW", "LIST", "SWEep", "FIXed")),
    switch("[SOURce#:]SWEep:STATe", "sweep"),
    number("[SOURce#:]FREQuency:STARt", "sweep_start_hz", 100.0, 1e-6, 120e6, "HZ"),
    number("[SOURce#:]FREQuency:STOP", "sweep_stop_hz", 1e3, 1e-6, 120e6, "HZ"),
    number("[SOURce#:]SWEep:TIME", "sweep_s", 1.0, 1e-3, 250e3, "S"),
)

BURST: tuple[Command, ...] = (
    switch("[SOURce#:]BURSt:STATe", "burst"),
    choice("[SOURce#:]BURSt:MODE", "burst_mode", ("TRIGgered", "GATed")),
    number("[SOURce#:]BURSt:NCYCles", "cycles", 1, 1, 1e8),
    number("[SOURce#:]BURSt:PHASe", "burst_phase_deg", 0.0, -360, 360, "DEG"),
    number("[SOURce#:]BURSt:INTernal:PERiod", "burst_period_s", 10e-3, 1e-6, 8e3, "S"),
    choice("[SOURce#:]BURSt:GATE:POLarity", "gate_polarity", ("NORMal", "INVerted")),
)

TRIGGER: tuple[Command, ...] = (
    choice("TRIGger#:SOURce", "trigger_source", ("IMMediate", "EXTernal", "TIMer", "BUS")),
    choice("TRIGger#:SLOPe", "trigger_slope", ("POSitive", "NEGative")),
    number("TRIGger#:COUNt", "trigger_count", 1, 1, 1e6, whole=True),
    number("TRIGger#:DELay", "trigger_delay_s", 0.0, 0, 1000, "S"),
    number("TRIGger#:TIMer", "trigger_timer_s", 1.0, 1e-6, 8000, "S"),
    choice("[SOURce#:]ROSCillator:SOURce", "reference", ("INTernal", "EXTernal")),
)

# Of the connectors for synchronisation; the bench has one trigger line, whatever they say.
SYNC: tuple[Command, ...] = (
    choice("OUTPut:SYNC:SOURce", "sync_source", ("CH1", "CH2")),
    choice("OUTPut#:SYNC:MODE", "sync_mode", ("NORMal", "CARRier", "MARKer")),
    choice("OUTPut#:SYNC:POLarity", "sync_polarity", ("NORMal", "INVerted")),
    switch("OUTPut:SYNC[:STATe]", "sync", True),
    switch("OUTPut:TRIGger[:STATe]", "trigger_out"),
    choice("OUTPut:TRIGger:SLOPe", "trigger_out_slope", ("POSitive", "NEGative")),
    choice("OUTPut:TRIGger:SOURce", "trigger_out_source", ("CH1", "CH2")),
    number("[SOURce#:]MARKer:POINt", "marker_point", 10, 4, 64e6, whole=True),
)

SHAPE: tuple[Command, ...] = (
    number("[SOURce#:]FREQuency[:CW|FIXed]", "frequency_hz", 1e3, 1e-6, 120e6, "HZ"),
    number("[SOURce#:]PHASe[:ADJust]", "phase_deg", 0.0, -360, 360, "DEG"),
    accept("[SOURce#:]PHASe:SYNChronize"),
    choice("[SOURce#:]FUNCtion:ARBitrary:FILTer", "arb_filter", ("NORMal", "STEP", "OFF"), "STEP"),
    choice("[SOURce#:]FUNCtion:ARBitrary:ADVance", "arb_advance", ("TRIGger", "SRATe"), "SRATe"),
    accept("[SOURce#:]FUNCtion:ARBitrary:SYNChronize"),
    number("[SOURce#:]FUNCtion:SQUare:DCYCle", "duty_percent", 50.0, 0.01, 99.99),
    number("[SOURce#:]FUNCtion:PULSe:DCYCle", "duty_percent", 50.0, 0.01, 99.99),
    number("[SOURce#:]FUNCtion:RAMP:SYMMetry", "symmetry_percent", 100.0, 0, 100),
    number("[SOURce#:]FUNCtion:PULSe:PERiod", "pulse_period_s", 1e-3, 30e-9, 1e6, "S"),
    number("[SOURce#:]FUNCtion:PULSe:WIDTh", "pulse_width_s", 1e-4, 4e-9, 1e6, "S"),
    number("[SOURce#:]FUNCtion:PULSe:TRANsition[:BOTH]", "pulse_edge_s", 10e-9, 2.9e-9, 1e-6, "S"),
    choice("[SOURce#:]FUNCtion:PULSe:HOLD", "pulse_hold", ("WIDTh", "DCYCle")),
)

# Between the two channels.
COUPLING: tuple[Command, ...] = (
    choice("[SOURce#:]TRACk", "track", ("OFF", "ON", "INVerted")),
    choice("[SOURce#:]COMBine:FEED", "combined", ("NONE", "CH1", "CH2")),
    switch("[SOURce#:]VOLTage[:LEVel][:IMMediate]:COUPle[:STATe]", "levels_coupled"),
    switch("[SOURce#:]FREQuency:COUPle[:STATe]", "frequencies_coupled"),
    switch("[SOURce#:]RATE:COUPle[:STATe]", "rates_coupled"),
)

# Settings that a coupling takes over to the other channel, by the coupling.
COUPLED = {
    "levels_coupled": frozenset({"amplitude_v", "offset_v"}),
    "frequencies_coupled": frozenset({"frequency_hz", "arb_rate_hz"}),
    "rates_coupled": frozenset({"arb_rate_hz"}),
}
# What tracking leaves alone: the switch of each output, and what is between the channels.
UNTRACKED = frozenset({"on", "track", "combined", "polarity", *COUPLED})
