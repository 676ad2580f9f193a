"""All resonators of a chain at once, chains side by side: what a sweep tells of them, with honest errors.

    V / power = offset + sum_k w_k(f - f_k)          f_k = resonance_k + span_k tuning + (G_k / 2) e

e is what a programming is off by, drawn anew for each resonator at each level of the sweep, with the standard deviation
`scatter`. It makes the readings of a level correlated: with D their derivatives by e, their covariance is

    C = noise^2 (1 + ratio^2 D D^T)                  ratio = scatter / noise

Parameters follow by generalised least squares with this C, noise and ratio by the residual likelihood of all chains
together (Patterson and Thompson, Biometrika 58, 545 (1971)), which is not biased by the parameters that were fitted.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.estimate import NormalEquations, covariance, levenberg_marquardt
from spinhw.physics import Chain, Ladder

# What is known beforehand of each resonator, 1 sigma around the design: centre over the reach of the windows, ln G, K
# over the designed one, span over the designed one. Wide beside what readings tell.
PRIOR = (0.5, 0.5, 0.5, 0.25)
_OFFSET_PRIOR = 1.0  # Over the largest weight.
_FARTHEST = (0.5, 0.3, 0.3, 0.5, 0.1)  # Longest steps: centre, ln G, K, span, offset; in half-linewidths and of K.
_WIDEST = 2.3  # |ln(G / designed)|, a factor of ten.
_MOST_LOOKS = 60
_LEAST_VARIANCE = 1e-20  # Of a reading, over K squared: rounding.
_RATIOS = (0.0, *(0.02 * 1.25**power for power in range(32)))  # Of scatter over noise, in units of weights.


@dataclass(frozen=True)
class Swept:
    """Sweeps of chains with equally many levels and tones; float64.

    Args:
        tones_hz: Of the source of each resonator, (chain, resonator).
        present: Which resonators there are, boolean, (chain, resonator).
        tuning: Of each, at each programming, (chain, level, resonator).
        rf_hz: Of the tones played, those around each resonator together, (chain, level, resonator, tone).
        weight: Voltage over power, same shape; NaN where nothing counts.
        offset: Voltage over power without a tone, and its variance, each (chain,); infinite where it was not measured.
        reach: Of the windows of tones around the design, in half-linewidths as designed.
    """

    tones_hz: Tensor
    present: Tensor
    tuning: Tensor
    rf_hz: Tensor
    weight: Tensor
    offset: tuple[Tensor, Tensor]
    reach: float

    def of(self, chains: Tensor) -> "Swept":
        """Return some of the chains, by number."""
        parts = (self.tones_hz, self.present, self.tuning, self.rf_hz, self.weight)
        one, other = self.offset
        return Swept(*(part[chains] for part in parts), (one[chains], other[chains]), self.reach)


@dataclass(frozen=True)
class Noise:
    """How readings and programmings scatter.

    Args:
        reading: Of one reading, in units of a weight.
        scatter: Of one programming, over the largest weight: a resonance that is off by this times G / 2.
    """

    reading: float
    scatter: float


class ChainFit:
    """The fit of chains side by side.

    Coordinates of each resonator: centre less its source's tone and span, in half-linewidths as designed; ln(G /
    designed); K over the designed one. Then the offset over that K.

    Args:
        swept: The data.
        ladder: As designed: the units, and where the priors are.
        signs: Of the largest weights, +1 or -1, (chain, resonator).
    """

    def __init__(self, swept: Swept, ladder: Ladder, signs: Tensor) -> None:
        self.swept, self.ladder = swept, ladder
        self._rf_hz = swept.rf_hz.flatten(2)  # (chain, level, tone)
        self._weighs = swept.weight.flatten(2).isfinite()
        self._data = swept.weight.flatten(2).nan_to_num(0.0) / ladder.max_weight
        self._mean, self._information = self._prior(signs)

    def _prior(self, signs: Tensor) -> tuple[Tensor, Tensor]:
        swept, ladder = self.swept, self.ladder
        span = ladder.tuning_span_hz / ladder.half_linewidth_hz
        each = torch.stack(
            [torch.zeros_like(signs), torch.zeros_like(signs), signs, torch.full_like(signs, span)], dim=-1
        )
        wide = (PRIOR[0] * swept.reach, PRIOR[1], PRIOR[2], PRIOR[3] * abs(span))
        widths = torch.tensor(wide, dtype=torch.float64).expand_as(each).flatten(1)
        at, variance = (one / ladder.max_weight**power for one, power in zip(swept.offset, (1, 2), strict=True))
        known = 1 / variance + 1 / _OFFSET_PRIOR**2
        mean = torch.cat([each.flatten(1), (at / variance / known)[:, None].nan_to_num(0.0)], dim=1)
        return mean, torch.cat([widths**-2, known[:, None]], dim=1)  # (chain, parameter)

    def values(self, chain: Chain, offset: Tensor) -> Tensor:
        """Return coordinates, (chain, 4 resonator + 1)."""
        ladder = self.ladder
        each = torch.stack(
            [
                (chain.resonance_hz - self.swept.tones_hz) / ladder.half_linewidth_hz,
                (chain.half_linewidth_hz / ladder.half_linewidth_hz).log(),
                chain.max_weight / ladder.max_weight,
                chain.tuning_span_hz / ladder.half_linewidth_hz,
            ],
            dim=-1,
        )
        return torch.cat([each.flatten(1), offset[:, None] / ladder.max_weight], dim=1)

    def chain(self, values: Tensor, chains: Tensor | slice = slice(None)) -> tuple[Chain, Tensor]:
        """Return resonators and offsets of coordinates."""
        ladder = self.ladder
        centre, width, size, span = values[:, :-1].unflatten(1, (-1, 4)).unbind(-1)
        found = Chain(
            self.swept.tones_hz[chains] + ladder.half_linewidth_hz * centre,
            ladder.half_linewidth_hz * width.exp(),
            ladder.max_weight * size,
            ladder.half_linewidth_hz * span,
        )
        return found, ladder.max_weight * values[:, -1]

    def residual(self, values: Tensor, chains: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return residuals (chain, level, tone), over K as designed, with their derivatives.

        Those by coordinates are (chain, level, tone, parameter), those by e (chain, level, tone, resonator).
        """
        numbers = torch.arange(len(self._data)) if chains is None else chains
        swept, ladder, rf_hz = self.swept.of(numbers), self.ladder, self._rf_hz[numbers]
        here, offset = self.chain(values, numbers)
        each = here.mapped(lambda one: one[:, None, None])
        tuning = swept.tuning[:, :, None]  # (chain, level, 1, resonator)
        weigh, there = self._weighs[numbers], swept.present[:, None, None]
        slopes = each.slopes(tuning, rf_hz) * (weigh[..., None] & there)[..., None]
        width = ladder.half_linewidth_hz
        one = torch.ones_like(here.half_linewidth_hz)
        scales = torch.stack([width * one, here.half_linewidth_hz, ladder.max_weight * one, width * one], dim=-1)
        jacobian = (slopes * scales[:, None, None] / ladder.max_weight).flatten(-2)
        jacobian = torch.cat([jacobian, weigh[..., None].double()], dim=-1)
        model = (each.parts(tuning, rf_hz) * there).sum(-1) + offset[:, None, None]
        off = (self._data[numbers] - model / ladder.max_weight) * weigh
        moves = here.half_linewidth_hz / 2 * (here.tuning_span_hz != 0)
        felt = slopes[..., 0] * moves[:, None, None] / ladder.max_weight
        return off, jacobian, felt

    def found(self, start: Tensor, moving: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Move coordinates to where the data are described best; return them and which chains came to rest.

        How readings of a level are correlated is worked out at the start, and kept.

        Args:
            start: Coordinates.
            moving: Which coordinates of each resonator are fitted, boolean, (chain, resonator, 4); the others stay.
            noise: Of readings and programmings.
        """
        reading = noise.reading / self.ladder.max_weight
        taken = _Taken.of(self.residual(start)[2], noise.scatter / reading)

        def look(values: Tensor, chains: Tensor) -> NormalEquations:
            off, jacobian, _ = self.residual(values[chains], chains)
            return self._equations(values[chains], chains, off, jacobian, taken.of_chains(chains), reading)

        free, size = self._free(moving), start.shape[0]
        lowest, highest = self._bounds(start)
        longest = torch.tensor([*_FARTHEST[:4]] * self.swept.tones_hz.shape[1] + [_FARTHEST[4]], dtype=torch.float64)
        where = torch.maximum(torch.minimum(start, highest), lowest)
        best = levenberg_marquardt(
            look, where, longest.expand(size, -1), (lowest, highest), free, least_gain=1e-6, most_looks=_MOST_LOOKS
        )
        return best.values, best.converged

    def information(self, values: Tensor, noise: Noise) -> Tensor:
        """Return the information about the coordinates, with what was known before, (chain, parameter, parameter)."""
        reading = noise.reading / self.ladder.max_weight
        off, jacobian, felt = self.residual(values)
        numbers = torch.arange(len(values))
        return self._equations(values, numbers, off, jacobian, _Taken.of(felt, noise.scatter / reading), reading).normal

    def _equations(
        self, values: Tensor, chains: Tensor, off: Tensor, jacobian: Tensor, taken: "_Taken", reading: float
    ) -> NormalEquations:
        both = torch.cat([jacobian, off[..., None]], dim=-1)
        square = taken.squared(both) / reading**2
        samples = self._weighs[chains].sum((1, 2)).double()
        sums = NormalEquations(square[:, -1, -1], square[:, :-1, :-1], square[:, :-1, -1], samples)
        return sums.with_prior(torch.diag_embed(self._information[chains]), self._mean[chains] - values)

    def likelihoods(self, values: Tensor, moving: Tensor) -> Tensor:
        """Return of each ratio in `_RATIOS` what the residual likelihood needs, summed over the chains, (ratio, 3).

        Logarithms of the determinants of C (over noise^2) and of the information, squares of what is left, and how many
        readings are free.
        """
        off, jacobian, felt = self.residual(values)
        free = self._free(moving)
        both = torch.cat([jacobian * free[:, None, None], off[..., None]], dim=-1)
        parts = _Parts.of(felt, both)
        rows = [self._likelihood(parts, free, ratio) for ratio in _RATIOS]
        return torch.stack(rows)

    def _likelihood(self, parts: "_Parts", free: Tensor, ratio: float) -> Tensor:
        square, determinant = parts.at(ratio)
        normal, gradient = square[:, :-1, :-1], square[:, :-1, -1]
        scale = torch.where(free, normal.diagonal(dim1=1, dim2=2), 1.0).clamp_min(1e-30).sqrt()
        # A parameter that nothing tells is none.
        unit = normal / scale[:, :, None] / scale[:, None, :] + torch.diag_embed((~free).double() + 1e-12)
        root, _ = torch.linalg.cholesky_ex(unit)
        left = square[:, -1, -1] - (
            torch.cholesky_solve((gradient / scale)[..., None], root)[..., 0] * gradient / scale
        ).sum(1)
        logarithm = 2 * root.diagonal(dim1=1, dim2=2).clamp_min(1e-30).log().sum() + 2 * scale.log().sum()
        freedom = self._weighs.sum() - free.sum()
        return torch.stack([determinant + logarithm, left.sum(), freedom.double()])

    def covariance(self, values: Tensor, moving: Tensor, noise: Noise) -> Tensor:
        """Return the covariance of resonance, G, K and span of each resonator in SI, (chain, resonator, 4, 4)."""
        whole = covariance(self.information(values, noise), self._free(moving))
        count = self.swept.tones_hz.shape[1]
        own = whole[:, :-1, :-1].unflatten(2, (count, 4)).unflatten(1, (count, 4)).diagonal(dim1=1, dim2=3)
        own = own.movedim(-1, 1)  # (chain, resonator, 4, 4)
        here, _ = self.chain(values)
        width, most = self.ladder.half_linewidth_hz, self.ladder.max_weight
        one = torch.ones_like(here.half_linewidth_hz)
        scales = torch.stack([width * one, here.half_linewidth_hz, most * one, width * one], dim=-1)
        return own * scales[..., :, None] * scales[..., None, :]

    def left(self, values: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """Return chi-square over degrees of freedom of the window of each resonator, and its most probable scatter.

        Returns:
            (chain, resonator), and by how much each resonance was off at each level, in Hz, (chain, level, resonator).
        """
        reading, shape = noise.reading / self.ladder.max_weight, self.swept.weight.shape
        off, _, felt = self.residual(values)
        taken = _Taken.of(felt, noise.scatter / reading)
        squares = (off * taken.without(off)).view(shape).sum((1, 3)) / reading**2
        freedom = self._weighs.view(shape).sum((1, 3)) - 4
        here, _ = self.chain(values)
        return squares / freedom.clamp_min(1), taken.scatter(felt, off) * (here.half_linewidth_hz / 2)[:, None]

    def _free(self, moving: Tensor) -> Tensor:
        each = (moving & self.swept.present[..., None]).flatten(1)
        return torch.cat([each, torch.ones(len(each), 1, dtype=torch.bool)], dim=1)

    def _bounds(self, start: Tensor) -> tuple[Tensor, Tensor]:
        span = abs(self.ladder.tuning_span_hz) / self.ladder.half_linewidth_hz
        inf = float("inf")
        high = [self.swept.reach + 1.5 * span, _WIDEST, inf, inf] * self.swept.tones_hz.shape[1] + [inf]
        highest = torch.tensor(high, dtype=torch.float64).expand_as(start)
        return -highest, highest


@dataclass(frozen=True)
class _Taken:
    """What the scatter of programmings makes of sums over the readings of a level: C^-1 over noise^2.

    C^-1 = 1 - U U^T with U = D (D^T D + 1 / ratio^2)^(-1/2), Woodbury's identity.
    """

    factor: Tensor | None  # U, (chain, level, tone, resonator)
    ratio: float = 0.0

    @classmethod
    def of(cls, felt: Tensor, ratio: float) -> "_Taken":
        if ratio == 0:
            return cls(None)
        inner = felt.mT @ felt + torch.eye(felt.shape[-1], dtype=felt.dtype) / ratio**2
        root = torch.linalg.cholesky(inner)
        return cls(torch.linalg.solve_triangular(root, felt.mT, upper=False).mT, ratio)

    def of_chains(self, chains: Tensor) -> "_Taken":
        return self if self.factor is None else _Taken(self.factor[chains], self.ratio)

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
class _Parts:
    """Sums of which the same for another ratio follow at once: D^T D in its eigenbasis."""

    whole: Tensor  # both^T both, (chain, column, column)
    values: Tensor  # Of D^T D, (chain, level, resonator)
    turned: Tensor  # V^T D^T both, (chain, level, resonator, column)

    @classmethod
    def of(cls, felt: Tensor, both: Tensor) -> "_Parts":
        flat = both.flatten(1, 2)
        values, vectors = torch.linalg.eigh(felt.mT @ felt)
        return cls(flat.mT @ flat, values.clamp_min(0.0), vectors.mT @ (felt.mT @ both))

    def at(self, ratio: float) -> tuple[Tensor, Tensor]:
        """Return both^T C^-1 both and ln det C of all chains, C over noise^2."""
        if ratio == 0:
            return self.whole, torch.zeros((), dtype=torch.float64)
        scaled = (self.turned / (self.values + ratio**-2).sqrt()[..., None]).flatten(1, 2)
        return self.whole - scaled.mT @ scaled, (1 + ratio**2 * self.values).log().sum()


def most_probable(sums: Tensor, max_weight: float) -> Noise:
    """Return the noise whose residual likelihood is largest.

    Args:
        sums: Of all chains, as `ChainFit.likelihoods` gives them, (ratio, 3); the first alone for no scatter.
        max_weight: K as designed.
    """
    logarithm, squares, freedom = sums.unbind(-1)
    score = logarithm + freedom * (squares / freedom).clamp_min(1e-300).log()
    best = int(score.argmin())
    ratio, variance = _RATIOS[best], float(squares[best] / freedom[best])
    if 1 < best < len(score) - 1:
        place = torch.tensor(_RATIOS[best - 1 : best + 2], dtype=torch.float64).log()
        low, here, high = score[best - 1 : best + 2].tolist()
        bend = low - 2 * here + high
        ratio = float((place[1] + (place[2] - place[1]) * 0.5 * (low - high) / bend).exp()) if bend > 0 else ratio
    reading = max(variance, _LEAST_VARIANCE) ** 0.5
    return Noise(reading * max_weight, ratio * reading)
