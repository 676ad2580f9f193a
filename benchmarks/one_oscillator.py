"""A training run on one oscillator, and the same run on a full chip of copies of it.

    .venv/bin/python benchmarks/one_oscillator.py                       # examples/one_oscillator.yaml, through VISA
    .venv/bin/python benchmarks/one_oscillator.py --set device=one-oscillator   # with a change, such as other devices
    .venv/bin/python benchmarks/one_oscillator.py --draw                # measure nothing, draw the picture again

The epochs before the loop are trained once, and both runs go on from there. Accuracy is measured before and after on
the very device. Written: one_oscillator.json and docs/pictures/one_oscillator.png.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from matplotlib.axes import Axes
from torch import Tensor

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))


from benchmarks.machine import machine  # noqa: E402
from spinhw.chip import Chip, HiddenOscillators, Identity  # noqa: E402
from spinhw.device import (  # noqa: E402
    Device,
    MultiplexedDevice,
    MultiplexedSettings,
    SimulatedDevice,
    SimulatedSettings,
    open_device,
)
from spinhw.network import NetworkSettings  # noqa: E402
from spinhw.plots.canvas import BLUE, GREY, VERMILION, letter, page  # noqa: E402
from spinhw.rollout import Neurons  # noqa: E402
from spinhw.training import RunSettings, evaluate, load_settings, resume, train  # noqa: E402
from spinhw.training.checkpoint import load_checkpoint  # noqa: E402
from spinhw.training.held_out import first_held_out  # noqa: E402
from spinhw.training.learner import Learner  # noqa: E402
from spinhw.virtual.settings import load_bench  # noqa: E402

RESULTS, PICTURE = ROOT / "benchmarks/one_oscillator.json", ROOT / "docs/pictures/one_oscillator.png"
RECIPE, NOISE = ROOT / "examples/one_oscillator.yaml", 0.01
SHOWN = (5, 40, 70)  # A neuron of each layer.


class EnoughError(Exception):
    """The model has been trained as far as it is without the loop."""


class UntilTheLoop:
    """Ends a run with the first batch in the loop, before anything is learned from it.

    Args:
        epoch: The first epoch in the loop, from 0.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float | None) -> None:
        if epoch >= self.epoch:
            raise EnoughError

    def on_epoch(self, row: Any) -> None: ...

    def on_evaluation(self, what: str, done: int, total: int) -> None: ...


