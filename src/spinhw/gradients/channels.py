"""Channels that stay bad while a network trains: found, named once, and left to the model from then on."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from spinhw.device import Device, Quality, Signal, Trace
from spinhw.network import SpintronicNetwork

_log = logging.getLogger(__name__)

# A channel of which a smaller share of the samples is good has lost its batch.
_LEAST_GOOD = 0.5
# A channel that varies by no more than this times its noise shows nothing but noise ...
_NOISE_ALONE = 1.2
# ... and is broken where the model says that it should vary by more than this times its noise.
_PLAIN = 3.0
# The same where there is no noise: below any signal in model units, above the rounding of floats.
_STILL = 1e-6
# Power of a neuron, of 1 at most, below which it is silent: below its threshold, as healthy ones of a wide spread are.
_SILENT = 0.02


@dataclass(frozen=True)
class Expected:
    """What a model makes of some images of a batch.

    Args:
        power: x, (member, batch, time, neuron).
        filtered: y, the same.
        outputs: W_out y, (member, batch, answer, output).
    """

    power: Tensor
    filtered: Tensor
    outputs: Tensor


@dataclass(frozen=True)
class Masked:
    """A channel that is not used any more.

    Args:
        chip: Place of its chip among those of the device.
        kind: "neuron" or "output".
        number: Counted from 0.
        name: For people: device, neuron with its layer, and what of the instruments it hangs on.
        why: What was seen.
    """

    chip: int
    kind: str
    number: int
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


class ChannelMask:
    """Judges every channel in each batch, and masks those that stay bad.

    A channel is bad in a batch where most of its samples are not good, or where it is stuck: they do not vary with
    images and time beyond their noise although the model says that they should. Its samples of that batch are then not
    used: the model's stand in for them, and no refit sees them. After some bad batches in a row it is masked: not used
    any more, whatever it shows. Batches in which it was not observed do not count.

    A neuron that stays without power is no such case. It may be below its threshold, and nothing tells that from a dead
    neuron or a cable that is off; a refit learns from it that it is silent, which is right in two of the three cases.

    Args:
        device: Where the channels are.
        network: What runs there.
        patience: Bad batches in a row after which a channel is masked, at least 1.
    """

    def __init__(self, device: Device, network: SpintronicNetwork, patience: int = 3) -> None:
        if patience < 1:
            raise ValueError(f"patience must be 1 or more, not {patience}")
        self._about, self._layers, self._patience = device.describe(), network.settings.topology().slices(), patience
        self._bad: dict[str, Tensor] = {}  # Bad batches in a row, (chip, channel), by kind.
        self.masked: tuple[Masked, ...] = ()

    def judge(self, trace: Trace, model: Callable[[], Expected]) -> Trace:
        """Give a trace in which the samples of bad and of masked channels are `Quality.FAULTY`.

        Args:
            trace: A batch of all members, whose axis is in front.
            model: Gives what the model makes of some of its images; only asked where a channel is suspiciously quiet.
        """
        verdicts = {}
        if trace.power is not None:
            verdicts["neuron"] = self._verdict("neuron", trace.power, lambda: model().power)
        elif trace.filtered is not None:
            verdicts["neuron"] = self._verdict("neuron", trace.filtered, lambda: model().filtered)
        if trace.outputs is not None:
            verdicts["output"] = self._verdict("output", trace.outputs, lambda: model().outputs)
        return _without(trace, verdicts, len(trace.device_ids))

    def state(self) -> dict[str, Any]:
        """Give what an interrupted run needs to go on, as plain data for JSON."""
        counts = {kind: count.tolist() for kind, count in self._bad.items()}
        return {"bad": counts, "masked": [asdict(one) for one in self.masked]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state` gave."""
        self._bad = {kind: torch.tensor(count) for kind, count in state["bad"].items()}
        self.masked = tuple(Masked(**one) for one in state["masked"])

    def _verdict(self, kind: str, signal: Signal, model: Callable[[], Tensor]) -> Tensor:
        """Judge the channels of a kind in one batch; give which not to use, (chip, channel)."""
        hidden, seen = self._hidden(kind, signal), _Look.at(signal, self._about.members)
        noise = max(_STILL, signal.noise or 0.0)
        quiet = (seen.varies <= _NOISE_ALONE * noise) & ~seen.lost & ~hidden & seen.observed
        if bool(quiet.any()):
            quiet = quiet & (_varies(model(), self._about.members) > _PLAIN * noise)
        if kind == "neuron":
            quiet = quiet & (seen.mean.abs() > _SILENT)
        bad = (seen.lost & seen.observed) | quiet
        count = self._bad.get(kind, torch.zeros_like(bad, dtype=torch.int64))
        self._bad[kind] = torch.where(seen.observed, (count + 1) * bad, count)
        for chip, number in ((self._bad[kind] >= self._patience) & bad & ~hidden).nonzero().tolist():
            self._mask(chip, kind, number, seen.why(chip, number))
        return bad | self._hidden(kind, signal)

    def _hidden(self, kind: str, signal: Signal) -> Tensor:
        """Tell which channels of a kind are masked, (chip, channel)."""
        hidden = torch.zeros(self._about.members, signal.values.shape[-1], dtype=torch.bool)
        for one in self.masked:
            if one.kind == kind:
                hidden[one.chip, one.number] = True
        return hidden

    def _mask(self, chip: int, kind: str, number: int, why: str) -> None:
        one = Masked(chip, kind, number, self._name(chip, kind, number), why)
        self.masked = (*self.masked, one)
        _log.warning("%s in %d batches in a row; it is masked: the model stands in for it", one, self._patience)

    def _name(self, chip: int, kind: str, number: int) -> str:
        """Name a channel: "chip-3: neuron 41 (layer 1, number 9; scope.1 via matrix.1101)"."""
        details = []
        if kind == "neuron":
            details.append(place_of(self._layers, number))
        wires = self._about.wires.get(kind, ())
        if wires:
            details.append(wires[number])
        inside = f" ({'; '.join(details)})" if details else ""
        return f"{self._about.device_ids[chip]}: {kind} {number}{inside}"


