"""What instruments see of the bench they stand on: one trigger line, loads, voltages. `bench.py` fills it in."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spinhw.virtual.held import at_rate
from spinhw.virtual.scpi import ScpiError

if TYPE_CHECKING:
    from spinhw.virtual.instruments.panel import Panel

# Samples of what is played, nodes of all that is integrated, and nodes that can only be integrated one after another,
# at a trigger: more is refused, not waited for.
_MOST_POINTS, _MOST_NODES, _LONGEST_PIECE = 1 << 26, 1 << 27, 1 << 17
# What starts later than so many samples is not in a record any more.
_LONGEST_DELAY = 1 << 18


@dataclass(frozen=True)
class Window:
    """What a digitizer records after a trigger.

    Args:
        start_s: Time of the first sample after the trigger in seconds; negative before it.
        interval_s: Time between samples in seconds.
        points: Number of samples.
    """

    start_s: float
    interval_s: float
    points: int


@dataclass(frozen=True)
class SourceOutput:
    """What a source puts out after a trigger. Before and after it holds the first and the last sample.

    Args:
        samples: In volts into the load, or amperes for a current source.
        rate_hz: Samples per second.
        delay_s: Time from the trigger to the first sample in seconds; negative where it comes before.
    """

    samples: np.ndarray
    rate_hz: float
    delay_s: float = 0.0

    def points_at(self, rate_hz: float) -> int:
        """Give how many samples it takes at another rate, its delay included; not more than anybody would record."""
        return math.ceil(min(self.delay_s * rate_hz, _LONGEST_DELAY) + len(self.samples) * rate_hz / self.rate_hz)

    def at(self, rate_hz: float, points: int) -> np.ndarray:
        """Give it on another grid, from the trigger on."""
        return at_rate(self.samples, self.rate_hz, rate_hz, points, self.delay_s)


def refuse_long(points: float, nodes: float = 0.0, piece: float = 0.0) -> None:
    """Refuse what is too long to be followed.

    Args:
        points: Samples at the fastest rate of all that plays.
        nodes: Of the chip, all oscillators together.
        piece: Nodes of one oscillator from one rest to the next.

    Raises:
        ScpiError: It is (-225); the message that made it play is refused.
    """
    if points > _MOST_POINTS or nodes > _MOST_NODES or piece > _LONGEST_PIECE:
        raise ScpiError(-225, "Out of memory; what is played is too long for the virtual bench")


class Shot(ABC):
    """One trigger, and what the wires carry after it."""

    @abstractmethod
    def sample(self, panel: "Panel", channel: int, window: Window) -> np.ndarray:
        """Give the voltage at the input of an instrument in volts, (point,), noise of the wires included.

        Where nothing moves all points may be one number in memory; do not write to it.
        """


class Lab(ABC):
    """The bench as an instrument sees it."""

    @abstractmethod
    def trigger(self, by: "Panel") -> None:
        """Put an edge on the trigger line: armed sources play, armed digitizers record."""

    @abstractmethod
    def look(self) -> None:
        """Let an armed digitizer go if a source runs freely; call it after anything was armed or switched on."""

    @abstractmethod
    def load_ohm(self, panel: "Panel", channel: int) -> float:
        """Give the resistance at an output in ohms."""

    @abstractmethod
    def voltage(self, panel: "Panel", channel: int) -> float:
        """Give the steady voltage at an input in volts."""

    @abstractmethod
    def shot(self) -> "Shot":
        """Give what the wires carry after the last trigger; all quiet before any."""


class _Quiet(Shot):
    def sample(self, panel: "Panel", channel: int, window: Window) -> np.ndarray:
        return np.broadcast_to(0.0, window.points)


class EmptyLab(Lab):
    """A table without wires: an instrument alone, as a third-party client may want to see it.

    Sources see 50 ohms, inputs see nothing, and every trigger is answered by quiet wires.
    """

    def __init__(self, panels: "list[Panel] | None" = None) -> None:
        self.panels = panels if panels is not None else []

    def trigger(self, by: "Panel") -> None:
        for panel in self.panels:
            if panel.armed:
                panel.record(self.shot())

    def look(self) -> None:
        for panel in self.panels:
            if panel.armed and any(one.runs_freely for one in self.panels):
                panel.record(self.shot())

    def load_ohm(self, panel: "Panel", channel: int) -> float:
        return 50.0

    def voltage(self, panel: "Panel", channel: int) -> float:
        return 0.0

    def shot(self) -> Shot:
        return _Quiet()