class Course:
    """Writes down the accuracy on the training images after each batch in the loop."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []

    def on_batch(self, epoch: int, batch: int, total: tuple[int, int], loss: float, accuracy: float | None) -> None:
        self.batches.append([epoch + batch / total[1], accuracy])

    def on_epoch(self, row: Any) -> None: ...

    def on_evaluation(self, what: str, done: int, total: int) -> None: ...


def chip_of(oscillator: Neurons, network: NetworkSettings, interval_s: float) -> SimulatedDevice:
    """Make a full chip whose oscillators are all copies of one.

    Args:
        oscillator: Its gamma, sigma and Q, (1, 1).
        network: The network as designed.
        interval_s: Time for which each input is held, in seconds.
    """
    settings = SimulatedSettings.model_validate(
        {"kind": "simulated", "id": "copies", "chip": {"power_readout": {"noise": NOISE}}}
    )
    opened = open_device(settings, network, interval_s)
    chip = Chip(settings.chip, network, [Identity("copies-0", 0)], interval_s)
    alike = {name: getattr(oscillator, name).expand(1, sum(network.layers)) for name in ("gamma", "sigma", "q")}
    chip.hidden = replace(chip.hidden, neurons=replace(chip.hidden.neurons, **alike))
    return SimulatedDevice(chip, opened.describe(), opened.conversion)


def hidden_in(settings: MultiplexedSettings, network: NetworkSettings, seed: int) -> Neurons:
    """Look behind the bank: the one oscillator that is used, (1, 1)."""
    if isinstance(settings.bank, SimulatedSettings):
        chip, identity, count = settings.bank.chip, Identity(f"{settings.bank.id}-{seed}", settings.bank.seed), 1
    else:
        bench = load_bench(ROOT / "devices/virtual/oscillators.yaml")
        chip, identity, count = bench.chip, Identity(f"{bench.id}-0", bench.seed), 2
    nominal = network.model_copy(update={"layers": (count,)}).neurons(torch.float64)
    drawn = HiddenOscillators.draw(chip, nominal, [identity]).neurons
    return replace(drawn, **{name: getattr(drawn, name)[:, :1] for name in ("gamma", "sigma", "q")})


def measure(settings: RunSettings, folder: Path) -> Iterator[dict[str, Any]]:
    """Train on the one oscillator and on the chip of copies, from the same network; give what is there, and more."""
    profile, [seed] = settings.device, settings.training.seeds
    if not isinstance(profile, MultiplexedSettings):
        raise TypeError("the recipe names no multiplexed device")
    try:
        train(settings, folder / "base", UntilTheLoop(settings.training.loop_start))
    except EnoughError:
        pass
    oscillator = hidden_in(profile, settings.network, seed)

    def full_chip(*arguments: Any, **named: Any) -> Device:
        return chip_of(oscillator, settings.network, settings.task.sample_interval_s)

    found: dict[str, Any] = {"machine": machine(), "seed": seed, "held_out": settings.task.final_part}
    found["gamma_over_nominal"] = float(oscillator.gamma) * settings.network.tau_s
    found |= {"sigma": float(oscillator.sigma), "q": float(oscillator.q)}
    with patch("spinhw.training.deploy.open_device", full_chip):
        found["chip"] = go_on(folder / "base", folder / "chip")
    yield found
    found["oscillator"] = go_on(folder / "base", folder / "oscillator")
    yield found
    found["traces"] = traces(settings, folder, oscillator)
    yield found


def go_on(base: Path, folder: Path) -> dict[str, Any]:
    """Measure the networks as they are, train them in the loop, and measure again."""
    shutil.copytree(base, folder)
    before, course, started = evaluate(folder), Course(), time.process_time()
    summary = resume(folder, progress=course).summary
    return {
        "before": before["accuracy_on_device"]["mean"],
        "after": summary["accuracy_on_device"]["mean"],
        "images": summary["held_out_sequences"],
        "nominal_before": before["accuracy_converged"]["mean"],
        "course": course.batches,
        "spent": [line for line in summary["energy_lines"] if line["form"] == "spent"],
        "energy_per_image_j": summary["energy_per_image_j"],
        "loop_processor_s": time.process_time() - started,
    }


def traces(settings: RunSettings, folder: Path, oscillator: Neurons) -> dict[str, Any]:
    """Measure one image on the trained network, and model it: as designed, as refitted, and by the truth."""
    tensors, facts = load_checkpoint(folder / "oscillator" / "checkpoint.safetensors")
    learner = Learner(settings)
    learner.restore(tensors, facts)
    network = learner.evaluated
    image = first_held_out(settings.open_task(), settings.training.seeds, settings.task.final_part, 1).inputs
    device = open_device(settings.device, settings.network, settings.task.sample_interval_s, settings.training.seeds)
    if not isinstance(device, MultiplexedDevice):
        raise TypeError("no multiplexed device was opened")
    with device:
        device.program(network.member_values())
        seen = device.run(image)
    fitted, last = device.corrector.oscillators, device.last
    nominal, count = settings.network.neurons(), sum(settings.network.layers)

    def modelled(*known: Tensor) -> list[list[float]]:
        named = zip(("gamma", "sigma", "q"), known, strict=True)
        alike = {name: value.float().reshape(-1)[:1].expand(1, count) for name, value in named}
        network.use_neurons(replace(nominal, **alike))
        with torch.no_grad():
            power = network.run(image, settings.fine_steps).power
        return [power[0, 0, :, neuron].tolist() for neuron in SHOWN]

    return {
        "neurons": list(SHOWN),
        "measured": [seen.power.values[0, 0, :, neuron].tolist() for neuron in SHOWN],
        "nominal": modelled(nominal.gamma, nominal.sigma, nominal.q),
        "fitted": modelled(fitted.gamma, fitted.sigma, fitted.q),
        "truth": modelled(oscillator.gamma, oscillator.sigma, oscillator.q),
        "passes": last.passes,
        "rest_s": last.rest.duration_s,
    }


def draw(found: dict[str, Any]) -> None:
    """Draw accuracy before, during and after, and what was measured beside what was modelled."""
    with page(PICTURE, 9.6, 3.8) as figure:
        left, *others = figure.subplots(1, 1 + len(SHOWN), width_ratios=[2.2, *[1] * len(SHOWN)])
        courses(left, found)
        letter(left, "a")
        for axes, index in zip(others, range(len(SHOWN)), strict=True):
            waveforms(axes, found["traces"], index)
        letter(others[0], "b")
        others[0].set_ylabel("power x")
        others[-1].legend(loc="upper right")


def courses(axes: Axes, found: dict[str, Any]) -> None:
    """Draw both runs."""
    kinds = {"oscillator": ("one oscillator", VERMILION), "chip": ("full chip of its copies", BLUE)}
    for name, (label, colour) in kinds.items():
        run = found[name]
        start = int(run["course"][0][0])
        epochs = [place - start for place, _ in run["course"]]
        axes.plot(epochs, [100 * value for _, value in run["course"]], color=colour, linewidth=0.8, alpha=0.6)
        ends = [100 * run["before"], 100 * run["after"]]
        axes.plot([0, round(epochs[-1])], ends, "o", color=colour, label=f"{label}: {ends[0]:.1f} to {ends[1]:.1f} %")
    axes.axhline(100 * run["nominal_before"], color=GREY, linestyle=":", linewidth=0.8)
    axes.annotate("nominal, simulated", (0, 100 * run["nominal_before"]), xytext=(2, 3), textcoords="offset points")
    axes.set(xlabel="epochs in the loop", ylabel="accuracy (%)")
    axes.set_title("points: test; lines: training, in the epoch so far")
    axes.legend(loc="lower right")


def waveforms(axes: Axes, seen: dict[str, Any], index: int) -> None:
    """Draw one neuron of one image."""
    time_ns = range(1, len(seen["measured"][index]) + 1)
    axes.plot(time_ns, seen["measured"][index], color="#BBBBBB", linewidth=3.5, label="measured")
    axes.plot(time_ns, seen["nominal"][index], color=VERMILION, linestyle="--", linewidth=1, label="as designed")
    axes.plot(time_ns, seen["fitted"][index], color=BLUE, linewidth=1, label="refitted")
    axes.set(xlabel="time (ns)", ylim=(0, 1))
    axes.set_title(f"neuron {seen['neurons'][index]}, layer {1 + seen['neurons'][index] // 32}")


def main() -> None:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change of the recipe")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--work", type=Path, help="new folder for the runs; else one that is removed afterwards")
    parser.add_argument("--draw", action="store_true")
    asked = parser.parse_args()
    if not asked.draw:
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder:
            for found in measure(load_settings(RECIPE, asked.set), asked.work or Path(folder)):
                asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    found = json.loads(asked.out.read_text(encoding="utf-8"))
    for name in ("oscillator", "chip"):
        print(f"{name}: {found[name]['before']:.2%} before, {found[name]['after']:.2%} after")
    if asked.out == RESULTS:
        draw(found)


if __name__ == "__main__":
    main()
