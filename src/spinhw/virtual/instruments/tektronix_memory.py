"""Waveform list and files of the AWG5200 generators. Files are kept only while the power is on."""

import re
from pathlib import PureWindowsPath
from typing import ClassVar

import numpy as np

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import Call, Command, ScpiError, accept, ask, block, both, constant, do, text
from spinhw.virtual.scpi.framing import Buffer

_NO_FILE = -256
_MOST_WAVEFORMS = 2000
_MOST_FILE_BYTES = 1 << 28
_MOST_DIGITS = 12
_WFMX_OFFSET = re.compile(rb'offset="(\d+)"')
_WFMX_SAMPLES = re.compile(rb"<NumberSamples>(\d+)</NumberSamples>")


class WaveformList(Panel):
    """A generator with a list of waveforms by name, from -1 to 1, each with the levels that it was made for."""

    memory_points: ClassVar[int] = 1 << 26  # Of all waveforms together; the real one has more than this computer.

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.waveforms: dict[str, np.ndarray] = {}
        self.recommended: dict[str, dict[str, float]] = {}
        self._markers: dict[str, np.ndarray] = {}
        self._files: dict[str, bytes] = {}
        super().__init__(name, serial, lab)

    def reboot(self) -> None:
        for kept in (self.waveforms, self.recommended, self._markers, self._files):
            kept.clear()
        super().reboot()

    def new(self, call: Call) -> None:
        """Carry out WLISt:WAVeform:NEW name, size[, type]."""
        name, size = call.args.text(0), call.args.integer(1, 1, self.memory_points)
        if name in self.waveforms:
            raise ScpiError(-221, 'Settings conflict; Waveform "' + name + '" already exists')
        self._check_memory(size)
        self.waveforms[name] = np.zeros(size, dtype=np.float32)
        self._markers[name] = np.zeros(size, dtype=np.uint8)

    def _check_memory(self, size: int, kept: str = "") -> None:
        used = sum(len(data) for name, data in self.waveforms.items() if name != kept)
        if used + size > self.memory_points or len(self.waveforms) >= _MOST_WAVEFORMS:
            raise ScpiError(-225)

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
            self.recommended.pop(one, None)
        for channel in range(1, self.channels + 1):
            if self.get("waveform", channel) in gone:
                self._values["waveform", channel] = ""

    def listed(self, call: Call) -> str:
        """Answer WLISt:NAME? n, counted from 1."""
        names = list(self.waveforms)
        return f'"{names[call.args.integer(0, 1, max(1, len(names))) - 1] if names else ""}"'

    def recommend(self, call: Call, name: str) -> None:
        """Carry out WLISt:WAVeform:AMPLitude and :OFFSet: levels that go with a waveform where it is assigned."""
        self._named(call)
        self.recommended.setdefault(call.args.text(0), {})[name] = call.args.number(1, "V", -5, 5)

    # Files

    def _path(self, name: str) -> str:
        folder = PureWindowsPath("C:") / PureWindowsPath(self.get("directory"))
        return str(folder / PureWindowsPath(name)).upper()

    def store_file(self, call: Call) -> None:
        """Carry out MMEMory:DATA name, block."""
        path, data = self._path(call.args.text(0)), bytes(call.args.block(len(call.args) - 1))
        if sum(map(len, self._files.values())) + len(data) > _MOST_FILE_BYTES or len(self._files) >= _MOST_WAVEFORMS:
            raise ScpiError(-225)
        self._files[path] = data

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
        size, first = int(samples[1][:_MOST_DIGITS]), int(offset[1][:_MOST_DIGITS])
        if first + 4 * size > len(data):
            raise ScpiError(-230)
        self._check_memory(size, PureWindowsPath(call.args.text(0)).stem)
        values = np.frombuffer(data, "<f4", size, first).copy()
        name = PureWindowsPath(call.args.text(0)).stem
        self.waveforms[name], self._markers[name] = values, np.zeros(size, np.uint8)

    list_commands: ClassVar[tuple[Command, ...]] = (
        both("WLISt:WAVeform:NEW", new, lambda self, call: ""),
        both("WLISt:WAVeform:DATA", write_data, read_data),
        do("WLISt:WAVeform:MARKer:DATA", write_markers),
        do("WLISt:WAVeform:DELete", delete),
        do("WLISt:WAVeform:AMPLitude", lambda self, call: self.recommend(call, "amplitude_v")),
        do("WLISt:WAVeform:OFFSet", lambda self, call: self.recommend(call, "offset_v")),
        ask("WLISt:WAVeform:LENGth", lambda self, call: len(self._named(call))),
        ask("WLISt:WAVeform:TYPE", lambda self, call: "REAL" if len(self._named(call)) else ""),
        ask("WLISt:SIZE", lambda self, call: len(self.waveforms)),
        ask("WLISt:NAME", listed),
        ask("WLISt:LIST", lambda self, call: '"' + ",".join(self.waveforms) + '"'),
        constant("SLISt:SIZE", 0),
        accept("SLISt:SEQuence:DELete"),
        text("MMEMory:CDIRectory", "directory", "\\"),
        do("MMEMory:DATA", store_file),
        do("MMEMory:DELete", delete_file),
        do("MMEMory:OPEN", open_file),
    )
