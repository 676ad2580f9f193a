"""Any legal state of a virtual instrument, as the messages by which somebody leaves it, drawn from its own tables."""

import math
import re
from functools import cache

import numpy as np

from spinhw.virtual.instruments import MODELS
from spinhw.virtual.scpi import Command, block

_OPTIONAL = re.compile(r"\[[^\[\]#]*\]")
_WAVE = np.array([0.0, 1.0, -1.0, 0.5, 0.25, -0.5, 0.0, 0.75], ">f4")
_ARB = b"SOUR%d:DATA:ARB it," + block(_WAVE.tobytes())
_FAST = b'WLIS:WAV:NEW "it",8;:WLIS:WAV:DATA "it",0,8,' + block(_WAVE.astype("<f4").tobytes())

# What switches an output on: it is drawn apart, since most sessions must begin with everything off.
SWITCHES = re.compile(
    r"^(OUTPut\d?|LFOutput\d?|SOURce\d?:IQ:OUTPut|SOURce\d?:FREQuency:LOSCillator:OUTPut)(:STATe)? 1$"
)
# What tables do not hold: levels in units, modes that are armed, waveforms, crosspoints, what is staged on a board.
MORE: dict[str, tuple[bytes, ...]] = {
    "keithley-2400": (
        b"SENS:FUNC 'VOLT'",
        b"SENS:FUNC 'RES'",
        b"SENS:FUNC:OFF:ALL",
        b"SENS:FUNC:ALL",
        b"FORM:ELEM CURR",
        b"ARM:COUN INF",
        b"ARM:COUN 3",
        b"SOUR:LIST:CURR 1E-3,0.1",
        b"SOUR:VOLT 5",
        b"SOUR:CURR 5E-3",
        b"SOUR:CURR:TRIG 0.05",
        b"SENS:VOLT:PROT 20",
    ),
    "keithley-6221": (
        b"SOUR:SWE:ARM",
        b"SOUR:DELT:ARM",
        b"SOUR:PDEL:ARM",
        b"SOUR:DCON:ARM",
        b"SOUR:WAVE:ARM",
        b"SOUR:WAVE:DUR:TIME INF",
        b"SOUR:WAVE:DUR:CYCL 3",
        b"SOUR:WAVE:ARB:DATA 0,1,-1;:SOUR:WAVE:ARB:COPY 1",
        b"SOUR:CURR 1E-3",
        b"SOUR:CURR -0.02",
    ),
    "synapse-controller": (
        b"SYN:LIM -1,1",
        b"SYN:LIM -2,2",
        b"SYN:DATA 0," + block(np.full(8, 0.9, ">f4").tobytes()) + b";:SYN:APPL",
        b"SYN:DATA 4," + block(np.full(4, -2.4, ">f4").tobytes()),
        b"SYN:DATA 0," + block(np.full(8, 2.3, ">f4").tobytes()) + b";:SYN:APPL",
    ),
    "keithley-3706a": (
        b"channel.connectrule = channel.MAKE_BEFORE_BREAK",
        b"channel.connectrule = channel.OFF",
        b"channel.connectsequential = channel.ON",
        b'channel.setbackplane("1101,1102", "1911,1912")',
        b"scan.background()",
        b"nonsense.here()",
    ),
    "tektronix-awg5200": (
        _FAST,
        b'SOUR1:WAV "it"',
        b'SOUR2:WAV "it"',
        b'SOUR7:WAV "it"',
        b"AWGC:RUN",
        b"AWGC:STOP",
        b"TRIG:LEV -1,ATR",
        b"TRIG:SLOP NEG,ATR",
        b"TRIG:LEV 4,BTR",
        b'WLIS:WAV:AMPL "it",0.7;:WLIS:WAV:OFFS "it",0.3;:AWGC:ARS 1',
        b'WLIS:WAV:NEW "spinhw1",9000',
    ),
}
_LEVELS = (
    b"VOLT 5 VPP",
    b"VOLT 0.3 VRMS",
    b"VOLT -10 DBM",
    b"VOLT:HIGH 2",
    b"VOLT:LOW -1",
    b"VOLT:UNIT VRMS",
    b"VOLT:UNIT DBM",
)
_LEVELS += (b"VOLT:OFFS 1", b"FUNC:ARB it", b"FUNC:ARB:PTP 1")
for _model in ("keysight-33500", "keysight-33600"):
    MORE[_model] = tuple(b"SOUR%d:%s" % (one, text) for one in (1, 2) for text in _LEVELS)
    MORE[_model] += tuple(b"OUTP%d:LOAD %s" % (one, ohm) for one in (1, 2) for ohm in (b"INF", b"50", b"1000", b"1"))
    MORE[_model] += (_ARB % 1, _ARB % 2, b"INIT1", b"*TRG")
