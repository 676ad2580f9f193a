"""Tektronix MSO and DPO oscilloscopes.

After "4/5/6 Series MSO Programmer Manual" (077-1305) and "MSO5000, DPO5000 Series Programmer Manual" (077-0010),
checked against QCoDeS' `DPO7200xx.py`. Headers in answers are off from the start, as every client sets them. Not here:
measurements, mathematics, references, cursors; 8 bits only.
"""

from typing import ClassVar

import numpy as np

from spinhw.virtual.instruments.oscilloscope import Oscilloscope, Trace
from spinhw.virtual.lab import Lab, Window
from spinhw.virtual.scpi import (
    Call,
    Command,
    ScpiError,
    accept,
    ask,
    block,
    both,
    choice,
    constant,
    do,
    number,
    switch,
)

_DIVISIONS = 10.24  # 25 codes for each of them.
_CODES_PER_DIVISION = 25
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
        self._source, self._overloads = 1, 0
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._source, self._overloads = 1, 0

    # Acquisition

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
        return self.get("trigger_mode") == "NORM" or self.get("trigger_source") in {"AUX", "LINE"}

    def overload(self, channel: int) -> None:
        self._overloads |= 1 << (channel - 1)

    def set_state(self, call: Call) -> None:
        """Carry out ACQuire:STATE RUN|STOP|ON|OFF."""
        word = call.args.word()
        if word in {"RUN", "ON"} or (word not in {"STOP", "OFF"} and call.args.boolean()):
            self.arm(single=self.get("stop_after") == "SEQ")
        else:
            self.stop()

    def trigger_state(self, call: Call) -> str:
        """Answer TRIGger:STATE?."""
        return "SAVE" if not self.armed else "READY"

    def force(self, call: Call) -> None:
        """Carry out TRIGger FORCe."""
        if call.args.choice(("FORCe",)) and self.armed:
            self.record(self.lab.shot())

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

    def _trace(self) -> Trace:
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
        return codes[int(self.get("start")) - 1 : int(self.get("stop"))]

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

    commands: ClassVar[tuple[Command, ...]] = (
        both("ACQuire:STATE", set_state, lambda self, call: int(self.armed)),
        choice("ACQuire:STOPAfter", "stop_after", ("RUNSTop", "SEQuence")),
        choice("ACQuire:MODe", "kind", ("SAMple", "AVErage", "HIRes", "PEAKdetect", "ENVelope", "WFMDB")),
        number("ACQuire:NUMAVg", "average_count", 16, 2, 10000, whole=True),
        ask("ACQuire:NUMACq", lambda self, call: self.acquired),
        ask("BUSY", lambda self, call: int(self.busy)),
        number("CH#:SCAle", "scale_v", 0.1, 1e-3, 10, "V"),
        number("CH#:OFFSet", "offset_v", 0.0, -100, 100, "V"),
        number("CH#:POSition", "position_div", 0.0, -8, 8),
        choice("CH#:COUPling", "coupling", ("DC", "AC", "GND", "DCREJ")),
        number("CH#:TERmination", "termination_ohm", 1e6, 50, 1e6),
        number("CH#:BANdwidth", "bandwidth_hz", 2e9, 0, 1e12, "HZ"),
        number("CH#:DESKew", "skew_s", 0.0, -75e-9, 75e-9, "S"),
        number("CH#:THRESHold", "threshold_v", 0.0, -100, 100, "V"),
        number("CH#:VTERm:BIAS", "bias_v", 0.0, -5, 5, "V"),
        ask("CH#:OVERload", lambda self, call: self._overloads >> (call.channel - 1) & 1),
        switch("SELect:CH#", "shown", True),
        switch("DISplay:GLObal:CH#:STATE", "shown", True),
        number("HORizontal:MODE:RECOrdlength", "record", 1000, 100, 62.5e6, whole=True),
        number("HORizontal:RECOrdlength", "record", 1000, 100, 62.5e6, whole=True),
        number("HORizontal:MODE:SAMPLERate", "rate_hz", 1e9, 1, 10e9, "S/S"),
        number("HORizontal:SAMPLERate", "rate_hz", 1e9, 1, 10e9, "S/S"),
        choice("HORizontal:MODE", "horizontal_mode", ("AUTO", "CONStant", "MANual")),
        both(
            "HORizontal[:MODE]:SCAle",
            set_scale,
            lambda self, call: self.get("record") / self.get("rate_hz") / 10,
        ),
        number("HORizontal[:MAIn]:POSition", "position_percent", 50.0, 0, 100),
        switch("HORizontal[:MAIn]:DELay:MODe", "delay_on"),
        number("HORizontal[:MAIn]:DELay:TIMe", "delay_s", 0.0, -10, 10, "S"),
        constant("HORizontal:MAIn:UNIts", '"s"'),
        choice("HORizontal:MODE:MANual:CONFIGure", "manual_kind", ("HORIZontalscale", "RECORDLength")),
        choice("HORizontal:ROLL", "roll", ("AUTO", "ON", "OFF")),
        switch("HORizontal:FASTframe:STATE", "fast_frame"),
        number("HORizontal:FASTframe:COUNt", "frames", 2, 2, 10000, whole=True),
        choice("TRIGger:A|B:TYPE", "trigger_type", ("EDGE", "LOGIc", "PULSe", "VIDeo")),
        choice("TRIGger:A:MODe", "trigger_mode", ("AUTO", "NORMal")),
        choice("TRIGger:A|B:EDGE:SOUrce", "trigger_source", ("CH1", "CH2", "CH3", "CH4", "AUXiliary", "AUX", "LINE")),
        choice("TRIGger:A|B:EDGE:SLOpe", "trigger_slope", ("RISe", "FALL", "EITher")),
        choice("TRIGger:A|B:EDGE:COUPling", "trigger_coupling", ("DC", "AC", "HFRej", "LFRej", "NOISErej", "ATRIGger")),
        number("TRIGger:A|B:LEVel", "trigger_level_v", 0.0, -100, 100, "V"),
        number("TRIGger:A:LEVel:CH#", "trigger_level_v", 0.0, -100, 100, "V"),
        number("TRIGger:AUXLevel", "aux_level_v", 1.4, -5, 5, "V"),
        ask("TRIGger:A|B:READY", lambda self, call: int(self.armed)),
        ask("TRIGger:STATE", trigger_state),
        do("TRIGger", force),
        both("DATa:SOUrce", set_source, lambda self, call: self.get("source")),
        Command("DIAGnostic:SOURce", name="source", reset="CH1"),
        both("DATa:ENCdg", set_encoding, get_encoding),
        number("DATa:STARt", "start", 1, 1, 1e9, whole=True),
        number("DATa:STOP", "stop", 1000, 1, 1e9, whole=True),
        number("DATa:WIDth", "width", 1, 1, 2, whole=True),
        number("WFMOutpre:BYT_Nr", "width", 1, 1, 2, whole=True),
        choice("WFMOutpre:BYT_Or", "order", ("MSB", "LSB")),
        choice("WFMOutpre:BN_Fmt", "sign", ("RI", "RP")),
        both(
            "WFMOutpre:ENCdg",
            lambda self, call: self.store("encoding", 1, call.args.choice(("BINary", "ASCIi"))),
            lambda self, call: "ASCII" if self.get("encoding") == "ASCI" else "BINARY",
        ),
        Command("DIAGnostic:ENCDg", name="encoding", reset="BIN"),
        ask("WFMOutpre:NR_Pt", lambda self, call: self.points()),
        ask("WFMOutpre:XINcr", lambda self, call: 1 / self.get("rate_hz")),
        ask("WFMOutpre:XZEro", lambda self, call: self.x_zero()),
        constant("WFMOutpre:XUNit", '"s"'),
        ask("WFMOutpre:YMUlt", lambda self, call: self.y_step()),
        ask("WFMOutpre:YOFf", lambda self, call: self.y_offset()),
        ask("WFMOutpre:YZEro", lambda self, call: self.y_zero()),
        constant("WFMOutpre:YUNit", '"V"'),
        constant("WFMOutpre:PT_Fmt", "Y"),
        ask("WFMOutpre", preamble),
        ask("CURVe", curve),
        accept("HEADer"),
        accept("VERBose"),
        accept("CLEARMenu"),
        accept("AUTOSet"),
        constant("ALLEv", '0,"No events to report - queue empty"'),
        ask("EVENT", lambda self, call: self.status.errors.pop()[0]),
        ask("EVMsg", lambda self, call: self.next_error()),
    )


class TektronixDPO(TektronixMSO):
    """The MSO5204B of the family before: four channels, 10 GSa/s."""

    model, firmware = "MSO5204B", "CF:91.1CT FV:10.8.0"
    channels = 4
