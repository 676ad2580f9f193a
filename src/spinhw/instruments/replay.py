"""Conversations that were recorded or written down, played back in order: the exact test of a driver."""

from collections.abc import Iterable
from pathlib import Path

from spinhw.instruments.traffic import EVENT, SENT, Buffer, load_traffic
from spinhw.instruments.wires import Wire


class ReplayWire(Wire):
    """Answers as in a conversation, and refuses every byte that is not in it at that place.

    Args:
        exchanges: What is sent and what comes back, each as bytes with the final line feed; an empty reply for
            messages that have none.
    """

    def __init__(self, exchanges: Iterable[tuple[bytes, bytes]]) -> None:
        self._left = list(exchanges)
        self._waiting = b""

    @classmethod
    def of_recording(cls, path: Path, instrument: str) -> "ReplayWire":
        """Play a file of JSON lines that `Traffic` wrote, for one of its instruments."""
        exchanges: list[tuple[bytes, bytes]] = []
        for direction, data in load_traffic(path, instrument):
            if direction == SENT:
                exchanges.append((data, b""))
            elif direction != EVENT:
                sent, reply = exchanges[-1]
                exchanges[-1] = (sent, reply + data)
        return cls(exchanges)

    def finish(self) -> None:
        """Refuse leftovers.

        Raises:
            ValueError: Something was not sent, or a reply was not read to its end.
        """
        if self._left or self._waiting:
            raise ValueError(f"never sent: {[sent for sent, _ in self._left]}; never read: {self._waiting!r}")

    def send(self, *parts: Buffer) -> None:
        data = b"".join(parts)
        if self._waiting:
            raise ValueError(f"sent {data!r} before reading {self._waiting!r}")
        if not self._left or self._left[0][0] != data:
            wanted = repr(self._left[0][0]) if self._left else "nothing more"
            raise ValueError(f"sent {data!r}; the conversation goes on with {wanted}")
        self._waiting = self._left.pop(0)[1]

    def receive_line(self) -> bytes:
        line, end, rest = self._waiting.partition(b"\n")
        if not end:
            raise TimeoutError("the conversation has no reply here")
        self._waiting = rest
        return line.removesuffix(b"\r")

    def receive(self, count: int) -> bytes:
        if len(self._waiting) < count:
            raise TimeoutError("the conversation has no reply as long as this")
        data, self._waiting = self._waiting[:count], self._waiting[count:]
        return data

    def end_block(self) -> None:
        if self.receive_line():
            raise ValueError("there are bytes behind the end of the block")

    def set_timeout(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass
