"""The watch for drift in the loop: looks until an alarm, false alarms, what a look costs, how well a refit follows.

    .venv/bin/spinhw train examples/digits.yaml --out runs/digits
    .venv/bin/python benchmarks/watch.py runs/digits --seeds 0 1

Networks of that run train on with their own imperfect chips in the loop (devices/imperfect-chip.yaml, the settings of
examples/chip_in_the_loop.yaml). Nothing drifts for so many looks; then gamma of every sixth neuron rises by 5 %, sigma
of every sixth, and the gain of the read-out of every sixth. Neurons that hardly move (less than three times the noise)
cannot show it, and are counted apart.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from spinhw.chip import Chip  # noqa: E402
from spinhw.device import SimulatedDevice  # noqa: E402
from spinhw.gradients import DriftAlarm  # noqa: E402
from spinhw.training import RunSettings, load_settings  # noqa: E402
from spinhw.training.device_loop import DeviceLoop, open_loop  # noqa: E402
from spinhw.training.learner import Learner  # noqa: E402
from spinhw.training.schedule import learning_rates  # noqa: E402
from spinhw.training.start import start_from  # noqa: E402
from spinhw.training.step import train_step  # noqa: E402

RECIPE = ROOT / "examples/chip_in_the_loop.yaml"
SHIFTED = ("gamma", "sigma", "gain")  # In the order of a chip's walk.
EVERY, SHIFT = 6, 0.05
MOVES = 0.03  # Standard deviation of a power from which a neuron counts as moving: three times the noise.


def settings_of(run: Path, seed: int, action: str, every: int) -> RunSettings:
    """Put a network of a run into the loop with its chip, watched."""
    watch = f"{{every: {every}, action: {action}}}"
    keys = [f"training.seeds=[{seed}]", f"training.start={run}", f"training.drift={watch}"]
    still = "device.chip.drift.individual_per_1000_shots=1e-9"  # So that there is a walk to move.
    held_out = "task.held_out=validation" if seed >= 100 else "task.held_out=test"
    return load_settings(RECIPE, [*keys, still, held_out, "training.epochs=1000", "training.loop.epochs=null"])


def chip_of(loop: DeviceLoop) -> Chip:
    """Look behind the seam of a simulated device."""
    if not isinstance(loop.device, SimulatedDevice):
        raise RuntimeError("only a simulated chip tells the truth")
    return loop.device.truth


@dataclass(frozen=True)
class Followed:
    """What was seen of one chip.

    Args:
        alarms: All of them.
        change: Batches in the loop before the shift.
        moving: Which neurons move, (neuron,).
        off: By how much the model's gamma and sigma are off in the end, relative, (neuron,), by name.
        spent_s: Processor time of the training steps.
    """

    alarms: tuple[DriftAlarm, ...]
    change: int
    moving: Tensor
    off: dict[str, Tensor]
    spent_s: float


def follow(settings: RunSettings, quiet: int, after: int) -> Followed:
    """Train in the loop, with a shift after so many quiet looks and so many looks after it."""
    learner, training, watch = Learner(settings), settings.training, settings.training.drift
    start_from(learner, settings)
    task = settings.open_task()
    with open_loop(settings, learner.network) as loop, learner.in_the_loop(loop):
        drift, chip = loop.watch, chip_of(loop)
        if drift is None or watch is None:
            raise RuntimeError("nothing watches")
        # The look that would be the next one is the first to see it.
        change, moving, began = (
            (-(-watch.learn // watch.every) + quiet) * watch.every,
            torch.zeros(0),
            time.process_time(),
        )
        for number in range(change + (after - 1) * watch.every + 1):
            if number == change:
                shift(chip)
            learner.epoch, batch = divmod(number, task.batches)
            shown = task.train(training.seeds, learner.epoch, batch)
            train_step(learner, shown, training, learning_rates(training, learner.epoch, 0, 1))
            trace = loop.hardware.trace
            if number == 0 and trace is not None and trace.power is not None:
                moving = trace.power.values[0].std((0, 1)) > MOVES
        true = chip.hidden.at(chip._recorder.walk, torch.float64)  # noqa: SLF001 - the truth of a benchmark
        found = loop.hardware.neurons
        off = {name: (getattr(found, name) / getattr(true, name)).log()[0] for name in SHIFTED[:2]}
        return Followed(drift.alarms, change, moving, off, time.process_time() - began)


def shift(chip: Chip) -> None:
    """Change neurons for good."""
    drift = chip._recorder._drift  # noqa: SLF001
    if drift is None:
        raise RuntimeError("this chip does not drift")
    for row in range(len(SHIFTED)):
        drift.walk[:, row, row::EVERY] += SHIFT


def told(found: Followed, every: int, after: int) -> str:
    """Sum up what was seen of one chip."""
    early = [one for one in found.alarms if one.batch <= found.change]
    others = [one for one in found.alarms if one.batch > found.change and one.neuron % EVERY >= len(SHIFTED)]
    lines = [f"  false alarms: {len(early)} before the shift, {len(others)} of neurons that were not shifted"]
    for row, name in enumerate(SHIFTED):
        shifted = [neuron for neuron in range(row, len(found.moving), EVERY) if found.moving[neuron]]
        looks = [_looks(found, neuron, every, after) for neuron in shifted]
        shares = [sum(look <= upto for look in looks) for upto in (1, 2, 3, after)]
        lines.append(f"  {name}: of {len(shifted)} that move found within 1, 2, 3, {after} looks: {shares}")
        if name in found.off:
            rms = float(found.off[name][shifted].square().mean().sqrt())
            lines.append(f"    the model's {name} is off by {100 * rms:.2f} % (rms)")
    return "\n".join(lines)


def _looks(found: Followed, neuron: int, every: int, after: int) -> int:
    """Count looks until the first alarm of a neuron after the shift."""
    batches = [one.batch for one in found.alarms if one.neuron == neuron and one.batch > found.change]
    return (min(batches) - found.change - 1) // every + 1 if batches else after + 1


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of examples/digits.yaml")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--every", type=int, default=5, help="batches from one look to the next")
    parser.add_argument("--quiet", type=int, default=10, help="looks without drift")
    parser.add_argument("--after", type=int, default=5, help="looks after the shift")
    parser.add_argument("--actions", nargs="+", default=["refit", "log"])
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for seed in asked.seeds:
        for action in asked.actions:
            found = follow(settings_of(asked.run, seed, action, asked.every), asked.quiet, asked.after)
            print(f"seed {seed}, action {action}, {found.spent_s:.0f} s of processor time", flush=True)
            print(told(found, asked.every, asked.after), flush=True)


if __name__ == "__main__":
    main()
