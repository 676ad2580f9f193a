"""Trained networks on a device: programmed, measured, read out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.conversion import Scaling
from spinhw.device import Device, DeviceSettings, Signal, Trace, is_bench, open_device
from spinhw.device.batch import Keeper
from spinhw.device.limits import Limit
from spinhw.device.told import refuse_training_of_weights, told
from spinhw.errors import ConfigError, LimitError
from spinhw.gradients import end_signal, logits_of, refuse_mode
from spinhw.gradients.shown import readout_plan, refuse_hidden_states
from spinhw.network import SpintronicNetwork
from spinhw.sequences import in_one, inside
from spinhw.tasks import Batch, Part, Task, joined
from spinhw.training.progress import Tick
from spinhw.training.settings import RunSettings


@dataclass(frozen=True)
class DeviceAnswers:
    """What a device answered.

    Args:
        answers: (member, sequence, answer, output).
        batch: What was asked.
        good_share: Share of the samples used that were good; the others count as zero.
        device_ids: Who answered, for each member.
        energy_j: Measured energy of one inference, in joules, mean over all of them, each as long as its sequence; None
            where none was measured.
        instruments: Who answered on a bench and with which settings, as last read back; empty for simulated devices.
    """

    answers: Tensor
    batch: Batch
    good_share: float
    device_ids: tuple[str, ...]
    energy_j: float | None
    instruments: dict[str, Any]


@torch.no_grad()
def answer_on_device(
    network: SpintronicNetwork, task: Task, seeds: Sequence[int], part: Part, device: Device, tick: Tick
) -> DeviceAnswers:
    """Show the held-out sequences to a device: all members at once, or one after another on a single chip.

    Args:
        network: The trained networks.
        task: Their task.
        seeds: Seed of each member.
        part: Which held-out sequences.
        device: Open; with one chip for each member, or one chip.
        tick: Told of the progress; may raise to stop.

    Raises:
        LimitError: A weight, bias or input is beyond a limit of the device.
        DeviceError: The device failed.
    """
    about = device.describe()
    members, values, plan = len(seeds), told(network, about), readout_plan(about, network.settings)
    masks = network.member_masks()
    total = members * task.held_out_sequences(part)
    answers, traces = [], []
    for chosen in _at_once(members, device):
        exists = {name: mask[chosen] for name, mask in masks.items()}
        device.program({name: value[chosen] for name, value in values.items()}, exists, afresh=True)
        parts = []
        for batch in task.held_out(seeds[chosen], part):
            trace = device.run(batch.inputs, observe=plan, lengths=batch.lengths)
            signal = end_signal(trace, network, batch.lengths)
            parts.append(
                signal.or_else(torch.zeros_like(signal.values)).to(network.w_out.dtype)
            )  # Bad ones count as 0.
            traces.append(_Used.of(signal, trace, batch))
            tick(sum(used.images for used in traces), total)
        answers.append(in_one(parts))
    return DeviceAnswers(
        logits_of(network, torch.cat(answers)),
        joined(list(task.held_out(seeds, part))),
        sum(used.good for used in traces) / sum(used.samples for used in traces),
        tuple(dict.fromkeys(device.describe().device_ids)),
        _mean_energy(traces),
        device.snapshot(),
    )


def refuse_weights(network: SpintronicNetwork, device: Device) -> None:
    """Check that trained networks could be programmed into a device, before anything that takes time is done.

    Args:
        network: The trained networks.
        device: Open or not; with one chip for each member, or one chip.

    Raises:
        LimitError: A weight or bias is beyond a limit of the device.
    """
    if device.describe().takes_tunings and network.chains is None:
        return  # Those that weights are translated into lie within their span.
    values = network.member_programmed()
    for chosen in _at_once(len(next(iter(values.values()))), device):
        device.refuse_beyond_limits({name: value[chosen] for name, value in values.items()})


def _at_once(members: int, device: Device) -> Iterator[slice]:
    """Give the members that a device runs side by side: all, or one after another on a single chip."""
    size = members if device.describe().members == members else 1
    return (slice(first, first + size) for first in range(0, members, size))


def device_for(settings: RunSettings, profile: DeviceSettings, keeper: Keeper | None = None) -> Device:
    """Make the device for the networks of a run: a simulated one has another chip for each seed, "ID-3" for seed 3.

    A bench is one chip, on which the networks run one after another.

    Args:
        settings: The run.
        profile: The device.
        keeper: Records what it measures; None for nobody.
    """
    members = 1 if is_bench(profile) else settings.training.seeds
    device = open_device(profile, settings.network, settings.task.sample_interval_s, members, answer=settings.answer)
    if keeper is not None:
        device.record_with(keeper)
    return device


def refuse_misfit(settings: RunSettings) -> None:
    """Check before training that the device could play the networks to come: kind, inputs, largest weights and biases.

    The same for chips that robust training draws.

    Raises:
        ConfigError: It could not.
    """
    if settings.training.chips is not None:
        drawn = device_for(settings, settings.training.chips.profile)
        refuse_training_of_weights(settings.network, drawn.describe())
        _refuse_limits(settings, drawn)
    if settings.device is None:
        return
    device = device_for(settings, settings.device)
    if settings.training.loop_start < settings.training.epochs:
        refuse_training_of_weights(settings.network, device.describe())
    if settings.training.gradient is not None:
        refuse_mode(settings.training.gradient, device)
    if settings.training.solves and settings.training.loop_start < settings.training.epochs:
        refuse_hidden_states(device.describe())
    _refuse_limits(settings, device)


def _refuse_limits(settings: RunSettings, device: Device) -> None:
    largest, lines = settings.network.weight_limit, device.conversion
    extremes = {
        "input": (lines.input, settings.task.input_range, settings.task.scale_key),
        "weight": (lines.weight, None if largest is None else (-largest, largest), "network.weight_limit"),
        "bias": (lines.bias, None if largest is None else (-largest, largest), "network.weight_limit"),
    }
    for kind, (line, ends, key) in extremes.items():
        limit = device.describe().limits.get(kind)
        if limit is None:
            continue
        if ends is None:
            raise ConfigError(
                f"{key}: the device {device.name} has a {kind} limit, and the network has none",
                seen="null",
                todo=f"set {key} within the device's range of {limit.lowest:.4g} to {limit.highest:.4g} {line.unit}",
            )
        try:
            limit.check(device.name, kind, line.to_si(torch.tensor(ends, dtype=torch.float64)[:, None]), line)
        except LimitError as error:
            raise ConfigError(
                f"{key}: beyond what the device {device.name} takes",
                seen=error.seen,
                allowed=error.allowed,
                todo=_nearer(key, limit, line),
            ) from error


def _nearer(key: str, limit: Limit, line: Scaling) -> str:
    """Say how values of the model come within a limit of the device."""
    if key != "task.scaling":
        return f"lower {key}, or use another device"
    low, high = line.to_model(torch.tensor([limit.lowest, limit.highest], dtype=torch.float64)[:, None]).unbind()
    return (
        f"choose lowest and highest, or spread, under {key} so that inputs lie within {float(low.max()):.4g} to "
        f"{float(high.min()):.4g}, or use another device"
    )


@dataclass(frozen=True)
class _Used:
    """What one batch on a device is remembered by."""

    images: int
    samples: int
    good: int
    energy_j: float | None

    @classmethod
    def of(cls, signal: Signal, trace: Trace, batch: Batch) -> "_Used":
        good, images, energy_j = signal.good, len(batch.inputs) * batch.size, trace.energy_j
        samples = batch.inputs.shape[2]
        counted = inside(batch.lengths, samples, batch.washout) if batch.target.per_step else None
        if counted is not None:
            good = good[counted.expand(good.shape[:3])]
        if batch.lengths is None:
            return cls(images, good.numel(), int(good.sum()), energy_j)
        share = float(batch.lengths.double().mean()) / samples  # Of the time that was played.
        return cls(images, good.numel(), int(good.sum()), None if energy_j is None else share * energy_j)


def _mean_energy(traces: list[_Used]) -> float | None:
    energies = [used.energy_j for used in traces if used.energy_j is not None]
    return sum(energies) / sum(used.images for used in traces) if len(energies) == len(traces) else None
