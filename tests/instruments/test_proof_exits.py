"""Every exit: sessions in processes of their own over TCP, ended in every way, on benches that somebody used before."""

import os
import signal
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest
import yaml

from fakes.proof import exits
from fakes.proof.recorder import Limits, Recorder
from fakes.proof.states import messages
from fakes.used_bench import INSTRUMENTS, SMU, TRUTH
from fakes.visa import CHIP_WIRING, bench_file, standing
from spinhw.config import build
from spinhw.instruments import StationSettings

# So many of each kind with --campaign; one of each in every run.
OF_EACH = 20
NUMBERS = [pytest.param(one, marks=[] if one == 0 else pytest.mark.campaign) for one in range(OF_EACH)]
PATIENCE_S = 60.0
SOURCES = ("smu", "dc", "awg", "fast", "tone")
# What would have to be put right at the instrument before any session: it is refused, as it must be.
_REFUSED = (b"OUTPut:ENABle", b"ROUTe", b"SOURce1:IQ")


class Used:
    """A virtual bench over TCP, left by somebody in a drawn state, and watched."""

    def __init__(self, made, addresses, folder, draw):
        self.made, self.folder, self.draw = made, folder, draw
        self.addresses = addresses
        for name in SOURCES:
            panel, model = made.instruments[name], TRUTH["instruments"][name]["model"]
            said = messages(model)
            for place in draw.integers(0, len(said), 10):
                if not said[place].startswith(_REFUSED):
                    panel.execute(said[place], lambda data: None)
        self.path = self.file("bench.yaml", addresses)
        settings = build(StationSettings, yaml.safe_load(self.path.read_text()), "bench.yaml")
        limits = {
            (name, channel): Limits.of(one)
            for name in (*SOURCES, "board")
            for channel, one in settings.instruments[name].channels.items()
        }
        watched = {name: made.instruments[name] for name in (*SOURCES, "board", "matrix")}
        self.recorder = Recorder(watched, limits, time.monotonic)
        self.recorder.start()

    def file(self, name, addresses):
        instruments = INSTRUMENTS | {"smu": ("current-source", "keithley-2400", {"1": SMU})}
        path = self.folder / name
        wiring = CHIP_WIRING | {"supply_current": SMU["highest"]}
        path.write_text(yaml.safe_dump(bench_file(instruments, wiring, addresses, "@py")))
        return path

    def start(self, work, *arguments):
        return exits.start(work, self.folder / "shared", *arguments)

    def somebody_begins(self):
        """Let somebody switch an output on that no bench file lists."""
        with self.made.lock:
            panel = self.made.instruments["fast"]
            with self.recorder.away(panel):
                ours = set(self.recorder.ours())
                panel.execute(b"OUTP7 1", lambda data: None)
            for one in ours:
                self.recorder.theirs.pop(one, None)

    def judge(self):
        with self.made.lock:
            return list(self.recorder.wrong), self.recorder.ours()


@pytest.fixture
def used(tmp_path, request):
    kind, number = (
        request.node.callspec.params.get("kind", request.node.originalname),
        request.node.callspec.params["number"],
    )
    draw = np.random.default_rng([sum(map(ord, kind)), number])
    with standing(TRUTH, "TCP", tmp_path) as (made, addresses, _):
        yield Used(made, addresses, tmp_path, draw)


def heard(say):
    assert say.poll(PATIENCE_S), "nothing was heard of the session"
    return say.recv()


def ended(process):
    process.join(PATIENCE_S)
    assert process.exitcode is not None


@contextmanager
def running(used, breaks=False):
    process, say = used.start(exits.session, str(used.path), int(used.draw.integers(1 << 30)), breaks)
    try:
        assert heard(say) == "up"
        assert used.recorder.ours()
        yield process, say
    finally:
        process.kill()
        process.join()


def lose(used, name):
    with used.made.lock:
        used.made.ports[name].hang_up()


def power_cycle(used, name):
    with used.made.lock:
        used.made.instruments[name].reboot()
        used.recorder.rebooted(name)
        used.made.ports[name].hang_up()


ENDINGS = {
    "exception": lambda used, process: None,
    "Ctrl-C": lambda used, process: os.kill(process.pid, signal.SIGINT),
    "SIGTERM": lambda used, process: os.kill(process.pid, signal.SIGTERM),
    "lost connection": lambda used, process: [lose(used, one) for one in used.draw.choice(SOURCES, 2)],
    "power-cycled": lambda used, process: [power_cycle(used, one) for one in used.draw.choice(SOURCES, 2)],
}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", ENDINGS)
def test_a_session_that_ends_in_any_way_leaves_nothing_on(used, kind, number):
    with running(used, breaks=True) as (process, say):
        if number % 2:
            used.somebody_begins()
        ENDINGS[kind](used, process)
        with suppress(OSError):  # It may have ended by itself.
            say.send("end")
        ended(process)
    assert used.judge() == ([], [])
    assert bool(used.made.instruments["fast"].get("on", 7)) == bool(number % 2) or kind == "power-cycled"


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", ["off", "off --all"])
def test_what_a_killed_session_left_on_is_taken_down_from_memory_and_the_rest_when_told(used, kind, number):
    with running(used) as (process, say):
        process.kill()
        ended(process)
    used.somebody_begins()
    if kind == "off --all":
        used.recorder.taken = {("fast", "7")}
    process, say = used.start(exits.off, str(used.path), kind == "off --all")
    assert heard(say) == ((), [] if kind == "off --all" else ["fast.7"])
    ended(process)
    assert used.judge() == ([], [])
    assert bool(used.made.instruments["fast"].get("on", 7)) == (kind == "off")


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", ["two users", "two spellings"])
def test_a_second_session_is_refused_and_the_first_one_undisturbed(used, kind, number):
    other = used.path
    if kind == "two spellings":  # As LAN and GPIB of one box: another address, and the same serial number answers.
        spelled = {name: one.replace("127.0.0.1", "localhost") for name, one in used.addresses.items()}
        other = used.file("other.yaml", spelled)
    with running(used) as (process, say):
        before = used.recorder.ours()
        second, said = used.start(exits.session, str(other), 1, False)
        reply = heard(said)
        assert "in use by another process" in reply or "that another process uses by another address" in reply
        ended(second)
        assert used.judge() == ([], before)
        os.kill(process.pid, signal.SIGTERM)
        ended(process)
    assert used.judge() == ([], [])
