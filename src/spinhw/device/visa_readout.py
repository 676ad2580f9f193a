"""The inputs of a bench: which are recorded together, by which digitizers, through which crosspoints."""

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from spinhw.device.resample import Sampled, at_instants, average
from spinhw.device.rounds import Round, plan_rounds
from spinhw.device.segments import Segments
from spinhw.device.trace import Quality
from spinhw.instruments import Acquisition, Digitizer, Record, Station, Switch
from spinhw.instruments.references import split_path, split_reference
from spinhw.instruments.wiring import Timing

_log = logging.getLogger(__name__)

Signal = tuple[str, int]  # Such as ("neuron", 3).
# One acquisition of all digitizers: what is on which input, and what each of them records.
Planned = tuple[Round, list[tuple[Digitizer, Acquisition]]]


class VisaReadout:
    """Digitizers and the switches before them.

    Args:
        station: The instruments.
        timing: Time bases.
        paths: Read-out paths of each kind of signal by number, such as "scope.1 via matrix.1101".
    """

    def __init__(self, station: Station, timing: Timing, paths: Mapping[str, Mapping[int, str]]) -> None:
        self._station, self._timing, self._paths = station, timing, paths
        crosspoints = (split_path(path)[1] for several in paths.values() for path in several.values())
        switches = dict.fromkeys(split_reference(one)[0] for one in crosspoints if one is not None)
        self._switches = {name: station.get(name, Switch) for name in switches}
        self._configured: dict[str, tuple[Acquisition, Acquisition]] = {}
        self._routes: dict[str, tuple[str, ...]] = {}

    def forget(self) -> None:
        """Forget what was set: the instruments were connected anew."""
        self._configured.clear()
        self._routes.clear()

    def plan(self, signals: Sequence[Signal], segments: Segments) -> list[Planned]:
        """Say what is recorded in which round; signals that share an input need several. Sends nothing.

        Raises:
            LimitError: A digitizer cannot do it; names the quantity and its range.
        """
        rounds = plan_rounds(signals, self._paths) or [Round()]
        return [(one, self._plans(one, segments)) for one in rounds]

    def check_records(self, segments: Segments) -> None:
        """Refuse a batch that the digitizers cannot record. Sends nothing.

        Raises:
            LimitError: Names the instrument, the quantity and its range.
        """
        for kind, paths in self._paths.items():
            self.plan([(kind, number) for number in paths], segments)

    def moves(self, planned: Planned) -> bool:
        """Tell whether crosspoints must move for a round."""
        return any(set(self._routes.get(name, ())) != set(routes) for name, routes in self._wanted(planned).items())

    def connect(self, planned: Planned) -> None:
        """Close the crosspoints of a round and open all others; every source of the bench must be off."""
        for name, routes in self._wanted(planned).items():
            self._routes[name] = self._switches[name].connect(routes)

    def record(
        self, planned: Planned, segments: Segments, start: Callable[[], None], averages: int
    ) -> dict[Signal, Sampled]:
        """Record one round, with its crosspoints closed.

        Args:
            planned: As `plan` gave it.
            segments: How the batch is laid out.
            start: Fires the trigger, once for each shot.
            averages: Shots to average over.

        Returns:
            At the start of each segment and at the ends of its inputs, (batch, time + 1), by signal.
        """
        one, plans = planned
        applied = [(digitizer, self._configure(digitizer, plan)) for digitizer, plan in plans]
        shots = [_acquire_together(applied, start) for _ in range(averages)]
        return {signal: self._sampled(reference, shots, segments) for reference, signal in one.inputs.items()}

    def _wanted(self, planned: Planned) -> dict[str, tuple[str, ...]]:
        return {name: tuple(planned[0].crosspoints.get(name, ())) for name in self._switches}

    def confirm(self) -> None:
        """Find out whether the crosspoints still are as they were set.

        Raises:
            DeviceError: They are not.
        """
        for name, routes in self._routes.items():
            self._switches[name].confirm(routes)

    def _plans(self, one: Round, segments: Segments) -> list[tuple[Digitizer, Acquisition]]:
        """Say what each digitizer records: from one input before the first segment to one after the last."""
        margin_s = segments.held / segments.rate_hz
        rate = self._timing.digitizer_rate_hz
        first_s = self._timing.latency_s + segments.rest / segments.rate_hz - margin_s
        points = int(np.ceil((segments.duration_s - segments.rest / segments.rate_hz + margin_s) * rate)) + 1
        plans = []
        for name, channels in one.channels().items():
            digitizer = self._station.get(name, Digitizer)
            plan = Acquisition(channels, rate, points, first_s, trigger_v=self._timing.trigger_threshold_v)
            plans.append((digitizer, digitizer.fit(plan)))
        for digitizer, plan in plans:
            digitizer.check_plan(plan)
        return plans

    def _configure(self, digitizer: Digitizer, plan: Acquisition) -> Acquisition:
        asked, applied = self._configured.get(digitizer.name, (None, None))
        if applied is None or asked != plan:
            applied = digitizer.configure(plan)
            self._configured[digitizer.name] = (plan, applied)
        return applied

    def _sampled(self, reference: str, shots: Sequence[Mapping[str, Record]], segments: Segments) -> Sampled:
        name, channel = split_reference(reference)
        instants = segments.instants_s() + self._timing.latency_s
        sampled = average([at_instants(shot[name], channel, instants) for shot in shots])
        bad = int((sampled.quality != Quality.GOOD).sum())
        if bad:
            worst = Quality(int(sampled.quality.max())).name.lower()
            _log.warning("%s: %d of %d samples are not good (%s)", reference, bad, sampled.quality.size, worst)
        return sampled


def _acquire_together(plans: list[tuple[Digitizer, Acquisition]], start: Callable[[], None]) -> dict[str, Record]:
    """Arm one digitizer after another, then start, and read them all."""
    if not plans:
        start()
        return {}
    (digitizer, applied), *others = plans
    found: dict[str, Record] = {}
    record = digitizer.acquire(applied, start=lambda: found.update(_acquire_together(others, start)))
    return {digitizer.name: record, **found}
