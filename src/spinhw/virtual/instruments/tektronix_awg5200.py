"""Tektronix AWG5200 arbitrary waveform generators.

After "AWG5200 Series Programmer Manual" (077-1337), checked against QCoDeS' `AWG70000A.py` and `AWG5208.py`. Not here:
sequences, function generator signals, digital up-conversion. Files are kept only while the power is on.
"""

import re
from pathlib import PureWindowsPath
from typing import Any, ClassVar

import numpy as np

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.lab import Lab, Played
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
    text,
)
from spinhw.virtual.scpi.framing import Buffer

_NO_FILE = -256
_STOPPED, _WAITING, _RUNNING = 0, 1, 2
_WFMX_OFFSET = re.compile(rb'offset="(\d+)"')
_WFMX_SAMPLES = re.compile(rb"<NumberSamples>(\d+)</NumberSamples>")


class TektronixAWG5200(Panel):
    """The AWG5208: eight channels, 2.5 GSa/s, 16 bits, LSB first."""

    maker, model, firmware = "TEKTRONIX", "AWG5208", "FV:7.2.0069.0"
    serial_number = "B010001"
    number_format = "{:.10E}"
    suffers = frozenset({"overload"})
    channels = 8
    bits: ClassVar[int] = 16
    memory_points: ClassVar[int] = 1_000_000_000

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.waveforms: dict[str, np.ndarray] = {}
        self._markers: dict[str, np.ndarray] = {}
        self._files: dict[str, bytes] = {}
        self._running = False
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self._running = False

    def reboot(self) -> None:
        self.waveforms.clear()
        self._markers.clear()
        self._files.clear()
        super().reboot()

    def after(self, name: str, channel: int) -> None:
        if name in {"on", "run_mode", "waveform"}:
            self.lab.look()

    # Waveform list

    def new(self, call: Call) -> None:
        """Carry out WLISt:WAVeform:NEW name, size[, type]."""
        name, size = call.args.text(0), call.args.integer(1, 1, self.memory_points)
        if name in self.waveforms:
            raise ScpiError(-221, 'Settings conflict; Waveform "' + name + '" already exists')
        self.waveforms[name] = np.zeros(size, dtype=np.float32)
        self._markers[name] = np.zeros(size, dtype=np.uint8)

    def write_data(self, call: Call) -> None:
        """Carry out WLISt:WAVeform:DATA name[, start[, size]], block of float32 in -1 to 1."""
        target = self._named(call)
        self._fill(target, call, np.frombuffer(self._bytes(call, 4), "<f4"))

    def write_markers(self, call: Call) -> None:
        """Carry out WLISt:WAVeform:MARKer:DATA: bytes, marker 1 in bit 7."""
        self._named(call)
        self._fill(self._markers[call.args.text(0)], call, np.frombuffer(self._bytes(call, 1), np.uint8))

    def _fill(self, target: np.ndarray, call: Call, values: np.ndarray) -> None:
        start = call.args.integer(1, 0, len(target)) if len(call.args) > 2 else 0
        size = call.args.integer(2, 0, len(target)) if len(call.args) > 3 else len(values)
        if start + size > len(target) or size > len(values):
            raise ScpiError(-222)
        if not np.isfinite(values).all():
            raise ScpiError(-222)
        target[start : start + size] = values[:size]

    def _bytes(self, call: Call, size: int) -> Buffer:
        data = call.args.block(len(call.args) - 1)
        if len(data) % size:
            raise ScpiError(-161)
        return data

    def read_data(self, call: Call) -> bytes:
        """Answer WLISt:WAVeform:DATA? name[, start[, size]]."""
        values = self._named(call)
        start = call.args.integer(1, 0, len(values)) if len(call.args) > 1 else 0
        size = call.args.integer(2, 0, len(values)) if len(call.args) > 2 else len(values) - start
        return block(values[start : start + size].astype("<f4").tobytes())

    def _named(self, call: Call) -> np.ndarray:
        name = call.args.text(0)
        if name not in self.waveforms:
            raise ScpiError(-224, "Illegal parameter value; no such waveform")
        return self.waveforms[name]

    def delete(self, call: Call) -> None:
        """Carry out WLISt:WAVeform:DELete name|ALL."""
        name = call.args.text(0)
        gone = list(self.waveforms) if name.upper() == "ALL" else [name]
        if name.upper() != "ALL":
            self._named(call)
        for one in gone:
            del self.waveforms[one]
            self._markers.pop(one, None)
        for channel in range(1, self.channels + 1):
            if self.get("waveform", channel) in gone:
                self._values["waveform", channel] = ""

    def listed(self, call: Call) -> str:
        """Answer WLISt:NAME? n, counted from 1."""
        names = list(self.waveforms)
        return f'"{names[call.args.integer(0, 1, max(1, len(names))) - 1] if names else ""}"'

    # Files

    def _path(self, name: str) -> str:
        folder = PureWindowsPath("C:") / PureWindowsPath(self.get("directory"))
        return str(folder / PureWindowsPath(name)).upper()

    def store_file(self, call: Call) -> None:
        """Carry out MMEMory:DATA name, block."""
        self._files[self._path(call.args.text(0))] = bytes(call.args.block(len(call.args) - 1))

    def delete_file(self, call: Call) -> None:
        """Carry out MMEMory:DELete."""
        if self._files.pop(self._path(call.args.text(0)), None) is None:
            raise ScpiError(_NO_FILE)

    def open_file(self, call: Call) -> None:
        """Carry out MMEMory:OPEN of a .wfmx file: its float32 samples follow an XML head."""
        path = self._path(call.args.text(0))
        data = self._files.get(path)
        if data is None:
            raise ScpiError(_NO_FILE)
        offset, samples = _WFMX_OFFSET.search(data), _WFMX_SAMPLES.search(data)
        if offset is None or samples is None:
            raise ScpiError(-230)
        size = int(samples[1])
        values = np.frombuffer(data, "<f4", size, int(offset[1])).copy()
        name = PureWindowsPath(call.args.text(0)).stem
        self.waveforms[name], self._markers[name] = values, np.zeros(size, np.uint8)

    # Playing

    def before(self, name: str, channel: int, value: Any) -> None:
        if name == "waveform" and value not in self.waveforms:
            raise ScpiError(-224, "Illegal parameter value; no such waveform")

    def run(self, running: bool) -> None:
        """Carry out AWGControl:RUN and STOP."""
        self._running = running
        self.lab.look()

    def state(self, call: Call) -> int:
        """Answer AWGControl:RSTate?: 0 stopped, 1 waiting for a trigger, 2 running."""
        if not self._running:
            return _STOPPED
        return _RUNNING if self.runs_freely else _WAITING

    @property
    def runs_freely(self) -> bool:
        return self._running and any(
            self.get("run_mode", channel) == "CONT" and self.get("on", channel) and self.get("waveform", channel)
            for channel in range(1, self.channels + 1)
        )

    def trigger(self) -> None:
        if self._running:
            self.lab.trigger(self)

    def played(self, external: bool) -> dict[int, Played]:
        if not self._running:
            return {}
        if self.take_disturbance("overload"):
            self._values["on", 1] = False
            self.status.report(ScpiError(-310, "System error; Channel 1 output disabled, overload"))
        ready = [
            channel
            for channel in range(1, self.channels + 1)
            if self.get("on", channel) and self.get("waveform", channel) in self.waveforms
        ]
        return {channel: self._waveform(channel) for channel in ready}

    def _waveform(self, channel: int) -> Played:
        codes = 2 ** (self.bits - 1) - 1
        shape = self.waveforms[self.get("waveform", channel)].astype(np.float64)
        steps = np.rint(np.clip(shape, -1.0, 1.0) * codes) / codes
        half, offset = self.get("amplitude_v", channel) / 2, self.get("offset_v", channel)
        return Played(half * steps + offset, self.get("rate_hz"))

    commands: ClassVar[tuple[Command, ...]] = (
        ask("SYSTem:ERRor:CODE[:NEXT]", lambda self, call: self.status.errors.pop()[0]),
        choice("INSTrument:MODE", "mode", ("AWG", "FGEN")),
        number("CLOCk:SRATe", "rate_hz", 2.5e9, 298, 5e9, "HZ"),
        choice("CLOCk:SOURce", "clock", ("INTernal", "EFIXed", "EVARiable", "EXTernal")),
        number("CLOCk:ECLock:FREQuency", "external_clock_hz", 2.5e9, 2.5e9, 5e9, "HZ"),
        both("WLISt:WAVeform:NEW", new, lambda self, call: ""),
        both("WLISt:WAVeform:DATA", write_data, read_data),
        do("WLISt:WAVeform:MARKer:DATA", write_markers),
        do("WLISt:WAVeform:DELete", delete),
        ask("WLISt:WAVeform:LENGth", lambda self, call: len(self._named(call))),
        ask("WLISt:WAVeform:TYPE", lambda self, call: "REAL" if len(self._named(call)) else ""),
        ask("WLISt:SIZE", lambda self, call: len(self.waveforms)),
        ask("WLISt:NAME", listed),
        ask("WLISt:LIST", lambda self, call: '"' + ",".join(self.waveforms) + '"'),
        constant("SLISt:SIZE", 0),
        accept("SLISt:SEQuence:DELete"),
        text("[SOURce#:]CASSet:WAVeform", "waveform"),
        ask("[SOURce#:]CASSet", lambda self, call: f'"{self.get("waveform", call.channel)}"'),
        do("[SOURce#:]CASSet:CLEAR", lambda self, call: self._values.pop(("waveform", call.channel), None)),
        text("[SOURce#:]WAVeform", "waveform"),
        number("[SOURce#:]VOLTage[:LEVel][:IMMediate][:AMPLitude]", "amplitude_v", 0.75, 0.025, 1.5, "V"),
        number("[SOURce#:]VOLTage[:LEVel][:IMMediate]:OFFSet", "offset_v", 0.0, -2.0, 2.0, "V"),
        choice("[SOURce#:]RMODe", "run_mode", ("CONTinuous", "TRIGgered", "TCONtinuous", "GATed")),
        choice("[SOURce#:]TINPut", "trigger_input", ("ATRigger", "BTRigger", "ITRigger")),
        number("[SOURce#:]DAC:RESolution", "resolution_bits", 16, 12, 16, whole=True),
        number("[SOURce#:]SKEW", "skew_s", 0.0, -2e-9, 2e-9, "S"),
        number("SOURce#:MARKer#:VOLTage[:LEVel][:IMMediate]:HIGH", "marker_high_v", 1.0, -0.3, 1.75, "V"),
        number("SOURce#:MARKer#:VOLTage[:LEVel][:IMMediate]:LOW", "marker_low_v", 0.0, -0.5, 1.55, "V"),
        switch("OUTPut#[:STATe]", "on"),
        switch("OUTPut:OFF", "all_off"),
        choice("OUTPut#:PATH", "path", ("DCHB", "DCHV", "ACDirect", "ACAMplified")),
        choice("OUTPut#:WVALue[:ANALog][:STATe]", "wait_value", ("ZERO", "FIRSt")),
        choice("OUTPut#:WVALue:MARKer#", "marker_wait", ("FIRST", "LOW", "HIGH")),
        choice("OUTPut#:SVALue:MARKer#", "marker_stop", ("OFF", "LOW")),
        do("AWGControl:RUN[:IMMediate]", lambda self, call: self.run(True)),
        do("AWGControl:STOP[:IMMediate]", lambda self, call: self.run(False)),
        ask("AWGControl:RSTate", state),
        do("TRIGger[:SEQuence][:IMMediate]", lambda self, call: self.trigger()),
        number("TRIGger[:SEQuence]:LEVel", "trigger_level_v", 1.4, -5, 5, "V"),
        text("MMEMory:CDIRectory", "directory", "\\"),
        do("MMEMory:DATA", store_file),
        do("MMEMory:DELete", delete_file),
        do("MMEMory:OPEN", open_file),
        number("FGEN[:CHANnel#]:AMPLitude[:VOLTage]", "function_v", 0.5, 0, 1.5, "V"),
        number("FGEN[:CHANnel#]:OFFSet", "function_offset_v", 0.0, -2, 2, "V"),
        number("FGEN[:CHANnel#]:FREQuency", "function_hz", 1.2e6, 1, 1.25e9, "HZ"),
        number("FGEN[:CHANnel#]:DCLevel", "function_dc_v", 0.0, -2, 2, "V"),
        ask("FGEN[:CHANnel#]:PERiod", lambda self, call: 1 / self.get("function_hz", call.channel)),
        number("FGEN[:CHANnel#]:PHASe", "function_phase_deg", 0.0, -180, 180, "DEG"),
        number("FGEN[:CHANnel#]:SYMMetry", "function_symmetry", 100.0, 0, 100),
        choice(
            "FGEN[:CHANnel#]:TYPE",
            "function_type",
            ("SINE", "SQUare", "TRIangle", "NOISe", "DC", "GAUSsian", "EXPRise", "EXPDecay", "NONE"),
        ),
        choice("FGEN[:CHANnel#]:PATH", "function_path", ("DCHB", "DCHV", "DIRECT", "AC")),
    )
