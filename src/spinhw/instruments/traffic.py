"""What was said to the instruments: the last messages in memory, and all of them in a file of JSON lines."""

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# Messages kept in memory, and bytes kept there of each: blocks of megabytes would fill it.
_MESSAGES = 20_000
_BYTES = 240

SENT, RECEIVED, EVENT = ">", "<", "!"

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Message:
    """One message.

    Args:
        time_s: Seconds since 1970.
        instrument: Name in the station.
        direction: ">" sent, "<" received, "!" something that happened to the connection.
        data: Its bytes; in memory the first of them.
        size: How many there were.
    """

    time_s: float
    instrument: str
    direction: str
    data: bytes
    size: int

    def text(self) -> str:
        """Write it for people, on one line."""
        shown = self.data.decode("latin-1").rstrip("\n").encode("unicode_escape").decode()
        more = f"... ({self.size} bytes)" if self.size > len(self.data) else ""
        return f"{self.instrument} {self.direction} {shown}{more}"


class Traffic:
    """Log of all instruments of a station; several threads may write to it.

    Args:
        file: JSON lines are appended to it; None for memory only.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._recent: deque[tuple[float, str, str, bytes, int]] = deque(maxlen=_MESSAGES)
        self._lock = threading.Lock()
        self._file: IO[str] | None = file.open("a", encoding="utf-8") if file else None

    def note(self, instrument: str, direction: str, *parts: Buffer) -> None:
        """Remember one message, whole or in parts; of a long one only its beginning is copied."""
        first = parts[0]
        if len(parts) == 1 and isinstance(first, bytes):
            kept, size = first[:_BYTES], len(first)
        else:
            kept, size = b"".join(bytes(part[:_BYTES]) for part in parts), sum(len(part) for part in parts)
        self._recent.append((time.time(), instrument, direction, kept, size))
        if self._file is not None:
            self._write(instrument, direction, b"".join(parts))

    def recent(self, instrument: str | None = None) -> list[Message]:
        """Return the last messages, oldest first, of one instrument or of all."""
        return [Message(*one) for one in list(self._recent) if instrument in (None, one[1])]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, instrument: str, direction: str, data: bytes) -> None:
        line = json.dumps({"t": time.time(), "who": instrument, "dir": direction, **_as_json(data)})
        with self._lock:
            if self._file is not None:
                self._file.write(line + "\n")
                self._file.flush()


def load_traffic(path: Path, instrument: str) -> Iterator[tuple[str, bytes]]:
    """Read direction and bytes of the messages of one instrument from a file of JSON lines."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["who"] == instrument:
                yield entry["dir"], _from_json(entry)


def _as_json(data: bytes) -> dict[str, str]:
    if data.isascii():
        return {"text": data.decode("ascii")}
    return {"b64": base64.b64encode(data).decode("ascii")}


def _from_json(entry: dict[str, Any]) -> bytes:
    return entry["text"].encode("ascii") if "text" in entry else base64.b64decode(entry["b64"])