for _model in ("rohde-schwarz-smb100a", "rohde-schwarz-sgs100a", "rohde-schwarz-smw200a", "keysight-n5173b"):
    MORE[_model] = tuple(b"POW %s" % one for one in (b"-20DBM", b"10DBM", b"-3", b"MIN")) + (b"FREQ 2.5E9", b"FREQ 5E8")
    MORE[_model] += (b"POW:POW -5",)
# How outputs are switched on, and crosspoints closed.
ON: dict[str, tuple[bytes, ...]] = {
    "keithley-2400": (b"OUTP 1",),
    "keithley-6221": (b"OUTP 1", b"SOUR:WAVE:INIT", b"INIT"),
    "keysight-33500": (b"OUTP1 1", b"OUTP2 1"),
    "keysight-33600": (b"OUTP1 1", b"OUTP2 1"),
    "tektronix-awg5200": tuple(b"OUTP%d 1" % one for one in range(1, 9)),
    "rohde-schwarz-smb100a": (b"OUTP 1", b"SOUR:LFO 1"),
    "rohde-schwarz-sgs100a": (b"OUTP 1",),
    "rohde-schwarz-smw200a": (
        b"OUTP1 1",
        b"SOUR:LFO1 1",
        b"SOUR:LFO2 1",
        b"SOUR1:IQ:OUTP 1",
        b"SOUR2:IQ:OUTP 1",
        b"FREQ:LOSC:OUTP:STAT 1",
    ),
    "keysight-n5173b": (b"OUTP 1", b"SOUR:LFO:STAT 1"),
    "synapse-controller": (b"OUTP 1",),
    "keithley-3706a": (b'channel.close("1101")', b'channel.close("2208")'),
}
SOURCES = tuple(ON)
# What a profile says that it leaves as it was found, since a unit may not have it: N5173B, held step attenuator.
# No source multiplies by zero.
UNKNOWN = {"keysight-n5173b": (b"POWer:ATTenuation", b"FREQuency:MULTiplier 0")}


@cache
def messages(model: str) -> tuple[bytes, ...]:
    """List what may be written to a model: every word of every setting, and numbers over the span of each."""
    found = [b"NONSENSE"]
    kind = MODELS[model]
    for command in kind.commands:
        channels = range(1, kind.channels + 1) if "#" in command.header else (1,)
        found += [text.encode() for one in channels for text in _written(command, one) if not SWITCHES.match(text)]
    found = [one for one in found if not one.startswith(UNKNOWN.get(model, ()))]
    return (*found, *MORE.get(model, ()) * 3)  # What matters most is drawn more often.


def _written(command: Command, channel: int) -> list[str]:
    header = (
        command.header.replace("[SOURce#:]", "SOURce#:").replace("[:CHANnel#]", ":CHANnel#").replace("[SENSe#:]", "")
    )
    while (plain := _OPTIONAL.sub("", header)) != header:
        header = plain
    head = re.sub(r"(\w+)\|\w+", r"\1", header).replace("#", str(channel), 1).replace("#", "1")
    if command.words:
        return [f"{head} {word}" for word in command.words]
    if command.span is None or not all(map(math.isfinite, command.span)):
        return []
    return [f"{head} {value:.9g}" for value in _spread(*command.span)]


def _spread(low: float, high: float) -> list[float]:
    """Give both ends, and some of all orders of size in between."""
    shares = (0.0, 1e-6, 1e-3, 0.03, 0.3, 1.0)
    signed = [sign * share * high for share in shares for sign in (1, -1)]
    return sorted({low, high, *(one for one in signed if low <= one <= high)})
