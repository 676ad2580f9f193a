"""Where a program message ends in a stream of bytes, and where its units and parameters do (IEEE 488.2, chapter 7).

A line feed ends a message, unless it stands in a block of definite length. An indefinite block (`#0`) runs to the line
feed, for a stream has no END line: its data must have no such byte.
"""

import re

_MARKS = re.compile(rb"[\"'\n]|#(?:(?=[1-9])|\Z)")
_HEADER_START = re.compile(rb"[A-Za-z:*]")
_UNIT_MARKS = re.compile(rb"[\"'#;]")
_PARAMETER_MARKS = re.compile(rb"[\"'#,()]")
_CLOSING = {mark: re.compile(mark) for mark in (b'"', b"'")}

# More than any instrument here can hold: what claims to be larger is no block, and must not be waited for.
MOST_BLOCK_BYTES = 1 << 28
# Of a message, its blocks left out. One client must not fill the memory with a message that never ends.
MOST_TEXT_BYTES = 1 << 20
_LONGEST_HEAD = 11
# Commands and queries of one message.
MOST_UNITS = 4096

Buffer = bytes | bytearray | memoryview


def block_at(data: Buffer, start: int) -> tuple[int, int] | None:
    """Find the definite block that begins at `start`.

    Returns:
        Where its bytes begin and end; None if these are the letters of something else; the end lies beyond the data
        if not all of it has arrived.
    """
    head = bytes(data[start + 1 : start + 11])
    digits = head[:1]
    if not digits and start + 1 == len(data):
        return start + 2, start + 3  # Whatever it is, it has not arrived yet.
    if not digits.isdigit() or digits == b"0" or (start > 0 and data[start - 1] not in b" \t,"):
        return None
    count = int(digits)
    first, length = start + 2 + count, head[1 : 1 + count]
    if len(length) < count:
        return (first, first + 1) if length.isdigit() or not length else None
    if not length.isdigit() or int(length) > MOST_BLOCK_BYTES:
        return None
    return first, first + int(length)


