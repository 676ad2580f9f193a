"""The Mackey-Glass series: a delayed equation that is chaotic (Mackey and Glass, Science 197, 287 (1977)).

    dx/dt = beta x(t - tau) / (1 + x(t - tau)^n) - gamma x(t),    beta = 0.2, gamma = 0.1, n = 10

Integrated by the classical Runge-Kutta method with ten steps per unit of time; the delayed value between two steps is
the cubic through their values and slopes, so that the whole is of fourth order.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BETA, GAMMA, POWER = 0.2, 0.1, 10
STEPS_PER_UNIT = 10
# Time in which a series forgets what it began with.
_SETTLING = 300
# Constant histories that a series begins with lie between these.
_LEAST, _MOST = 0.4, 1.4

_Floats = NDArray[np.float64]


def bounds() -> tuple[float, float]:
    """Return what x cannot leave once it is there: gamma x equals the largest production, and that at the former."""
    peak = np.array((POWER - 1.0) ** (-1.0 / POWER))
    highest = _production(peak) / GAMMA
    return float(_production(highest) / GAMMA), float(highest)


def mackey_glass(starts: Tensor, samples: int, tau: int = 17, steps_per_unit: int = STEPS_PER_UNIT) -> Tensor:
    """Integrate the equation, one sample for each unit of time.

    Args:
        starts: x at all times up to 0, (sequence,), float64.
        samples: How many; the first is x(0).
        tau: Delay, in units of time, at least 1.
        steps_per_unit: Steps of the integration in a unit of time.

    Returns:
        x(0), x(1), ..., (sequence, sample).
    """
    late = tau * steps_per_unit
    history = np.broadcast_to(starts.numpy(), (late + 1, len(starts)))
    stretches, made, slopes = [history[-1:]], 0, np.zeros_like(history)
    while made < (samples - 1) * steps_per_unit:
        history, slopes = _next(history, slopes, 1.0 / steps_per_unit)
        stretches.append(history[1:])
        made += late
    found = np.concatenate(stretches)[: (samples - 1) * steps_per_unit + 1 : steps_per_unit]
    return torch.from_numpy(np.ascontiguousarray(found.T))


def draw_mackey_glass(count: int, samples: int, horizon: int, tau: int, generator: torch.Generator) -> Tensor:
    """Draw stretches of series that have settled: each begins with a constant history of its own.

    Args:
        count: Sequences.
        samples: Of each.
        horizon: Further samples behind them.
        tau: Delay.
        generator: Where the numbers come from.

    Returns:
        x, (sequence, samples + horizon), float64.
    """
    starts = _LEAST + (_MOST - _LEAST) * torch.rand(count, generator=generator, dtype=torch.float64)
    return mackey_glass(starts, _SETTLING + samples + horizon, tau)[:, _SETTLING:]


def _production(late: _Floats) -> _Floats:
    """Return beta x / (1 + x^n), the power by squaring: ten times as fast."""
    square = late * late
    eighth = (square * square) * (square * square)
    return BETA * late / (1.0 + eighth * square)


def _next(history: _Floats, slopes: _Floats, h: float) -> tuple[_Floats, _Floats]:
    """Return x and dx/dt over one delay at a time: all that is produced there is known from the delay before.

    Args:
        history: x at the nodes of the delay before, its ends included, (node, sequence).
        slopes: dx/dt there; the first one to the right, the last one from the left.
        h: Step.
    """
    middle = (history[:-1] + history[1:]) / 2 + h / 8 * (slopes[:-1] - slopes[1:])
    at_nodes, between = _production(history), _production(middle)
    keep, (first, second, third) = _step(h, 1.0, 0.0, 0.0, 0.0), (_step(h, 0.0, *unit) for unit in np.eye(3))
    added = first * at_nodes[:-1] + second * between + third * at_nodes[1:]
    found = np.empty_like(at_nodes)
    found[0] = history[-1]
    for node, more in enumerate(added):
        found[node + 1] = keep * found[node] + more
    return found, at_nodes - GAMMA * found


def _step(h: float, x: float, start: float, middle: float, end: float) -> float:
    """Take a Runge-Kutta step of dx/dt = production - gamma x, which is linear in x and in what is produced."""
    k1 = start - GAMMA * x
    k2 = middle - GAMMA * (x + h / 2 * k1)
    k3 = middle - GAMMA * (x + h / 2 * k2)
    k4 = end - GAMMA * (x + h * k3)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
