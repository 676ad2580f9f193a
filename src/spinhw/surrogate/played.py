"""What was played to oscillators and what was measured meanwhile, and how far a model is from it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from spinhw.estimate import NormalEquations
from spinhw.physics import LOGISTIC
from spinhw.surrogate.oscillators import PARAMETERS, Oscillators
from spinhw.surrogate.readout import read
from spinhw.surrogate.response import respond

# Rate times step at which interpolation between nodes is good to 1e-5 of full power, and midpoint steps to 5e-5.
_FINE, _FINE_MIDPOINT = 0.4, 0.1
# So many numbers at a time stay in the cache, and torch does not spread them over threads.
_NUMBERS_PER_CHUNK = 2**15


@dataclass(frozen=True)
class Played:
    """One batch: drives as they were played, and the power that was recorded.

    Args:
        drive: I in 1/s, held over each interval, (batch, time, oscillator).
        power: Measured power in model units, before the first interval and at the end of each, (batch, time + 1,
            oscillator). Only good samples are ever looked at.
        good: Which samples may be used, boolean, same shape.
        interval_s: Length of an interval in seconds; samples lie `every` intervals apart.
        bias_drive: Drive before the first interval and after the last, in 1/s.
        averages: Shots that each sample was averaged over: its weight.
        substeps: Steps for each interval where the model needs more than one; None lets it choose.
        every: Intervals of the drive from one sample to the next; then power is (batch, time / every + 1, oscillator).
    """

    drive: Tensor
    power: Tensor
    good: Tensor
    interval_s: float
    bias_drive: float
    averages: int = 1
    every: int = 1
    substeps: int | None = None

    def __post_init__(self) -> None:
        batch, time, oscillators = self.drive.shape
        wanted = (batch, time // self.every + 1, oscillators)
        if time % self.every or self.power.shape != wanted or self.good.shape != wanted:
            raise ValueError(
                f"power {tuple(self.power.shape)} and good {tuple(self.good.shape)} do not fit a drive of "
                f"{tuple(self.drive.shape)} with a sample each {self.every} intervals; both must be {wanted}"
            )

    @property
    def oscillators(self) -> int:
        """Number of oscillators."""
        return self.drive.shape[2]

    def of(self, chosen: Tensor) -> Self:
        """Give the part of some oscillators, by index or mask."""
        return replace(self, drive=self.drive[..., chosen], power=self.power[..., chosen], good=self.good[..., chosen])

    def batches(self, chosen: slice) -> Self:
        """Give the part of some segments."""
        return replace(self, drive=self.drive[chosen], power=self.power[chosen], good=self.good[chosen])


def modelled(played: Played, oscillators: Oscillators, tangents: bool = False) -> tuple[Tensor, Tensor | None]:
    """Give the samples that a model expects, (batch, time + 1, oscillator), and their derivatives if asked for."""
    timed = bool((oscillators.delay != 0).any()) or bool((oscillators.lag > 0).any())
    return _modelled(played, oscillators, timed, tangents)


def misfit(played: Sequence[Played], oscillators: Oscillators, timed: bool) -> NormalEquations:
    """Compare a model with everything that was measured, by oscillator, in the coordinates of a fit.

    Sums are over good samples, weighted with averages; parameters in the order of `PARAMETERS`.

    Args:
        played: At least one batch.
        oscillators: The model.
        timed: Whether delay and lag have derivatives; that takes more steps.
    """
    timed = timed or bool((oscillators.delay != 0).any()) or bool((oscillators.lag > 0).any())
    parts = [_misfit(part, oscillators, timed) for one in played for part in _chunks(one)]
    return sum(parts[1:], parts[0])


def _chunks(played: Played) -> Iterator[Played]:
    batch, time, oscillators = played.drive.shape
    size = max(1, _NUMBERS_PER_CHUNK // (time * oscillators))
    for first in range(0, batch, size):
        yield played.batches(slice(first, first + size))


def _misfit(played: Played, oscillators: Oscillators, timed: bool) -> NormalEquations:
    model, found = _modelled(played, oscillators, timed, tangents=True)
    if found is None:
        raise ValueError("a misfit needs the tangents of the response")
    by_segment = found.permute(1, 3, 2, 0)  # (segment, oscillator, sample, parameter)
    apart, weight = (one.transpose(1, 2) for one in (played.power.double() - model, played.good.double()))
    return NormalEquations.of(by_segment, apart, weight * played.averages).summed(0)


def _modelled(played: Played, oscillators: Oscillators, timed: bool, tangents: bool) -> tuple[Tensor, Tensor | None]:
    exact = oscillators.rate == LOGISTIC and not timed
    substeps = 1 if exact else played.substeps or substeps_for(played, oscillators)
    step_s = played.interval_s / substeps
    padding = math.ceil(float((oscillators.delay.abs() + oscillators.lag).max()) / step_s) + 1 if timed else 0
    fine = played.drive.double().repeat_interleave(substeps, 1)
    padded = torch.nn.functional.pad(fine, (0, 0, padding, padding), value=played.bias_drive)
    response = respond(padded, step_s, oscillators, played.bias_drive, tangents)
    return read(response, oscillators, substeps * played.every, padding, timed)


def shifted(played: Played, samples: Tensor) -> Played:
    """Move the record of each oscillator earlier by whole samples; what has no record then is not good, and zero.

    Args:
        played: What was measured.
        samples: By how many, of either sign, (oscillator,).
    """
    length = played.power.shape[1]
    index = torch.arange(length)[:, None] + samples  # (time + 1, oscillator)
    inside = (index >= 0) & (index < length)
    place = index.clamp(0, length - 1).expand(len(played.power), -1, -1)
    good = played.good.gather(1, place) & inside
    power = played.power.double().gather(1, place)
    return replace(played, power=torch.where(good, power, torch.zeros_like(power)), good=good)


def substeps_for(played: Played, oscillators: Oscillators) -> int:
    """Give the steps for each interval that interpolation between them needs, or the midpoint rule, at least 1."""
    fastest = float((oscillators.sigma * played.drive.abs().amax()).max().maximum(oscillators.gamma.max()))
    fine = _FINE if oscillators.rate == LOGISTIC else _FINE_MIDPOINT
    return max(1, math.ceil(fastest * played.interval_s / fine))


def columns(free: Sequence[str]) -> Tensor:
    """Give the places of parameters in `PARAMETERS`."""
    return torch.tensor([PARAMETERS.index(name) for name in free])
