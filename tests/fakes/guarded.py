"""A run on a virtual bench over TCP that is killed at any message, and what its guard then must do and must not.

The bench is watched: no output may ever go beyond a limit or be cut, and none of somebody else's may be touched. Its
chip makes no noise, so that a run that goes on has the bits of one that nobody killed.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from fakes.kills import HANGS_S, is_killed
from fakes.processes import python
from fakes.proof.recorder import Limits, Recorder
from fakes.runs import bits, tiny, without_times
from fakes.visa import CHIP_INSTRUMENTS, CHIP_TRUTH, CHIP_WIRING, bench_file, standing
from spinhw.config import build
from spinhw.instruments import StationSettings, switch_off
from spinhw.instruments.lock import guard_of, owner_of
from spinhw.training import RunFolder
from spinhw.virtual.faults import Faults, FaultSettings

# What a kill comes in the middle of: half a block is sent; a current is ramped; a shot is played; synapses are
# programmed; a connection that was lost is made again; nothing of these.
KINDS = ("upload", "ramp", "run", "reprogramming", "recovery", "any")
# What is sent to true wires is counted; a rehearsal has others.
KILLED = """
import collections, os, signal, sys, time
kind, left, cut, pids = sys.argv.pop(1), int(sys.argv.pop(1)), int(sys.argv.pop(1)), sys.argv.pop(1)
from spinhw.instruments import guard
from spinhw.instruments.wires import SocketWire
counts, recovering, send, close = collections.Counter(), 0, SocketWire.send, SocketWire.close
{before}
with open(pids, "w") as file:
    file.write(str(os.getpid()))
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
def count(one, end=kill):
    counts[one] += 1
    if one == kind and counts[one] == left:
        end()
