"""python benchmarks/loop.py: what the loop costs beside the device, against a step on the surrogate alone.

The paper's network, a batch of 120, midpoint steps, one thread. The device gives a trace that was recorded before, so
its own time is none; checks, programming, conversions, the trace and the refit count. Every figure is the median over
turns of the processor time, and all take turns in one process.
"""

import argparse
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from benchmarks.problem import MIDPOINT, Problem, Size
from benchmarks.timing import in_turns
from spinhw.device import Device, Reading, SimulatedSettings, open_device
from spinhw.gradients import HardwareInLoop, NetworkRefit
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.surrogate import OnlineRefit, Oscillators

BATCHES = 8  # An epoch, so that an online refit is counted as often as it happens.


class Replaying(Device):
    """Gives the reading that a simulated device gave, at once.

    Args:
        device: The simulated device; open, programmed.
        inputs: Those that it was given.
    """

    def __init__(self, device: Device, inputs: Tensor) -> None:
        about = device.describe()
        super().__init__(about, device.conversion)
        every = range(about.neurons)
        self._readings = {
            len(observed): device._run(inputs, [observed], 1)  # noqa: SLF001 - recorded once, below the seam
            for observed in ((), tuple(every))
        }
        self._held: dict[str, Tensor] = {}

    def _open(self) -> str:
        return "replaying"

    def _program(self, values: Mapping[str, Tensor]) -> None:
        self._held = dict(values)

    def _read_back(self) -> dict[str, Tensor]:
        return dict(self._held)

    def _run(self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int) -> list[Reading]:
        return [self._readings[len(observed)][0] for observed in repeats]

    def _make_safe(self) -> list[str]:
        return []

    def _close(self) -> None:
        pass

    def _state(self) -> dict[str, object]:
        return {}

    def _restore(self, state: dict[str, object]) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    print(f"{'':34}{'a step, ms':>12}{'beside it':>12}")
    for members in (1, 10):
        for name, (step_s, share) in measure(members, repeats).items():
            beside = "" if share is None else f"{100 * share:+.0f} %"
            print(f"{f'{members} networks: {name}':34}{1e3 * step_s:12.1f}{beside:>12}")


def measure(members: int, repeats: int) -> dict[str, tuple[float, float | None]]:
    """Give the processor time of a step of each kind in seconds, and its excess over the surrogate's as a share."""
    problem, settings = Problem(Size(members), MIDPOINT), NetworkSettings(readout_samples=8, weight_scale=2.0)
    network = SpintronicNetwork(settings, MIDPOINT, list(range(members)))
    profile = SimulatedSettings(kind="simulated", chip={"spread": {"gamma": 0.1}})
    inputs, values = problem.inputs.contiguous(), {name: one.detach() for name, one in network.member_values().items()}
    with open_device(profile, settings, MIDPOINT.sample_interval_s, members) as chip:
        chip.program(values)
        device = Replaying(chip, chip.conversion.input.to_si(inputs))
    with device:
        loops = {
            "output": HardwareInLoop(network, device, "output"),
            "output, refitted": HardwareInLoop(network, device, "output", refit=_refits(settings, members)),
            "layerwise": HardwareInLoop(network, device, "layerwise"),
        }
        actions = {"surrogate alone": lambda: _epoch(network, inputs)}
        for name, loop in loops.items():
            actions[name] = lambda loop=loop: _epoch(loop, inputs)
        for action in actions.values():
            action()  # Compiles, and lets the refits warm up.
        times = {name: found["processor_s"] / BATCHES for name, found in in_turns(actions, repeats).items()}
    alone = times["surrogate alone"]
    return {name: (one, None if name == "surrogate alone" else one / alone - 1) for name, one in times.items()}


def _epoch(module: torch.nn.Module, inputs: Tensor) -> None:
    for _ in range(BATCHES):
        module.zero_grad()
        module(inputs).square().sum().backward()


def _refits(settings: NetworkSettings, members: int) -> list[NetworkRefit]:
    nominal = settings.neurons(torch.float64)
    return [NetworkRefit(OnlineRefit(Oscillators.nominal(nominal))) for _ in range(members)]


if __name__ == "__main__":
    main()