class Framer:
    """Cuts the bytes that arrive into messages; what is too long is left out up to the next line feed."""

    def __init__(self) -> None:
        self._data, self._seen, self._in_blocks, self._block_end = bytearray(), 0, 0, 0
        self._is_skipping, self._lost = False, 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes; give the messages that are complete by now, without their ends."""
        if not self._data and not self._is_skipping:
            end, following, _, block_end = _find_end(data, 0)
            if (end, following) == (len(data) - 1, len(data)):
                return [_message(data, following - 1, block_end)]  # The usual case, with one copy less.
        self._data += data
        messages: list[bytes] = []
        while self._skip() and self._cut(messages):
            pass
        return messages

    @property
    def kept_bytes(self) -> int:
        """Get how much has arrived of a message that is not complete."""
        return len(self._data)

    def take_overruns(self) -> int:
        """Give how many messages were too long since the last time."""
        lost, self._lost = self._lost, 0
        return lost

    def clear(self) -> None:
        """Forget what has arrived of an unfinished message."""
        self._data, self._seen, self._in_blocks, self._block_end = bytearray(), 0, 0, 0
        self._is_skipping, self._lost = False, 0

    def _skip(self) -> bool:
        """Leave out the rest of a message that is too long; False if it has not ended yet."""
        if not self._is_skipping:
            return True
        end = self._data.find(b"\n")
        self._is_skipping = end < 0
        del self._data[: len(self._data) if end < 0 else end + 1]
        return end >= 0

    def _cut(self, messages: list[bytes]) -> bool:
        """Take the first message off; False if it is not there yet."""
        end, following, in_blocks, block_end = _find_end(self._data, self._seen)
        self._in_blocks, self._block_end = self._in_blocks + in_blocks, max(self._block_end, block_end)
        if end is None and not self._is_too_long(following):
            self._seen = following
            return False
        block_end, self._block_end = self._block_end, 0
        self._seen, blocks, self._in_blocks = 0, self._in_blocks, 0
        if end is None or end - blocks > MOST_TEXT_BYTES:
            self._is_skipping, self._lost = end is None, self._lost + 1
            del self._data[: following if end is not None else 0]
            return True
        messages.append(_message(self._data, end, block_end))
        del self._data[:following]
        return True

    def _is_too_long(self, following: int) -> bool:
        """Say whether a message without an end is longer than any may be, a block that is under way included."""
        block = block_at(self._data, following) if self._data[following : following + 1] == b"#" else None
        text = (len(self._data) if block is None else following) - self._in_blocks
        promised = self._in_blocks + (0 if block is None else block[1] - following)
        return text > MOST_TEXT_BYTES or promised > MOST_BLOCK_BYTES + _LONGEST_HEAD


def _message(data: bytes | bytearray, end: int, block_end: int) -> bytes:
    """Copy a message without the carriage return that may end it; the last byte of a block is none."""
    is_text = end > block_end and data[end - 1 : end] == b"\r"
    return bytes(memoryview(data)[: end - is_text])


def _find_end(data: bytes | bytearray, position: int) -> tuple[int | None, int, int, int]:
    """Find the end of the first message.

    Returns:
        Its end and the start of the next one; or None, and where to look on for the end. Bytes in blocks on the way,
        and where the last block ends.
    """
    in_blocks = block_end = 0
    while mark := _MARKS.search(data, position):
        position, kind = mark.end(), mark.group()
        if kind == b"\n":
            return mark.start(), position, in_blocks, block_end
        if kind == b"#":
            block = block_at(data, mark.start())
            if block is not None and block[1] > len(data):
                return None, mark.start(), in_blocks, block_end
            if block is not None:
                position = block_end = block[1]
                in_blocks += position - mark.start()
            # Some clients end a block by END alone, which a stream does not carry: the next header follows at once.
            if block is not None and _HEADER_START.match(data, position):
                return position, position, in_blocks, block_end
        else:
            closing, newline = data.find(kind, position), data.find(b"\n", position)
            if closing < 0 and newline < 0:
                return None, mark.start(), in_blocks, block_end
            # A string never runs over the end of a line, or one missing quote would stop everything.
            position = newline if closing < 0 or 0 <= newline < closing else closing + 1
    return None, len(data), in_blocks, block_end


def split_units(message: bytes) -> list[bytes]:
    """Cut a message at the semicolons that are not in strings or blocks."""
    if b'"' not in message and b"'" not in message and b"#" not in message:
        return message.split(b";")
    return [bytes(part) for part in _split(message, _UNIT_MARKS, b";")]


def split_parameters(text: Buffer) -> list[Buffer]:
    """Cut parameters at the commas that are not in strings, blocks or parentheses; without spaces around them.

    Blocks are not copied: in a view they stay views.
    """
    if isinstance(text, bytes):
        if b'"' not in text and b"'" not in text and b"#" not in text and b"(" not in text:
            return [part.strip() for part in text.split(b",")] if text else []
    return [_stripped(part) for part in _split(text, _PARAMETER_MARKS, b",")]


def _stripped(part: Buffer) -> Buffer:
    start = 0
    while start < len(part) and part[start] in b" \t":
        start += 1
    return part[start:] if part[start : start + 1] == b"#" else bytes(part).strip()


def _split(data: Buffer, marks: re.Pattern[bytes], separator: bytes) -> list[Buffer]:
    parts: list[Buffer] = []
    start, position, depth = 0, 0, 0
    while mark := marks.search(data, position):
        position, kind = mark.end(), mark.group()
        if kind == separator and depth == 0:
            parts.append(data[start : mark.start()])
            start = position
        elif kind == b"#":
            block = block_at(data, mark.start())
            position = block[1] if block is not None else position
        elif kind in b"()":
            depth += 1 if kind == b"(" else -1
        elif kind != separator:
            closing = _CLOSING[kind].search(data, position)
            position = len(data) if closing is None else closing.end()
    parts.append(data[start:])
    return parts
