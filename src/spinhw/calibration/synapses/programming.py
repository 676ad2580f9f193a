"""What programming gives: scatter from one programming to the next, and how far weights are from those asked for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.calibration.synapses.points import order
from spinhw.calibration.synapses.readings import Read
from spinhw.calibration.synapses.settings import Programming
from spinhw.config import build
from spinhw.physics import Chain


@dataclass(frozen=True)
class Programmed:
    """What the programming experiment tells.

    Args:
        off: Measured less requested weight over the largest weight, (visit, resonator); NaN where nothing counts.
        repeatability: Scatter over the largest weight at resonance, (resonator,).
        repeatability_error: Its standard error, (resonator,).
        error: Rms of `off` without the noise of readings, (resonator,).
        error_error: Its standard error, (resonator,).
    """

    off: Tensor
    repeatability: Tensor
    repeatability_error: Tensor
    error: Tensor
    error_error: Tensor


def programmed(read: Read, chain: Chain, offset: float, noise: float) -> Programmed:
    """Compare what was measured with what the chain as fitted gives.

    A programming that is off by a share e of the largest weight K shifts a resonance by e G / 2, so that the weight at
    a tone scatters by e times (G / 2) |dw/df|. With s2_t the variance over the visits of a target and n2 that of
    readings, e^2 = sum_t c_t (s2_t - n2) / sum_t c_t^2 with c_t = (G dw/df / 2)^2, which no noise biases.

    Args:
        read: The experiment.
        chain: As fitted.
        offset: Reading without a tone.
        noise: Of one reading.
    """
    asked = build(Programming, read.experiment, "traces")
    count, which = chain.count, order(asked)
    power = read.points.power.view(-1, count)
    weight = (read.mean() - offset).view(-1, count) / power  # (visit, resonator)
    wanted = chain.weight(read.points.tuning, read.points.rf_hz).view(-1, count)
    slopes = chain.slopes(read.points.tuning, read.points.rf_hz)[..., 0].view(-1, count, count)
    own = slopes.diagonal(dim1=1, dim2=2) * chain.half_linewidth_hz / 2  # (visit, resonator), weight for e = 1
    readings2 = (noise / power.mean()) ** 2 / asked.readings
    variance, steep = _by_target(weight, which, asked.targets), _mean_by_target(own**2, which, asked.targets)
    found2 = (steep * (variance - readings2)).sum(0) / (steep**2).sum(0).clamp_min(1e-300)
    # The variance of a variance of n normal numbers is 2 s^4 / (n - 1).
    expected = steep * found2.clamp_min(0.0) + readings2
    spread2 = (steep**2 * 2 * expected**2 / (asked.repeats - 1)).sum(0).sqrt() / (steep**2).sum(0).clamp_min(1e-300)
    size = torch.where(chain.max_weight == 0, torch.nan, chain.max_weight.abs())
    off = (weight - wanted) / size
    error2 = (off**2).nanmean(0) - readings2 / size**2
    return Programmed(off, *_root(found2, spread2), *_root(error2, (off**2).nanmean(0) * (2 / len(off)) ** 0.5))


def _by_target(values: Tensor, which: Tensor, targets: int) -> Tensor:
    return torch.stack([values[which == target].var(0) for target in range(targets)])


def _mean_by_target(values: Tensor, which: Tensor, targets: int) -> Tensor:
    return torch.stack([values[which == target].mean(0) for target in range(targets)])


def _root(square: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    """Give a root and its error; where the square is no larger than its error, the error's root bounds it."""
    root = square.clamp_min(0.0).sqrt()
    return root, torch.where(square > error, error / (2 * root.clamp_min(1e-300)), error.clamp_min(0.0).sqrt())
