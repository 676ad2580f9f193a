"""What a bench must remember from one process to the next: who had it open, and which outputs may still be on."""

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Left:
    """What the last process left behind.

    Args:
        unconfirmed: Outputs that could not be confirmed off.
        died: Who had the bench open and never closed it, such as "process 12 on lab3"; empty if it was closed.
    """

    unconfirmed: tuple[str, ...] = ()
    died: str = ""

    def __bool__(self) -> bool:
        return bool(self.unconfirmed or self.died)

    def sentence(self) -> str:
        """Say it in one sentence."""
        parts = [f"{self.died} ended without switching it off"] if self.died else []
        if self.unconfirmed:
            parts.append(f"outputs not confirmed off: {', '.join(self.unconfirmed)}")
        return "the last session left the bench unsafe: " + "; ".join(parts)


class BenchMemory:
    """A small JSON file for each bench.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Left:
        """Read what was left; nothing where there is no file, and everything unknown where it cannot be read."""
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            owner = data["open"]
            died = f"process {owner['pid']} on {owner['host']}" if owner else ""
            return Left(tuple(str(one) for one in data["unconfirmed"]), died)
        except FileNotFoundError:
            return Left()
        except (OSError, ValueError, LookupError, TypeError):
            return Left(died=f"a session whose record {self._path} cannot be read")

    def opened(self, unconfirmed: tuple[str, ...]) -> None:
        """Write down that this process has the bench open."""
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since_unix_s": time.time()}
        self._write({"open": owner, "unconfirmed": list(unconfirmed)})

    def closed(self, unconfirmed: tuple[str, ...]) -> None:
        """Write down which outputs could not be confirmed off when the bench was closed; none is good."""
        self._write({"open": None, "unconfirmed": list(unconfirmed)})

    def _write(self, data: dict[str, object]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(data, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
