"""Keysight InfiniiVision oscilloscopes.

After "Keysight InfiniiVision 4000 X-Series Oscilloscopes Programmer's Guide" (54709-97040): chapters on :ACQuire,
:CHANnel, :TIMebase, :TRIGger, :WAVeform. Checked against PyMeasure's `agilentDSOX`/`keysightDSOX1102G.py` and QCoDeS'
`Infiniium.py` (a relative, which adds `#0` streaming). Not here: measurements, mathematics, digital channels; what a
trigger that is coupled through a capacitor, or rejects noise, makes of pulses (nothing), and hold-off.
"""

from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.infiniivision_settings import SETTINGS
from spinhw.virtual.instruments.oscilloscope import (
    HIGHEST,
    LOWEST,
    PULSE_S,
    PULSE_V,
    SLOWED_S,
    Oscilloscope,
    ScopeTrace,
)
from spinhw.virtual.instruments.panel import Level
from spinhw.virtual.instruments.scope_input import MEGOHM, SOURCE_OHM, ScopeInput, generated
from spinhw.virtual.lab import Lab, Window
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, block, both, do

_ASCII_HOLE = 9.9e37
_FORMATS = {"BYTE": 0, "WORD": 1, "ASC": 4}
_TYPES = {"NORM": 0, "PEAK": 1, "AVER": 2, "HRES": 3}
_RUN_BIT = 8  # Of the operation status condition register.
_CLIPPED_LOW, _HOLE = 1, 0  # Codes of a waveform, in both binary formats.
_LIMITED_HZ = 20e6  # Corner of the bandwidth limit.
_GENERATORS = (1, 2)


