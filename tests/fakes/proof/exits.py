"""Sessions in processes of their own, over TCP, that end in every way; run by `instruments/test_proof_exits.py`."""

import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from fakes.processes import CONTEXT, ready
from spinhw.errors import DeviceError, LimitError, SpinhwError
from spinhw.instruments import CurrentSource, RFSource, WaveformSource, open_station, switch_off
from spinhw.instruments.outputs import everything, nothing_else
from spinhw.instruments.station import Station

# Rounds of settings of a session that nobody ends, and those that follow the word to end.
_MOST_ROUNDS, _LAST_ROUNDS = 100_000, 5
_RATE_HZ = 1e9


class BrokenError(Exception):
    """The program of the session fails."""


def start(work: Callable[..., None], shared: Path, *arguments: Any) -> tuple[Any, Connection]:
    """Begin something in a process of its own; give it, and what it says."""
    ready()
    here, there = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_begun, args=(work, str(shared), there, *arguments), daemon=True)
    process.start()
    there.close()
    return process, here


def _begun(work: Callable[..., None], shared: str, say: Connection, *arguments: Any) -> None:
    os.environ["SPINHW_SHARED"] = shared
    work(say, *arguments)


def session(say: Connection, path: str, seed: int, breaks: bool) -> None:
    """Switch on what a drawn number says, set it again and again, and end by an error of the program or well."""
    draw = np.random.default_rng(seed)
    try:
        with open_station(path) as station:
            _up(station, draw)
            say.send("up")
            for _ in range(_MOST_ROUNDS):
                _again(station, draw)
                if say.poll():
                    break
            for _ in range(_LAST_ROUNDS):
                _again(station, draw)
            if breaks:
                raise BrokenError
    except (BrokenError, SpinhwError, KeyboardInterrupt) as error:
        say.send(f"{type(error).__name__}: {error}")
    else:
        say.send("well")


def off(say: Connection, path: str, all_of_it: bool) -> None:
    """Do what `spinhw off` does, or `off --all`."""
    done = switch_off(path, choose=everything if all_of_it else nothing_else)
    say.send((done.unconfirmed, [one.name for one in done.left]))


def _up(station: Station, draw: np.random.Generator) -> None:
    smu, dc = station.get("smu", CurrentSource), station.get("dc", CurrentSource)
    awg, fast, tone = (
        station.get("awg", WaveformSource),
        station.get("fast", WaveformSource),
        station.get("tone", RFSource),
    )
    wave = np.full(64, draw.choice([0.0, 0.1, -0.1]))
    ways: list[Callable[[], Any]] = [
        lambda: (smu.set_output("1", True), smu.set_current("1", draw.uniform(0, 2e-3))),
        lambda: (dc.set_output("1", True), dc.set_current("1", draw.uniform(0, 5e-3))),
        lambda: (awg.upload({"1": wave}, _RATE_HZ), awg.set_output("1", True), awg.arm()),
        lambda: (fast.upload({"1": wave}, _RATE_HZ), fast.set_output("1", True), fast.arm()),
        lambda: (tone.set_power("1", 1e-6), tone.set_frequency("1", 2e9), tone.set_output("1", True)),
    ]
    for place in draw.permutation(len(ways))[: draw.integers(1, len(ways) + 1)]:
        ways[place]()


def _again(station: Station, draw: np.random.Generator) -> None:
    """Set something once more; what was lost meanwhile is left to the end."""
    name = ("smu", "dc")[draw.integers(2)]
    source = station.get(name, CurrentSource)
    try:
        if station.custody.is_ours(name, "1"):
            source.set_current("1", draw.uniform(0, 2e-3))
        else:
            station.outputs()
    except (DeviceError, LimitError):
        if draw.integers(2):
            raise
