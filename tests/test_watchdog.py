"""When another process has ended: killed, stopped, without a handle, and what a worker does without its owner."""

import os
import signal
import sys
import threading

import pytest
from pytest_mock import MockerFixture

from fakes.processes import python
from spinhw.watchdog import Watchdog, clock_s, is_nobody, stop_without

GENEROUS_S = 60.0
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

# A process that watches its own parent, and says when it has gone.
CHILD = """
import os, sys
from spinhw.watchdog import Watchdog
if sys.argv[1] == "without":
    def refused(pid): raise PermissionError
    os.pidfd_open = refused
watched = os.getpid()
if os.fork() == 0:
    dog = Watchdog(watched)
    assert not dog.wait(0.0)
    print("watching", flush=True)
    print(dog.wait(60.0), dog.wait(0.0), flush=True)
    os._exit(0)
sys.stdin.readline()
"""


@posix
@pytest.mark.parametrize("handle", ["with", "without"])
def test_a_child_learns_of_the_end_of_a_parent_that_was_killed(handle):
    parent = python(CHILD, handle)
    assert parent.stdout.readline() == "watching\n"
    parent.kill()
    assert parent.stdout.readline() == "True True\n"
    parent.communicate()


@posix
def test_a_process_that_is_stopped_has_not_ended_and_one_that_nobody_has_asked_for_has():
    process = python("import sys; print('ready', flush=True); sys.stdin.readline()")
    dog = Watchdog(process.pid)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGSTOP)
    assert not dog.wait(0.01)
    process.send_signal(signal.SIGCONT)
    assert not dog.wait(0.01)
    process.kill()
    assert dog.wait(GENEROUS_S)
    process.communicate()
    dog.close()
    assert is_nobody(process.pid) and Watchdog(process.pid).wait(0.0)
    assert not is_nobody(os.getpid())


def test_without_a_handle_one_who_has_the_number_counts_as_the_process(mocker: MockerFixture):
    mocker.patch.object(os, "pidfd_open", side_effect=PermissionError, create=True)
    assert not Watchdog(os.getpid()).wait(0.01)


def test_the_clock_goes_on():
    first = clock_s()
    assert clock_s() >= first


@posix
def test_a_worker_without_its_owner_stops_and_a_cluster_is_left_alone(mocker: MockerFixture) -> None:
    sent: list[int] = []
    mocker.patch("os.kill", lambda process, number: sent.append(number))
    gone = threading.Event()
    mocker.patch("os._exit", lambda code: gone.set())
    parent = os.getppid()
    before = threading.active_count()
    with stop_without(parent + 1):  # Not our owner: nobody watches.
        assert threading.active_count() == before
    with stop_without(parent, 0.01, 0.01):
        mocker.patch.object(Watchdog, "wait", return_value=True)
        assert gone.wait(GENEROUS_S)
    assert sent == [signal.SIGTERM]
