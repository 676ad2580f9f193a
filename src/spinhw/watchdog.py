"""When another process of this computer has ended: told by the system, not guessed from what is heard of it.

Workers that outlive the command that started them would train on unseen: they stop and save instead.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

if sys.platform == "win32":
    import ctypes

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel32.OpenProcess.restype = ctypes.c_void_p
    _kernel32.WaitForSingleObject.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    _kernel32.CloseHandle.argtypes = (ctypes.c_void_p,)
    _kernel32.GetTickCount64.restype = ctypes.c_uint64
    _SYNCHRONIZE, _NO_SUCH_PROCESS = 0x0010_0000, 87

# How often is looked where the system cannot tell by itself.
_LOOK_EVERY_S = 0.1


class Watchdog:
    """Waits for the end of another process. One that is stopped, or suspended with its computer, has not ended.

    Linux gives a handle of the process and Windows another one: nobody can be taken for it, whatever number he gets.
    Elsewhere a child sees that it has another parent. Where none of these is to be had the number is asked for, and
    somebody who gets it counts as the process: its end is then never told, which is the safe mistake.

    Args:
        pid: Number of the process.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._is_gone = pid, False
        self._handle = -1  # Nothing, or what the system gave.
        self._is_parent = os.getppid() == pid
        if sys.platform == "win32":
            self._handle = _kernel32.OpenProcess(_SYNCHRONIZE, False, pid) or -1
            self._is_gone = self._handle == -1 and ctypes.get_last_error() == _NO_SUCH_PROCESS
            return
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self._is_gone = True
        except (AttributeError, OSError):  # Another system, an old kernel, or a container that forbids it.
            return
        self._is_gone |= self._is_parent and os.getppid() != pid  # It went, and its number may be another's.

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the process, so many seconds at most, and tell whether it has ended."""
        if self._is_gone:
            return True
        if sys.platform == "win32":
            if self._handle == -1:
                time.sleep(timeout_s)  # It may not be waited for: its end is never told.
            else:
                self._is_gone = _kernel32.WaitForSingleObject(self._handle, round(timeout_s * 1000)) == 0
        elif self._handle >= 0:
            look = select.poll()
            look.register(self._handle, select.POLLIN)
            self._is_gone = bool(look.poll(max(0, round(timeout_s * 1000))))
        else:
            self._is_gone = self._looked(timeout_s)
        return self._is_gone

    def close(self) -> None:
        """Give the handle back; nothing can be waited for afterwards."""
        handle, self._handle = self._handle, -1
        if sys.platform == "win32":
            if handle != -1:
                _kernel32.CloseHandle(handle)
        elif handle >= 0:
            os.close(handle)

    def _looked(self, timeout_s: float) -> bool:
        end_s = time.monotonic() + timeout_s
        while not (os.getppid() != self._pid if self._is_parent else is_nobody(self._pid)):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return False
            time.sleep(min(_LOOK_EVERY_S, left_s))
        return True


@contextmanager
def stop_without(owner: int, every_s: float = 1.0, saved_after_s: float = 60.0) -> Iterator[None]:
    """Within the context, interrupt this process when its owner ends, however that happens.

    Does nothing in the owner itself, in a process that is not its child (a worker of a cluster), and on Windows, where
    no signal lets a run save.

    Args:
        owner: Process id of the command.
        every_s: How often is looked, in seconds.
        saved_after_s: When the process ends at the latest, saved or not, in seconds after it was interrupted.
    """
    over = threading.Event()
    if os.name == "posix" and os.getppid() == owner:
        watched = Watchdog(owner), over, every_s, saved_after_s
        threading.Thread(target=_stop_without, args=watched, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def clock_s() -> float:
    """Return seconds on a clock that goes on while the computer is suspended, where the system has one."""
    if sys.platform == "win32":
        return float(_kernel32.GetTickCount64()) / 1000
    # Of macOS the monotonic clock goes on, of Linux it does not.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _stop_without(owner: Watchdog, over: threading.Event, every_s: float, saved_after_s: float) -> None:
    while not over.wait(every_s):
        if owner.wait(0.0):
            os.kill(os.getpid(), signal.SIGTERM)  # A run in training finishes its batch and saves.
            over.wait(saved_after_s)
            os._exit(1)  # Nobody is there to take a result, and the worker would only wait for more to do.
    owner.close()


def is_nobody(pid: int) -> bool:
    """Say whether no process has a number; where that cannot be told, somebody has it."""
    if sys.platform == "win32":
        return False  # There is no harmless signal on Windows.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
