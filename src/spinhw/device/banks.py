"""The seams of single parts: a bank of uncoupled oscillators, and a bank of synapses. Neither knows a network."""

import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from spinhw.conversion import Scaling
from spinhw.device.assemble import assemble, with_members
from spinhw.device.limits import check_finite
from spinhw.device.plan import ObservationPlan
from spinhw.device.reading import Reading, Samples
from spinhw.device.session import Session
from spinhw.device.trace import Signal, Trace
from spinhw.rollout.kept import ordinary_tensors


class OscillatorBank(Session):
    """Oscillators that play drives one by one and have their power recorded. Public methods are final.

    Args:
        description: What the bank is; its neurons are the oscillators.
        conversion: Between model units and SI.
    """

    @abstractmethod
    def _play(self, currents: Tensor, repeats: Sequence[Sequence[int]], averages: int, rest_s: float) -> list[Reading]:
        """Play a whole batch `averages` times for each repeat and record.

        Args:
            currents: In amperes and within limits, (member, batch, time, oscillator); the bias is part of them.
            repeats: Oscillators to observe in each repeat.
            averages: Shots to average over, at least 1.
            rest_s: Rest before each segment, at least, in seconds.
        """

    @ordinary_tensors()
    def play(
        self, drive: Tensor, observe: ObservationPlan | None = None, averages: int = 1, rest_s: float = 0.0
    ) -> Trace:
        """Play a batch of drives and record the power.

        Each segment starts from the oscillators at rest under the bias drive.

        Args:
            drive: I in 1/s with the bias in it, held over each sample interval, (batch, time, oscillator); for an
                ensemble (member, batch, time, oscillator), or without the member axis for all members alike.
            observe: Which oscillators in which repeat; by default all, in as few repeats as the channels allow.
            averages: Shots to average over in each repeat, at least 1.
            rest_s: Rest before each segment in seconds; a bench rests at least as long as its own file says, a
                simulated bank always starts from rest.

        Returns:
            A trace with `power`, `power0`, `drive_applied`, and `filtered` where the bank shows it; without the member
            axis if the bank has one member and the drive came without it.

        Raises:
            LimitError: A drive is beyond its limit; nothing was sent.
            DeviceError: The bank failed and was made safe.
            ValueError: A shape or the plan is wrong.
        """
        self._require_open()
        about = self._description
        wanted, bare = with_members("drive", drive.detach(), (None, None, about.neurons), about.members)
        plan = observe or ObservationPlan.split(about.neurons, about.channels)
        plan.check(about.neurons, about.channels)
        if averages < 1:
            raise ValueError(f"averages must be at least 1, not {averages}")
        check_finite(self.name, "drive", wanted)
        line = self._conversion.drive
        currents = line.to_si(wanted)
        if "drive" in about.limits:
            about.limits["drive"].check(self.name, "drive", currents, line, about.device_ids)
        started, clock = time.time(), time.perf_counter()
        readings, repeats = self._attempt(lambda: self._play(currents, plan.repeats, averages, rest_s))
        trace = assemble(readings, plan, about.neurons, self._conversion, about.device_ids, averages)
        duration = time.perf_counter() - clock
        trace = replace(
            trace, started_unix_s=started, duration_s=duration, repeats_after_faults=repeats, seed=about.seed
        )
        return trace.without_member() if bare and about.members == 1 else trace


class SynapseBank(Session):
    """RF resonators in one chain. Public methods are final.

    Args:
        description: What the bank is; its neurons are the resonators.
        conversion: Between model units and SI.
    """

    @abstractmethod
    def _measure(self, tuning: Tensor, rf_hz: Tensor, power: Tensor) -> Samples:
        """Set tunings and tones one point after another and read the voltage of the chain.

        Args:
            tuning: In volts and within limits, (point, resonator).
            rf_hz: In hertz, (point,).
            power: In watts, (point,).
        """

    @ordinary_tensors()
    def measure(self, tuning: Tensor, rf_hz: Tensor, power: Tensor) -> Signal:
        """Measure the rectified voltage of the chain at a list of points.

        A resonator is written where its tuning differs from the point before, and only there.

        Args:
            tuning: Of each resonator, dimensionless, (point, resonator).
            rf_hz: Frequency of the one RF tone in hertz, above zero, (point,).
            power: RF power in units of an oscillator's at x = 1, zero or above, (point,).

        Returns:
            Voltages in units of weight times power, (point,).

        Raises:
            LimitError: A tuning, a power or a frequency is beyond its limit; nothing was sent.
            DeviceError: The bank failed and was made safe.
            ValueError: A shape is wrong.
        """
        self._require_open()
        points, about = rf_hz.shape, self._description
        if len(points) != 1 or power.shape != points or tuning.shape != (*points, about.neurons):
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (tuning, rf_hz, power))
            raise ValueError(f"tuning, rf_hz, power have shapes {shapes}; wanted (n, {about.neurons}), (n,), (n,)")
        if bool((power < 0).any()) or bool((rf_hz <= 0).any()):
            raise ValueError("power must be zero or above and rf_hz above zero")
        sent = {}
        for what, values, line in (
            ("tuning", tuning, self._conversion.of_parameter("tuning")),
            ("RF power", power, self._conversion.rf_power),
            ("frequency", rf_hz, Scaling(1.0, "Hz")),
        ):
            check_finite(self.name, what, values)
            sent[what] = line.to_si(values.detach())
            if what in about.limits:
                about.limits[what].check(self.name, what, sent[what], line)
        samples, _ = self._attempt(lambda: self._measure(sent["tuning"], sent["frequency"], sent["RF power"]))
        line = self._conversion.output
        noise = None if samples.noise is None else line.noise_to_model(samples.noise)
        return Signal(line.to_model(samples.values), samples.judged(), samples.time_s, noise)
