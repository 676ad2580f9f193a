"""python benchmarks/loop.py: what the loop costs beside the device, against a step on the surrogate alone.

The paper's network, a batch of 120, midpoint steps, one thread. The device gives a trace that was recorded before, so
its own time is none; checks, programming, conversions, the trace and the refit count. Every figure is the median over
turns of the processor time, and all take turns in one process.

`--refit` trains a network on a simulated chip for 200 batches of digits with the refit of the default settings, and
gives the processor time that it takes beside that of a step on the surrogate, measured in turn with it.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.problem import MIDPOINT, Problem, Size
from benchmarks.timing import in_turns
from spinhw.device import Device, Reading, SimulatedSettings, open_device
from spinhw.gradients import HardwareInLoop, NetworkRefit
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.streams import torch_stream
from spinhw.surrogate import DYNAMICS, CoupledRefit, Oscillators
from spinhw.tasks import DigitsSettings, as_sequence, split
from spinhw.training.settings import TrainingSettings

BATCHES = 8
BATCH = 120
IMPERFECT = {
    "spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2},
    "synapses": {"scale_spread": 0.1},
    "power_readout": {"noise": 0.01},
    "output_readout": {"noise": 0.01},
}


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
            len(observed): device._run(inputs, [observed], 1, None)  # noqa: SLF001 - recorded once, below the seam
            for observed in ((), tuple(every))
        }
        self._held: dict[str, Tensor] = {}

    def _open(self) -> str:
        return "replaying"

    def _program(self, values: Mapping[str, Tensor]) -> None:
        self._held = dict(values)

    def _read_back(self) -> dict[str, Tensor]:
        return dict(self._held)

    def _run(
        self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int, lengths: Tensor | None
    ) -> list[Reading]:
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
    parser.add_argument("--refit", action="store_true", help="a run with a refit, amortised")
    parser.add_argument("--batches", type=int, default=200, help="of that run")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.refit:
        tell(amortised(chosen.batches))
        return
    repeats = chosen.repeats
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


@dataclass(frozen=True)
class Run:
    """Processor times of a run, in seconds.

    Args:
        step_s: Of a step on the surrogate alone, without the optimiser; median.
        looks: Of each batch that the refit looked at, by its number, counted from 1.
        others_s: Of the refit on all other batches together.
        batches: How many.
        left: Share of the mismatch of gamma, sigma and Q that is left (rms, over neurons that move), after each look.
    """

    step_s: float
    looks: dict[int, float]
    others_s: float
    batches: int
    left: dict[int, tuple[float, ...]]


def amortised(batches: int) -> Run:
    """Train one network on an imperfect chip with the refit that runs have by default."""
    task = DigitsSettings(input_offset=0.3, input_scale=4.0)
    settings, training = NetworkSettings(readout_samples=8, out_gain=7.0, weight_scale=2.0), TrainingSettings()
    network, images = SpintronicNetwork(settings, MIDPOINT, 100), split(task, seed=100)
    profile = SimulatedSettings(kind="simulated", chip=IMPERFECT)
    refit = NetworkRefit(
        CoupledRefit(Oscillators.nominal(settings.neurons(torch.float64)), training.refit.synapse_error),
        training.refit.sequences,
        training.refit.every,
    )
    optimiser = torch.optim.Adam(network.parameters(), lr=0.03)
    looks, others, steps, left = {}, 0.0, [], {}
    with open_device(profile, settings, MIDPOINT.sample_interval_s, 1) as device:
        loop, true = HardwareInLoop(network, device, "output", refit=refit), _hidden(device)
        spent = [0.0]
        loop.refits.update = _timed(loop.refits.update, spent)
        for number in range(1, batches + 1):
            chosen = torch.randperm(len(images.train), generator=torch_stream("loop benchmark", number))[:BATCH]
            inputs, labels = as_sequence(images.train[chosen], task), images.train_labels[chosen]
            before, seen = spent[0], refit.online.looks
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(loop(inputs), labels).backward()
            optimiser.step()
            network.limit_weights_()
            if refit.online.looks > seen:
                looks[number] = spent[0] - before
                left[number] = _left(refit.online.oscillators, true, settings, loop.trace.power.values[0])
            else:
                others += spent[0] - before
            if number % 10 == 0:
                started = time.process_time()
                torch.nn.functional.cross_entropy(network(inputs), labels).backward()
                steps.append(time.process_time() - started)
    return Run(statistics.median(steps), looks, others, batches, left)


def tell(run: Run) -> None:
    """Print what a refit costs, and what it leaves."""
    total = sum(run.looks.values()) + run.others_s
    print(f"a step on the surrogate takes {1e3 * run.step_s:.1f} ms; looks of the refit:")
    for number, took in run.looks.items():
        left = ", ".join(f"{name} {100 * one:.1f} %" for name, one in zip(DYNAMICS, run.left[number], strict=True))
        print(
            f"  batch {number:3}: {1e3 * took:6.1f} ms = {took / run.step_s:4.1f} steps; left of the mismatch: {left}"
        )
    print(f"all other batches together: {1e3 * run.others_s:.1f} ms")
    print(f"amortised over {run.batches} batches: {100 * total / run.batches / run.step_s:+.1f} % of a step")


def _timed(action: Callable[..., None], spent: list[float]) -> Callable[..., None]:
    def timed(*given: object) -> None:
        started = time.process_time()
        action(*given)
        spent[0] += time.process_time() - started

    return timed


def _hidden(device: Device) -> Oscillators:
    hidden = device.truth.hidden.neurons
    return Oscillators.nominal(hidden)


def _left(now: Oscillators, true: Oscillators, settings: NetworkSettings, power: Tensor) -> tuple[float, ...]:
    moving, nominal = power.std((0, 1)) > 0.02, Oscillators.nominal(settings.neurons(torch.float64))

    def off(one: Oscillators, name: str) -> float:
        scale = torch.ones_like(true.q) if name == "q" else getattr(true, name)
        return float(((getattr(one, name) - getattr(true, name)) / scale)[moving].square().mean().sqrt())

    return tuple(off(now, name) / off(nominal, name) for name in DYNAMICS)


if __name__ == "__main__":
    main()