def counted(self, *parts):
    global recovering
    whole = b"".join(map(bytes, parts))
    count("any")
    if kind == "recovery" and counts["any"] == cut:
        closed(self)
    if whole.startswith(b":SOURce:CURRent "):
        count("ramp")
    if b"*TRG" in whole or whole.startswith((b":WAVeform", b":AER", b":DIGitize", b":SINGle")):
        count("run")
    if whole.startswith(b":SYNapse"):
        count("reprogramming")
    if recovering:
        recovering -= 1
        count("recovery")
    if len(whole) > 300:
        count("upload", lambda: (send(self, whole[: len(whole) // 2]), kill()))
    send(self, *parts)
def closed(self):
    global recovering
    recovering = 60
    close(self)
SocketWire.send, SocketWire.close = counted, closed
import logging
from pathlib import Path
from spinhw.training import load_settings, resume, train
logging.basicConfig(level=logging.WARNING)
config, run = map(Path, sys.argv[1:])
resume(run) if run.exists() else train(load_settings(config), run)
print(*(f"{{name}}={{number}}" for name, number in counts.items()), flush=True)
"""
NEVER = 10**9
CAMPAIGN = 200  # Kills.
_RECOVERS_IN = 60  # Messages, at least.
EXTRA = {"fast": {"model": "tektronix-awg5200"}}
INSTRUMENTS = {name: one for name, one in CHIP_INSTRUMENTS.items() if name != "tek"} | {
    "smu": ("current-source", "keithley-2400", {
        "1": {"lowest": "0 mA", "highest": "12 mA", "compliance": "5 V", "ramp_step": "1 mA", "ramp_delay": "0 s"},
    }),
    "scope": ("digitizer", "keysight-infiniivision", {
        str(one): {"lowest": "-100 mV", "highest": "100 mV"} for one in range(1, 5)
    }),
    "fast": ("waveform-source", "tektronix-awg5200", {"1": {"lowest": "-0.2 V", "highest": "0.2 V"}}),
}  # fmt: skip
WIRING = {key: value for key, value in CHIP_WIRING.items() if key != "outputs"} | {"observed": "filtered"}
TRUTH = CHIP_TRUTH | {
    "network": {"layers": [4, 3], "readout": "software"},
    "instruments": {name: one for name, one in CHIP_TRUTH["instruments"].items() if name != "tek"} | EXTRA,
    "probes": [{"signal": "filtered", "to": "matrix:1", "latency": "400 ps"}],
}
SOURCES = ("smu", "board", "awg", "fast", "matrix")
# Now and then a connection is lost: of a session, and of its guard.
FAULTS = FaultSettings(seed=5, dropped=3e-4, instruments=("smu", "board", "matrix"))


@dataclass(frozen=True)
class Kill:
    """What came of one kill.

    Args:
        kind: Of the moment.
        killed: Whether it came before the end of the run.
        had_on: How many outputs were on.
        off_s: Seconds from the death until every output of ours was off; None where none was on.
        wrong: What was wrong, in words.
    """

    kind: str
    killed: bool
    had_on: int
    off_s: float | None
    wrong: tuple[str, ...]


class Watched:
    """A bench over TCP with a recorder on it, and runs on it.

    Args:
        made: The virtual bench.
        addresses: Of its instruments.
        folder: For everything that is written.
    """

    def __init__(self, made: Any, addresses: dict[str, str], folder: Path) -> None:
        self.made, self.folder, self.before = made, folder, ""
        file = bench_file(INSTRUMENTS, WIRING, addresses, "@py", timeout="5 s")
        limits = build(StationSettings, file, "bench.yaml").instruments
        of_each = {(name, str(one)): Limits.of(limits[name].channels[one])
                   for name in SOURCES if name != "matrix" for one in limits[name].channels}  # fmt: skip
        self.recorder = Recorder({name: made.instruments[name] for name in SOURCES}, of_each, time.monotonic)
        self.recorder.start()
        self.addresses = list(addresses.values())
        settings = tiny(file, seeds=[3], batch_size=7, evaluate_every=3).model_dump(mode="json", by_alias=True)
        settings["task"] |= {"train_fraction": 0.01}
        settings["recording"] = "none"
        settings["network"] |= {"layers": [4, 3], "readout": "software"}
        (folder / "bench.yaml").write_text(yaml.safe_dump(file), encoding="utf-8")
        (folder / "run.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def start(self, place: Path, kind: str = "any", number: int = NEVER, cut: int = NEVER) -> Any:
        """Start the run, or go on with it, in a process that is killed at the n-th message of a kind.

        For that of a recovery the connection is lost at a message, counted among all.
        """
        run = place / "run"
        there = (run / "checkpoint.safetensors").is_file()
        if run.exists() and not there:  # Killed before anything was begun.
            run.rename(place / f"begun-{len(list(place.iterdir()))}")
        return python(
            KILLED.format(before=self.before), kind, number, cut, place / "pid", self.folder / "run.yaml", run
        )

    def whole(self, place: Path) -> dict[str, int]:
        """Let a run end; return how many messages of each kind there were."""
        place.mkdir()
        code, out, error = ended(self.start(place))
        assert code == 0, error
        return {name: int(number) for name, number in (one.split("=") for one in out.splitlines()[-1].split())}

    def result(self, place: Path) -> object:
        """Return what must be equal to the bit."""
        rows = [without_times(row) for row in RunFolder(place / "run").metrics()]
        return rows, {name: tensor.numpy().tobytes() for name, tensor in bits(place / "run").items()}

    def ours(self) -> list[tuple[str, str]]:
        """List what is on that is nobody else's."""
        with self.made.lock:
            return list(self.recorder.ours())

    def somebody(self, on: bool) -> None:
        """Let somebody switch an output on or off that no bench file lists."""
        with self.made.lock:
            panel, ours = self.made.instruments["fast"], set(self.recorder.ours())
            with self.recorder.away(panel):
                panel.execute(f"OUTP7 {on:d}".encode(), lambda data: None)
            for one in ours:
                self.recorder.theirs.pop(one, None)

    def is_free(self) -> bool:
        """Say whether no process and no guard has the bench."""
        return owner_of(self.addresses) is None and guard_of(self.addresses) is None

    def kill(self, number: int, kinds: dict[str, int], lasts_s: float, wanted: object) -> Kill:
        """Kill a run, see what its guard does, let the run go on, and judge all of it.

        At every fifth somebody else switches something on at the moment of the death. Crosspoints may not move then,
        and stay closed: the guard says so, and `spinhw off` opens them afterwards.
        """
        random, place = Random(f"guard {number}"), self.folder / str(number)
        place.mkdir()
        kind, others = KINDS[number % len(KINDS)], number % 5 == 0
        self.before = "guard.ACTS_FOR_S = 30.0" if others else ""
        most = _RECOVERS_IN if kind == "recovery" else kinds[kind]
        process = self.start(place, kind, random.randint(1, most), random.randint(1, kinds["any"]))
        if kind == "any" and random.random() < 0.5:
            try:
                process.wait(random.uniform(0.0, lasts_s))
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait(HANGS_S)
        died, had_on = time.monotonic(), self.ours()
        if others:
            self.somebody(on=True)
        stay = {("matrix", "matrix")} if others else set()
        wrong: list[str] = []
        while (there := self.guarding()) and set(self.ours()) - stay:
            time.sleep(0.01)
        off_s = time.monotonic() - died
        self.wait_until_free()
        if set(self.ours()) - stay:
            wrong.append(f"still on: {self.ours()}, guard there: {there}")
        if others:
            if not self.made.instruments["fast"].get("on", 7):
                wrong.append("what somebody had switched on was switched off")
            self.somebody(on=False)
        code, _, error = ended(process)
        again = self.start(place) if is_killed(code) and not self.ours() else None
        if self.ours():
            done = switch_off(self.folder / "bench.yaml")
            if done.unconfirmed or done.left or self.ours():
                wrong.append(f"could not be brought down: {done}")
            again = self.start(place)
            stay.clear()
        if again is not None:
            code_again, _, said = ended(again)
            for _ in range(5):  # Who looks at the bench after so many faults, and goes on.
                if code_again == 0 or "gave up after" not in said:
                    break
                code_again, _, more = ended(self.start(place))
                said += more
            if code_again != 0:
                wrong.append(f"it did not go on: {said}")
            elif had_on and not others and "was killed; its guard switched off" not in said:
                wrong.append(f"the next session did not say what had happened: {said}")
        elif code != 0:
            wrong.append(f"it ended with {code}: {error}")
        if not wrong and self.result(place) != wanted:
            wrong.append("other bits")
        with self.made.lock:
            wrong += self.recorder.wrong
            self.recorder.wrong.clear()
        return Kill(kind, is_killed(code), len(had_on), off_s if had_on else None, tuple(wrong))

    def guarding(self) -> bool:
        """Say whether a guard watches over the bench or is at work there."""
        return guard_of(self.addresses) is not None

    def wait_until_free(self) -> None:
        """Wait for the end of every process that has the bench."""
        deadline = time.monotonic() + HANGS_S
        while not self.is_free():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def ended(process: Any) -> tuple[int, str, str]:
    """Wait for the end of a process; return how it ended and what it said."""
    out, error = process.communicate(HANGS_S)
    return process.returncode, out, error


@contextmanager
def watched(folder: Path, set_up: Callable[[Any], None] = lambda made: None) -> Iterator[Watched]:
    """Serve a bench over TCP, and give it with what watches it."""
    with standing(TRUTH, "TCP", folder) as (made, addresses, _):
        set_up(made)
        yield Watched(made, addresses, folder)


def failing(made: Any) -> None:
    """Let connections of a bench be lost now and then."""
    for port in made.ports.values():
        port.faults = Faults(FAULTS)


def guards() -> list[int]:
    """List the guard processes of this computer."""
    said = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 1) for line in said.splitlines()]
    return [int(pid) for pid, what in rows if "-m spinhw.instruments.guarding" in what and int(pid) != os.getpid()]
