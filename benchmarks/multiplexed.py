"""A network on few oscillators against the true coupled one: how far off after each pass.

    .venv/bin/python benchmarks/multiplexed.py               # about ten minutes on two cores
    .venv/bin/python benchmarks/multiplexed.py --chips 3     # a short look
    .venv/bin/python benchmarks/multiplexed.py --only "20 %" # one case; the figures of the others stay
    .venv/bin/python benchmarks/multiplexed.py --draw        # measure nothing, draw the picture again

The network is examples/digits.yaml trained for a few epochs, with one seed; the chips are simulated, gamma, sigma and
Q spread. Truth is the very chip whose oscillators the bank has, integrated at 16 steps per ns; where one oscillator is
shared, a chip of copies of it. The surrogate starts from the nominal oscillator for every chip and learns from the
passes. Written: multiplexed.json and pictures/multiplexed.png.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402
from spinhw.device import MultiplexedDevice, MultiplexedSettings, SimulatedDevice, SimulatedSettings, open_device  # noqa: E402
from spinhw.device.multiplex import CoupledNetwork, weights_of  # noqa: E402
from spinhw.network import NetworkSettings, SpintronicNetwork  # noqa: E402
from spinhw.plots.canvas import BLUE, GREEN, ORANGE, VERMILION, page  # noqa: E402
from spinhw.surrogate import Oscillators  # noqa: E402
from spinhw.tasks.digits import as_sequence, split  # noqa: E402
from spinhw.training import load_settings, train  # noqa: E402

RESULTS, PICTURE = ROOT / "benchmarks/multiplexed.json", ROOT / "benchmarks/pictures/multiplexed.png"
PASSES, INTERVAL_S, EPOCHS = 4, 1e-9, 20


@dataclass(frozen=True)
class Case:
    """What is measured on every chip.

    Args:
        name: For the table.
        spread: Of gamma, sigma and Q.
        noise: Of the read-out, one shot, in units of full power.
        averages: Shots of each pass.
        oscillators: Of the bank; None for one for each neuron.
        images: Sequences of the batch.
    """

    name: str
    spread: float
    noise: float = 0.0
    averages: int = 1
    oscillators: int | None = None
    images: int = 12

    def chip(self) -> SimulatedSettings:
        spread = {"gamma": self.spread, "sigma": self.spread, "q": self.spread}
        made = {"spread": spread, "power_readout": {"noise": self.noise}}
        return SimulatedSettings.model_validate({"kind": "simulated", "id": "chip", "chip": made})


CASES = (
    Case("5 %", 0.05),
    Case("10 %", 0.1),
    Case("20 %", 0.2),
    Case("20 %, noise 1 %", 0.2, 0.01),
    Case("20 %, noise 1 %, 4 averages", 0.2, 0.01, 4),
    Case("20 %, noise 3 %", 0.2, 0.03),
    Case("20 %, one oscillator", 0.2, oscillators=1),
    Case("20 %, one oscillator, noise 1 %", 0.2, 0.01, oscillators=1),
)
CASE_NAMES = tuple(case.name for case in CASES)
SHOWN = {"5 %": GREEN, "20 %": BLUE, "20 %, noise 1 %": VERMILION, "20 %, one oscillator": ORANGE}


@dataclass(frozen=True)
class Trained:
    """The network and what it reads."""

    settings: NetworkSettings
    values: dict[str, Tensor]
    inputs: Tensor

    def logits(self, filtered: Tensor) -> Tensor:
        last = filtered[:, -self.settings.readout_samples :, -self.settings.layers[-1] :].mean(1)
        outputs = last @ self.values["w_out"].double().T
        return self.settings.out_gain * outputs + self.values["b_out"].double()


def trained(run: Path | None, images: int) -> Trained:
    """Train the network, or take the first seed of a run."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(ROOT / "examples/digits.yaml", ["training.seeds=[0]", f"training.epochs={EPOCHS}"])
        if run is None:
            run = Path(folder) / "run"
            train(settings, run)
        from spinhw.training.checkpoint import load_checkpoint

        tensors, _ = load_checkpoint(run / "checkpoint.safetensors")
    network = SpintronicNetwork(settings.network, seed=0)
    names = {
        name: next(key for key in tensors if key.endswith(name) and "adam" not in key)
        for name, _ in network.named_parameters()
    }
    values = {name: tensors[key][0] for name, key in names.items()}
    return Trained(settings.network, values, as_sequence(split(settings.task, 0).test[:images], settings.task))


def measure(case: Case, made: Trained, number: int) -> dict[str, Any]:
    """Measure one chip: rms to the truth, and images of the same class, after each pass."""
    settings = MultiplexedSettings(kind="multiplexed", bank=case.chip(), oscillators=case.oscillators, passes=PASSES)
    device = open_device(settings, made.settings, INTERVAL_S, members=[number], dtype=torch.float64)
    if not isinstance(device, MultiplexedDevice):
        raise TypeError("no multiplexed device was opened")
    inputs = made.inputs[: case.images].double()
    weights = {name: value[None].double() for name, value in made.values.items()}
    coupled = CoupledNetwork(made.settings, weights_of(weights, len(made.settings.layers)), INTERVAL_S, 1)
    power, filtered = truth(case, made, number, coupled, inputs)
    wanted, rows, started = made.logits(filtered).argmax(1), [], time.process_time()
    nominal = coupled.solve(
        inputs, Oscillators.nominal(coupled.nominal()), torch.zeros(len(inputs), 65, power.shape[2])
    )
    with device:
        for found in device.corrector.passes(coupled, inputs, case.averages):
            wave = found.waveforms
            rows.append(
                {
                    "rms": rms(wave.power[:, 1:] - power),
                    "rms_y": rms(wave.filtered - filtered),
                    "same_class": float((made.logits(wave.filtered).argmax(1) == wanted).double().mean()),
                    "change": found.correction.changes[-1],
                    "rest_s": found.correction.rest.duration_s,
                }
            )
    return {
        "chip": number,
        "unmeasured": rms(nominal.power[:, 1:] - power),
        "unmeasured_same_class": float((made.logits(nominal.filtered).argmax(1) == wanted).double().mean()),
        "passes": rows,
        "damped": found.correction.damped,
        "processor_s": time.process_time() - started,
    }


