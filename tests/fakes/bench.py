"""A small virtual bench for tests, and a way to talk to its instruments without any door."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from spinhw.config import build
from spinhw.virtual import Bench, BenchSettings

SMALL_NETWORK = {"layers": [4, 3], "outputs": 2}
# 4 * 1 + 3 * 4 + 4 * 4 + 3 * 3 weights, 7 biases, 2 * 3 read-out weights.
ADDRESSES = 54
# Scopes come up with inputs of 1 Mohm.
FIFTY_OHMS = [";".join(f":CHAN{one}:IMP FIFT" for one in range(1, 5))]
BANK: dict[str, Any] = {
    "id": "bank",
    "network": {"layers": [2]},
    "chip": {"spread": {"gamma": 0.1, "sigma": 0.1, "q": 0.1}},
    "conversion": {"threshold": "5 mA", "power": "100 mV"},
    "instruments": {
        "awg": {"model": "keysight-33600"},
        "scope": {"model": "keysight-infiniivision", "power_on": FIFTY_OHMS},
        "bias": {"model": "keithley-2400"},
    },
    "wiring": {"kind": "oscillators", "drives": ["awg:1", "awg:2"], "amperes_per_volt": 0.01, "bias": "bias"},
    "probes": [{"signal": "power", "to": "scope:1"}],
}


def bench(**changes: Any) -> Bench:
    """Make a bench with a small network; two channels of a generator are input and gate."""
    data: dict[str, Any] = {
        "id": "small",
        "network": SMALL_NETWORK,
        "chip": {"spread": {"gamma": 0.1, "sigma": 0.1, "q": 0.1}, "synapses": {"limit": 4.0}},
        "conversion": {"input": "50 mV", "weight": "500 mV", "bias": "500 mV", "power": "100 mV", "output": "50 mV"},
        "instruments": {
            "awg": {"model": "keysight-33600"},
            "scope": {"model": "keysight-infiniivision", "power_on": FIFTY_OHMS},
            "synapses": {"model": "synapse-controller", "outputs": ADDRESSES},
        },
        "wiring": {
            "kind": "chip",
            "inputs": ["awg:1"],
            "controller": "synapses",
            "gate": {"kind": "channel", "source": "awg:2"},
        },
        "probes": [
            {"signal": "power", "numbers": [0, 5], "to": "scope:1"},
            {"signal": "filtered", "numbers": [6], "to": "scope:3"},
            {"signal": "output", "numbers": [1], "to": "scope:4"},
        ],
    }
    return Bench(build(BenchSettings, data | changes, "test"))


def bank(**changes: Any) -> Bench:
    """Make a bench with two oscillators."""
    return Bench(build(BenchSettings, BANK | changes, "test"))


def say(bench: Bench, name: str, message: str | bytes) -> bytes:
    """Send a message to an instrument and give what it answers."""
    replies: list[bytes] = []
    data = message.encode("latin-1") if isinstance(message, str) else message
    bench.instruments[name].execute(data, replies.append)
    return b"".join(replies)


def read_block(reply: bytes, dtype: str) -> np.ndarray:
    """Read a reply that is a block and a line feed."""
    digits = int(reply[1:2])
    data = reply[2 + digits : -1]
    assert len(data) == int(reply[2 : 2 + digits])
    return np.frombuffer(data, dtype)


def play(bench: Bench, waves: Mapping[int, np.ndarray], rate_hz: float = 1e9, full_v: float = 1.0) -> dict[int, Any]:
    """Load waves in volts, by channel, into the generator, ready for a software trigger; give what it will play."""
    from spinhw.virtual.scpi import block

    for channel, volts in waves.items():
        codes = np.rint(volts / full_v * 32767).astype("<i2")
        amplitude_v = max(float(np.ptp(volts)), 1e-3)  # An amplitude is the span of the waveform's own points.
        say(bench, "awg", f"FORM:BORD SWAP;:SOUR{channel}:DATA:VOL:CLE")
        say(bench, "awg", f"SOUR{channel}:DATA:ARB:DAC wave,".encode() + block(codes.tobytes()))
        say(
            bench,
            "awg",
            f":SOUR{channel}:FUNC:ARB wave;:SOUR{channel}:FUNC ARB;:SOUR{channel}:FUNC:ARB:FILT OFF;SRAT {rate_hz};"
            f":SOUR{channel}:VOLT {amplitude_v};:SOUR{channel}:BURS:NCYC 1;:SOUR{channel}:BURS:STAT 1;"
            f":TRIG{channel}:SOUR BUS;:OUTP{channel} 1",
        )
    assert say(bench, "awg", "SYST:ERR?") == b'+0,"No error"\n'
    return bench.instruments["awg"].played(external=False)


def arm(bench: Bench, span_s: float, rate_hz: float, range_v: float = 0.2, offset_v: float = 0.05) -> None:
    """Arm the scope for a record that begins at the trigger."""
    for channel in range(1, 5):
        say(bench, "scope", f":CHAN{channel}:RANG {range_v};:CHAN{channel}:OFFS {offset_v};:CHAN{channel}:DISP 1")
    say(bench, "scope", f":TIM:REF CENT;:TIM:RANG {span_s};:TIM:POS {span_s / 2};:ACQ:SRAT {rate_hz}")
    say(bench, "scope", ":TRIG:SWE NORM;:TRIG:EDGE:SOUR EXT;:SING")
    assert say(bench, "scope", "SYST:ERR?") == b'+0,"No error"\n'


def record(bench: Bench, channel: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Read a channel of the scope: volts, seconds after the trigger, and one step of its converter in volts."""
    say(bench, "scope", f":WAV:SOUR CHAN{channel};:WAV:FORM WORD;:WAV:BYT LSBF;:WAV:UNS 1;:WAV:POIN MAX")
    numbers = [float(part) for part in say(bench, "scope", ":WAV:PRE?").split(b",")]
    codes = read_block(say(bench, "scope", ":WAV:DATA?"), "<u2").astype(float)
    times = numbers[5] + np.arange(len(codes)) * numbers[4]
    return (codes - numbers[9]) * numbers[7] + numbers[8], times, numbers[7] * 256
