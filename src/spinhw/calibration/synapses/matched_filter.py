"""Where the fit of chains begins: a matched filter over the windows of each resonator, with the tails of others off."""

from dataclasses import replace

import torch
from torch import Tensor

from spinhw.calibration.synapses.joint import Swept
from spinhw.physics import Chain, Ladder

_STEP = 0.5  # Between centres that are tried, in half-linewidths as designed.
_WIDTHS = (0.7, 1.4)  # Over the designed one.
_ROUNDS = 3  # What others add is taken off with what was found of them the round before.
_WIDE = 6.0  # Tones further from a centre than so many half-linewidths tell of tails, and of other resonators.
_LARGEST = 1.5  # Size of a weight over the designed one that is tried.
# A line far from its design is believed where it explains much more: at the end of the reach, seven times as much.
_LIKELY = 0.5
_SAME = 2.0  # Centres nearer than so many half-linewidths are taken for the same in the first rounds.
_LEAST_SEEN = 0.5  # Squares of a shape: below it no tone was near.


def first_look(swept: Swept, ladder: Ladder, known: Chain | None = None, again: Tensor | None = None) -> Chain:
    """Return for each resonator the best of the centres and widths that are tried, moving by its span or not at all.

    The sign of its weight is that of the best.

    Args:
        swept: The data.
        ladder: As designed.
        known: What was found before; None for nothing.
        again: Which resonators are looked for, boolean, (chain, resonator); the others stay as known. None for all.
    """
    one = torch.ones_like(swept.tones_hz)
    again = torch.ones_like(swept.present) if again is None else again
    nothing = Chain(swept.tones_hz, ladder.half_linewidth_hz * one, 0 * one, ladder.tuning_span_hz * one)
    known = nothing if known is None else known
    found = _where(again, nothing, known)
    data = (swept.weight - swept.offset[0][:, None, None, None]) / ladder.max_weight
    for _ in range(_ROUNDS):
        others = _others(swept, _without_doubles(swept, ladder, found))
        found = _where(again, _better(swept, ladder, data - others / ladder.max_weight), known)
    return found


def _where(chosen: Tensor, these: Chain, others: Chain) -> Chain:
    pairs = zip(these.tensors().items(), others.tensors().values(), strict=True)
    return Chain(**{name: torch.where(chosen, one, other) for (name, one), other in pairs})


def _without_doubles(swept: Swept, ladder: Ladder, found: Chain) -> Chain:
    """Where two resonators claim the same resonance, leave it to the one that is designed to be nearer."""
    apart = found.resonance_hz[:, :, None] - found.resonance_hz[:, None]
    off = (found.resonance_hz - swept.tones_hz).abs()
    there = swept.present[:, :, None] & swept.present[:, None] & (off[:, :, None] > off[:, None])
    double = ((apart.abs() < _SAME * ladder.half_linewidth_hz) & there).any(-1)
    return replace(found, max_weight=torch.where(double, 0.0, found.max_weight))


def _others(swept: Swept, found: Chain) -> Tensor:
    """Return what all resonators but its own add to each window, (chain, level, resonator, tone)."""
    whole = found.mapped(lambda part: part[:, None, None, None])
    parts = whole.parts(swept.tuning[:, :, None, None], swept.rf_hz)  # (chain, level, window, tone, resonator)
    own = parts.diagonal(dim1=2, dim2=4).movedim(-1, 2)  # (chain, level, resonator, tone)
    return parts.sum(-1) - own


def _better(swept: Swept, ladder: Ladder, data: Tensor) -> Chain:
    """Try everything for every resonator, with data without the others, (chain, level, resonator, tone)."""
    unit, weighs, data = ladder.half_linewidth_hz, data.isfinite(), data.nan_to_num(0.0)
    span = ladder.tuning_span_hz / unit
    tones = (swept.rf_hz - swept.tones_hz[:, None, :, None]) / unit
    best = torch.zeros(5, *swept.tones_hz.shape, dtype=torch.float64)
    for reach, moved in ((swept.reach, span), (swept.reach + abs(span), 0.0)):
        centres = torch.arange(-reach, reach + _STEP / 2, _STEP, dtype=torch.float64)
        detuning = (tones - moved * swept.tuning[..., None])[..., None] - centres
        likely = (-((centres / (_LIKELY * reach)) ** 2) / 2).exp()
        near = (detuning.abs() < _WIDE) & weighs[..., None]  # (chain, level, resonator, tone, centre)
        for share in _WIDTHS:
            shape = 2 * share * detuning / (detuning**2 + share**2) * near
            power, along = (shape**2).sum((1, 3)), (shape * data[..., None]).sum((1, 3))
            # What a size takes off the sum of squares; the largest allowed where more would take more.
            size = (along / power.clamp_min(_LEAST_SEEN)).clamp(-_LARGEST, _LARGEST)
            less = size * (2 * along - size * power) * likely
            gain, place = torch.where(power > _LEAST_SEEN, less, 0.0).max(-1)  # (chain, resonator)
            one = torch.ones_like(gain)
            here = torch.stack(
                [
                    gain,
                    swept.tones_hz + unit * centres[place],
                    share * unit * one,
                    size.gather(-1, place[..., None])[..., 0] * ladder.max_weight * swept.present,
                    moved * unit * one,
                ]
            )
            best = torch.where(here[0] >= best[0], here, best)
    return Chain(*best[1:])
