"""Boards that hold the tuning voltages of synapses."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinhw.errors import DeviceError, LimitError
from spinhw.instruments.channels import TuningOutputs
from spinhw.instruments.ramp import Lever, steps
from spinhw.instruments.roles.base import Build
from spinhw.instruments.roles.known_state import Fields
from spinhw.instruments.roles.switched import SwitchedOutputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# All outputs of a board are one channel in a bench file, because they share their limits.
ALL = "all"


@dataclass(frozen=True)
class BoardAbilities:
    """What a board can do: number of outputs, range and resolution in volts, time to settle in seconds."""

    count: int
    lowest_v: float
    highest_v: float
    resolution_v: float
    settle_s: float


class SynapseController(SwitchedOutputs[TuningOutputs]):
    """A board with one slow voltage output for each synapse and each bias.

    All of them are programmed at once, and connected or put to 0 V together.
    """

    role = "synapse-controller"

    def __init__(self, build: Build[TuningOutputs]) -> None:
        # A way down moves arrays: what it needs is there before anything is on.
        import numpy  # noqa: F401

        super().__init__(build)
        self._held: NDArray[np.float64] | None = None  # What a ramp took off all outputs, to be brought back.

    @abstractmethod
    def _read_abilities(self) -> BoardAbilities:
        """Ask the board what it can do."""

    @abstractmethod
    def _program(self, volts: "NDArray[np.float64]") -> None:
        """Set all outputs, from address 0 on, at once, and wait until they have settled."""

    @abstractmethod
    def _read_back(self, count: int) -> "NDArray[np.float64]":
        """Read what the first `count` outputs are set to, in volts."""

    @abstractmethod
    def _read_overloads(self) -> tuple[int, ...]:
        """Read which outputs cannot hold their voltage."""

    def abilities(self) -> BoardAbilities:
        """Ask what the board can do."""
        return self._read_abilities()

    def check_volts(self, volts: "NDArray[Any]") -> None:
        """Refuse voltages beyond the limits of the bench. Sends nothing.

        Raises:
            LimitError: Names address, value and limit.
        """
        limits = self._channel(ALL)
        beyond = ~((volts >= limits.lowest_v) & (volts <= limits.highest_v))  # NaN too
        if beyond.any():
            place = int(beyond.argmax())
            raise LimitError(
                f"{self.name}: synapse {place} is beyond its limit and nothing was sent",
                seen=f"{volts[place]:.6g} V",
                allowed=f"{limits.lowest_v:.6g} to {limits.highest_v:.6g} V",
                todo="lower the weight limit of the network, or widen the limit in the bench file",
            )

    def program(self, volts: "NDArray[Any]") -> "NDArray[np.float64]":
        """Set all outputs from address 0 on, in volts within limits, (synapse,), and return what was read back.

        Raises:
            LimitError: A voltage is beyond its limit; nothing was sent.
            DeviceError: There are fewer outputs, or they read back as something else.
        """
        import numpy as np

        wanted = np.asarray(volts, np.float64)
        self._ours_to_set(ALL)
        self.check_volts(wanted)
        self.ready()
        board = self._read_abilities()
        if len(wanted) > board.count:
            raise DeviceError(f"{self.name}: too few outputs", seen=board.count, allowed=f"{len(wanted)} or more")
        on, step_v = self.is_on(ALL), self.channels[ALL].ramp_step_v
        path = [wanted]
        if step_v is not None and on:
            path = steps(self._read_back(len(wanted)), wanted, step_v)
        for step in path:
            self._program(step)
            self._wait(self.channels[ALL].ramp_delay_s)
        self._held = None
        kept = self.read_back(len(wanted))
        error = float(abs(kept - wanted).max(initial=0.0))
        # Half a step of the converter, and what single precision does to the values on the way.
        self._agree("programming", ALL, 0.0, error, 0.51 * board.resolution_v + 1e-6 * _size(wanted), "V")
        return kept

    def read_back(self, count: int) -> "NDArray[np.float64]":
        """Read what the first `count` outputs are set to, in volts, (synapse,)."""
        self.ready()  # How numbers are written in blocks is set too.
        return self._read_back(count)

    def overloads(self) -> tuple[int, ...]:
        """Read the addresses of outputs that cannot hold their voltage; none is good."""
        return self._read_overloads()

    def set_output(self, on: bool) -> None:
        """Connect all outputs, from the known state, or put them to 0 V.

        Where the bench file states `ramp_step`, they go down by a ramp, and come back by one.

        Raises:
            OccupiedError: Something on the bench is on that is not ours.
            DeviceError: It does not read back as set.
        """
        if not self._switch(ALL, on):
            return
        self._agree_flag("output", ALL, on, self.output_enabled(ALL))
        if on and self._held is not None:
            self.program(self._held)

    def _survey(self) -> None:
        if ALL in self.channels:
            self.output_enabled(ALL)

    def _limits_of(self, channel: str) -> Fields:
        limits = self.channels[ALL]
        return {"channel": channel, "lowest_v": limits.lowest_v, "highest_v": limits.highest_v}

    def _before_switching_on(self, channel: str) -> None:
        self.check_volts(self._read_back(self._read_abilities().count))

    def _before_switching_off(self, channel: str) -> None:
        if self.channels[channel].ramp_step_v is not None:
            held = self._read_back(self._read_abilities().count)
            for lever in self._levers(channel):
                lever.lower(f"{self.name}: output {channel}", self._wait)
            self._held = held

    def _describe(self, output: str) -> str:
        return ""  # Its voltages cannot be read without setting how numbers are written.

    def _levers(self, output: str) -> Sequence[Lever]:
        limits = self.channels.get(output)
        step_v, delay_s = (None, 0.0) if limits is None else (limits.ramp_step_v, limits.ramp_delay_s)
        held = self._read_back(self._read_abilities().count)
        largest = _size(held)

        def lower(to_v: float) -> None:
            self._program(held * (to_v / largest))

        return [Lever("largest voltage", "V", lambda: largest, lower, step=step_v, delay_s=delay_s)]


def _size(values: "NDArray[np.float64]") -> float:
    return float(abs(values).max(initial=0.0))
