"""Trained networks on a device: programmed, measured, read out."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.device import Device, DeviceSettings, ObservationPlan, Signal, Trace, open_device
from spinhw.errors import ConfigError, LimitError
from spinhw.network import NetworkSettings, SpintronicNetwork
from spinhw.tasks import DigitsSettings, as_sequence
from spinhw.train.data import EnsembleData
from spinhw.train.member import member_of
from spinhw.train.progress import Tick
from spinhw.train.settings import RunSettings


@dataclass(frozen=True)
class DeviceAnswers:
    """What a device answered.

    Args:
        logits: (member, image, class).
        good_share: Share of the samples used that were good; the others count as zero.
        device_ids: Who answered, for each member.
        energy_j: Measured energy of one inference, in joules, mean over all of them; None where none was measured.
        instruments: Who answered on a bench and with which settings, as last read back; empty for simulated devices.
    """

    logits: Tensor
    good_share: float
    device_ids: tuple[str, ...]
    energy_j: float | None
    instruments: dict[str, Any]


@torch.no_grad()
def answer_on_device(
    network: SpintronicNetwork, data: EnsembleData, device: DeviceSettings, size: int, tick: Tick
) -> DeviceAnswers:
    """Show the held-out images of every member to a device, one member after another.

    A simulated device is another chip for each seed: seed 3 runs on the chip "ID-3".

    Args:
        network: The trained networks.
        data: Their data.
        device: The device.
        size: Images of one batch.
        tick: Told of the progress; may raise to stop, which leaves the device safe.

    Raises:
        LimitError: A weight, bias or input is beyond a limit of the device.
        DeviceError: The device failed.
    """
    answers, traces, images = [], [], data.test_labels.numel()
    instruments: dict[str, Any] = {}
    for member, seed in enumerate(data.seeds):
        alone = member_of(network, member, seed)
        with open_device(device, network.settings, data.task.sample_interval_s, members=[seed]) as opened:
            opened.program({name: value[0] for name, value in alone.values().items()})
            for chunk in data.test[member].split(size):
                trace = opened.run(as_sequence(chunk, data.task), observe=_wanted(opened, network.settings))
                answers.append(read_out(alone, trace))
                traces.append(_Used.of(trace, network.settings, len(chunk)))
                tick(sum(used.images for used in traces), images)
            instruments = opened.snapshot()
    return DeviceAnswers(
        torch.cat(answers).view(len(data.seeds), -1, network.settings.outputs),
        sum(used.good for used in traces) / sum(used.samples for used in traces),
        tuple(dict.fromkeys(used.device_id for used in traces)),
        _mean_energy(traces),
        instruments,
    )


def read_out(network: SpintronicNetwork, trace: Trace) -> Tensor:
    """Turn a measured trace into logits (image, class): gain and bias of the read-out are software.

    Args:
        network: An ensemble of one, whose read-out weights count where the read-out is software.
        trace: With the outputs of a hardware read-out, or the y of the last layer; no member axis. Bad samples count as
            zero.
    """
    signal = used_signal(trace, network.settings)
    values = signal.or_else(torch.zeros_like(signal.values)).to(network.w_out.dtype)
    if trace.outputs is not None:
        return network.settings.out_gain * values + network.b_out
    return network.read_out(values[None])[0]


def used_signal(trace: Trace, network: NetworkSettings) -> Signal:
    """Give the part of a trace that the read-out uses: the outputs, or y of the last layer at the last samples."""
    if trace.outputs is not None:
        return trace.outputs
    if trace.filtered is None:
        raise RuntimeError("a device without a hardware read-out gave no y of its neurons")
    last, width, y = network.readout_samples, network.layers[-1], trace.filtered
    return Signal(y.values[:, -last:, -width:], y.quality[:, -last:, -width:], y.time_s[-last:], y.noise)


def refuse_misfit(settings: RunSettings) -> None:
    """Check before training that the device could play the networks to come: kind, inputs, largest weights and biases.

    Raises:
        ConfigError: It could not.
    """
    if settings.device is None:
        return
    device = open_device(settings.device, settings.network, settings.task.sample_interval_s)
    largest, lines = settings.network.weight_limit, device.conversion
    extremes = {
        "input": (lines.input, _input_range(settings.task), "task.input_scale"),
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
                todo=f"lower {key}, or use another device",
            ) from error


def _wanted(device: Device, network: NetworkSettings) -> ObservationPlan:
    """Observe what the read-out needs and no more."""
    if network.readout == "hardware":
        return ObservationPlan.nothing()
    return ObservationPlan.split(
        range(*network.topology().slices()[-1].indices(sum(network.layers))), device.describe().channels
    )


def _input_range(task: DigitsSettings) -> tuple[float, float]:
    black, white = (float(as_sequence(torch.full((1, 1), pixel), task)[0]) for pixel in (0.0, 1.0))
    return black, white


@dataclass(frozen=True)
class _Used:
    """What one batch on a device is remembered by."""

    device_id: str
    images: int
    samples: int
    good: int
    energy_j: float | None

    @classmethod
    def of(cls, trace: Trace, network: NetworkSettings, images: int) -> "_Used":
        good = used_signal(trace, network).good
        return cls(trace.device_ids[0], images, good.numel(), int(good.sum()), trace.energy_j)


def _mean_energy(traces: list[_Used]) -> float | None:
    energies = [used.energy_j for used in traces if used.energy_j is not None]
    return sum(energies) / sum(used.images for used in traces) if len(energies) == len(traces) else None
