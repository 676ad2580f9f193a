"""What the surrogate misses, estimated from noisy measurements of nearly the same drives.

Two things are done, and both vanish with the noise. Passes are averaged: the residual belongs to the surrogate, not to
the pass, so passes whose drives were nearly the same measured the same; each counts by one over its variance, in which
the difference to the last pass stands beside the noise. Then each band of frequencies is multiplied by the share of its
power that is not noise (Wiener): where the surrogate is right, what was measured is noise, and fed back into the
network it would only drive the neurons. The mean square error is never larger than without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from scipy.fft import dct, idct
from torch import Tensor


@dataclass(frozen=True)
class Noise:
    """Noise of a sample, one shot.

    Args:
        variance: In units of full power squared, (oscillator,).
        colour: Variance in each band over the mean one, (band,); 1 for white noise.
        samples: Length of the segments that it was seen in, which says what frequencies the bands are.
    """

    variance: Tensor
    colour: Tensor
    samples: int

    @classmethod
    def between(cls, first: Tensor, second: Tensor, good: Tensor, averages: int) -> Self:
        """Take it from two measurements of the same drives.

        Args:
            first: (segment, time, oscillator).
            second: The same once more.
            good: Which samples are good in both, same shape.
            averages: Shots that each is the mean of.
        """
        apart = torch.where(good, first - second, torch.zeros_like(first))
        share = good.double().mean((0, 1)).clamp_min(1e-9)
        by_band = _by_band(_dct(apart) ** 2).mean(0) / share * averages / 2  # (band, oscillator)
        variance = (apart**2).mean((0, 1)) / share * averages / 2
        return cls(variance, by_band.mean(1) / variance.mean().clamp_min(1e-300), first.shape[1])

    def colour_at(self, samples: int) -> Tensor:
        """Return the colour in the bands of segments of another length, (band,)."""
        if samples == self.samples:
            return self.colour
        # Frequency k of n samples is k / (2 n) of the sample rate.
        same = (torch.arange(samples) * self.samples // samples).clamp_max(self.samples - 1)
        by_frequency = self.colour[bands(self.samples)[same]]
        return _by_band(by_frequency[None, :, None])[0, :, 0]

    def rms(self, averages: int = 1) -> float:
        """Return the noise of a sample after averaging, over all oscillators, in units of full power."""
        return float((self.variance.mean() / averages).sqrt())


@dataclass(frozen=True)
class Residual:
    """What the surrogate misses, as estimated.

    Args:
        values: (batch, time, neuron).
        variance: Of the noise that is left in a sample, (neuron,).
    """

    values: Tensor
    variance: Tensor


def combined(passes: Sequence[Tensor], good: Sequence[Tensor], variance: Tensor) -> Residual:
    """Average what was missed in several passes; where no sample is good it is zero.

    Args:
        passes: (batch, time, neuron) each, the last one last.
        good: Which samples may be used, same shapes.
        variance: Of the noise of a sample of one pass, (neuron,).
    """
    total, weights, squares = (torch.zeros_like(passes[-1]) for _ in range(3))
    for values, usable in zip(passes, good, strict=True):
        weight = usable * _trust(values, passes[-1], usable & good[-1], variance)
        total += weight * torch.where(usable, values, torch.zeros_like(values))
        weights += weight
        squares += weight**2
    seen = weights > 0
    safe = torch.where(seen, weights, torch.ones_like(weights))
    left = torch.where(seen, squares / safe**2, torch.zeros_like(squares)).mean((0, 1))
    return Residual(total / safe, variance * left)


def _trust(values: Tensor, last: Tensor, both: Tensor, variance: Tensor) -> Tensor:
    """Return the weight of a pass, one for the last, (neuron,)."""
    apart = torch.where(both, values - last, torch.zeros_like(values))
    drifted = (apart**2).sum((0, 1)) / both.sum((0, 1)).clamp_min(1) - 2 * variance
    drifted = drifted.clamp_min(0.0)
    same = drifted == 0
    return torch.where(same, torch.ones_like(variance), variance / (variance + drifted).clamp_min(1e-300))


def told_apart(residual: Residual, colour: Tensor) -> Residual:
    """Multiply each band of each neuron by the share of its power that is not noise.

    Args:
        residual: Averaged over the passes.
        colour: Of the noise, (band,).
    """
    coefficients = _dct(residual.values)  # (batch, frequency, neuron)
    power = _by_band(coefficients**2).mean(0)  # (band, neuron)
    expected = colour[:, None] * residual.variance
    share = (1 - expected / power.clamp_min(1e-300)).clamp_min(0.0)
    width = bands(residual.values.shape[1])
    left = residual.variance * (share * share * colour[:, None] * _sizes(width)[:, None]).sum(0) / len(width)
    return Residual(_idct(coefficients * share[width]), left)


def bands(length: int) -> Tensor:
    """Return the band of each frequency, octave by octave, (frequency,): 0, 1, 2 2, 3 3 3 3 and so on."""
    numbers = torch.arange(length, dtype=torch.float64)
    return torch.where(numbers > 0, numbers.clamp_min(1).log2().floor() + 1, torch.zeros_like(numbers)).long()


def _sizes(width: Tensor) -> Tensor:
    return torch.bincount(width).double()


def _by_band(power: Tensor) -> Tensor:
    """Average over the frequencies of each band: (batch, frequency, channel) -> (batch, band, channel)."""
    width = bands(power.shape[1])
    sizes = _sizes(width)
    summed = power.new_zeros(power.shape[0], len(sizes), power.shape[2]).index_add(1, width, power)
    return summed / sizes[:, None]


def _dct(values: Tensor) -> Tensor:
    return torch.from_numpy(dct(values.numpy(), axis=1, norm="ortho"))


def _idct(values: Tensor) -> Tensor:
    return torch.from_numpy(idct(values.numpy(), axis=1, norm="ortho"))


def earlier(values: Tensor, samples: Tensor) -> Tensor:
    """Move signals earlier by a part of a sample or more, linearly in between; the ends are held.

    Args:
        values: (batch, time, neuron).
        samples: By how many, of either sign, (neuron,).
    """
    if not bool(samples.any()):
        return values
    last = values.shape[1] - 1
    place = (torch.arange(last + 1)[:, None] + samples).clamp(0, last)  # (time, neuron)
    left = place.floor().long()
    right = (left + 1).clamp_max(last)
    batch = (values.shape[0], -1, -1)
    share = place - left
    return values.gather(1, left.expand(batch)) * (1 - share) + values.gather(1, right.expand(batch)) * share
