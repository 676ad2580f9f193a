"""Shots of an ensemble: all members at once where the device has as many, else one after another."""

from collections.abc import Mapping

from torch import Tensor

from spinhw.device import Device, ObservationPlan, Trace
from spinhw.errors import ConfigError


def refuse_members(device: Device, members: int) -> None:
    """Check that a device can run so many networks.

    Raises:
        ConfigError: It has several chips, but another number of them.
    """
    chips = device.describe().members
    if chips not in (1, members):
        raise ConfigError(
            f"{device.name}: the device has another number of chips than there are networks",
            seen=f"{chips} chips, {members} networks",
            allowed=f"1 chip or {members}",
            todo=f"open it with members={members}, or with members=1 to run the networks one after another",
        )


def shoot(
    device: Device,
    values: Mapping[str, Tensor],
    inputs: Tensor,
    plan: ObservationPlan,
    averages: int,
    lengths: Tensor | None = None,
    present: Mapping[str, Tensor] | None = None,
) -> Trace:
    """Program an ensemble and measure it; the device keeps what was programmed last.

    Args:
        device: Open; with as many chips as there are members, or with one, which then runs them one after another.
        values: Requested parameters by name, (member, ...).
        inputs: u, (member, batch, time, input).
        plan: What to observe.
        averages: Shots to average over.
        lengths: Samples of each sequence, (member, batch); None where all end with the time axis.
        present: Which synapses exist, (member, ...) by name of a weight; None for all.

    Returns:
        The trace of all members, whose axis is in front.

    Raises:
        LimitError: A value is beyond a limit of the device.
        DeviceError: The device failed.
    """
    members = inputs.shape[0]
    size = members if device.describe().members == members else 1
    traces = []
    for first in range(0, members, size):
        chosen = slice(first, first + size)
        exists = {name: mask[chosen] for name, mask in (present or {}).items()}
        device.program({name: value[chosen] for name, value in values.items()}, exists)
        traces.append(device.run(inputs[chosen], plan, averages, None if lengths is None else lengths[chosen]))
    return traces[0] if len(traces) == 1 else Trace.side_by_side(traces)


def inferences(inputs: Tensor, device: Device, trace: Trace) -> int:
    """Count the sequences that were played for a trace: images times shots."""
    members = 1 if device.describe().members == 1 else inputs.shape[0]
    return members * inputs.shape[1] * (trace.shots[1] - trace.shots[0])
