"""What a chip does after a trigger, as functions of continuous time: windows that were integrated, and rests."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from spinhw.physics import coefficients, equilibrium, logistic_step
from spinhw.rollout import Neurons
from spinhw.virtual.records import interpolate


class Response(ABC):
    """Signals of a chip after a trigger."""

    @abstractmethod
    def signal(self, kind: str, number: int, times_s: np.ndarray) -> np.ndarray:
        """Give a signal in model units.

        Args:
            kind: "power", "filtered" or "output".
            number: Of the neuron, or of the output.
            times_s: After the trigger, ascending, (point,).
        """


@dataclass(frozen=True)
class Steady(Response):
    """Nothing moves. `levels` gives the power of each neuron."""

    levels: np.ndarray

    def signal(self, kind: str, number: int, times_s: np.ndarray) -> np.ndarray:
        return np.full(len(times_s), self.levels[number] if kind == "power" else 0.0)


def relax(power: np.ndarray, elapsed_s: np.ndarray, drive: np.ndarray, neurons: Neurons, number: int) -> np.ndarray:
    """Let an oscillator go on under a constant drive: the closed form, exact.

    Args:
        power: x at the start, (point,).
        elapsed_s: (point,), zero or above.
        drive: I in 1/s, (point,).
        neurons: Oscillators, (1, neuron), float64.
        number: Which.
    """
    gamma, sigma, q = (getattr(neurons, name)[0, number] for name in ("gamma", "sigma", "q"))
    time = torch.from_numpy(elapsed_s)
    growth = (sigma * torch.from_numpy(drive) - gamma) * time
    damping = gamma * (1 + q) * time
    return logistic_step(torch.from_numpy(power).double().clamp(0.0, 1.0), growth, damping).numpy()


def resting_power(neurons: Neurons) -> np.ndarray:
    """Give the power of each oscillator under its bias drive, (neuron,)."""
    return equilibrium(*coefficients(neurons.bias_drive, neurons.gamma, neurons.sigma, neurons.q))[0].numpy()


@dataclass(frozen=True)
class Windows(Response):
    """Windows of equal length, each integrated on its own, with rests in between.

    Args:
        starts_s: Of each window after the trigger, ascending.
        step_s: Between nodes.
        cell: Nodes between kinks of the input.
        power: (window, node, neuron), the first node at the start.
        filtered: y, same shape; None where it is not there.
        outputs: (window, node, output); None without.
        rest: Gives the power of a neuron some time after the end of windows: (number, windows, seconds).
        before: Power of each neuron before the first window, (neuron,).
    """

    starts_s: np.ndarray
    step_s: float
    cell: int
    power: np.ndarray
    filtered: np.ndarray | None
    outputs: np.ndarray | None
    rest: Callable[[int, np.ndarray, np.ndarray], np.ndarray]
    before: np.ndarray
    decay_per_s: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def length_s(self) -> float:
        """Get the length of a window."""
        return (self.power.shape[1] - 1) * self.step_s

    def signal(self, kind: str, number: int, times_s: np.ndarray) -> np.ndarray:
        nodes = {"power": self.power, "filtered": self.filtered, "output": self.outputs}[kind]
        if nodes is None:
            return np.zeros(len(times_s))
        slack = 1e-6 * self.step_s
        window = np.searchsorted(self.starts_s, times_s + slack, side="right") - 1
        local = times_s - self.starts_s[np.maximum(window, 0)]
        early, late = window < 0, local > self.length_s + slack
        values = np.zeros(len(times_s))
        values[early] = self.before[number] if kind == "power" else 0.0
        inside = ~early & ~late
        places = np.clip(local[inside] / self.step_s, 0.0, self.power.shape[1] - 1)
        values[inside] = interpolate(nodes[:, :, number], window[inside], places, self.cell)
        resting = late & ~early
        if resting.any():
            values[resting] = self._after(kind, number, window[resting], local[resting] - self.length_s, nodes)
        return values

    def _after(
        self, kind: str, number: int, window: np.ndarray, elapsed_s: np.ndarray, nodes: np.ndarray
    ) -> np.ndarray:
        if kind == "power":
            return self.rest(number, window, elapsed_s)
        # The capacitor discharges; what the relaxing power adds to it is not followed: nothing is gated open then.
        decay = self.decay_per_s[number] if kind == "filtered" else float(self.decay_per_s.mean())
        return nodes[window, -1, number] * np.exp(-decay * elapsed_s)
