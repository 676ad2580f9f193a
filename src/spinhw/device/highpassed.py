"""y of neurons, computed from their measured power by the high-pass of the model, for benches that lead only x out."""

import torch
from torch import Tensor

from spinhw.device.reading import Samples
from spinhw.device.trace import Quality
from spinhw.physics import highpass_factors, highpass_step

# What y remembers of stretches without good samples may be this share of it; a bridge there is off by far less than x.
_LEAST_SHARE = 0.01


def high_passed(start: Samples, ends: Samples, cutoff_hz: float | Tensor, interval_s: float) -> Samples:
    """Return y = x behind a high-pass, dy/dt = -2 pi f_cut y + dx/dt, from rest: y = 0 before the first input.

    The step is exact for a power that changes linearly between its samples; what that leaves out is of the order of
    (interval / tau)^2 / 12 of the change of x within an interval. A gain error of the read-out passes, an offset does
    not. Samples that are not good are bridged by a straight line. y there is not good, nor is it for as long as it
    remembers the bridge by more than a hundredth.

    Args:
        start: x before the first input, (member, batch, neuron).
        ends: x at the ends of the input intervals, (member, batch, time, neuron).
        cutoff_hz: Corner of the high-pass, 0 or above: of all, or of each neuron, (member or 1, 1, neuron).
        interval_s: Time between samples, in seconds.

    Returns:
        y, shaped as `ends`, in the units of x.
    """
    values = torch.cat([start.values[:, :, None], ends.values], dim=2).double()
    quality = torch.cat([start.judged()[:, :, None], ends.judged()], dim=2)
    good = quality == Quality.GOOD
    factors = highpass_factors(torch.as_tensor(cutoff_hz, dtype=torch.float64), interval_s)
    found, judged = [torch.zeros_like(values[:, :, 0])], [quality[:, :, 0]]
    share, why = (~good[:, :, 0]).double(), quality[:, :, 0]
    bridged = _bridged(values, good)
    for step in range(1, values.shape[2]):
        found.append(highpass_step(found[-1], bridged[:, :, step] - bridged[:, :, step - 1], factors))
        touched = ~(good[:, :, step] & good[:, :, step - 1])
        share = factors[0] * share + (1 - factors[0]) * touched
        why = torch.where(good[:, :, step], why, quality[:, :, step])
        judged.append(torch.where(good[:, :, step] & (share <= _LEAST_SHARE), torch.zeros_like(why), why))
    filtered, verdict = torch.stack(found[1:], dim=2), torch.stack(judged[1:], dim=2)
    unknown = torch.full_like(filtered, torch.nan)
    known = torch.where(verdict == Quality.UNOBSERVED, unknown, filtered)
    return Samples(known.to(ends.values.dtype), ends.time_s, verdict, ends.noise)


def _bridged(values: Tensor, good: Tensor) -> Tensor:
    """Put straight lines between good samples in place of the others; beyond the first and the last they are level."""
    count = values.shape[2]
    number = torch.arange(count)[:, None].expand_as(values)
    before = torch.where(good, number, -1).cummax(2).values
    after = torch.where(good, number, count).flip(2).cummin(2).values.flip(2)
    left = torch.where(before < 0, after, before).clamp(0, count - 1)
    right = torch.where(after >= count, before, after).clamp(0, count - 1)
    share = (number - left) / (right - left).clamp_min(1)
    sound = torch.where(good, values, 0.0)
    return sound.gather(2, left) * (1 - share) + sound.gather(2, right) * share
