"""The guard: a session that is killed comes down; nobody else's outputs are touched; it acts in its minute or never.

The campaign: pytest tests/instruments/test_guard.py --campaign. A run is killed at 200 moments, each with a number, and
goes on to the same bits; three hundred sessions leave no process behind.
"""

import json
import logging
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress

import pytest
import yaml

from fakes import processes
from fakes.guarded import CAMPAIGN, failing, guards, watched
from fakes.processes import python
from fakes.visa import BANK_INSTRUMENTS, BANK_TRUTH, BANK_WIRING, bench_file, standing
from spinhw.config import build
from spinhw.errors import DeviceError
from spinhw.instruments import CurrentSource, Station, StationSettings, load_station, open_station
from spinhw.instruments.guard import GuardError, take_after_guard
from spinhw.instruments.lock import BenchLock, guard_of, owner_of
from spinhw.instruments.rescue import Rescue
from spinhw.instruments.wires import clear_device
from spinhw.watchdog import clock_s

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills processes by POSIX signals")

SESSIONS = 300
GENEROUS_S = 60.0
SMALL_STEPS = {"lowest": "0 mA", "highest": "12 mA", "compliance": "5 V", "ramp_step": "1 mA", "ramp_delay": "0 s"}
# A session that sends all sorts of messages, and is killed before the n-th that begins so, or in the middle of a block.
SESSION = """
import os, signal, sys
import numpy as np
from spinhw.instruments import CurrentSource, WaveformSource, guard, open_station
from spinhw.instruments.wires import SocketWire
path, begins, left, before = sys.argv[1], sys.argv[2].encode(), int(sys.argv[3]), sys.argv[4]
guard.ACTS_FOR_S = float(sys.argv[5])
send = SocketWire.send
def counted(self, *parts):
    global left
    whole = b"".join(map(bytes, parts))
    if begins and whole.startswith(begins):
        left -= 1
        if left == 0:
            send(self, whole[: len(whole) // 2] if len(whole) > 300 else b"")
            os.kill(os.getpid(), signal.SIGKILL)
    send(self, *parts)
SocketWire.send = counted
with open_station(path) as station:
    exec(before)
    bias, awg = station.get("bias", CurrentSource), station.get("awg", WaveformSource)
    def play():
        bias.set_output("1", True)
        bias.set_current("1", 5e-3)
        awg.upload({"1": np.zeros(500)}, 1e9)
        awg.set_output("1", True)
        awg.arm()
        awg.trigger()
    play()
    station.disconnect()
    station.connect()
    station.look_over()
    play()
    print("up", flush=True)
    sys.stdin.readline()
    exec(sys.stdin.readline())
    print("done", flush=True)
    sys.stdin.readline()
"""
# Where it is killed: what the message begins with, and which of them.
MOMENTS = {
    "before the first switch-on": (b":OUTPut 1", 1),
    "on a ramp": (b":SOURce:CURRent 0.003", 1),
    "in an upload": (b":SOURce1:DATA:ARB", 1),
    "while it plays": (b"*TRG", 1),
    "as a connection is made again": (b"*IDN?", 5),
}


class Standing:
    """A bench over TCP, its file, and sessions on it in processes of their own."""

    def __init__(self, made, addresses, folder):
        self.made, self.addresses, self.path = made, list(addresses.values()), folder / "bench.yaml"
        instruments = BANK_INSTRUMENTS | {"bias": ("current-source", "keithley-2400", {"1": SMALL_STEPS})}
        self.data = bench_file(instruments, BANK_WIRING, addresses, "@py", timeout="20 s")
        self.write()

    def write(self, **changes):
        self.path.write_text(yaml.safe_dump(self.data | changes), encoding="utf-8")

    def start(self, begins=b"", left=0, before="pass", acts_for_s=GENEROUS_S):
        return python(SESSION, self.path, begins.decode(), left, before, acts_for_s)

    @contextmanager
    def up(self, acts_for_s=GENEROUS_S):
        process = self.start(acts_for_s=acts_for_s)
        try:
            assert process.stdout.readline() == "up\n", process.communicate()
            yield process
        finally:
            process.kill()
            process.communicate()

    def on(self):
        with self.made.lock:
            return [
                (name, channel)
                for name, channels in (("bias", (1,)), ("awg", (1, 2)))
                for channel in channels
                if self.made.instruments[name].get("on", channel)
            ]

    def guard(self):
        found = guard_of(self.addresses)
        return None if found is None else found.pid

    def until_guard_ends(self):
        until(lambda: self.guard() is None)

    def left(self):
        """Give what a session that opens the bench is told."""
        with open_station(self.path) as station:
            return station.left


