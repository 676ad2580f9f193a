"""What all oscilloscopes share: vertical ranges with clipping, an 8-bit converter, single acquisitions, averages."""

from abc import abstractmethod
from dataclasses import dataclass, field

import numpy as np

from spinhw.virtual.instruments.panel import Panel
from spinhw.virtual.instruments.scope_input import ScopeInput, processed
from spinhw.virtual.lab import Lab, Shot, Window
from spinhw.virtual.scpi import ScpiError

# Codes of the converter, signed; both ends are kept for what is out of range.
LOWEST, HIGHEST = -128, 127
# Samples of all channels and segments together that this computer keeps of one acquisition.
_MOST_SAMPLES = 1 << 26
# A pulse on the trigger line: its height, its length, and how late a trigger is that sees it without its fast parts.
PULSE_V, PULSE_S, SLOWED_S = 3.3, 1e-6, 3e-6


@dataclass
class ScopeTrace:
    """What was recorded of one channel.

    Args:
        codes: Of the converter, -128 to 127; averages lie in between.
        step_v: Volts for one code.
        centre_v: Volts of code 0.
        window: When it was recorded.
        holes: Where there is no sample.
        segments: Of earlier triggers, oldest first, when acquisition is segmented.
    """

    codes: np.ndarray
    step_v: float
    centre_v: float
    window: Window
    holes: np.ndarray | None = None
    segments: list[np.ndarray] = field(default_factory=list)


class Oscilloscope(Panel):
    """A scope that records once after each trigger."""

    channels = 4
    suffers = frozenset({"nan", "clipped", "stuck", "overload"})

    def __init__(self, name: str, serial: str | None = None, lab: Lab | None = None) -> None:
        self.traces: dict[int, ScopeTrace] = {}
        self._state = "stopped"  # Or "single", "running".
        self._count = 0
        super().__init__(name, serial, lab)

    @abstractmethod
    def window(self) -> Window:
        """Give what will be recorded."""

    @abstractmethod
    def vertical(self, channel: int) -> tuple[float, float]:
        """Give centre and full range of a channel in volts."""

    @abstractmethod
    def shown(self) -> list[int]:
        """Give the channels that are recorded."""

    @abstractmethod
    def averages(self) -> int:
        """Give how many triggers an acquisition takes."""

    @abstractmethod
    def segments(self) -> int:
        """Give how many triggers a segmented acquisition keeps apart; 1 for none."""

    @abstractmethod
    def waits_for_trigger(self) -> bool:
        """Say whether an acquisition needs an edge on the trigger line."""

    @abstractmethod
    def input(self, channel: int) -> ScopeInput:
        """Give how a channel is set between its connector and the converter."""

    @abstractmethod
    def acquisition(self) -> str:
        """Give what becomes of samples: "sample", "smooth" or "peak"."""

    def triggers(self) -> int:
        """Give how many triggers an acquisition takes, averages and segments aside."""
        return 1

    def late_s(self) -> float | None:
        """Give how long after the edge of the trigger line it triggers; None if the edge does not trigger it."""
        return 0.0

    def reset(self) -> None:
        super().reset()
        self.traces, self._state, self._count = {}, "stopped", 0

    @property
    def armed(self) -> bool:
        return self._state != "stopped"

    @property
    def busy(self) -> bool:
        return self._state == "single"

    def arm(self, single: bool = True) -> None:
        """Start an acquisition: one, or again and again.

        Raises:
            ScpiError: It would be longer than what can be kept (-225).
        """
        self._check_size()
        self._state, self._count, self.traces = ("single" if single else "running"), 0, {}
        if self.waits_for_trigger():
            self.lab.look()
        else:
            self.record(self.lab.shot())

    def _check_size(self) -> None:
        if self.window().points * len(self.shown()) * self.segments() > _MOST_SAMPLES:
            raise ScpiError(-225)

    def give_up(self) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop waiting."""
        self._state = "stopped"
        self.proceed()

    def record(self, shot: Shot) -> None:
        late_s = self.late_s() if self.waits_for_trigger() else 0.0
        if self._state != "stopped" and late_s is not None:
            self.capture(shot, late_s)

    def capture(self, shot: Shot, late_s: float = 0.0) -> None:
        """Record once, so long after the edge of the trigger line.

        Raises:
            ScpiError: The record has been made longer than what can be kept since it was armed (-225).
        """
        self._check_size()
        window = self.window()
        trouble = self.take_disturbance("nan", "clipped", "stuck", "overload")
        for channel in self.shown():
            true = self.input(channel).window(Window(window.start_s + late_s, window.interval_s, window.points))
            volts = shot.sample(self, channel, true)
            if not volts.strides[0] and not trouble:  # Nothing moves: one sample stands for all.
                volts = volts[:1]
            volts = self.input(channel).seen(volts, window.interval_s)
            self._take(channel, processed(volts, self.acquisition()), window, trouble)
        self._count += 1
        if self._state == "single" and self._count >= max(self.averages(), self.segments(), self.triggers()):
            self._state = "stopped"
            self.proceed()

    def _take(self, channel: int, volts: np.ndarray, window: Window, trouble: str | None) -> None:
        centre, full = self.vertical(channel)
        step = full / 256
        if trouble and (trouble in {"clipped", "nan"} or channel == self.shown()[0]):
            volts = self._spoil(channel, volts, trouble, centre, full)
        codes = np.clip(np.rint((volts - centre) / step), LOWEST, HIGHEST).astype(np.float32)
        codes = codes if len(codes) == window.points else np.broadcast_to(codes[:1], window.points)
        before = self.traces.get(channel)
        if before is not None and len(before.codes) != len(codes):
            before = None  # It was set otherwise since.
        trace = ScopeTrace(codes, step, centre, window)
        if trouble == "nan":
            trace.holes = np.zeros(len(codes), bool)
            trace.holes[:: max(1, len(codes) // 100)] = True
        if before is not None and self.averages() > 1:
            trace.codes = before.codes + (codes - before.codes) / (self._count + 1)
            trace.holes = before.holes if trace.holes is None else trace.holes
        if before is not None and self.segments() > 1:
            trace.segments = [*before.segments, before.codes]
        self.traces[channel] = trace

    def _spoil(self, channel: int, volts: np.ndarray, trouble: str, centre: float, full: float) -> np.ndarray:
        if trouble == "clipped":
            return volts + full
        if trouble == "stuck":
            return np.full_like(volts, volts[0] if len(volts) else 0.0)
        if trouble == "overload":
            self.overload(channel)
            return np.full_like(volts, centre + full)
        return volts

    def overload(self, channel: int) -> None:
        """Report that the 50-ohm input of a channel protected itself."""

    @property
    def acquired(self) -> int:
        """Get the number of triggers of this acquisition so far."""
        return self._count
