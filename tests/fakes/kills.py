"""Processes that are killed: at a named point, the n-th time that a file is about to be made or moved; or after a time.

A campaign may kill after a time, for whatever comes of it is right; a test of every day never does.
"""

import signal
import subprocess
from collections.abc import Sequence

from fakes.processes import python

# Every file is written by a rename or by an append that is seen through to the disk, by a thread of this process. No
# kill of a process loses what it has written, so that nothing waits for the disk.
KILLED = """
import os, signal, sys
left = int(sys.argv.pop(1))
def at_point():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
def counted(done):
    def at(*arguments, **named):
        at_point()
        return done(*arguments, **named)
    return at
os.replace, os.mkdir, os.fsync = counted(os.replace), counted(os.mkdir), counted(lambda file: None)
sys.argv[0] = "spinhw"
{before}
from spinhw.cli import main
try:
    main()
finally:
    print("points left", left, flush=True)
"""
NEVER = 10**9
HANGS_S = 900  # No command of a test takes so long, on a machine with whatever else to do.


def run_killed(
    at: int, arguments: Sequence[object], before: str = "", after_s: float | None = None
) -> tuple[int, str, str]:
    """Run a command that is killed at the n-th point, or after a time; return how it ended and what it said."""
    process = python(KILLED.format(before=before), at, *arguments)
    if after_s is not None:
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
    out, error = process.communicate(HANGS_S)
    return process.returncode, out, error


def points(arguments: Sequence[object], before: str = "") -> int:
    """Run a command to its end; return at how many points it can be killed."""
    code, out, error = run_killed(NEVER, arguments, before)
    assert code == 0, error
    return NEVER - int(out.split("points left")[1])


def is_killed(code: int) -> bool:
    """Tell whether a process was killed."""
    return code == -signal.SIGKILL
