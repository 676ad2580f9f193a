"""From the readings of all repeats in SI to one trace in model units."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spinhw.conversion import Conversion, Scaling
from spinhw.device.plan import ObservationPlan
from spinhw.device.reading import Reading, Samples
from spinhw.device.trace import Quality, Signal, Trace
from spinhw.errors import DeviceError


def assemble(
    readings: Sequence[Reading],
    plan: ObservationPlan,
    neurons: int,
    conversion: Conversion,
    device_ids: tuple[str, ...],
    averages: int,
) -> Trace:
    """Put repeats together; neurons that no repeat observed are NaN and `Quality.UNOBSERVED`.

    Args:
        readings: One for each repeat of the plan.
        plan: Which neurons each repeat observed.
        neurons: Neurons of the device.
        conversion: From SI.
        device_ids: Who measured.
        averages: Shots of each repeat.

    Raises:
        DeviceError: The readings don't fit the plan.
    """
    if len(readings) != len(plan.repeats):
        raise DeviceError(
            f"{device_ids[0]}: repeats are missing", seen=len(readings), allowed=f"{len(plan.repeats)} as planned"
        )

    def observed(pick: Callable[[Reading], Samples | None], line: Scaling) -> Signal | None:
        return _observed([pick(reading) for reading in readings], plan, neurons, line)

    energies = [reading.energy_j for reading in readings if reading.energy_j is not None]
    return Trace(
        device_ids=device_ids,
        averages=averages,
        shots=(readings[0].shots[0], readings[-1].shots[1]),
        power=observed(lambda reading: reading.power, conversion.power),
        power0=observed(lambda reading: reading.power0, conversion.power),
        filtered=observed(lambda reading: reading.filtered, conversion.filtered),
        outputs=_mean([reading.outputs for reading in readings], conversion.output),
        drive_applied=_mean([reading.drive for reading in readings[:1]], conversion.drive),
        energy_j=sum(energies) / len(energies) if energies else None,
    )


def _observed(parts: Sequence[Samples | None], plan: ObservationPlan, neurons: int, line: Scaling) -> Signal | None:
    present = [(list(repeat), part) for repeat, part in zip(plan.repeats, parts, strict=True) if part and repeat]
    if not present:
        return None
    first, place = present[0][1], [0] * neurons
    outer, seen = first.values.shape[:-1], 1
    # One column for whoever nobody saw, then those of all repeats; each neuron picks its own, the last one there is.
    values = [first.values.new_full((*outer, 1), math.nan)]
    quality = [torch.full((*outer, 1), Quality.UNOBSERVED, dtype=torch.uint8)]
    for numbers, part in present:
        if part.values.shape != (*outer, len(numbers)):
            raise DeviceError(
                "the device gave samples of another shape than planned",
                seen=tuple(part.values.shape),
                allowed=str((*outer, len(numbers))),
            )
        values.append(part.values)
        quality.append(part.judged())
        for number in numbers:
            place[number], seen = seen, seen + 1
    index = torch.tensor(place)
    picked = [torch.cat(columns, dim=-1).index_select(-1, index) for columns in (values, quality)]
    return Signal(line.to_model(picked[0]), picked[1], first.time_s, _model_noise(first, line, 1))


def _mean(parts: Sequence[Samples | None], line: Scaling) -> Signal | None:
    """Average over repeats what each of them measures; only good samples count where there is one."""
    present = [part for part in parts if part is not None]
    if not present:
        return None
    values = torch.stack([part.values for part in present])  # (repeat, member, batch, ...)
    quality = torch.stack([part.judged() for part in present])
    good = quality == Quality.GOOD
    count = good.sum(0)
    mean = torch.where(good, values, torch.zeros_like(values)).sum(0) / count.clamp_min(1)
    merged = torch.where(count > 0, torch.zeros_like(quality[0]), quality[0])
    return Signal(
        line.to_model(torch.where(count > 0, mean, values[0])),
        merged,
        present[0].time_s,
        _model_noise(present[0], line, len(present)),
    )


def _model_noise(samples: Samples, line: Scaling, repeats: int) -> float | None:
    return None if samples.noise is None else line.noise_to_model(samples.noise) / math.sqrt(repeats)


def up_to_ends(trace: Trace, lengths: Tensor, interval_s: float) -> Trace:
    """Mark what was measured after each sequence's own end as `Quality.UNOBSERVED`: nobody uses it.

    Args:
        trace: A batch, members in front.
        lengths: Samples of each sequence, (member, batch).
        interval_s: Time for which each of them was held, in seconds.
    """
    changed: dict[str, Any] = {}
    for name, signal in trace.signals().items():
        if name in ("power0", "outputs"):
            continue
        # A drive is told at the beginning of its interval, everything else at the end.
        late = 0.5 if name == "drive_applied" else -0.5
        after = signal.time_s / interval_s + late > lengths[..., None]  # (member, batch, time)
        quality = torch.where(after[..., None], torch.full_like(signal.quality, Quality.UNOBSERVED), signal.quality)
        changed[name] = replace(signal, quality=quality)
    return replace(trace, **changed)


def with_members(what: str, value: Tensor, shape: Sequence[int | None], members: int) -> tuple[Tensor, bool]:
    """Bring a tensor to (member, *shape).

    Args:
        what: Name for the message.
        value: Shaped as `shape` (for all members alike) or (member, *shape).
        shape: Wanted without the member axis; None for any length.
        members: Members of the device.

    Returns:
        The tensor, and whether the caller left the member axis out.

    Raises:
        ValueError: Names the shape seen and the shapes allowed.
    """

    def fits(seen: Sequence[int], wanted: Sequence[int | None]) -> bool:
        return len(seen) == len(wanted) and all(b in (None, a) for a, b in zip(seen, wanted, strict=True))

    if fits(value.shape, shape):
        return value.expand(members, *value.shape), True
    if fits(value.shape, (members, *shape)):
        return value, False
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    raise ValueError(f"{what} has shape {tuple(value.shape)}; it must be ({wanted}) or ({members}, {wanted})")
