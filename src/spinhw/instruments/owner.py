"""Who holds an instrument: what a process writes into the file that it locks, and what others read there."""

import getpass
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spinhw.watchdog import is_nobody


@dataclass(frozen=True)
class Owner:
    """Who holds an instrument.

    Args:
        pid: Process; None where it did not say.
        host: Name of its computer.
        user: Account.
        bench: Name of the bench.
        since_unix_s: When it took it, in seconds since 1970.
        instrument: Name in that bench; empty for what is locked by its address.
        address: VISA address as that bench spells it.
    """

    pid: int | None = None
    host: str = ""
    user: str = ""
    bench: str = ""
    since_unix_s: float = 0.0
    instrument: str = ""
    address: str = ""

    @classmethod
    def myself(cls, bench: str, instrument: str = "", address: str = "") -> "Owner":
        """Describe this process."""
        return cls(os.getpid(), socket.gethostname(), _user(), bench, time.time(), instrument, address)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "Owner":
        """Take over what an owner wrote.

        Raises:
            LookupError, TypeError, ValueError: It is something else.
        """
        texts = {name: str(data.get(name, "")) for name in ("user", "instrument", "address")}
        since_unix_s = float(data.get("since_unix_s", 0.0))
        return cls(int(data["pid"]), str(data["host"]), bench=str(data["bench"]), since_unix_s=since_unix_s, **texts)

    def is_here(self) -> bool:
        """Say whether it is a process of this computer, one that signals reach."""
        return self.pid is not None and self.host == socket.gethostname()

    def is_gone(self) -> bool:
        """Say whether it is a process of this computer that has ended; where that cannot be told it is not."""
        return self.is_here() and self.pid is not None and is_nobody(self.pid)

    def __str__(self) -> str:
        if self.pid is None:
            return "a process that did not say its name"
        user = f" of user {self.user}" if self.user else ""
        return f"process {self.pid} on {self.host}{user} (bench {self.bench})"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, LookupError, ImportError):  # An account that nobody gave a name, as in containers.
        return "" if sys.platform == "win32" else f"number {os.getuid()}"
