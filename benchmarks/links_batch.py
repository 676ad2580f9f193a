"""A batch of images on the shipped bench: over TCP, through the in-process door, and its physics called directly."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import pyvisa
import torch

from spinhw.config import find_profile
from spinhw.device import Device, ObservationPlan, load_device, open_device
from spinhw.instruments import StationSettings
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.streams import torch_stream
from spinhw.virtual import Bench, load_bench, serving

IMAGES, TIMES, INTERVAL_S = 120, 64, 1e-9
NETWORK = NetworkSettings(layers=(32, 32, 32))


@dataclass(frozen=True)
class Cost:
    """Seconds that a batch took, and what crossed its links.

    Args:
        seconds: Wall time.
        messages: Sent and received.
        size: Bytes of them.
    """

    seconds: float
    messages: int
    size: int


class Traffic:
    """Counts what a device says and hears."""

    def __init__(self, device: Device) -> None:
        self.messages = self.size = 0
        traffic = device.station.traffic  # type: ignore[attr-defined]
        note = traffic.note

        def counting(instrument: str, direction: str, *parts: bytes) -> None:
            self.messages += 1
            self.size += sum(map(len, parts))
            note(instrument, direction, *parts)

        traffic.note = counting


def serve_bench(ready: Connection) -> None:
    """Serve the shipped bench in a process of its own."""
    with serving(load_bench("chip")) as addresses:
        ready.send(addresses)
        ready.recv()


@contextmanager
def served() -> Iterator[dict[str, str]]:
    """Give the addresses of a bench in another process."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve_bench, args=(theirs,), daemon=True)
    process.start()
    yield mine.recv()
    mine.send("enough")
    process.join()


def settings(addresses: dict[str, str] | None = None) -> StationSettings:
    """Give the shipped bench file, at other addresses."""
    found = load_device(find_profile("bench-virtual"))
    if not isinstance(found, StationSettings):
        raise TypeError("bench-virtual is no bench")
    if addresses is None:
        return found
    there = {
        name: one.model_copy(update={"address": addresses[name], "timeout_s": 30.0})
        for name, one in found.instruments.items()
    }
    return found.model_copy(update={"backend": "@py", "instruments": there})


class Player:
    """Plays one batch after another on a device, never the same twice.

    Args:
        device: The device.
        name: Tells its images from those of others.
        observe: What is recorded beside the outputs.
    """

    def __init__(self, device: Device, name: str, observe: ObservationPlan | None) -> None:
        self._device, self._traffic, self._observe = device, Traffic(device), observe
        self._generator = torch_stream("link benchmark", name)
        device.program(SpintronicNetwork(NETWORK, seed=0).values())

    def batch(self) -> Cost:
        """Play a batch."""
        images = torch.rand(IMAGES, TIMES, 1, generator=self._generator) * 4 - 1.2
        before, begun = (self._traffic.messages, self._traffic.size), time.perf_counter()
        self._device.run(images, observe=self._observe)
        seconds = time.perf_counter() - begun
        return Cost(seconds, self._traffic.messages - before[0], self._traffic.size - before[1])


class Physics:
    """Repeats what the chip, its probes and the digitizers did in a batch, without any message."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._trigger = bench, bench.trigger
        self._log: list[tuple[object, set[str], list[object]]] = []
        bench.trigger = self._noting  # type: ignore[method-assign]

    def _noting(self, by: object) -> None:
        closed = set(self._bench.instruments["switch"].closed)  # type: ignore[attr-defined]
        self._log.append((by, closed, [one for one in self._bench.instruments.values() if one.armed]))
        self._trigger(by)  # type: ignore[arg-type]

    def forget(self) -> None:
        """Forget the batches so far."""
        self._log.clear()

    def again(self) -> float:
        """Do it again, the integration included, and give the seconds."""
        network = self._bench.network
        if network is None:
            raise TypeError("this bench has no network")
        network._last = None  # noqa: SLF001 - or the batch would not be integrated anew
        begun = time.perf_counter()
        for by, closed, armed in self._log:
            self._bench.instruments["switch"].closed = closed  # type: ignore[attr-defined]
            for one in armed:
                one.arm()  # type: ignore[attr-defined]
            self._trigger(by)  # type: ignore[arg-type]
        return time.perf_counter() - begun


def compare(turns: int, observe: ObservationPlan | None = None) -> dict[str, float]:
    """Play batches in turns: over TCP, in process, and the physics alone; give the best of each.

    Args:
        turns: How many of each.
        observe: What is recorded beside the outputs; None for every neuron.
    """
    with served() as addresses:
        manager = pyvisa.ResourceManager("chip@spinhw")  # Kept, for the bench goes with its last user.
        there, here = (open_device(one, NETWORK, INTERVAL_S) for one in (settings(addresses), settings()))
        with there, here:
            physics = Physics(manager.visalib.bench)
            players = Player(there, "there", observe), Player(here, "here", observe)
            tcp, inside, alone = [], [], []
            for number in range(turns + 1):
                tcp.append(players[0].batch())
                physics.forget()
                inside.append(players[1].batch())
                alone.append(physics.again())
                if number == 0:  # Memory is touched for the first time, and code compiled or loaded.
                    tcp, inside, alone = [], [], []
            unchanged = there.unconfirmed or here.unconfirmed
        manager.close()
    if unchanged:
        raise RuntimeError("an output was left on")
    best = min(tcp, key=lambda one: one.seconds)
    return {
        "tcp_s": best.seconds,
        "in_process_s": min(one.seconds for one in inside),
        "physics_s": min(alone),
        "messages": best.messages,
        "bytes": best.size,
    }
