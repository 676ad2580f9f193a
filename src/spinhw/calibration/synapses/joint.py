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

from spinhw.calibration.synapses.scatter import RATIOS, CorrelatedLevels, ReadingNoise, SpreadSums
from spinhw.estimate import NormalEquations, covariance, levenberg_marquardt
from spinhw.physics import Chain, Ladder

# What is known beforehand of each resonator, 1 sigma around the design: centre over the reach of the windows, ln G, K
# over the designed one, span over the designed one. Wide beside what readings tell.
PRIOR = (0.5, 0.5, 0.5, 0.25)
_OFFSET_PRIOR = 1.0  # Over the largest weight.
_FARTHEST = (0.5, 0.3, 0.3, 0.5, 0.1)  # Longest steps: centre, ln G, K, span, offset; in half-linewidths and of K.
_WIDEST = 2.3  # |ln(G / designed)|, a factor of ten.
_MOST_LOOKS = 60


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
        return Swept(
            self.tones_hz[chains],
            self.present[chains],
            self.tuning[chains],
            self.rf_hz[chains],
            self.weight[chains],
            (self.offset[0][chains], self.offset[1][chains]),
            self.reach,
        )


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

    def found(self, start: Tensor, moving: Tensor, noise: ReadingNoise) -> tuple[Tensor, Tensor]:
        """Move coordinates to where the data are described best; return them and which chains came to rest.

        How readings of a level are correlated is worked out at the start, and kept.

        Args:
            start: Coordinates.
            moving: Which coordinates of each resonator are fitted, boolean, (chain, resonator, 4); the others stay.
            noise: Of readings and programmings.
        """
        reading = noise.reading / self.ladder.max_weight
        taken = CorrelatedLevels.of(self.residual(start)[2], noise.scatter / reading)

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

    def information(self, values: Tensor, noise: ReadingNoise) -> Tensor:
        """Return the information about the coordinates, with what was known before, (chain, parameter, parameter)."""
        reading = noise.reading / self.ladder.max_weight
        off, jacobian, felt = self.residual(values)
        numbers = torch.arange(len(values))
        return self._equations(
            values, numbers, off, jacobian, CorrelatedLevels.of(felt, noise.scatter / reading), reading
        ).normal

    def _equations(
        self, values: Tensor, chains: Tensor, off: Tensor, jacobian: Tensor, taken: "CorrelatedLevels", reading: float
    ) -> NormalEquations:
        both = torch.cat([jacobian, off[..., None]], dim=-1)
        square = taken.squared(both) / reading**2
        samples = self._weighs[chains].sum((1, 2)).double()
        sums = NormalEquations(square[:, -1, -1], square[:, :-1, :-1], square[:, :-1, -1], samples)
        return sums.with_prior(torch.diag_embed(self._information[chains]), self._mean[chains] - values)

    def likelihoods(self, values: Tensor, moving: Tensor) -> Tensor:
        """Return of each ratio in `RATIOS` what the residual likelihood needs, (ratio, chain, 3).

        Logarithms of the determinants of C (over noise^2) and of the information, squares of what is left, and how many
        readings are free.
        """
        off, jacobian, felt = self.residual(values)
        free = self._free(moving)
        both = torch.cat([jacobian * free[:, None, None], off[..., None]], dim=-1)
        parts = SpreadSums.of(felt, both)
        rows = [self._likelihood(parts, free, ratio) for ratio in RATIOS]
        return torch.stack(rows)

    def _likelihood(self, parts: "SpreadSums", free: Tensor, ratio: float) -> Tensor:
        square, determinant = parts.at(ratio)
        normal, gradient = square[:, :-1, :-1], square[:, :-1, -1]
        scale = torch.where(free, normal.diagonal(dim1=1, dim2=2), 1.0).clamp_min(1e-30).sqrt()
        # A parameter that nothing tells is none.
        unit = normal / scale[:, :, None] / scale[:, None, :] + torch.diag_embed((~free).double() + 1e-12)
        root, _ = torch.linalg.cholesky_ex(unit)
        left = square[:, -1, -1] - (
            torch.cholesky_solve((gradient / scale)[..., None], root)[..., 0] * gradient / scale
        ).sum(1)
        logarithm = 2 * root.diagonal(dim1=1, dim2=2).clamp_min(1e-30).log().sum(1) + 2 * scale.log().sum(1)
        freedom = self._weighs.sum((1, 2)) - free.sum(1)
        return torch.stack([determinant + logarithm, left, freedom.double()], dim=-1)

    def covariance(self, values: Tensor, moving: Tensor, noise: ReadingNoise) -> Tensor:
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

    def left(self, values: Tensor, noise: ReadingNoise) -> tuple[Tensor, Tensor]:
        """Return chi-square over degrees of freedom of the window of each resonator, and its most probable scatter.

        Returns:
            (chain, resonator), and by how much each resonance was off at each level, in Hz, (chain, level, resonator).
        """
        reading, shape = noise.reading / self.ladder.max_weight, self.swept.weight.shape
        off, _, felt = self.residual(values)
        taken = CorrelatedLevels.of(felt, noise.scatter / reading)
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
