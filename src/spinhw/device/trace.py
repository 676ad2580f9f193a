"""What a device gave: signals with their own time axes, a quality for every sample, and where they came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor

SIGNALS = ("power", "power0", "filtered", "outputs", "drive_applied")


class Quality(IntEnum):
    """What a sample is worth. Only good ones are ever used."""

    GOOD = 0
    CLIPPED = 1
    MISSING = 2
    UNOBSERVED = 3
    FAULTY = 4


@dataclass(frozen=True)
class Signal:
    """Measured samples in model units, with the member axis in front for an ensemble.

    Args:
        values: (batch, time, channel), or (batch, channel) for one instant. Samples that were not measured are NaN.
        quality: A `Quality` for each sample, uint8, same shape.
        time_s: Time of each sample after the start of the first input interval, in seconds, (time,).
        noise: Known noise of a sample (1 sigma, after averaging), a number; None where unknown.
    """

    values: Tensor
    quality: Tensor
    time_s: Tensor
    noise: float | None = None

    def __post_init__(self) -> None:
        if self.quality.shape != self.values.shape:
            shapes = f"{tuple(self.quality.shape)} and {tuple(self.values.shape)}"
            raise ValueError(f"quality and values of a signal have shapes {shapes}; they must be the same")

    @property
    def good(self) -> Tensor:
        """Where samples may be used, boolean, same shape."""
        return self.quality == Quality.GOOD

    def share(self, quality: Quality) -> float:
        """Return the share of samples of a quality, 0 to 1."""
        return float((self.quality == quality).double().mean())

    def or_else(self, model: Tensor) -> Tensor:
        """Return the good samples, and elsewhere the model's values; gradients flow only to those."""
        return torch.where(self.good, self.values, model)

    def without_member(self) -> "Signal":
        """Drop a member axis of length one."""
        return Signal(self.values[0], self.quality[0], self.time_s, self.noise)

    def of_member(self, member: int) -> "Signal":
        """Return one member, its axis kept with length one."""
        chosen = slice(member, member + 1)
        return Signal(self.values[chosen], self.quality[chosen], self.time_s, self.noise)


@dataclass(frozen=True)
class Trace:
    """One measured batch. Every signal is optional; axes are (batch, time, channel), members in front for an ensemble.

    Args:
        device_ids: Who measured, one for each member.
        averages: Shots over which each sample was averaged.
        shots: First shot of the batch and the one after the last.
        power: x at the END of each input interval.
        power0: x before the first input, (batch, neuron).
        filtered: y at the end of each input interval.
        outputs: Answers W_out y, (batch, answer, output), where the read-out is hardware: logits = out_gain * outputs +
            b_out. Which samples answer, and whether they are pooled, the network's `Answer` says.
        drive_applied: Drive as played, in 1/s, held from `time_s` on for one interval.
        applied: Parameters that were set, as read back, by name.
        energy_j: Measured energy of the inference window of one shot of the batch, in joules; None where not measured.
        started_unix_s: When the measurement began, seconds since 1970.
        duration_s: How long it took by the clock on the wall, in seconds.
        repeats_after_faults: How often the batch was measured again because the device failed.
        seed: What the hidden parameters of a simulated device were drawn from, with its ids; None for a physical one.
    """

    device_ids: tuple[str, ...]
    averages: int
    shots: tuple[int, int]
    power: Signal | None = None
    power0: Signal | None = None
    filtered: Signal | None = None
    outputs: Signal | None = None
    drive_applied: Signal | None = None
    applied: Mapping[str, Tensor] = field(default_factory=dict)
    energy_j: float | None = None
    started_unix_s: float = 0.0
    duration_s: float = 0.0
    repeats_after_faults: int = 0
    seed: int | None = None

    def signals(self) -> dict[str, Signal]:
        """Return the signals that there are, by name."""
        present = {name: getattr(self, name) for name in SIGNALS}
        return {name: signal for name, signal in present.items() if signal is not None}

    def without_member(self) -> "Trace":
        """Drop a member axis of length one from every signal and applied parameter."""
        bare: dict[str, Any] = {name: signal.without_member() for name, signal in self.signals().items()}
        return replace(self, applied={name: value[0] for name, value in self.applied.items()}, **bare)

    def of_member(self, member: int) -> "Trace":
        """Return what one member of an ensemble measured, its axis kept with length one."""
        alone: dict[str, Any] = {name: signal.of_member(member) for name, signal in self.signals().items()}
        applied = {name: value[member : member + 1] for name, value in self.applied.items()}
        return replace(self, device_ids=self.device_ids[member : member + 1], applied=applied, **alone)

    @classmethod
    def side_by_side(cls, traces: "Sequence[Trace]") -> "Trace":
        """Put the traces of members that were measured one after another into one; each has the member axis.

        Shots are from the first of the first to the last of the last; energies are averaged, durations added up.
        """
        first = traces[0]
        joined: dict[str, Any] = {
            name: _joined([trace.signals()[name] for trace in traces]) for name in first.signals()
        }
        energies = [trace.energy_j for trace in traces if trace.energy_j is not None]
        return replace(
            first,
            device_ids=tuple(one for trace in traces for one in trace.device_ids),
            shots=(first.shots[0], traces[-1].shots[1]),
            applied={name: torch.cat([trace.applied[name] for trace in traces]) for name in first.applied},
            energy_j=sum(energies) / len(energies) if len(energies) == len(traces) else None,
            duration_s=sum(trace.duration_s for trace in traces),
            repeats_after_faults=sum(trace.repeats_after_faults for trace in traces),
            **joined,
        )


def _joined(signals: Sequence[Signal]) -> Signal:
    first = signals[0]
    noises = [signal.noise for signal in signals if signal.noise is not None]
    return Signal(
        torch.cat([signal.values for signal in signals]),
        torch.cat([signal.quality for signal in signals]),
        first.time_s,
        max(noises) if len(noises) == len(signals) else None,
    )
