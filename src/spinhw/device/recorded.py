"""A device that gives again what another one gave."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spinhw.conversion import Conversion, Scaling
from spinhw.device.base import Device
from spinhw.device.batch import MeasuredBatch, digest, played_of
from spinhw.device.batch_file import OLDER, plan_of
from spinhw.device.description import Parameter
from spinhw.device.reading import Reading, Samples
from spinhw.device.recorded_settings import RecordedSettings
from spinhw.device.recording import Recording
from spinhw.device.shapes import parameters_of
from spinhw.device.trace import Signal
from spinhw.errors import ConfigError
from spinhw.network import Answer, NetworkSettings


class RecordedDevice(Device):
    """Replays a recording in its order, and checks to the bit that it is asked for what was measured then.

    The first batch is looked for in the whole recording; from there on one follows the other. Nothing is converted and
    nothing has a limit, for nothing is sent.

    Args:
        recording: The recording.
        numbers: Its batches that belong to this device, in order.
    """

    def __init__(self, recording: Recording, numbers: Sequence[int]) -> None:
        was, self._recording, self._numbers = recording.device(numbers[0]), recording, list(numbers)
        capabilities = {"replay"} | (was.capabilities & {"energy"})
        described = replace(was, kind="recorded", capabilities=frozenset(capabilities))
        lines = {one.kind: Scaling(1.0, one.unit) for one in was.parameters.values()}
        volts = Scaling(1.0, "V")
        synapses = lines.get("weight", lines.get("tuning", volts))
        super().__init__(described, Conversion(weight=synapses, bias=lines.get("bias", volts)))
        self._observes_all = recording.attributes(numbers[0])["recording"] == "all"
        self._next: int | None = None  # Place in `numbers`; None before the first batch.
        self._asked = ""  # Fingerprint of what is programmed.
        self._held: dict[str, Tensor] = {}  # What was read back then.

    def _open(self) -> str:
        return str(self._recording.folder)

    def _program(self, values: Mapping[str, Tensor]) -> None:
        self._asked = digest(values)
        places = range(len(self._numbers))
        found = self._place_of(self._asked, [*places[self._next or 0 :], *places[: self._next or 0]])
        if found is None:
            raise self._differs(min(self._next or 0, len(places) - 1), values)
        self._held = dict(self._batch(found).trace.applied)

    def _place_of(self, asked: str, places: Sequence[int]) -> int | None:
        return next((place for place in places if self._about(place)["requested_sha256"] == asked), None)

    def _read_back(self) -> dict[str, Tensor]:
        return dict(self._held)

    def _run(
        self, inputs: Tensor, repeats: Sequence[Sequence[int]], averages: int, lengths: Tensor | None
    ) -> list[Reading]:
        played = digest(played_of(inputs, lengths))
        candidates = range(len(self._numbers)) if self._next is None else [self._next]
        if candidates[0] >= len(self._numbers):
            raise ConfigError(
                f"{self._recording.folder}: the recording ends here",
                seen=f"batch {len(self._numbers)} of this device",
                allowed=f"{len(self._numbers)} batches, counted from 0",
                todo="replay what was recorded, with the settings of its run",
            )
        place = next((one for one in candidates if self._fits(one, played, repeats, averages)), None)
        if place is None:
            nearest = self._place_of(self._asked, candidates)
            raise self._differs(candidates[0] if nearest is None else nearest, None, inputs, repeats, averages, lengths)
        self._next = place + 1
        return _readings(self._batch(place), repeats)

    def _make_safe(self) -> list[str]:
        return []

    def _close(self) -> None:
        pass

    def _state(self) -> dict[str, Any]:
        return {"next": self._next}

    def _restore(self, state: dict[str, Any]) -> None:
        self._next = state["next"]

    def _snapshot(self) -> dict[str, Any]:
        last = (self._next or 0) - 1
        return dict(self._batch(last).settings) if last >= 0 else {}

    def _about(self, place: int) -> dict[str, Any]:
        return self._recording.attributes(self._numbers[place])

    def _batch(self, place: int) -> MeasuredBatch:
        return self._recording.batch(self._numbers[place])

    def _fits(self, place: int, played: str, repeats: Sequence[Sequence[int]], averages: int) -> bool:
        about = self._about(place)
        return (
            about["requested_sha256"] == self._asked
            and about["inputs_sha256"] == played
            and plan_of(about).repeats == tuple(repeats)
            and int(about["averages"]) == averages
        )

    def _differs(
        self,
        place: int,
        requested: Mapping[str, Tensor] | None,
        inputs: Tensor | None = None,
        repeats: Sequence[Sequence[int]] = (),
        averages: int = 0,
        lengths: Tensor | None = None,
    ) -> ConfigError:
        """Say what is asked for now and was not then; None and 0 for what is not known yet."""
        was = self._batch(place)
        found = [_difference(name, value, was.requested[name]) for name, value in (requested or {}).items()]
        if requested is None and self._about(place)["requested_sha256"] != self._asked:
            found.append("other parameters were programmed")
        if inputs is not None:
            found.append(_difference("inputs", inputs, was.inputs))
            if _other_lengths(lengths, was.lengths):
                found.append("other lengths of the sequences")
        if averages and averages != was.trace.averages:
            found.append(f"averages are {averages}, not {was.trace.averages}")
        if averages and tuple(repeats) != was.plan.repeats:
            found.append(f"neurons {list(repeats)} are observed, not {list(was.plan.repeats)}")
        return ConfigError(
            f"{self._recording.folder}: batch {self._numbers[place]} was recorded with something else",
            seen=", ".join(one for one in found if one),
            allowed="the same to the bit",
            todo="replay it with the settings, versions and threads of its run",
        )


def open_recorded(
    settings: RecordedSettings,
    network: NetworkSettings,
    sample_interval_s: float,
    members: int | Sequence[int],
    answer: Answer,
) -> RecordedDevice:
    """Make a device out of a recording; see `open_device`.

    Raises:
        ConfigError: There is no recording, or it is of another network, other chips or another sample interval.
    """
    recording = Recording(Path(settings.folder))
    numbers = recording.of_members(range(members) if isinstance(members, int) else members)
    was = recording.device(numbers[0])
    says_answer = recording.attributes(numbers[0])["format"] != OLDER
    hardware = network.outputs if network.readout == "hardware" else 0
    facts = {
        "the shapes of the parameters": (_shapes(parameters_of(network, Conversion())), _shapes(was.parameters)),
        "the outputs in hardware": (hardware, was.outputs),
        **({"the samples that answer": (answer, was.answer)} if hardware and says_answer else {}),
        "the sample interval in seconds": (sample_interval_s, was.sample_interval_s),
    }
    for what, (asked, there) in facts.items():
        if asked != there:
            raise ConfigError(
                f"{recording.folder}: the recording is of another network: {what}",
                seen=asked,
                allowed=str(there),
                todo="replay it with the config of its run",
            )
    return RecordedDevice(recording, numbers)


def _shapes(parameters: Mapping[str, Parameter]) -> dict[str, tuple[int, ...]]:
    return {name: one.shape for name, one in parameters.items()}


def _readings(batch: MeasuredBatch, repeats: Sequence[Sequence[int]]) -> list[Reading]:
    """Take a trace apart again; what no single repeat measures is given with the first."""
    trace = batch.trace
    first = Reading(
        trace.shots, outputs=_samples(trace.outputs), drive=_samples(trace.drive_applied), energy_j=trace.energy_j
    )
    rest = [Reading((trace.shots[1], trace.shots[1])) for _ in repeats[1:]]
    return [
        replace(
            reading,
            power=_samples(trace.power, repeat),
            power0=_samples(trace.power0, repeat),
            filtered=_samples(trace.filtered, repeat),
        )
        for reading, repeat in zip([first, *rest], repeats, strict=True)
    ]


def _samples(signal: Signal | None, neurons: Sequence[int] | None = None) -> Samples | None:
    if signal is None:
        return None
    chosen = slice(None) if neurons is None else list(neurons)
    return Samples(signal.values[..., chosen], signal.time_s, signal.quality[..., chosen], signal.noise)


def _other_lengths(now: Tensor | None, then: Tensor | None) -> bool:
    return (now is None) != (then is None) or (now is not None and then is not None and not torch.equal(now, then))


def _difference(name: str, now: Tensor, then: Tensor) -> str:
    """Say how a tensor differs; nothing where it does not."""
    if now.shape != then.shape:
        return f"{name} has shape {tuple(now.shape)}, not {tuple(then.shape)}"
    if torch.equal(now, then.to(now.dtype)):
        return ""
    return f"{name}: differences up to {float((now - then).abs().max()):.3g}"
