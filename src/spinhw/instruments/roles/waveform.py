"""Sources that play waveforms."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from spinhw.errors import DeviceError, LimitError
from spinhw.instruments.channels import VoltageOutput
from spinhw.instruments.ramp import Lever
from spinhw.instruments.roles.base import Build
from spinhw.instruments.roles.known_state import Fields
from spinhw.instruments.roles.switched import SwitchedOutputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Trigger = Literal["software", "external"]

_SOURCE_OHM = 50.0
# A sample rate reads back within this share; it is a synthesised frequency.
_RATE_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Uploaded:
    """What a source holds now.

    Args:
        rate_hz: Sample rate, as read back.
        points: Points in its memory: those given, and padding.
        step_v: Smallest step of each channel, in volts.
    """

    rate_hz: float
    points: int
    step_v: Mapping[str, float]


class WaveformSource(SwitchedOutputs[VoltageOutput]):
    """A source of voltage waveforms. A whole batch is one upload, played once for each trigger.

    The range of each output is set from its limits before anything is played, and a sample is a fraction of that range:
    no sample, and no mistake in this program, can go beyond.
    """

    role = "waveform-source"
    bits: ClassVar[int] = 16  # Of its digital-to-analog converter.
    settable = {"lowest_v": ("level", "V"), "highest_v": ("level", "V"), "span_v": ("amplitude", "V")}
    granularity: ClassVar[int] = 1  # The number of points must be a multiple of this; padded.

    def __init__(self, build: Build[VoltageOutput]) -> None:
        super().__init__(build)
        self._uploaded: Uploaded | None = None
        self._idle_v: dict[str, float] = {}  # What an output gives while it waits, by channel.
        self._playing: frozenset[str] = frozenset()  # Channels that are on during an upload.
        self._restless: frozenset[str] = frozenset()  # Those of them whose rest is not 0 V, before it or after it.

    @abstractmethod
    def _limits(self) -> tuple[tuple[float, float], tuple[int, int]]:
        """Return the range of sample rates in hertz and of numbers of points."""

    @abstractmethod
    def _set_range(self, channel: str, lowest_v: float, highest_v: float, load_ohm: float | None) -> None:
        """Set amplitude and offset of an output, so that -1 is the lowest and 1 the highest voltage."""

    @abstractmethod
    def _upload(self, waves: "Mapping[str, NDArray[np.float32]]", rate_hz: float) -> tuple[float, int]:
        """Replace what all channels play; values from -1 to 1, equally long. Returns rate and points as read back.

        The first and the last value of each are its rest. Channels in `self._playing` are on: they stay at their rest
        meanwhile, and no relay moves.
        """

    @abstractmethod
    def _arm(self, channels: tuple[str, ...], trigger: Trigger) -> None:
        """Play what was uploaded once for each trigger from now on."""

    @abstractmethod
    def _trigger(self) -> None:
        """Send a software trigger."""

    @abstractmethod
    def _stop(self) -> None:
        """Let the channels that are `_ours` ignore triggers, and play nothing."""

    @classmethod
    def _as_set(cls, key: str, limits: VoltageOutput) -> float:
        # Ranges of a profile are those into 50 ohms.
        return super()._as_set(key, limits) / cls.load_factor(limits.load_ohm)

    @staticmethod
    def load_factor(load_ohm: float | None) -> float:
        """Return the voltage into a load over that into 50 ohms, for a source of 50 ohms; None is an open end."""
        return 2.0 if load_ohm is None else 2 * load_ohm / (load_ohm + _SOURCE_OHM)

    def rates_hz(self) -> tuple[float, float]:
        """Return the range of sample rates in hertz."""
        return self._limits()[0]

    def most_points(self) -> int:
        """Return how many points a waveform can have."""
        return self._limits()[1][1]

    def check_waves(self, volts: "Mapping[str, NDArray[Any]]", rate_hz: float) -> None:
        """Refuse waveforms that this source cannot or must not play. Sends nothing.

        Args:
            volts: By channel, in volts, (point,), all of one length.
            rate_hz: Sample rate in hertz.

        Raises:
            LimitError: Names channel, value and limit.
            ValueError: The waveforms have different lengths, or there are none.
        """
        import numpy as np

        lengths = {np.shape(wave) for wave in volts.values()}
        if len(lengths) != 1 or len(next(iter(lengths))) != 1:
            raise ValueError(f"{self.name}: waveforms must be one-dimensional and equally long, not {sorted(lengths)}")
        (lowest_hz, highest_hz), (_, most) = self._limits()
        points = self._padded(next(iter(lengths))[0])
        for channel, wave in volts.items():
            limits = self._ours_to_set(channel)
            self._check("sample rate", channel, rate_hz, (lowest_hz, highest_hz), "Hz")
            self._check("length", channel, points, (1, most), "points")
            for end in (np.min(wave), np.max(wave)):  # NaN is in both, and is refused
                self._check("voltage", channel, float(end), (limits.lowest_v, limits.highest_v), "V")

    def upload(self, volts: "Mapping[str, NDArray[Any]]", rate_hz: float) -> Uploaded:
        """Replace what the channels play, by one upload for a whole batch.

        Shorter waveforms than the instrument can play are padded at the end with their last value.

        Args:
            volts: By channel, in volts within its limits, (point,), all of one length.
            rate_hz: Sample rate in hertz.

        Raises:
            LimitError: A sample, the rate or the length is beyond a limit; nothing was sent.
            OccupiedError: Something on the bench is on that is not ours.
            DeviceError: The instrument holds something else than was sent, or an output is off that was switched on.
        """
        self.check_waves(volts, rate_hz)
        self.ready()
        self._playing = frozenset(channel for channel in volts if self.is_on(channel))
        points = self._padded(len(next(iter(volts.values()))))
        waves = {channel: self._fractions(channel, wave, points) for channel, wave in volts.items()}
        # A rest that is not known counts as one that is not zero.
        self._restless = frozenset(one for one in self._playing if self._idle_v.get(one, 1.0) or float(volts[one][0]))
        try:
            applied_hz, held = self._upload(waves, rate_hz)
        except BaseException:
            for channel in volts:
                self._idle_v.pop(channel, None)  # Half of it may be there.
            raise
        self._idle_v |= {channel: float(wave[0]) for channel, wave in volts.items()}
        if held != points or abs(applied_hz - rate_hz) > _RATE_TOLERANCE * rate_hz:
            raise DeviceError(
                f"{self.name}: the waveform does not read back as uploaded",
                seen=f"{held} points at {applied_hz:.9g} Hz",
                allowed=f"{points} points at {rate_hz:.9g} Hz",
                todo="check the sample rates that the instrument can do",
            )
        self._keep("rate_hz", applied_hz)
        self._keep("points", held)
        steps = {one: (self.channels[one].highest_v - self.channels[one].lowest_v) / 2**self.bits for one in volts}
        self._uploaded = Uploaded(applied_hz, held, steps)
        return self._uploaded

    def arm(self, trigger: Trigger = "software") -> None:
        """Play what was uploaded once for each trigger from now on.

        Raises:
            DeviceError: Nothing was uploaded since the connection was made.
        """
        if self._uploaded is None or self._generation != self.port.generation:
            raise DeviceError(f"{self.name}: nothing was uploaded", todo="call upload(...) before arm()")
        self._arm(tuple(self._uploaded.step_v), trigger)
        self._keep("trigger", trigger)

    def trigger(self) -> None:
        """Send a software trigger. Never repeated, even where it got lost."""
        self._trigger()

    def stop(self) -> None:
        """Ignore triggers from now on."""
        self._stop()

    def set_output(self, channel: str, on: bool) -> None:
        """Switch an output on, from the known state and within the range of its limits, or off.

        Raises:
            OccupiedError: Something on the bench is on that is not ours.
            DeviceError: It does not read back as set.
        """
        if self._switch(channel, on):
            self._wait(self.channels[channel].settle_s)
            self._agree_flag("output", channel, on, self.output_enabled(channel))

    def forget(self) -> None:
        super().forget()
        self._uploaded = None
        self._idle_v.clear()

    def _survey(self) -> None:
        for channel in self.channels:
            self.output_enabled(channel)

    def _limits_of(self, channel: str) -> Fields:
        limits = self.channels[channel]
        return {
            "channel": channel,
            "lowest_v": limits.lowest_v,
            "highest_v": limits.highest_v,
            "amplitude_v": limits.highest_v - limits.lowest_v,
            "middle_v": (limits.highest_v + limits.lowest_v) / 2,
            "load": "INF" if limits.load_ohm is None else f"{limits.load_ohm:g}",
        }

    def _prepare(self, channel: str) -> None:
        limits = self.channels[channel]
        self._set_range(channel, limits.lowest_v, limits.highest_v, limits.load_ohm)
        self._keep(f"{channel}.lowest_v", limits.lowest_v)
        self._keep(f"{channel}.highest_v", limits.highest_v)

    def _ours(self) -> list[str]:
        """List the channels that this session switched on."""
        return [channel for channel in self.channels if self.custody.is_ours(self.name, channel)]

    def _halt(self, output: str) -> None:
        self._stop()

    def _before_switching_off(self, channel: str) -> None:
        self._halt(channel)
        if self.channels[channel].ramp_step_v is not None:
            for lever in self._levers(channel):
                lever.lower(f"{self.name}: output {channel}", self._wait)

    def _levers(self, output: str) -> Sequence[Lever]:
        if self._idle_v.get(output) == 0.0 and self.custody.is_ours(self.name, output):
            return []  # It rests at 0 V already.
        limits = self.channels.get(output)
        step_v, delay_s = (None, 0.0) if limits is None else (limits.ramp_step_v, limits.ramp_delay_s)
        return self._level_levers(output, step_v, delay_s)

    def _level_levers(self, output: str, step_v: float | None, delay_s: float) -> Sequence[Lever]:
        """Return amplitude and offset of an output as a way down walks them; none where the model cannot tell them."""
        return []

    def _padded(self, points: int) -> int:
        least = max(points, self._limits()[1][0])
        return -(-least // self.granularity) * self.granularity

    def _fractions(self, channel: str, volts: "NDArray[Any]", points: int) -> "NDArray[np.float32]":
        import numpy as np

        limits = self.channels[channel]
        middle, half = (limits.highest_v + limits.lowest_v) / 2, (limits.highest_v - limits.lowest_v) / 2
        wave = np.empty(points, np.float32)
        wave[: len(volts)] = (np.asarray(volts, np.float64) - middle) / half
        wave[len(volts) :] = wave[len(volts) - 1]
        if float(abs(wave).max()) > 1 + 1e-6:
            raise LimitError(f"{self.name}: a sample of channel {channel} is beyond its range and nothing was sent")
        return np.clip(wave, -1.0, 1.0)  # Only rounding is left to clip.
