"""From sweeps to resonators: where the search begins, how noise is told from scatter, what does not work is held."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.calibration.synapses.joint import ChainFit, Swept
from spinhw.calibration.synapses.matched_filter import first_look
from spinhw.calibration.synapses.scatter import ReadingNoise, most_probable
from spinhw.physics import Chain, Ladder

_POOR = 2.5  # Chi-square over the degrees of freedom around a resonator beyond which it is looked for again.
_ROUNDS = 3  # Of resonators with noise as known, and noise with resonators as known: the second changes little.
_FIRST = ReadingNoise(0.01, 0.005)  # Over the largest weight, where nothing was measured without a tone.
# A resonance must stand so far above its error, and have so much of the largest weight, or it is none.
LEAST_SEEN, LEAST_WEIGHT = 6.0, 0.05
LEAST_SPAN = 0.2  # Of the design: below it nothing follows its tuning.


@dataclass(frozen=True)
class Fitted:
    """What was found of chains side by side.

    Args:
        swept: The data.
        chain: Resonators, each tensor (chain, resonator); one without a resonance has no weight, a stuck one no span.
        covariance: Of resonance, G, K and span in SI, of each resonator, (chain, resonator, 4, 4).
        offset: Weight that is there at all tones, (chain,).
        noise: How readings and programmings scatter, of all chains that were fitted together.
        chi2: Of the readings around each resonator, over the degrees of freedom, (chain, resonator).
        centres_hz: Most probable centre of each resonance at each level, (chain, level, resonator).
        seen: Which resonators rectify something, boolean, (chain, resonator).
        moves: Which follow their tuning, boolean, (chain, resonator).
        weight: Of each before one without a resonance was taken out, (chain, resonator).
    """

    swept: Swept
    chain: Chain
    covariance: Tensor
    offset: Tensor
    noise: ReadingNoise
    chi2: Tensor
    centres_hz: Tensor
    seen: Tensor
    moves: Tensor
    weight: Tensor


@dataclass(frozen=True)
class SweptWindows:
    """The sweep of one chain: a window of tones around each of its resonators, at each programming.

    Args:
        tones_hz: Of the source of each resonator, (resonator,).
        tuning: Of each, (level, resonator).
        rf_hz: (level, resonator, tone).
        weight: Voltage over power; NaN where nothing counts; same shape.
        offset: Weight without a tone, and the variance of that; infinite where it was not measured.
    """

    tones_hz: Tensor
    tuning: Tensor
    rf_hz: Tensor
    weight: Tensor
    offset: tuple[float, float] = (0.0, float("inf"))


def side_by_side(chains: Sequence[SweptWindows], reach: float) -> Swept:
    """Put chains with equally many levels and tones beside each other, the shorter ones with absent resonators.

    Args:
        chains: At least one.
        reach: Of their windows, in half-linewidths as designed.
    """
    count = max(len(one.tones_hz) for one in chains)

    def padded(parts: Sequence[Tensor], axis: int, value: float) -> Tensor:
        whole = []
        for part in parts:
            shape = list(part.shape)
            shape[axis] = count - shape[axis]
            whole.append(torch.cat([part, torch.full(shape, value, dtype=part.dtype)], dim=axis))
        return torch.stack(whole)

    present = padded([torch.ones(len(one.tones_hz), dtype=torch.bool) for one in chains], 0, 0)
    offsets = torch.tensor([one.offset for one in chains], dtype=torch.float64)
    return Swept(
        padded([one.tones_hz for one in chains], 0, 1e9),
        present,
        padded([one.tuning for one in chains], 1, 0.0),
        padded([one.rf_hz for one in chains], 1, 1e9),
        padded([one.weight for one in chains], 1, torch.nan),
        (offsets[:, 0], offsets[:, 1]),
        reach,
    )


def fit_sweeps(sweeps: Sequence[Swept], ladder: Ladder, reading: float | None = None) -> list[Fitted]:
    """Fit all resonators of chains that share noise and repeatability.

    Args:
        sweeps: One for each batch of chains.
        ladder: As designed.
        reading: Noise of one reading where it was measured without a tone, in units of a weight; to begin with.
    """
    begun = [_begun(one, ladder) for one in sweeps]
    fits, values = [one[0] for one in begun], [one[1] for one in begun]
    moving = [_all(one) for one in sweeps]
    noise = ReadingNoise((reading or _FIRST.reading * ladder.max_weight), _FIRST.scatter)
    for _ in range(_ROUNDS - 1):
        values, noise = _round(fits, values, moving, noise, ladder)
    values = [_second_look(fit, at, there, noise, ladder) for fit, at, there in zip(fits, values, moving, strict=True)]
    known = [_judged(fit, at, noise, ladder) for fit, at in zip(fits, values, strict=True)]
    moving = [held[0] for held in known]
    values, noise = _round(fits, [held[1] for held in known], moving, noise, ladder)
    return [
        _found(fit, at, there, held[2], noise) for fit, at, there, held in zip(fits, values, moving, known, strict=True)
    ]


def _begun(swept: Swept, ladder: Ladder) -> tuple[ChainFit, Tensor]:
    start = first_look(swept, ladder)
    fit = ChainFit(swept, ladder, torch.where(start.max_weight < 0, -1.0, 1.0).double())
    return fit, fit.values(start, swept.offset[0])


def _all(swept: Swept) -> Tensor:
    there = swept.present[..., None].expand(*swept.present.shape, 4).clone()
    if swept.tuning.shape[1] == 1:
        there[..., 3] = False  # One tuning tells no span: that of the design is kept.
    return there


def _round(
    fits: Sequence[ChainFit], values: Sequence[Tensor], moving: Sequence[Tensor], noise: ReadingNoise, ladder: Ladder
) -> tuple[list[Tensor], ReadingNoise]:
    found = [fit.found(at, there, noise)[0] for fit, at, there in zip(fits, values, moving, strict=True)]
    sums = [fit.likelihoods(at, there) for fit, at, there in zip(fits, found, moving, strict=True)]
    # Two centres always lie on their line: they tell no scatter.
    told = min(fit.swept.tuning.shape[1] for fit in fits) > 2
    return found, most_probable(torch.cat(sums, dim=1)[: None if told else 1], ladder.max_weight)


def _second_look(fit: ChainFit, values: Tensor, moving: Tensor, noise: ReadingNoise, ladder: Ladder) -> Tensor:
    """Look again for resonators that are not described, with what is described taken off; keep what is better."""
    chi2, _ = fit.left(values, noise)
    poor = (chi2 > _POOR) & fit.swept.present
    chains = poor.any(1).nonzero()[:, 0]
    if not len(chains):
        return values
    swept, before = fit.swept.of(chains), values[chains]
    part = ChainFit(swept, ladder, torch.where(fit.chain(values)[0].max_weight[chains] < 0, -1.0, 1.0).double())
    known, offset = part.chain(before)
    start = first_look(swept, ladder, known, poor[chains])
    part = ChainFit(swept, ladder, torch.where(start.max_weight < 0, -1.0, 1.0).double())
    after, _ = part.found(part.values(start, offset), moving[chains], noise)
    better = part.left(after, noise)[0].sum(1) < chi2[chains].sum(1)
    return values.index_copy(0, chains, torch.where(better[:, None], after, before))


def _judged(
    fit: ChainFit, values: Tensor, noise: ReadingNoise, ladder: Ladder
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Hold what does nothing, and what does not move: what is fitted, coordinates, and seen, moves, weight."""
    swept, every = fit.swept, _all(fit.swept)
    chain, offset = fit.chain(values)
    error = fit.covariance(values, every, noise).diagonal(dim1=2, dim2=3).clamp_min(0.0).sqrt()
    weight = chain.max_weight
    seen = weight.abs() > torch.maximum(LEAST_SEEN * error[..., 2], torch.tensor(LEAST_WEIGHT * ladder.max_weight))
    least = LEAST_SPAN * abs(ladder.tuning_span_hz)
    moves = (chain.tuning_span_hz.abs() >= least) | (swept.tuning.shape[1] == 1)
    there = every & seen[..., None]
    there[..., 3] &= moves
    held = Chain(
        chain.resonance_hz,
        chain.half_linewidth_hz,
        torch.where(seen, weight, 0.0),
        torch.where(moves, chain.tuning_span_hz, 0.0),
    )
    return there, fit.values(held, offset), (seen & swept.present, moves, weight)


def _found(fit: ChainFit, values: Tensor, moving: Tensor, told: tuple[Tensor, ...], noise: ReadingNoise) -> Fitted:
    chain, offset = fit.chain(values)
    chi2, scattered = fit.left(values, noise)
    centres = chain.resonance_hz[:, None] + chain.tuning_span_hz[:, None] * fit.swept.tuning + scattered
    covariance = fit.covariance(values, moving, noise)
    return Fitted(fit.swept, chain, covariance, offset, noise, chi2, centres, *told)
