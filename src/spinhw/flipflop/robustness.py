"""How far a network bears what it was not trained on: noise, weak or short pulses, long holds, spurious states."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.flipflop.fixed_points import FixedPoints
from spinhw.flipflop.scoring import measure
from spinhw.network.recurrent import RecurrentNetwork
from spinhw.tasks.flipflop import holding
from spinhw.tasks.flipflop_settings import FlipFlopSettings
from spinhw.tasks.score import TOLERANCE, Score
from spinhw.tasks.trial_settings import HOLD_STEPS
from spinhw.tasks.trial_task import measuring_trials

NOISES = (0.0, 0.1, 0.2, 0.3, 0.5)
AMPLITUDES = (0.25, 0.5, 0.75, 1.0, 1.5)
WIDTHS = (3, 5, 10, 15, 20, 30)
# A state rests where no unit changes by more than this in a step, and is at a memory within this distance.
_AT_REST = 1e-5
_NEAR = 0.5


@dataclass(frozen=True)
class RobustnessCurve:
    """Scores over one condition.

    Args:
        name: The condition.
        values: What it was.
        scores: What came out.
    """

    name: str
    values: tuple[float, ...]
    scores: tuple[Score, ...]


def robustness(network: RecurrentNetwork, task: FlipFlopSettings, trials: int) -> list[RobustnessCurve]:
    """Measure a network under noise, pulse amplitude and pulse width other than the task's.

    The answer to a pulse of another width is asked for at the same time after its start.

    Args:
        network: The network.
        task: What it was trained on; each condition changes one of its numbers.
        trials: Trials for each point.
    """
    answer = task.pulse_steps + task.delay_steps
    changes: list[tuple[str, Sequence[float], Callable[[float], dict[str, float]]]] = [
        ("noise", NOISES, lambda value: {"noise": value}),
        ("amplitude", AMPLITUDES, lambda value: {"amplitude": value}),
        (
            "width",
            [width for width in WIDTHS if width <= answer],
            lambda value: {"pulse_steps": int(value), "delay_steps": answer - int(value)},
        ),
    ]
    return [
        RobustnessCurve(
            name, tuple(values), tuple(_score(network, task.model_copy(update=of(value)), trials) for value in values)
        )
        for name, values, of in changes
    ]


def _score(network: RecurrentNetwork, task: FlipFlopSettings, trials: int) -> Score:
    return measure(network, measuring_trials(task, trials, "robustness"))


@dataclass(frozen=True)
class Hold:
    """What became of memories held without input.

    Args:
        steps: For so long after the last answer at least.
        trials: In so many trials.
        held: Share of trials that end with every bit within 1/2 of what it should be.
        signs: Share that end with the right signs.
        spurious: Share that end in a stable state that is no memory; None where the stable states are not known.
    """

    steps: int
    trials: int
    held: float
    signs: float
    spurious: float | None


@torch.no_grad()
def long_hold(
    network: RecurrentNetwork,
    task: FlipFlopSettings,
    trials: int,
    points: FixedPoints | None = None,
    steps: int = HOLD_STEPS,
) -> Hold:
    """Run trials, then hold the memories without pulses but with the task's input noise.

    A trial ends in a spurious state if, after as many steps again without noise, it has come to rest at no memory.

    Args:
        network: The network.
        task: The task.
        trials: How many; at least one of them has every state, from about a hundred on.
        points: The network's fixed points.
        steps: How long to hold.
    """
    task = holding(task, steps)
    outputs, states, targets = [], [], []
    done = 0
    while done < trials:
        count = min(256, trials - done)
        drawn = measuring_trials(task, count, f"hold {done}")
        activity = network.run(drawn.inputs)
        outputs.append(activity.outputs[:, -1].clone())
        states.append(activity.states[:, -1].clone())  # type: ignore[index]
        targets.append(drawn.targets[:, -1])
        done += count
    error, told = (torch.cat(outputs) - torch.cat(targets)).abs(), torch.cat(targets)
    right = (torch.cat(outputs).sign() == told).all(1).double().mean().item()
    held = (error < TOLERANCE).all(1).double().mean().item()
    lost = None
    if points is not None and isinstance(network, RecurrentNetwork):
        lost = _share_lost(network, torch.cat(states), points, steps)
    return Hold(steps, trials, held, right, lost)


def _share_lost(network: RecurrentNetwork, states: Tensor, points: FixedPoints, steps: int) -> float:
    """Let the states run on without noise; count those that come to rest, but at no memory, found before or not."""
    memories = points.states[points.memories()]
    quiet, lost = torch.zeros(1, steps, network.settings.inputs), 0
    for part in states.split(256):
        after = network.run(quiet.expand(len(part), -1, -1), part).states
        if after is None:
            raise RuntimeError("states were asked for")
        resting = (after[:, -1] - after[:, -2]).abs().amax(1) < _AT_REST
        nearest = torch.cdist(after[:, -1].double(), memories).amin(1) if len(memories) else torch.full((1,), math.inf)
        away = nearest > _NEAR
        lost += int((resting & away).sum())
    return lost / len(states)