class KeysightInfiniiVision(Oscilloscope):
    """The MSO-X 4154A: four channels, 5 GSa/s, 4 Mpts, 8 bits."""

    maker, model, firmware = "KEYSIGHT TECHNOLOGIES", "MSO-X 4154A", "07.50.2021102830"
    serial_number = "MY50000001"
    number_format = "{:+.10E}"
    no_error = '+0,"No error"'
    highest_rate_hz: ClassVar[float] = 5e9
    memory_points: ClassVar[int] = 4_000_000

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self._overloads, self._source, self._is_trigger_told, self._has_armed = 0, 1, False, False
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._overloads, self._source = 0, 1

    def before(self, name: str, channel: int, value: Any) -> None:
        if name == "coupling" and value == "AC" and self.get("impedance", channel) == "FIFT":
            raise ScpiError(-221)
        if name == "probe":  # What is on the screen stays there: range and offset are told at the tip of the probe.
            for told in ("range_v", "offset_v"):
                scaled = self.get(told, channel) * value / self.get("probe", channel)
                self._values[told, channel] = scaled

    def after(self, name: str, channel: int) -> None:
        if name == "impedance" and self.get("impedance", channel) == "FIFT":
            self._values["coupling", channel] = "DC"

    def at_connectors(self) -> dict[str, Level]:
        return {f"generator{number}": self._generated(number) for number in _GENERATORS}

    def _generated(self, number: int) -> Level:
        if not self.get("generator_on", number):
            return Level()
        turned = -1 if self.get("generator_polarity", number) == "INV" else 1
        return generated(
            self.get("generator_v", number),
            turned * self.get("generator_offset_v", number),
            SOURCE_OHM if self.get("generator_load", number) == "FIFT" else MEGOHM,
            self.lab.load_ohm(self, number),
            steady=self.get("generator_function", number) == "DC",
        )

    # Acquisition

    def input(self, channel: int) -> ScopeInput:
        return ScopeInput(
            ohm=SOURCE_OHM if self.get("impedance", channel) == "FIFT" else MEGOHM,
            coupling=self.get("coupling", channel),
            bandwidth_hz=_LIMITED_HZ if self.get("bandwidth_limit", channel) else None,
            inverted=self.get("invert", channel),
            factor=self.get("probe", channel),
            skew_s=self.get("skew_s", channel),
        )

    def acquisition(self) -> str:
        return {"HRES": "smooth", "PEAK": "peak"}.get(self.get("kind"), "sample")

    def late_s(self) -> float | None:
        if self.get("trigger_source") != "EXT":
            return 0.0
        level_v = self.get("trigger_level_v") / self.get("external_probe")
        if self.get("zone") or self.get("trigger_mode") != "EDGE" or not 0 <= level_v <= PULSE_V:
            return None  # Nobody drew a zone, and a pulse is no glitch or pattern.
        slowed = self.get("trigger_slowed") or self.get("trigger_reject") == "HFR"
        return (PULSE_S if self.get("trigger_slope") == "NEG" else 0.0) + (SLOWED_S if slowed else 0.0)

    def rate_hz(self) -> float:
        """Give the sample rate: as high as the memory allows for the time range, or as was asked for."""
        wanted = self.get("rate_hz")
        most = self.memory_points / self.get("range_s")
        return float(min(self.highest_rate_hz, most, wanted or self.highest_rate_hz))

    def window(self) -> Window:
        span, rate = self.get("range_s"), self.rate_hz()
        before = {"CENT": span / 2, "LEFT": span / 10, "RIGH": span * 0.9}[self.get("reference")]
        points = max(2, round(span * rate))
        return Window(self.get("position_s") - before, 1 / rate, points)

    def vertical(self, channel: int) -> tuple[float, float]:
        return self.get("offset_v", channel), self.get("range_v", channel)

    def shown(self) -> list[int]:
        return [channel for channel in range(1, self.channels + 1) if self.get("display", channel)]

    def averages(self) -> int:
        return int(self.get("count")) if self.get("kind") == "AVER" else 1

    def segments(self) -> int:
        return int(self.get("segments")) if self.get("mode") == "SEGM" else 1

    def waits_for_trigger(self) -> bool:
        if self.get("timebase") == "ROLL":
            return False
        return self.get("sweep") == "NORM" or self.get("trigger_source") in {"EXT", "LINE", "WGEN"}

    def overload(self, channel: int) -> None:
        self._overloads |= 1 << (channel - 1)

    def protection(self, channel: int) -> str:
        """Answer CHANnel<n>:PROTection?: whether its 50-ohm input protected itself."""
        return "TRIP" if self._overloads >> (channel - 1) & 1 else "NORM"

    def clear_protection(self) -> None:
        """Carry out CHANnel<n>:PROTection:CLEar."""
        self._overloads = 0

    def digitize(self, call: Call) -> None:
        """Carry out DIGitize [CHANnel<n>,...]: shows these channels and no others, and starts an acquisition."""
        if len(call.args):
            wanted = {_channel_number(call.args.word(index), self.channels) for index in range(len(call.args))}
            for channel in range(1, self.channels + 1):
                self.store("display", channel, channel in wanted)
        self.arm()

    def condition(self, call: Call) -> int:
        """Answer OPERegister:CONDition?."""
        return _RUN_BIT if self.armed else 0

    def triggered(self, call: Call) -> int:
        """Answer TER?, which clears it."""
        seen, self._is_trigger_told = self.acquired > 0 and not self._is_trigger_told, True
        return int(seen)

    def arm_event(self, call: Call) -> int:
        """Answer AER?: whether the trigger was armed since the last query."""
        seen, self._has_armed = self._has_armed, False
        return int(seen)

    def arm(self, single: bool = True) -> None:
        self._is_trigger_told, self._has_armed = False, True
        super().arm(single)

    def force(self, call: Call) -> None:
        """Carry out TRIGger:FORCe."""
        if self.armed:
            self.capture(self.lab.shot())

    # Waveforms

    def set_source(self, call: Call) -> None:
        """Carry out WAVeform:SOURce CHANnel<n>."""
        self._source = _channel_number(call.args.word(), self.channels)

    def _trace(self) -> ScopeTrace:
        trace = self.traces.get(self._source)
        if trace is None or self.get("timebase") == "XY":
            raise ScpiError(-230, "Data corrupt or stale; no acquisition of this channel")
        return trace

    def _stride(self, trace: ScopeTrace) -> int:
        """Give every how many samples a transfer takes one: as many points as were asked for, at most."""
        wanted = self.get("points")
        return 1 if not wanted else max(1, -(-len(trace.codes) // int(wanted)))

    def set_points(self, call: Call) -> None:
        """Carry out WAVeform:POINts: a number, or MAXimum."""
        word = call.args.word()
        self._values["points", 1] = 0 if word[:3] == "MAX" else call.args.integer(0, 100, 8_000_000)

    def transferred(self) -> int:
        """Answer WAVeform:POINts?: what a transfer would have."""
        trace = self.traces.get(self._source)
        return self.get("points") if trace is None else -(-len(trace.codes) // self._stride(trace))

    def _scale(self, trace: ScopeTrace) -> tuple[float, int]:
        """Give volts for one code of the format, and the code of the centre."""
        return (trace.step_v / 256, 32768) if self.get("format") == "WORD" else (trace.step_v, 128)

    def preamble(self) -> str:
        """Answer WAVeform:PREamble?."""
        trace = self._trace()
        stride, (step_v, reference) = self._stride(trace), self._scale(trace)
        count = self.averages() if self.get("kind") == "AVER" else 1
        whole = (_FORMATS[self.get("format")], _TYPES[self.get("kind")], self.transferred(), count)
        interval = trace.window.interval_s * stride
        parts = [f"{value:+d}" for value in whole]
        parts += [f"{interval:+.8E}", f"{trace.window.start_s:+.8E}", "+0"]
        return ",".join([*parts, f"{step_v:+.8E}", f"{trace.centre_v:+.8E}", f"{reference:+d}"])

    def one_of_preamble(self, index: int) -> str:
        """Answer one part of the preamble by itself."""
        return self.preamble().split(",")[index]

    def data(self, call: Call) -> bytes:
        """Answer WAVeform:DATA?: a block in BYTE and WORD, text in ASCii."""
        trace = self._trace()
        codes = self._chosen(trace)[:: self._stride(trace)]
        holes = None if trace.holes is None else trace.holes[:: self._stride(trace)]
        if self.get("format") == "ASC":
            volts = codes * trace.step_v + trace.centre_v
            volts = volts if holes is None else np.where(holes, _ASCII_HOLE, volts)
            text = ",".join(f"{value:.5E}" for value in volts).encode()
            return b"#8%08d%s" % (len(text), text)
        raw = self._binary(codes, holes)
        return b"#0" + raw if self.get("streaming") else block(raw)

    def _binary(self, codes: np.ndarray, holes: np.ndarray | None) -> bytes:
        if self.averages() == 1 and holes is None:
            # Whole codes: what each of the 256 becomes is worked out once.
            every = np.arange(LOWEST, HIGHEST + 1, dtype=np.float32)
            return self._encoded(every, None)[(codes - LOWEST).astype(np.uint8)].tobytes()
        return self._encoded(codes, holes).tobytes()

    def _encoded(self, codes: np.ndarray, holes: np.ndarray | None) -> np.ndarray:
        wide = self.get("format") == "WORD"
        values = np.rint((codes + 128) * 256) if wide else np.rint(codes + 128)
        top = 65535 if wide else 255
        values = np.where(codes >= HIGHEST, top, np.where(codes <= LOWEST, _CLIPPED_LOW, values))
        if holes is not None:
            values = np.where(holes, _HOLE, values)
        if not self.get("unsigned") and wide:
            values = values - 32768
        order = ">" if self.get("byte_order") == "MSBF" else "<"
        kind = ("u" if self.get("unsigned") or not wide else "i") + ("2" if wide else "1")
        return values.astype(order + kind)

    def _chosen(self, trace: ScopeTrace) -> np.ndarray:
        index = self.get("segment") - 1
        if self.segments() == 1:
            return trace.codes
        every = [*trace.segments, trace.codes]
        if not 0 <= index < len(every):
            raise ScpiError(-222)
        return every[index]

    commands: ClassVar[tuple[Command, ...]] = (
        do("DIGitize", digitize),
        do("SINGle", lambda self, call: self.arm()),
        do("RUN", lambda self, call: self.arm(single=False)),
        do("STOP", lambda self, call: self.stop()),
        ask("RSTate", lambda self, call: {"single": "SING", "running": "RUN"}.get(self._state, "STOP")),
        ask("TER", triggered),
        ask("AER", arm_event),
        ask("OPERegister:CONDition", condition),
        ask("OPERegister[:EVENt]", condition),
        ask("OVLRegister|OVLR", lambda self, call: self._overloads),
        both(
            "ACQuire:SRATe[:ANALog]",
            lambda self, call: self.store("rate_hz", 1, call.args.number(0, "", 1, self.highest_rate_hz)),
            lambda self, call: self.rate_hz(),
        ),
        Command("DIAGnostic:RATE", name="rate_hz", reset=0.0),
        ask("ACQuire:POINts[:ANALog]", lambda self, call: self.window().points),
        accept("ACQuire:SRATe:ANALog:AUTO"),
        accept("ACQuire:POINts[:ANALog]"),
        *SETTINGS,
        do("TRIGger:FORCe", force),
        ask("ACQuire:COMPlete", lambda self, call: 100 if not self.busy else 0),
        both("WAVeform:SOURce", set_source, lambda self, call: f"CHAN{self._source}"),
        both("WAVeform:POINts", set_points, lambda self, call: self.transferred()),
        Command("DIAGnostic:POINts", name="points", reset=0),
        ask("WAVeform:PREamble", lambda self, call: self.preamble()),
        ask("WAVeform:DATA", data),
        ask("WAVeform:XINCrement", lambda self, call: self.one_of_preamble(4)),
        ask("WAVeform:XORigin", lambda self, call: self.one_of_preamble(5)),
        ask("WAVeform:YINCrement", lambda self, call: self.one_of_preamble(7)),
        ask("WAVeform:YORigin", lambda self, call: self.one_of_preamble(8)),
        ask("WAVeform:YREFerence", lambda self, call: self.one_of_preamble(9)),
        ask("WAVeform:TYPE", lambda self, call: self.get("kind")),
        ask("WAVeform:COUNt", lambda self, call: self.acquired),
        ask("WAVeform:SEGMented:COUNt", lambda self, call: self.acquired),
        accept("AUToscale"),
    )


def _channel_number(word: str, channels: int) -> int:
    number = word.removeprefix("CHANNEL").removeprefix("CHAN")
    if not number.isdecimal() or not 1 <= int(number) <= channels:
        raise ScpiError(-224)
    return int(number)
