"""Oscilloscopes and digitizers."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from spinhw.errors import DeviceError, LimitError
from spinhw.instruments.channels import DigitizerInput
from spinhw.instruments.roles.base import Instrument
from spinhw.instruments.roles.known_state import Fields
from spinhw.instruments.waiting import wait_for

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Beyond the record itself: arming, re-arming, transfer of the trigger.
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Acquisition:
    """What to record.

    Args:
        channels: Inputs to record together.
        rate_hz: Sample rate wanted, at least; instruments choose from what they have.
        points: Samples wanted at that rate, at least.
        delay_s: From the trigger to the first sample, in seconds; negative to start before it.
        trigger: "external", the trigger input; "immediate", at once.
        trigger_v: Threshold of the trigger input, in volts, rising edge.
    """

    channels: tuple[str, ...]
    rate_hz: float
    points: int
    delay_s: float = 0.0
    trigger: Literal["external", "immediate"] = "external"
    trigger_v: float = 1.0

    @property
    def duration_s(self) -> float:
        """Length of the record, in seconds."""
        return self.points / self.rate_hz


@dataclass(frozen=True)
class Waveform:
    """One input's record as an instrument gives it: volts, sample interval, time of the first sample, what clipped."""

    volts: "NDArray[np.float64]"
    interval_s: float
    start_s: float
    clipped: "NDArray[np.bool_]"


@dataclass(frozen=True)
class Record:
    """What was recorded.

    Args:
        channels: Inputs, in the order of the first axis.
        volts: (channel, point), averaged over shots; NaN where the instrument has a hole.
        interval_s: Between samples, in seconds.
        start_s: Of the first sample after the trigger, in seconds.
        clipped: Whether a sample was at an end of the range in any shot, (channel, point).
        averages: Shots.
    """

    channels: tuple[str, ...]
    volts: "NDArray[np.float64]"
    interval_s: float
    start_s: float
    clipped: "NDArray[np.bool_]"
    averages: int = 1


class Digitizer(Instrument[DigitizerInput]):
    """An oscilloscope or digitizer. A whole batch is one record of all inputs."""

    role = "digitizer"

    @abstractmethod
    def _limits(self) -> tuple[tuple[float, float], tuple[int, int]]:
        """Return the range of sample rates in hertz and of record lengths in points."""

    @abstractmethod
    def _configure(self, plan: Acquisition) -> tuple[float, int]:
        """Set inputs, time axis and trigger; return sample rate and record length as read back."""

    @abstractmethod
    def _arm(self, plan: Acquisition) -> None:
        """Start one acquisition, and return when the trigger will be seen."""

    @abstractmethod
    def _is_complete(self) -> bool:
        """Tell whether the acquisition that was started is complete."""

    @abstractmethod
    def _fetch(self, channel: str, points: int) -> Waveform:
        """Read the record of one input."""

    @abstractmethod
    def _stop(self) -> None:
        """Return up an acquisition."""

    def _limits_of(self, channel: str) -> Fields:
        limits = self.channels[channel]
        return {"channel": channel, "lowest_v": limits.lowest_v, "highest_v": limits.highest_v}

    def check_plan(self, plan: Acquisition) -> None:
        """Refuse what the instrument cannot do. Sends nothing.

        Raises:
            LimitError: Names the quantity, its value and its range.
        """
        (lowest_hz, highest_hz), (least, most) = self._limits()
        for channel in plan.channels:
            self._channel(channel)
            self._check("sample rate", channel, plan.rate_hz, (lowest_hz, highest_hz), "Hz")
            self._check("record length", channel, plan.points, (least, most), "points")

    def fit(self, plan: Acquisition) -> Acquisition:
        """Lengthen a plan to the shortest record that the instrument can take. Sends nothing."""
        return replace(plan, points=max(plan.points, self._limits()[1][0]))

    def configure(self, plan: Acquisition) -> Acquisition:
        """Set inputs, time axis and trigger.

        Returns:
            The plan with the sample rate and record length that the instrument took.

        Raises:
            LimitError: The instrument cannot do it, or samples more slowly or less than was wanted.
        """
        self.check_plan(plan)
        self.ready()
        rate_hz, points = self._configure(plan)
        applied = Acquisition(plan.channels, rate_hz, points, plan.delay_s, plan.trigger, plan.trigger_v)
        if rate_hz < plan.rate_hz * (1 - 1e-6) or applied.duration_s < plan.duration_s * (1 - 1e-6):
            raise LimitError(
                f"{self.name}: this record cannot be taken",
                seen=f"{points} points at {rate_hz:.6g} Hz",
                allowed=f"at least {plan.duration_s:.4g} s at {plan.rate_hz:.6g} Hz or more",
                todo="record less at a time, or lower the digitizer's rate in the bench file",
            )
        self._keep("rate_hz", rate_hz)
        self._keep("points", points)
        self._keep("trigger", plan.trigger)
        for channel in plan.channels:
            self._keep(f"{channel}.lowest_v", self.channels[channel].lowest_v)
            self._keep(f"{channel}.highest_v", self.channels[channel].highest_v)
        return applied

    def acquire(self, applied: Acquisition, start: Callable[[], None] | None = None, averages: int = 1) -> Record:
        """Record, and average over shots.

        Args:
            applied: What `configure` returned.
            start: Fires the trigger, once for each shot, when the instrument is armed.
            averages: Shots, at least 1.

        Raises:
            DeviceError: The trigger did not come, or the connection failed. Nothing is repeated here.
        """
        first = self._shot(applied, start)
        if averages == 1:
            return first
        total, clipped = first.volts.copy(), first.clipped.copy()
        for _ in range(averages - 1):
            shot = self._shot(applied, start)
            total += shot.volts
            clipped |= shot.clipped
        return Record(first.channels, total / averages, first.interval_s, first.start_s, clipped, averages)

    def _shot(self, applied: Acquisition, start: Callable[[], None] | None) -> Record:
        self._arm(applied)
        try:
            if start is not None:
                start()
            wait_for(self._is_complete, applied.duration_s + PATIENCE_S, self.name, "the acquisition")
        except BaseException:
            with suppress(DeviceError):  # what went wrong first is what people must see
                self._stop()
            raise
        return _joined(applied.channels, [self._fetch(channel, applied.points) for channel in applied.channels])


def _joined(channels: tuple[str, ...], waves: Sequence[Waveform]) -> Record:
    import numpy as np

    shortest = min(len(wave.volts) for wave in waves)
    volts = np.stack([wave.volts[:shortest] for wave in waves])
    clipped = np.stack([wave.clipped[:shortest] for wave in waves])
    return Record(channels, volts, waves[0].interval_s, waves[0].start_s, clipped)