@torch.no_grad()
def truth(case: Case, made: Trained, number: int, coupled: CoupledNetwork, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Give x and y of the full chip; where oscillators are shared, of a chip of copies of them."""
    chip, weights = case.chip(), {name: value[None].double() for name, value in made.values.items()}
    with open_device(chip, made.settings, INTERVAL_S, members=[number], dtype=torch.float64) as device:
        if not isinstance(device, SimulatedDevice):
            raise TypeError("the truth is a simulated chip")
        if case.oscillators is None:
            found = device.oracle(weights, inputs[None]).rollout
            return found.power[0], found.filtered[0]
    from spinhw.chip import HiddenOscillators, Identity

    alike = made.settings.model_copy(update={"layers": (case.oscillators,)})
    identity = Identity(f"{chip.id}-{number}", chip.seed)
    hidden = HiddenOscillators.draw(chip.chip, alike.neurons(torch.float64), [identity]).neurons
    index = torch.arange(sum(made.settings.layers)) % case.oscillators
    copies = Oscillators.nominal(hidden).picked(index)
    solved = coupled.solve(inputs, copies, torch.zeros(len(inputs), inputs.shape[1] + 1, len(index)))
    return solved.power[:, 1:], solved.filtered


def rms(values: Tensor) -> float:
    return float((values**2).mean().sqrt())


def table(results: dict[str, Any]) -> str:
    """Write the medians, with the worst chip behind the slash."""
    lines = [
        f"{'chips':34s} {'none':>8s}" + "".join(f"{count:>19d}" for count in range(1, PASSES + 1)) + "   same class"
    ]
    for name, chips in results["cases"].items():
        cells = [f"{statistics.median(one['unmeasured'] for one in chips):.1e}"]
        for count in range(PASSES):
            seen = [one["passes"][count]["rms"] for one in chips if len(one["passes"]) > count]
            cells.append(f"{statistics.median(seen):.1e} / {max(seen):.1e}" if seen else "")
        same = statistics.mean(one["passes"][-1]["same_class"] for one in chips)
        before = statistics.mean(one["unmeasured_same_class"] for one in chips)
        lines.append(
            f"{name:34s} {cells[0]:>8s}"
            + "".join(f"{cell:>19s}" for cell in cells[1:])
            + f"   {before:.1%} -> {same:.2%}"
        )
    return "\n".join(lines)


def draw(results: dict[str, Any]) -> None:
    """Draw rms against passes: every chip thin, the median bold, targets as lines."""
    with page(PICTURE, 6.6, 4.2) as figure:
        axes = figure.add_subplot()
        for name, colour in SHOWN.items():
            chips = results["cases"].get(name, [])
            if not chips:
                continue
            courses = [[one["unmeasured"], *(row["rms"] for row in one["passes"])] for one in chips]
            for course in courses:
                axes.semilogy(range(len(course)), course, color=colour, linewidth=0.5, alpha=0.3)
            middle = [statistics.median(values) for values in zip(*courses, strict=True)]
            axes.semilogy(range(len(middle)), middle, "o-", color=colour, label=name)
        axes.axhline(2e-3, color="#666666", linewidth=0.8, linestyle=":")
        axes.annotate("tolerance", (PASSES, 2e-3), xytext=(0, 3), textcoords="offset points", ha="right", fontsize=8)
        axes.set_xticks(range(PASSES + 1))
        axes.set_xlabel("measurements of the batch")
        axes.set_ylabel("rms distance to the full chip, of full power")
        axes.set_title("96 neurons on a bank, spread of gamma, sigma and Q: one line for each chip")
        axes.legend()


def measure_cases(cases: Sequence[Case], chips: int, run: Path | None) -> None:
    """Measure cases chip by chip; what is there is written after each, and the figures of other cases stay."""
    torch.set_num_threads(1)
    made = trained(run, max(case.images for case in cases))
    kept = json.loads(RESULTS.read_text(encoding="utf-8"))["cases"] if RESULTS.exists() else {}
    for case in cases:
        found: list[dict[str, Any]] = []
        for number in range(chips):
            found.append(measure(case, made, number))
            everything = kept | {case.name: found}
            ordered = {name: everything[name] for name in CASE_NAMES if name in everything}
            results = {"machine": machine(), "run": f"{EPOCHS} epochs", "cases": ordered}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        kept[case.name] = found
        print(table({"cases": {case.name: found}}).splitlines()[-1], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chips", type=int, default=20)
    parser.add_argument("--run", type=Path, help="folder of a run of digits.yaml, in place of training one")
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--only", action="append", choices=[case.name for case in CASES], metavar="CASE")
    asked = parser.parse_args()
    if not asked.draw:
        measure_cases([case for case in CASES if case.name in (asked.only or CASE_NAMES)], asked.chips, asked.run)
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    print(table(results))
    draw(results)


if __name__ == "__main__":
    main()