def place_of(layers: Sequence[slice], number: int) -> str:
    """Say where a neuron is: "layer 1, number 9", both counted from 0."""
    layer = next(place for place, one in enumerate(layers) if number < one.stop)
    return f"layer {layer}, number {number - layers[layer].start}"


@dataclass(frozen=True)
class _Look:
    """What a batch shows of the channels of some chips, each (chip, channel)."""

    observed: Tensor
    good: Tensor  # Share of the observed samples.
    mean: Tensor
    varies: Tensor  # Standard deviation of the good samples.
    lost: Tensor

    @classmethod
    def at(cls, signal: Signal, chips: int) -> "_Look":
        """Sum up a signal; members that ran one after another on one chip are one."""
        channels = signal.values.shape[-1]
        quality = signal.quality.reshape(chips, -1, channels)
        good = quality == Quality.GOOD
        values = torch.where(good, signal.values.reshape(chips, -1, channels), 0.0).double()
        seen, count = (quality != Quality.UNOBSERVED).sum(1), good.sum(1)
        mean = values.sum(1) / count.clamp_min(1)
        varies = (torch.where(good, values - mean[:, None], 0.0).square().sum(1) / count.clamp_min(1)).sqrt()
        share = count / seen.clamp_min(1)
        return cls(seen > 0, share, mean, varies, share < _LEAST_GOOD)

    def why(self, chip: int, number: int) -> str:
        if self.lost[chip, number]:
            return f"{1 - float(self.good[chip, number]):.0%} of its samples are bad"
        return f"reads a constant {float(self.mean[chip, number]):.3g}"


def _varies(values: Tensor, chips: int) -> Tensor:
    """Give the standard deviation over everything but chip and channel, (chip, channel)."""
    return values.reshape(chips, -1, values.shape[-1]).std(1, correction=0)


def _without(trace: Trace, hidden: Mapping[str, Tensor], members: int) -> Trace:
    """Mark the samples of hidden channels, (chip, channel) by kind, as faulty."""
    changed: dict[str, Any] = {}
    for name, signal in trace.signals().items():
        kind = "output" if name == "outputs" else "neuron"
        if name == "drive_applied" or kind not in hidden or not bool(hidden[kind].any()):
            continue
        each = hidden[kind].expand(members, -1)
        each = each.view(members, *[1] * (signal.quality.ndim - 2), -1)
        spoilt = each & (signal.quality != Quality.UNOBSERVED)
        quality = torch.where(spoilt, torch.full_like(signal.quality, Quality.FAULTY), signal.quality)
        changed[name] = replace(signal, quality=quality)
    return replace(trace, **changed) if changed else trace
