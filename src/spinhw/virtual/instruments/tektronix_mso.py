"""Tektronix MSO and DPO oscilloscopes.

After "4/5/6 Series MSO Programmer Manual" (077-1305) and "MSO5000, DPO5000 Series Programmer Manual" (077-0010),
checked against QCoDeS' `DPO7200xx.py`. Answers have headers until they are switched off, as asked, not in full. Not
here: measurements, mathematics, references, cursors; what a trigger that is coupled through a capacitor, or rejects
noise, makes of pulses (nothing), and hold-off; 8 bits only.
"""

from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.oscilloscope import PULSE_S, PULSE_V, SLOWED_S, Oscilloscope, ScopeTrace
from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.instruments.scope_input import MEGOHM, SOURCE_OHM, ScopeInput, generated
from spinhw.virtual.instruments.tektronix_settings import COMMON, DPO, MSO
from spinhw.virtual.lab import Lab, Window
from spinhw.virtual.scpi import (
    Call,
    Command,
    ScpiError,
    ask,
    block,
    both,
    do,
)

_DIVISIONS = 10.24  # 25 codes for each of them.
_CODES_PER_DIVISION = 25
_FULL_HZ = 2e9  # Of both models.
_EQUIVALENT = 16  # Triggers from which equivalent time puts a record together.
_ENCODINGS = {
    "RIB": ("RI", "MSB"),
    "RPB": ("RP", "MSB"),
    "SRI": ("RI", "LSB"),
    "SRP": ("RP", "LSB"),
    "ASCI": ("RI", "MSB"),
}


