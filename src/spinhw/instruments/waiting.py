"""How instruments are waited for."""

import time
from collections.abc import Callable

from spinhw.errors import DeviceError


def wait(seconds: float) -> None:
    """Let something settle."""
    if seconds > 0:
        time.sleep(seconds)


def wait_for(done: Callable[[], bool], timeout_s: float, who: str, what: str, pause_s: float = 1e-3) -> None:
    """Ask again and again until something is done.

    Raises:
        DeviceError: It is not, in time.
    """
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            raise DeviceError(
                f"{who}: {what} was not done in time",
                seen=f"{timeout_s:g} s",
                todo="check the trigger cable and the trigger settings",
            )
        wait(min(pause_s, timeout_s / 10))
