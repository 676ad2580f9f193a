"""Parameters of a command, read as what the command wants: numbers with units, booleans, words, strings, blocks."""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from spinhw.virtual.scpi.errors import ScpiError
from spinhw.virtual.scpi.framing import Buffer, block_at, split_parameters

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:\s*[eE]\s*[+-]?\d+)?)\s*([A-Za-z%/]*)")
_BASES = {"#H": 16, "#Q": 8, "#B": 2}
# SCPI-99, volume 1, 7.3: MA is mega in front of most units, but MHZ and MOHM are mega too.
_PREFIXES = {"EX": 18, "PE": 15, "T": 12, "G": 9, "MA": 6, "K": 3, "M": -3, "U": -6, "N": -9, "P": -12, "F": -15}
# IEEE 488.2, 7.7.2.4 has at most 255 digits; more than this of anything but a string or a block nobody sends.
_LONGEST = 255
_LONGEST_STRING = 1 << 16
_MOST_CHANNELS = 10_000
_CHANNELS = re.compile(r"\(\s*@([\d,:!\s]*)\)")


class Arguments:
    """The parameters of one command.

    Args:
        raw: What stands behind the header; a view, if there is a block in it.
    """

    def __init__(self, raw: Buffer) -> None:
        self.raw = raw
        self._parts: list[Buffer] | None = None

    @property
    def parts(self) -> list[Buffer]:
        """Get the parameters one by one, as they were written."""
        if self._parts is None:
            self._parts = split_parameters(self.raw)
        return self._parts

    def __len__(self) -> int:
        return len(self.parts)

    def _part(self, index: int) -> Buffer:
        if not 0 <= index < len(self.parts) or not self.parts[index]:
            raise ScpiError(-109)
        return self.parts[index]

    def _text(self, index: int, longest: int = _LONGEST, code: int = -144) -> str:
        part = self._part(index)
        if len(part) > longest:
            raise ScpiError(code)
        return bytes(part).decode("latin-1")

    def word(self, index: int = 0) -> str:
        """Read a word, in capitals, or the contents of a string as they are."""
        text = self._text(index)
        return text[1:-1] if text[0] in "\"'" else text.upper()

    def text(self, index: int = 0) -> str:
        """Read a string, in quotes (doubled ones stand for one) or without."""
        text = self._text(index, _LONGEST_STRING, -223)
        if text[0] not in "\"'":
            return text
        if len(text) < 2 or text[-1] != text[0]:
            raise ScpiError(-151)
        return text[1:-1].replace(text[0] * 2, text[0])

    def number(self, index: int = 0, unit: str = "", lowest: float = -math.inf, highest: float = math.inf) -> float:
        """Read a number in its base unit; MIN and MAX stand for the bounds.

        Args:
            index: Which parameter.
            unit: Unit that may follow the number, with a prefix or without, in capitals; such as "V", "HZ".
            lowest: Smallest allowed.
            highest: Largest allowed.

        Raises:
            ScpiError: It is no number (-104), has another unit (-131), is out of range (-222), or has no bound (-224).
        """
        text = self._text(index, code=-124)
        bound = {"MIN": lowest, "MINIMUM": lowest, "MAX": highest, "MAXIMUM": highest}.get(text.upper())
        value = parse_number(text, unit) if bound is None else finite(bound, -224)
        if not lowest <= value <= highest:
            raise ScpiError(-222)
        return value

    def bound(self, values: Mapping[str, float], index: int = 0) -> float:
        """Read MINimum, MAXimum or DEFault, as some queries have it, and give the value that belongs to it.

        Raises:
            ScpiError: It is another word, or there is no such bound (-224).
        """
        return finite(values.get(self.word(index)[:3], math.inf), -224)

    def integer(self, index: int = 0, lowest: float = -math.inf, highest: float = math.inf) -> int:
        """Read a whole number; others are rounded, as IEEE 488.2 asks."""
        return round(self.number(index, "", lowest, highest))

    def boolean(self, index: int = 0) -> bool:
        """Read ON, OFF or a number, which is rounded and compared with zero."""
        word = self.word(index)
        return word == "ON" if word in {"ON", "OFF"} else round(parse_number(word, "")) != 0

    def choice(self, options: Sequence[str], index: int = 0) -> str:
        """Read one of some words written as "EXTernal"; give it in the short form.

        Raises:
            ScpiError: It is none of them (-224).
        """
        word = self.word(index).upper()
        for option in options:
            short = short_form(option)
            if word in {short, option.upper()}:
                return short
        raise ScpiError(-224)

    def numbers(self, start: int = 0) -> np.ndarray:
        """Read all parameters from one on, at least one, as plain numbers, float64."""
        parts = self.parts[start:]
        if not parts:
            raise ScpiError(-109)
        if max(map(len, parts)) > _LONGEST:
            raise ScpiError(-124)
        try:
            values = np.array([float(bytes(part)) for part in parts])
        except ValueError as error:
            raise ScpiError(-104) from error
        if not np.isfinite(values).all():
            raise ScpiError(-222)
        return values

    def is_block(self, index: int) -> bool:
        """Say whether a parameter is a block."""
        return index < len(self.parts) and bytes(self.parts[index][:1]) == b"#"

    def block(self, index: int = 0) -> Buffer:
        """Read the bytes of a block, without copying them.

        Raises:
            ScpiError: It is no block (-104), or its length is wrong (-161).
        """
        part = self._part(index)
        if not self.is_block(index):
            raise ScpiError(-104)
        if bytes(part[:2]) == b"#0":
            return part[2:]
        bounds = block_at(part, 0)
        if bounds is None or bounds[1] > len(part) or bytes(part[bounds[1] :]).strip():
            raise ScpiError(-161)
        return part[bounds[0] : bounds[1]]

    def channels(self, index: int = 0) -> list[int]:
        """Read a channel list such as (@101,103:105)."""
        match = _CHANNELS.fullmatch(self._text(index, _LONGEST_STRING, -223))
        if match is None:
            raise ScpiError(-104)
        found: list[int] = []
        for piece in match[1].split(","):
            first, _, last = piece.partition(":")
            ends = [first.strip(), last.strip() or first.strip()]
            if not all(end.isdecimal() and len(end) < 10 for end in ends):
                raise ScpiError(-224)
            asked = range(int(ends[0]), int(ends[1]) + 1)
            if len(found) + len(asked) > _MOST_CHANNELS:
                raise ScpiError(-223)
            found.extend(asked)
        return found