def until(is_true):
    end = time.monotonic() + 2 * GENEROUS_S
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def bench(tmp_path):
    with standing(BANK_TRUTH, "TCP", tmp_path) as (made, addresses, _):
        made = Standing(made, addresses, tmp_path)
        yield made
        made.until_guard_ends()


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_killed_session_had_on_is_brought_down_by_its_guard_and_the_next_one_says_so(bench, moment):
    process = bench.start(*MOMENTS[moment])
    out, error = process.communicate()
    assert (process.returncode, out) == (-signal.SIGKILL, ""), error
    left = bench.left()  # It waits for the guard.
    assert bench.on() == [] and not left.died and not left.unconfirmed
    assert f"process {process.pid} was killed; its guard switched off bias.1" in left.guarded
    assert not bench.left()  # It is said once.


def test_children_of_a_killed_session_that_hold_its_pipe_hide_nothing(bench):
    """One was forked, and has all that the session had; one was started, with every pipe of the session."""
    before = """
import subprocess
child = os.fork()
if child == 0:
    os.read(os.pipe()[0], 1)
for one in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else ():
    try:
        if os.readlink(f"/proc/self/fd/{one}").startswith("pipe:"):
            os.set_inheritable(int(one), True)
    except OSError:
        pass
other = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], close_fds=False)
print(child, other.pid, flush=True)
"""
    process = bench.start(before="station.look_over();" + f"exec({before!r})")
    children = [int(one) for one in process.stdout.readline().split()]
    try:
        assert process.stdout.readline() == "up\n"
        assert len(bench.on()) == 2
        process.kill()
        process.wait()
        bench.until_guard_ends()
        assert bench.on() == [] and all(is_there(one) for one in children)
        assert "switched off bias.1, awg.1" in bench.left().guarded
    finally:
        for one in children:
            os.kill(one, signal.SIGKILL)
        process.communicate()


