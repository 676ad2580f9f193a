"""SCPI errors: codes, texts and the queue of an instrument (SCPI-99, volume 2, chapter 21)."""

from collections import deque

TEXTS = {
    -100: "Command error",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -112: "Program mnemonic too long",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -121: "Invalid character in number",
    -124: "Too many digits",
    -131: "Invalid suffix",
    -141: "Invalid character data",
    -144: "Character data too long",
    -151: "Invalid string data",
    -161: "Invalid block data",
    -200: "Execution error",
    -221: "Settings conflict",
    -222: "Data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -225: "Out of memory",
    -230: "Data corrupt or stale",
    -256: "File name not found",
    -300: "Device-specific error",
    -310: "System error",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
    -430: "Query DEADLOCKED",
}

COMMAND_ERROR, EXECUTION_ERROR, DEVICE_ERROR, QUERY_ERROR = 32, 16, 8, 4


class ScpiError(Exception):
    """A command that an instrument refuses.

    Args:
        code: Number of the error; negative ones are of the standard, positive ones of the maker.
        text: By default the standard's.
    """

    def __init__(self, code: int, text: str = "") -> None:
        self.code, self.text = code, text or TEXTS.get(code, "Device-specific error")
        super().__init__(f"{code},{self.text}")


def as_error(error: Exception) -> ScpiError:
    """Give the entry of the error queue for whatever left the handler of a command."""
    if isinstance(error, ScpiError):
        return error
    if isinstance(error, ArithmeticError):
        return ScpiError(-222)
    if isinstance(error, MemoryError):
        return ScpiError(-225)
    return ScpiError(-224 if isinstance(error, LookupError | ValueError) else -300)


def event_bit(code: int) -> int:
    """Give the bit of the standard event register that an error sets."""
    return {1: COMMAND_ERROR, 2: EXECUTION_ERROR, 4: QUERY_ERROR}.get(-code // 100 if code < 0 else 3, DEVICE_ERROR)


class ErrorQueue:
    """First in, first out; when it is full the newest entry becomes "Queue overflow".

    Args:
        depth: Entries that it holds, at least 2.
    """

    def __init__(self, depth: int = 20) -> None:
        self._entries: deque[tuple[int, str]] = deque()
        self._depth = depth

    def push(self, error: ScpiError) -> None:
        """Add an error."""
        if len(self._entries) < self._depth:
            self._entries.append((error.code, error.text))
        else:
            self._entries[-1] = (-350, TEXTS[-350])

    def pop(self) -> tuple[int, str]:
        """Take the oldest entry out; (0, "No error") where there is none."""
        return self._entries.popleft() if self._entries else (0, "No error")

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
