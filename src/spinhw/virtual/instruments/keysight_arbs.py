"""The waveform memory of the 33500 and 33600 generators: segments, sequences of them, and the built-in waveform."""

from typing import ClassVar

import numpy as np

from spinhw.virtual.instruments.keysight_levels import Levelled
from spinhw.virtual.instruments.keysight_shapes import EXP_RISE
from spinhw.virtual.lab import Lab
from spinhw.virtual.scpi import Call, Command, ScpiError, ask, choice, do, text
from spinhw.virtual.scpi.arguments import parse_number

_FULL_SCALE = 32767
_EXISTS = ScpiError(785, "Specified arb waveform already exists")
_MISSING = ScpiError(786, "Specified arb waveform does not exist")
_BUILT_IN = "INT:\\BUILTIN\\EXP_RISE.ARB"


class ArbMemory(Levelled):
    """A source that keeps arbitrary waveforms by channel and name, from -1 to 1."""

    memory_points: ClassVar[int] = 16_000_000
    bits: ClassVar[int] = 16

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.arbs: dict[tuple[int, str], np.ndarray] = {}
        self._sequences: dict[tuple[int, str], list[tuple[str, int]]] = {}
        super().__init__(name, serial, lab)

    def reset(self) -> None:
        super().reset()
        self.arbs.clear()
        self._sequences.clear()

    def upload(self, call: Call, as_codes: bool) -> None:
        """Carry out DATA:ARBitrary[:DAC]: name, then numbers or a block (float32 in -1 to 1, or int16)."""
        key = (call.channel, call.args.text(0))
        values = self._block_values(call, as_codes) if call.args.is_block(1) else call.args.numbers(1)
        if len(values) < 8:
            raise ScpiError(-222, "Data out of range; arb too short")
        largest = 1.0 + 1e-6 if not as_codes else _FULL_SCALE
        if not (values.min() >= -largest and values.max() <= largest):  # NaN is neither
            raise ScpiError(-222)
        if key in self.arbs:
            raise ScpiError(_EXISTS.code, _EXISTS.text)
        if self._used(call.channel) + len(values) > self.memory_points:
            raise ScpiError(781, "Not enough memory to store new arb waveform; use DATA:VOLATILE:CLEAR")
        codes = np.float32(2 ** (self.bits - 1) - 1)
        scaled = values.astype(np.float32) * (codes / np.float32(_FULL_SCALE) if as_codes else codes)
        self.arbs[key] = np.rint(scaled, out=scaled) / codes

    def _block_values(self, call: Call, as_codes: bool) -> np.ndarray:
        data, order = call.args.block(1), ">" if self.get("byte_order") == "NORM" else "<"
        size = 2 if as_codes else 4
        if len(data) % size:
            raise ScpiError(-161)
        return np.frombuffer(data, order + ("i2" if as_codes else "f4"))

    def _used(self, channel: int) -> int:
        return sum(len(data) for (owner, _), data in self.arbs.items() if owner == channel)

    def catalogue(self, call: Call) -> str:
        """Answer DATA:VOLatile:CATalog?."""
        names = ["INTERNAL:\\BUILTIN\\EXP_RISE.ARB"]
        names += [name for owner, name in (*self.arbs, *self._sequences) if owner == call.channel]
        return ",".join(f'"{name}"' for name in names)

    def clear_arbs(self, call: Call) -> None:
        """Carry out DATA:VOLatile:CLEar: the built-in waveform is loaded again, and played if an arb was."""
        self.arbs = {key: data for key, data in self.arbs.items() if key[0] != call.channel}
        self._sequences = {key: data for key, data in self._sequences.items() if key[0] != call.channel}
        self._values.pop(("arb", call.channel), None)

    def load_sequence(self, call: Call) -> None:
        """Carry out DATA:SEQuence: a block of text, name then arb, count, mode, marker, level for each step."""
        fields = [field.strip().strip('"') for field in bytes(call.args.block(0)).decode("latin-1").split(",")]
        places = range(1, len(fields) - 4, 5)
        steps = [(fields[place], round(parse_number(fields[place + 1], ""))) for place in places]
        if not steps or any((call.channel, arb) not in self.arbs for arb, _ in steps):
            raise ScpiError(_MISSING.code, _MISSING.text)
        # Sequences are kept as what they play.
        if sum(len(self.arbs[call.channel, arb]) * max(1, count) for arb, count in steps) > self.memory_points:
            raise ScpiError(781, "Not enough memory to store new arb waveform; use DATA:VOLATILE:CLEAR")
        self._sequences[call.channel, fields[0]] = steps

    def points(self, call: Call) -> int:
        """Answer FUNCtion:ARBitrary:POINts? and DATA:ATTRibute:POINts?."""
        name = call.args.text(0) if len(call.args) else self.get("arb", call.channel)
        return len(self.arb(call.channel, name))

    def knows(self, channel: int, name: str) -> bool:
        """Say whether a waveform can be selected."""
        return (channel, name) in self.arbs or (channel, name) in self._sequences or name.upper() == _BUILT_IN

    def arb(self, channel: int, name: str) -> np.ndarray:
        """Give a waveform by name.

        Raises:
            ScpiError: There is none.
        """
        if not self.knows(channel, name):
            raise ScpiError(_MISSING.code, _MISSING.text)
        if (channel, name) in self._sequences:
            steps = self._sequences[channel, name]
            return np.concatenate([np.tile(self.arbs[channel, arb], max(1, count)) for arb, count in steps])
        return self.arbs[channel, name] if (channel, name) in self.arbs else EXP_RISE

    memory_commands: ClassVar[tuple[Command, ...]] = (
        text("[SOURce#:]FUNCtion:ARBitrary", "arb", _BUILT_IN),
        ask("[SOURce#:]FUNCtion:ARBitrary:POINts", points),
        do("[SOURce#:]DATA:ARBitrary#", lambda self, call: self.upload(call, False)),
        do("[SOURce#:]DATA:ARBitrary#:DAC", lambda self, call: self.upload(call, True)),
        do("[SOURce#:]DATA:SEQuence", load_sequence),
        do("[SOURce#:]DATA:VOLatile:CLEar", clear_arbs),
        ask("[SOURce#:]DATA:VOLatile:CATalog", catalogue),
        ask("[SOURce#:]DATA:VOLatile:FREE", lambda self, call: self.memory_points - self._used(call.channel)),
        ask("[SOURce#:]DATA:ATTRibute:POINts", points),
        choice("FORMat:BORDer", "byte_order", ("NORMal", "SWAPped")),
    )
