"""How programmings scatter, and what that makes of readings: those of one level are correlated."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

RATIOS = (0.0, *(0.02 * 1.25**power for power in range(32)))  # Of scatter over noise, in units of weights.
_UNUSUAL = 4.0  # Of the median of the chains' mean squares.
_LEAST_VARIANCE = 1e-20  # Of a reading, over K squared: rounding.


@dataclass(frozen=True)
class ReadingNoise:
    """How readings and programmings scatter.

    Args:
        reading: Of one reading, in units of a weight.
        scatter: Of one programming, over the largest weight: a resonance that is off by this times G / 2.
    """

    reading: float
    scatter: float


@dataclass(frozen=True)
class CorrelatedLevels:
    """What the scatter of programmings makes of sums over the readings of a level: C^-1 over noise^2.

    C^-1 = 1 - U U^T with U = D (D^T D + 1 / ratio^2)^(-1/2), Woodbury's identity.
    """

    factor: Tensor | None  # U, (chain, level, tone, resonator)
    ratio: float = 0.0

    @classmethod
    def of(cls, felt: Tensor, ratio: float) -> "CorrelatedLevels":
        """Return it for derivatives D, (chain, level, tone, resonator), and the ratio of scatter to noise."""
        if ratio == 0:
            return cls(None)
        inner = felt.mT @ felt + torch.eye(felt.shape[-1], dtype=felt.dtype) / ratio**2
        root = torch.linalg.cholesky(inner)
        return cls(torch.linalg.solve_triangular(root, felt.mT, upper=False).mT, ratio)

    def of_chains(self, chains: Tensor) -> "CorrelatedLevels":
        """Return that of some of the chains, by number."""
        return self if self.factor is None else CorrelatedLevels(self.factor[chains], self.ratio)

    def squared(self, both: Tensor) -> Tensor:
        """Return both^T C^-1 both, summed over levels, (chain, column, column)."""
        flat = both.flatten(1, 2)
        whole = flat.mT @ flat
        if self.factor is None:
            return whole
        off = (self.factor.mT @ both).flatten(1, 2)  # (chain, level x resonator, column)
        return whole - off.mT @ off

    def without(self, off: Tensor) -> Tensor:
        """Take the most probable scatter out of residuals."""
        if self.factor is None:
            return off
        return off - (self.factor @ (self.factor.mT @ off[..., None]))[..., 0]

    def scatter(self, felt: Tensor, off: Tensor) -> Tensor:
        """Return the most probable e of residuals, (chain, level, resonator)."""
        if self.factor is None or self.ratio == 0:
            return torch.zeros_like(felt[:, :, 0])
        return self.ratio**2 * (felt.mT @ self.without(off)[..., None])[..., 0]


@dataclass(frozen=True)
class SpreadSums:
    """Sums of which the same for another ratio follow at once: D^T D in its eigenbasis."""

    whole: Tensor  # both^T both, (chain, column, column)
    values: Tensor  # Of D^T D, (chain, level, resonator)
    turned: Tensor  # V^T D^T both, (chain, level, resonator, column)

    @classmethod
    def of(cls, felt: Tensor, both: Tensor) -> "SpreadSums":
        """Return it for derivatives D and columns, both (chain, level, tone, ...)."""
        flat = both.flatten(1, 2)
        values, vectors = torch.linalg.eigh(felt.mT @ felt)
        return cls(flat.mT @ flat, values.clamp_min(0.0), vectors.mT @ (felt.mT @ both))

    def at(self, ratio: float) -> tuple[Tensor, Tensor]:
        """Return both^T C^-1 both and ln det C of each chain, C over noise^2."""
        if ratio == 0:
            return self.whole, torch.zeros(len(self.whole), dtype=torch.float64)
        scaled = (self.turned / (self.values + ratio**-2).sqrt()[..., None]).flatten(1, 2)
        return self.whole - scaled.mT @ scaled, (1 + ratio**2 * self.values).log().sum((1, 2))


def most_probable(sums: Tensor, max_weight: float) -> ReadingNoise:
    """Return the most probable noise by the residual likelihood, all chains together.

    One that the model does not describe says nothing of the noise: those do not count whose residuals are far larger
    than is usual.

    Args:
        sums: Of all chains, as `ChainFit.likelihoods` gives them, (ratio, chain, 3); the first alone for no scatter.
        max_weight: K as designed.
    """
    variances = sums[0, :, 1] / sums[0, :, 2].clamp_min(1)
    told = sums[0, :, 2] > 0
    usual = variances[told].median() if bool(told.any()) else variances.new_zeros(())
    sums = sums[:, told & (variances <= _UNUSUAL * usual)].sum(1)
    logarithm, squares, freedom = sums.unbind(-1)
    score = logarithm + freedom * (squares / freedom.clamp_min(1)).clamp_min(1e-300).log()
    best = int(score.argmin())
    variance, ratio = float(squares[best] / freedom[best].clamp_min(1)), RATIOS[best]
    if len(score) > 1:
        ratio = _peak(score, best) or _mean(score)
    reading = max(variance, _LEAST_VARIANCE) ** 0.5
    return ReadingNoise(reading * max_weight, ratio * reading)


def _peak(score: Tensor, best: int) -> float | None:
    """Return where minus twice the likelihood is least, by a parabola; None where that is no narrow place."""
    if not 1 < best < len(score) - 1:
        return None
    low, here, high = score[best - 1 : best + 2].tolist()
    bend = low - 2 * here + high
    step = math.log(RATIOS[best + 1] / RATIOS[best])
    return RATIOS[best] * math.exp(step * 0.5 * (low - high) / bend) if bend > 1 else None


def _mean(score: Tensor) -> float:
    """Return the root mean square of the ratio as it may be: few data leave room that the best place hides."""
    ratios = torch.tensor(RATIOS, dtype=torch.float64)
    edges = torch.cat([ratios[:1], (ratios[1:] + ratios[:-1]) / 2, ratios[-1:]])
    weight = (-(score - score.min()) / 2).exp() * edges.diff()
    return float(((weight * ratios**2).sum() / weight.sum()).sqrt())
