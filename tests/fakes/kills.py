"""Processes that are killed at a named point of their work: the n-th time that a file is about to be made or moved."""

import signal
from collections.abc import Sequence

from fakes.processes import python

# Every file is written by a rename or by an append that is seen through to the disk, by a thread of this process.
KILLED = """
import os, signal, sys
left = int(sys.argv.pop(1))
def counted(done):
    def at(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done(*arguments, **named)
    return at
os.replace, os.fsync, os.mkdir = counted(os.replace), counted(os.fsync), counted(os.mkdir)
sys.argv[0] = "spinhw"
{before}
from spinhw.cli import main
try:
    main()
finally:
    print("points left", left, flush=True)
"""
NEVER = 10**9


def run_killed(at: int, arguments: Sequence[object], before: str = "") -> tuple[int, str, str]:
    """Run a command that is killed at the n-th point; return how it ended and what it said."""
    process = python(KILLED.format(before=before), at, *arguments)
    out, error = process.communicate()
    return process.returncode, out, error


def points(arguments: Sequence[object], before: str = "") -> int:
    """Run a command to its end; return at how many points it can be killed."""
    code, out, error = run_killed(NEVER, arguments, before)
    assert code == 0, error
    return NEVER - int(out.split("points left")[1])


def is_killed(code: int) -> bool:
    """Tell whether a process was killed."""
    return code == -signal.SIGKILL
