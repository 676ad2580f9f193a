"""What a chip does after a trigger, as functions of continuous time: windows that were integrated, and rests."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from spinhw.physics import coefficients, equilibrium
from spinhw.rollout import Neurons
from spinhw.virtual.records import Interpolation

# Below this, two terms of (1 - e^-w) / w are closer than its digits that are left.
_SERIES = 1e-6
# Times in a rest are told apart to this share of a node's distance.
_SAME = 1e6


class ChipResponse(ABC):
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
class Steady(ChipResponse):
    """Nothing moves. `levels` gives the power of each neuron."""

    levels: np.ndarray

    def signal(self, kind: str, number: int, times_s: np.ndarray) -> np.ndarray:
        return np.full(len(times_s), self.levels[number] if kind == "power" else 0.0)


def relax(
    power: np.ndarray, elapsed_s: np.ndarray, drive: np.ndarray, neurons: Neurons, number: int | slice
) -> np.ndarray:
    """Let oscillators go on under a constant drive: the closed form, exact (`spinhw.physics.logistic_step`).

    In numpy, because torch shares even such short work among threads, and waits for them on a busy machine.

    Args:
        power: x at the start, (point,), or (point, oscillator) for several.
        elapsed_s: Zero or above; this and the drive broadcast with the power.
        drive: I in 1/s.
        neurons: Oscillators, (1, neuron), float64.
        number: Which.
    """
    gamma, sigma, q = (getattr(neurons, name)[0, number].numpy() for name in ("gamma", "sigma", "q"))
    start = np.clip(power.astype(np.float64), 0.0, 1.0)
    growth = (sigma * drive - gamma) * elapsed_s
    size = np.abs(growth)
    decay = np.exp(-size)
    mean = np.where(size < _SERIES, 1 - size / 2, (1 - decay) / np.maximum(size, _SERIES))  # (1 - e^-size) / size
    gain, loss = np.where(growth > 0, 1.0, decay), np.where(growth > 0, decay, 1.0)
    return start * gain / ((1 - start) * loss + start * (gain + gamma * (1 + q) * elapsed_s * mean))


def resting_power(neurons: Neurons) -> np.ndarray:
    """Give the power of each oscillator under its bias drive, (neuron,)."""
    return equilibrium(*coefficients(neurons.bias_drive, neurons.gamma, neurons.sigma, neurons.q))[0].numpy()


@dataclass(frozen=True)
class _Placed:
    """Where points in time lie: their numbers before all windows, inside of windows, and in the rests after them."""

    early: np.ndarray
    inside: np.ndarray
    interpolation: Interpolation
    resting: np.ndarray
    resting_window: np.ndarray
    elapsed_s: np.ndarray  # Since the end of that window; the two broadcast.
    resting_index: np.ndarray | slice  # Of each point in what comes of them.


@dataclass(frozen=True)
class Windows(ChipResponse):
    """Windows of equal length, each integrated on its own, with rests in between.

    Args:
        starts_s: Of each window after the trigger, ascending.
        step_s: Between nodes.
        cell: Nodes between kinks of the input.
        power: (window, node, neuron), the first node at the start.
        filtered: y, same shape; None where it is not there.
        outputs: (window, node, output); None without.
        rest: Gives the power of a neuron some time after the end of windows: (number, windows, seconds); the last two
            broadcast.
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
    _places: "deque[tuple[np.ndarray, _Placed]]" = field(default_factory=lambda: deque(maxlen=4), init=False)

    @property
    def length_s(self) -> float:
        """Get the length of a window."""
        return (self.power.shape[1] - 1) * self.step_s

    def signal(self, kind: str, number: int, times_s: np.ndarray) -> np.ndarray:
        nodes = {"power": self.power, "filtered": self.filtered, "output": self.outputs}[kind]
        if nodes is None:
            return np.zeros(len(times_s))
        placed = self._placed(times_s)
        values = np.empty(len(times_s))
        values[placed.early] = self.before[number] if kind == "power" else 0.0
        values[placed.inside] = placed.interpolation(np.ascontiguousarray(nodes[:, :, number]))
        if len(placed.resting):
            after = self._after(kind, number, placed.resting_window, placed.elapsed_s, nodes)
            values[placed.resting] = after.reshape(-1)[placed.resting_index]
        return values

    def _placed(self, times_s: np.ndarray) -> "_Placed":
        """Say where times lie among the windows; the same for every signal, so that the last answers are kept."""
        for known, placed in self._places:
            if np.array_equal(known, times_s):
                return placed
        slack = 1e-6 * self.step_s
        window = np.searchsorted(self.starts_s, times_s + slack, side="right") - 1
        local = times_s - self.starts_s[np.maximum(window, 0)]
        early, late = window < 0, local > self.length_s + slack
        inside, resting = np.flatnonzero(~early & ~late), np.flatnonzero(late & ~early)
        nodes = self.power.shape[1]
        places = np.clip(local[inside] / self.step_s, 0.0, nodes - 1)
        placed = _Placed(
            np.flatnonzero(early),
            inside,
            Interpolation(window[inside], places, nodes, self.cell),
            resting,
            *self._rests(window[resting], local[resting] - self.length_s),
        )
        self._places.append((times_s, placed))
        return placed

    def _rests(self, window: np.ndarray, elapsed_s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | slice]:
        """Lay rests out as a table of window and time where they all are sampled alike: a fraction of the work."""
        times, place = np.unique(np.rint(elapsed_s * (_SAME / self.step_s)), return_inverse=True)
        windows = len(self.starts_s)
        if len(times) * windows > 2 * len(window):
            return window, elapsed_s, slice(None)
        return np.arange(windows)[:, None], times * (self.step_s / _SAME), window * len(times) + place

    def _after(
        self, kind: str, number: int, window: np.ndarray, elapsed_s: np.ndarray, nodes: np.ndarray
    ) -> np.ndarray:
        if kind == "power":
            return self.rest(number, window, elapsed_s)
        # The capacitor discharges; what the relaxing power adds to it is not followed: nothing is gated open then.
        decay = self.decay_per_s[number] if kind == "filtered" else float(self.decay_per_s.mean())
        return nodes[window, -1, number] * np.exp(-decay * elapsed_s)