def test_a_guard_ends_with_its_session_and_is_told_of_nothing_but_its_end(bench):
    with bench.up() as process:
        first = bench.guard()
        assert first not in (None, process.pid)
        os.kill(first, signal.SIGTERM)  # It is the session that is ended in order; then so is the guard.
        os.kill(first, signal.SIGINT)
        assert is_there(first)
        process.stdin.write("\nstation.close()\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        assert bench.guard() is None and bench.on() == [] and owner_of(bench.addresses) is None


def test_a_guard_that_is_gone_is_replaced_at_the_next_switch_on_and_missed_at_the_next_open(bench):
    with bench.up() as process:
        first = bench.guard()
        os.kill(first, signal.SIGKILL)
        until(lambda: bench.guard() is None)
        process.stdin.write("\nawg.set_output('2', True); awg.set_output('1', True)\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        second = bench.guard()
        assert second not in (None, first)
        os.kill(second, signal.SIGKILL)
        until(lambda: bench.guard() is None)
        process.kill()
        process.wait()
    assert ("bias", 1) in bench.on()
    with pytest.raises(Exception, match=r"an earlier session of spinhw left .*bias\.1"):
        with open_station(bench.path) as station:
            assert f"process {process.pid} on" in station.left.died and not station.left.guarded
            station.look_over()


def test_a_guard_whose_pipe_has_closed_while_its_session_lives_goes_and_does_nothing(bench):
    close = """
from spinhw.instruments.lock import guard_of
pipe, there = os.readlink(f"/proc/{guard_of(station.addresses).pid}/fd/0"), []
for one in os.listdir("/proc/self/fd"):
    try:
        there += [int(one)] if os.readlink(f"/proc/self/fd/{one}") == pipe else []
    except OSError:
        pass
[there] = there
os.close(there)
"""
    if not os.path.exists("/proc/self/fd"):
        pytest.skip("nobody says which descriptors are pipes")
    with bench.up(acts_for_s=0.0) as process:
        process.stdin.write(f"\nexec({close!r})\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        bench.until_guard_ends()
        assert ("bias", 1) in bench.on() and is_there(process.pid)


def test_nothing_is_switched_on_where_no_guard_can_be_started(bench, mocker):
    with open_station(bench.path) as station:
        mocker.patch.object(sys, "executable", "/nowhere/python")
        with pytest.raises(GuardError, match=r"cannot be started.*/nowhere/python.*'guard: false'"):
            station.get("bias", CurrentSource).set_output("1", True)
    assert bench.on() == []


def test_a_bench_file_may_do_without_which_is_said_and_one_inside_the_own_process_has_none(bench, tmp_path, caplog):
    bench.write(guard=False)
    with open_station(bench.path) as station:
        station.get("bias", CurrentSource).set_output("1", True)
        assert bench.guard() is None
    assert "'guard: false' in the bench file: what is on stays on if this process is killed" in caplog.text
    caplog.clear()
    with inside(tmp_path) as (settings, _), Station(settings, "bench.yaml", state_folder=tmp_path) as station:
        station.get("bias", CurrentSource).set_output("1", True)
        assert guard_of(station.addresses, tmp_path) is None
    assert not caplog.records


def test_locks_that_nobody_has_any_more_when_one_looks_are_taken(tmp_path, mocker):
    """Who only asks for an owner holds a lock for a moment, which is long on a busy machine."""
    take, refusals = BenchLock.acquire, [0, 1]

    def acquire(lock, who):
        if refusals.pop():
            raise DeviceError("in use by another process")
        take(lock, who)

    mocker.patch.object(BenchLock, "acquire", acquire)
    lock = BenchLock(tmp_path, ["GPIB0::7::INSTR"])
    take_after_guard(lock, "lab")
    assert owner_of(["GPIB0::7::INSTR"], tmp_path).pid == os.getpid()
    lock.release()
    refusals[:] = [0, 1, 1]
    with pytest.raises(DeviceError, match="in use by another process"):
        take_after_guard(lock, "lab")


def test_who_opens_a_bench_waits_for_a_guard_at_work_and_says_so(tmp_path, mocker, caplog):
    addresses, told = ["GPIB0::7::INSTR"], []
    code = """
import sys
from pathlib import Path
from spinhw.instruments.lock import BenchLock
marks = BenchLock(Path(sys.argv[1]), ["gpib::7"], guard=True)
marks.acquire("lab")
print("ready", flush=True)
sys.stdin.readline()
"""
    guard = python(code, tmp_path)
    assert guard.stdout.readline() == "ready\n"

    def sleep(seconds):
        if not told:
            guard.kill()
            guard.wait()
        told.append(seconds)

    lock = BenchLock(tmp_path, addresses)
    mocker.patch("spinhw.instruments.guard.SILENT_S", -1.0)
    mocker.patch("spinhw.instruments.guard.MOST_WAITING_S", -1.0)
    with pytest.raises(Exception, match=f"has not ended; seen: process {guard.pid} after"):
        take_after_guard(lock, "lab")
    mocker.patch("spinhw.instruments.guard.MOST_WAITING_S", GENEROUS_S)
    mocker.patch("spinhw.instruments.guard.time.sleep", sleep)
    take_after_guard(lock, "lab")
    assert told and f"its guard (process {guard.pid}) brings down what it left on; waiting for its end" in caplog.text
    lock.release()
    guard.communicate()


# What a guard does, in this process, on a bench inside it.


@contextmanager
def inside(folder):
    with standing(BANK_TRUTH, "inside", folder) as (made, addresses, backend):
        instruments = BANK_INSTRUMENTS | {"bias": ("current-source", "keithley-2400", {"1": SMALL_STEPS})}
        yield build(StationSettings, bench_file(instruments, BANK_WIRING, addresses, backend), "bench.yaml"), made


@pytest.fixture
def left(tmp_path):
    """A bench as a session left it that has just ended, and what its guard was told."""
    with inside(tmp_path) as (settings, made):
        station = Station(settings, "bench.yaml", state_folder=tmp_path)
        station.open()
        source = station.get("bias", CurrentSource)
        source.set_output("1", True)
        source.set_current("1", 5e-3)
        station.memory.took("awg.1")
        hello = {"pid": 12, "session": station.memory.session(), "source": "bench.yaml", "folder": str(tmp_path)}
        hello["settings"] = settings.model_dump(mode="json", by_alias=True)
        station.disconnect()
        held = BenchLock(tmp_path, station.addresses)
        end_of(station, tmp_path)
        yield made, json.loads(json.dumps(hello)), tmp_path, held
        held.release()
        for one in list(logging.getLogger().handlers):
            if type(one).__module__ == "spinhw.instruments.rescue":
                logging.getLogger().removeHandler(one)
                one.stream.close()


def end_of(station, folder):
    """Let a session end as one that was killed: its locks are free, and its memory is as it was."""
    [path] = folder.glob("bench-*.json")
    before = path.read_bytes()
    made_safe = station.custody.ours
    station.custody.ours = lambda instrument=None: []
    with suppress(Exception):
        station.close()
    station.custody.ours = made_safe
    path.write_bytes(before)


def is_on(made):
    return bool(made.instruments["bias"].get("on"))


def log_of(folder):
    [path] = folder.glob("bench-*.log")
    return path.read_text(encoding="utf-8")


def test_what_was_named_comes_down_and_nothing_else_and_all_is_written_down(left):
    made, hello, folder, _ = left
    made.instruments["awg"].store("on", 2, True)
    Rescue(hello).act(["bias.1", "awg.1"], clock_s() + GENEROUS_S)
    assert not is_on(made) and made.instruments["awg"].get("on", 2)
    with pytest.raises(Exception, match="awg.2"), open_here(hello, folder) as station:
        assert station.left.guarded == "process 12 was killed; its guard switched off bias.1, awg.1"
        assert not station.left.died and not station.left.ours
        station.look_over()
    assert "its guard switched off bias.1, awg.1" in log_of(folder)


def open_here(hello, folder):
    return Station(StationSettings.model_validate(hello["settings"]), "bench.yaml", state_folder=folder)


def test_nothing_is_sent_where_another_process_has_the_bench(left, mocker):
    made, hello, folder, held = left
    mocker.patch("spinhw.instruments.rescue.ASKS_FOR_S", 0.0)
    held.acquire("somebody")
    Rescue(hello).act(["bias.1"], clock_s() + GENEROUS_S)
    assert is_on(made) and "nothing was sent: bench: the instrument at" in log_of(folder)


def test_nothing_is_sent_where_somebody_has_used_the_bench_since(left):
    made, hello, folder, _ = left
    hello["session"]["since_unix_s"] -= 1.0
    Rescue(hello).act(["bias.1"], clock_s() + GENEROUS_S)
    assert is_on(made) and "nothing was sent: somebody else has used the bench since" in log_of(folder)


def test_nothing_is_sent_after_its_time(left):
    made, hello, folder, _ = left
    Rescue(hello).act(["bias.1"], clock_s() - 1.0)
    assert is_on(made) and "ended too long ago, and nothing was sent; it had on: bias.1" in log_of(folder)


def test_a_way_down_ends_when_its_time_is_over_and_what_is_left_is_named(left, mocker):
    made, hello, folder, _ = left
    bias = made.instruments["bias"]  # The computer is suspended on the way.
    mocker.patch("spinhw.instruments.rescue.clock_s", lambda: 0.0 if bias.get("current_a") > 3e-3 else 10.0)
    Rescue(hello).act(["bias.1", "awg.1"], 5.0)
    assert is_on(made) and 0 < made.instruments["bias"].get("current_a") < 5e-3
    with open_here(hello, folder) as station:
        assert "its guard could not switch off bias.1" in station.left.guarded
        assert "bias.1" in station.left.unconfirmed


def test_an_instrument_that_does_not_answer_is_tried_until_the_end_and_named(left, mocker):
    made, hello, folder, _ = left
    hello["settings"]["instruments"]["awg"]["address"] = "TCPIP0::nobody::5025::SOCKET"
    mocker.patch("spinhw.instruments.rescue.FIRST_PAUSE_S", 2 * GENEROUS_S)
    rescue = Rescue(hello)
    [path] = folder.glob("bench-*.json")
    path.rename(rescue.memory.path)
    rescue.act(["bias.1", "awg.1"], clock_s() + GENEROUS_S)
    assert not is_on(made)
    said = json.loads(rescue.memory.path.read_text(encoding="utf-8"))
    assert said["unconfirmed"] == ["awg.1"]
    assert (
        said["guarded"] == "process 12 was killed; its guard switched off bias.1; its guard could not switch off awg.1"
    )


def test_a_device_clear_is_for_interfaces_that_have_one(mocker):
    manager = mocker.patch("pyvisa.ResourceManager").return_value
    for address in ("TCPIP0::one::5025::SOCKET", "ASRL3::INSTR", "TCPIP0::one::inst0::INSTR", "gpib::7"):
        clear_device(address, "@py", 2.0)
    opened = [call.args[0] for call in manager.open_resource.call_args_list]
    assert opened == ["TCPIP0::one::inst0::INSTR", "gpib::7"]
    assert manager.open_resource.return_value.clear.call_count == 2
    assert manager.open_resource.return_value.close.call_count == 2


def test_settings_reach_the_guard_as_they_are(bench):
    settings = load_station(bench.path)
    there = settings.model_dump(mode="json", by_alias=True, include=set(StationSettings.model_fields))
    assert StationSettings.model_validate(json.loads(json.dumps(there))) == settings


# The campaign.


@pytest.mark.campaign
@pytest.mark.timeout(36000)
def test_campaign(tmp_path, capsys):
    processes.PRELOADED.append("fakes.preloaded_work")
    with watched(tmp_path) as bench:
        for name in ("compiled", "whole"):
            begun = time.perf_counter()
            kinds = bench.whole(tmp_path / name)
        lasts_s, wanted = time.perf_counter() - begun, bench.result(tmp_path / "whole")
        failing(bench.made)
        kills = [bench.kill(number, kinds, lasts_s, wanted) for number in range(CAMPAIGN)]
    assert [one for one in kills if one.wrong] == []
    off_s = sorted(one.off_s for one in kills if one.off_s is not None)
    with capsys.disabled():
        print(f"\n{len(off_s)} of {len(kills)} had something on; off after {off_s[len(off_s) // 2]:.1f} s, at most")
        print(f"{off_s[-1]:.1f} s; no output beyond a limit, none of others touched, the same bits")


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_sessions_leave_no_process_behind(bench):
    before = set(guards())
    for _ in range(SESSIONS):
        with open_station(bench.path) as station:
            station.get("bias", CurrentSource).set_output("1", True)
    assert set(guards()) <= before