class TektronixMSO(Oscilloscope):
    """The MSO58: eight channels, 6.25 GSa/s, 62.5 Mpts."""

    maker, model, firmware = "TEKTRONIX", "MSO58", "CF:91.1CT FV:2.0.3.950"
    serial_number = "C010001"
    no_error = '0,"No events to report - queue empty"'
    channels = 8
    answers_in_full = True
    suffers = frozenset({"clipped", "stuck", "overload"})  # Its format has no code for a missing sample.
    number_format = "{:.6E}"

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._source, self._overloads, self._first_seen = 1, 0, False
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._source, self._overloads, self._first_seen, self.answers_in_full = 1, 0, False, True

    def before(self, name: str, channel: int, value: Any) -> None:
        if name == "coupling" and value == "AC" and self.get("termination_ohm", channel) == SOURCE_OHM:
            raise ScpiError(-221)

    def after(self, name: str, channel: int) -> None:
        if name == "verbose":
            self.answers_in_full = bool(self.get("verbose"))
        if name == "termination_ohm" and self.get("termination_ohm", channel) == SOURCE_OHM:
            self._values["coupling", channel] = "DC"

    def _unit(self, unit: bytes, job: Any) -> bytes | None:
        answer = super()._unit(unit, job)
        if answer is None or unit.startswith((b"*", b":*")) or not self.get("header_on"):
            return answer
        return b":%s %s" % (unit.split(b"?")[0].lstrip(b":").upper(), answer)

    def at_connectors(self) -> dict[str, Level]:
        level = Level()
        if self.get("generator_on"):
            level = generated(
                self.get("generator_v"),
                self.get("generator_offset_v"),
                SOURCE_OHM if self.get("generator_load") == "FIF" else MEGOHM,
                self.lab.load_ohm(self, 1),
                steady=self.get("generator_function") == "DC",
            )
        return {"generator": level, "aux": level if self.get("aux_out") == "AFG" else Level()}

    # Acquisition

    def input(self, channel: int) -> ScopeInput:
        bandwidth_hz = self.get("bandwidth_hz", channel)
        return ScopeInput(
            ohm=self.get("termination_ohm", channel),
            coupling={"DCREJ": "AC"}.get(self.get("coupling", channel), self.get("coupling", channel)),
            bandwidth_hz=bandwidth_hz if bandwidth_hz < _FULL_HZ else None,
            inverted=self.get("invert", channel),
            factor=self.get("attenuation", channel),
            bias_v=self.get("bias_v", channel),
            skew_s=self.get("skew_s", channel),
        )

    def set_bandwidth(self, call: Call) -> None:
        """Carry out CH<n>:BANdwidth: FULl, a word of the families before, or hertz."""
        words = {"FUL": _FULL_HZ, "FULL": _FULL_HZ, "TWE": 20e6, "TWENTY": 20e6, "TWO": 250e6, "TWOFIFTY": 250e6}
        word = call.args.word()
        self.store("bandwidth_hz", call.channel, words[word] if word in words else call.args.number(0, "HZ", 1e6, 1e12))

    def acquisition(self) -> str:
        return {"HIR": "smooth", "PEAK": "peak", "ENV": "peak"}.get(self.get("kind"), "sample")

    def triggers(self) -> int:
        return int(self.get("sequence"))

    def late_s(self) -> float | None:
        if self.get("trigger_source") not in {"AUX", "AUXILIARY"}:
            return 0.0
        self._first_seen = self.get("second_trigger") and not self._first_seen
        if self._first_seen or not 0 <= self.trigger_level_v() <= PULSE_V:
            return None  # With a second trigger it is the pulse after the one that it would take.
        falling = PULSE_S if self.get("trigger_slope") == "FALL" else 0.0
        return falling + (SLOWED_S if self.get("trigger_coupling") == "HFR" else 0.0)

    def trigger_level_v(self) -> float:
        """Give the level of the auxiliary input."""
        return float(self.get("aux_level_v"))

    def window(self) -> Window:
        points, rate = int(self.get("record")), self.get("rate_hz")
        before = 0.0 if self.get("delay_on") else self.get("position_percent") / 100 * points / rate
        start = self.get("delay_s") - (0.5 * points / rate) if self.get("delay_on") else -before
        return Window(start, 1 / rate, points)

    def vertical(self, channel: int) -> tuple[float, float]:
        scale = self.get("scale_v", channel)
        return self.get("offset_v", channel) - self.get("position_div", channel) * scale, scale * _DIVISIONS

    def shown(self) -> list[int]:
        return [channel for channel in range(1, self.channels + 1) if self.get("shown", channel)]

    def averages(self) -> int:
        return int(self.get("average_count")) if self.get("kind") == "AVE" else 1

    def segments(self) -> int:
        return int(self.get("frames")) if self.get("fast_frame") else 1

    def waits_for_trigger(self) -> bool:
        if self.get("roll") == "ON":
            return False
        return self.get("trigger_mode") == "NORM" or self.get("trigger_source") in {"AUX", "LINE"}

    def overload(self, channel: int) -> None:
        self._overloads |= 1 << (channel - 1)

    def set_state(self, call: Call) -> None:
        """Carry out ACQuire:STATE RUN|STOP|ON|OFF."""
        word = call.args.word()
        if word in {"RUN", "ON"} or (word not in {"STOP", "OFF"} and call.args.boolean()):
            # Fast acquisition goes on and on: it makes a picture, and no record.
            self.arm(single=self.get("stop_after") == "SEQ" and not self.get("fast"))
        else:
            self.stop()

    def trigger_state(self, call: Call) -> str:
        """Answer TRIGger:STATE?."""
        return "SAVE" if not self.armed else "READY"

    def force(self, call: Call) -> None:
        """Carry out TRIGger FORCe."""
        if call.args.choice(("FORCe",)) and self.armed:
            self.capture(self.lab.shot())

    def set_scale(self, call: Call) -> None:
        """Carry out HORizontal:MODE:SCAle: seconds for a tenth of the record; the rate stays."""
        seconds = call.args.number(0, "S", 1e-12, 1000)
        self.store("record", 1, max(100, round(10 * seconds * self.get("rate_hz"))))

    # Waveforms

    def set_source(self, call: Call) -> None:
        """Carry out DATa:SOUrce CH<n>; MATH and REF waveforms are accepted and empty."""
        word = call.args.word()
        kind, digits = word.rstrip("12345678"), word[len(word.rstrip("12345678")) :]
        if kind not in {"CH", "MATH", "REF"} or not digits:
            raise ScpiError(-224)
        self._values["source", 1] = word
        self._source = int(digits) if kind == "CH" else 0

    def _trace(self) -> ScopeTrace:
        trace = self.traces.get(self._source)
        if trace is None:
            raise ScpiError(2244, "Source waveform is not active")
        return trace

    def set_encoding(self, call: Call) -> None:
        """Carry out DATa:ENCdg."""
        word = call.args.choice(("RIBinary", "RPBinary", "SRIbinary", "SRPbinary", "ASCIi", "FAStest", "FPbinary"))
        word = {"FAS": "RIB", "FPB": "RIB"}.get(word, word)
        self._values["encoding", 1] = "ASCI" if word == "ASCI" else "BIN"
        self._values["sign", 1], self._values["order", 1] = _ENCODINGS[word]

    def get_encoding(self, call: Call) -> str:
        """Answer DATa:ENCdg?."""
        names = {form: name for name, form in _ENCODINGS.items() if name != "ASCI"}
        form = (self.get("sign"), self.get("order"))
        long_names = {"RIB": "RIBINARY", "RPB": "RPBINARY", "SRI": "SRIBINARY", "SRP": "SRPBINARY"}
        return "ASCII" if self.get("encoding") == "ASCI" else long_names[names[form]]

    def _codes(self) -> np.ndarray:
        trace = self._trace()
        codes = np.concatenate([*trace.segments, trace.codes]) if self.segments() > 1 else trace.codes
        return codes[int(self.get("start")) - 1 : int(self.get("stop")) : int(self.get("every"))]

    def points(self) -> int:
        """Answer WFMOutpre:NR_Pt?: points of the next transfer."""
        if self._source in self.traces:
            return len(self._codes())
        return int(min(self.get("stop"), self.get("record")) - self.get("start") + 1)

    def y_step(self) -> float:
        """Answer WFMOutpre:YMUlt?: volts for one code of this width."""
        scale = self.get("scale_v", self._source or 1) / _CODES_PER_DIVISION
        trace = self.traces.get(self._source)
        step = scale if trace is None else trace.step_v
        return float(step / 256 if self.get("width") == 2 else step)

    def y_zero(self) -> float:
        """Answer WFMOutpre:YZEro?: volts at the code that YOFf tells."""
        return float(self.get("offset_v", self._source or 1))

    def y_offset(self) -> float:
        """Answer WFMOutpre:YOFf?: code of YZEro; unsigned codes are shifted."""
        wide = 256 if self.get("width") == 2 else 1
        shift = 128 * wide if self.get("sign") == "RP" else 0
        return float(self.get("position_div", self._source or 1) * _CODES_PER_DIVISION * wide + shift)

    def curve(self, call: Call) -> bytes:
        """Answer CURVe?."""
        wide, unsigned = self.get("width") == 2, self.get("sign") == "RP"
        values = self._codes() * (256 if wide else 1) + (128 * (256 if wide else 1) if unsigned else 0)
        kind = ("u" if unsigned else "i") + ("2" if wide else "1")
        codes = np.rint(values).astype((">" if self.get("order") == "MSB" else "<") + kind)
        if self.get("encoding") == "ASCI":
            return ",".join(str(code) for code in codes.tolist()).encode()
        return block(codes.tobytes())

    def x_zero(self) -> float:
        """Answer WFMOutpre:XZEro?: time of the first sample."""
        trace = self.traces.get(self._source)
        return trace.window.start_s if trace is not None else self.window().start_s

    def preamble(self, call: Call) -> str:
        """Answer WFMOutpre?."""
        whole = (self.get("width"), 8 * self.get("width"), self.get("encoding"), self.get("sign"), self.get("order"))
        about = f"Ch{self._source}, DC coupling, {self.get('scale_v', self._source or 1):.3E} V/div"
        numbers = (1 / self.get("rate_hz"), self.x_zero(), 0, self.y_step(), self.y_offset(), self.y_zero())
        step, start, reference, y_step, y_offset, y_zero = numbers
        parts = [*map(str, whole), f'"{about}"', str(self.points()), "Y", '"s"', f"{step:.10E}", f"{start:.10E}"]
        return ";".join([*parts, str(reference), '"V"', f"{y_step:.6E}", f"{y_offset:.6E}", f"{y_zero:.6E}"])

    own: ClassVar[tuple[Command, ...]] = (
        both("ACQuire:STATE", set_state, lambda self, call: int(self.armed)),
        *COMMON,
        ask("ACQuire:NUMACq", lambda self, call: self.acquired),
        ask("BUSY", lambda self, call: int(self.busy)),
        both("CH#:BANdwidth", set_bandwidth, lambda self, call: self.get("bandwidth_hz", call.channel)),
        Command("DIAGnostic:BANDwidth", name="bandwidth_hz", reset=_FULL_HZ),
        ask("CH#:OVERload", lambda self, call: self._overloads >> (call.channel - 1) & 1),
        both(
            "HORizontal[:MODE]:SCAle",
            set_scale,
            lambda self, call: self.get("record") / self.get("rate_hz") / 10,
        ),
        ask("TRIGger:A|B:READY", lambda self, call: int(self.armed)),
        ask("TRIGger:STATE", trigger_state),
        do("TRIGger", force),
        both("DATa:SOUrce", set_source, lambda self, call: self.get("source")),
        Command("DIAGnostic:SOURce", name="source", reset="CH1"),
        both("DATa:ENCdg", set_encoding, get_encoding),
        both(
            "WFMOutpre:ENCdg",
            lambda self, call: self.store("encoding", 1, call.args.choice(("BINary", "ASCIi"))),
            lambda self, call: "ASCII" if self.get("encoding") == "ASCI" else "BINARY",
        ),
        Command("DIAGnostic:ENCDg", name="encoding", reset="BIN"),
        ask("WFMOutpre:NR_Pt", lambda self, call: self.points()),
        ask("WFMOutpre:XINcr", lambda self, call: self.get("every") / self.get("rate_hz")),
        ask("WFMOutpre:XZEro", lambda self, call: self.x_zero()),
        ask("WFMOutpre:YMUlt", lambda self, call: self.y_step()),
        ask("WFMOutpre:YOFf", lambda self, call: self.y_offset()),
        ask("WFMOutpre:YZEro", lambda self, call: self.y_zero()),
        ask("WFMOutpre", preamble),
        ask("CURVe", curve),
        ask("EVENT", lambda self, call: self.status.errors.pop()[0]),
        ask("EVMsg", lambda self, call: self.next_error()),
    )
    commands: ClassVar[tuple[Command, ...]] = (*own, *MSO)


class TektronixDPO(TektronixMSO):
    """The MSO5204B of the family before: four channels, 10 GSa/s."""

    model, firmware = "MSO5204B", "CF:91.1CT FV:10.8.0"
    channels = 4
    commands: ClassVar[tuple[Command, ...]] = (*TektronixMSO.own, *DPO)

    def at_connectors(self) -> dict[str, Level]:
        return {}

    def trigger_level_v(self) -> float:
        return float(self.get("trigger_level_v"))

    def triggers(self) -> int:
        return _EQUIVALENT if self.get("sampling") == "ET" else 1