def finite(value: float, code: int = -222) -> float:
    """Give a number back.

    Raises:
        ScpiError: It is infinite, or none: of this code.
    """
    if not math.isfinite(value):
        raise ScpiError(code)
    return value


def parse_number(text: str, unit: str) -> float:
    """Read a finite number, decimal or `#H`, `#Q`, `#B`, with a unit that may have a prefix.

    Raises:
        ScpiError: It is none: neither NAN nor INFinity is a number here; what may be infinite has a word for it.
    """
    if len(text) > _LONGEST:
        raise ScpiError(-124)
    try:
        return finite(float(text))  # Nearly all numbers.
    except ValueError:
        pass
    if text[:2].upper() in _BASES:
        try:
            return float(int(text[2:], _BASES[text[:2].upper()]))
        except ValueError as error:
            raise ScpiError(-121) from error
        except OverflowError as error:
            raise ScpiError(-222) from error
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ScpiError(-104)
    return finite(float("".join(match[1].split())) * _scale(match[2].upper(), unit.upper()))


def _scale(written: str, unit: str) -> float:
    if written in {"", unit}:
        return 1.0
    if not unit or not written.endswith(unit):
        raise ScpiError(-131)
    prefix = written.removesuffix(unit)
    if prefix == "M" and unit in {"HZ", "OHM"}:
        return 1e6
    if prefix not in _PREFIXES:
        raise ScpiError(-131)
    return float(10.0 ** _PREFIXES[prefix])


def short_form(word: str) -> str:
    """Give the short form of a word written as "EXTernal": its capitals and digits."""
    return "".join(letter for letter in word if not letter.islower())


def block(data: bytes | memoryview) -> bytes:
    """Write bytes as a block of definite length."""
    length = str(len(data)).encode()
    return b"#%d%s%s" % (len(length), length, data)
