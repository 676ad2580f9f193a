"""Where the fit of chains begins: a matched filter over the windows of each resonator, with the tails of others off."""

import torch
from torch import Tensor

from spinhw.calibration.synapses.joint import Swept
from spinhw.physics import Chain, Ladder

_STEP = 0.5  # Between centres that are tried, in half-linewidths as designed.
_WIDTHS = (0.7, 1.4)  # Over the designed one.
_ROUNDS = 3  # What others add is taken off with what was found of them the round before.
_WIDE = 6.0  # Tones further from a centre than so many half-linewidths tell of tails, and of other resonators.
_LEAST_SEEN = 0.5  # Squares of a shape: below it no tone was near.


def first_look(swept: Swept, ladder: Ladder) -> Chain:
    """Return for each resonator the best of the centres and widths that are tried, moving by its span or not at all.

    The sign of its weight is that of the best.

    Args:
        swept: The data.
        ladder: As designed.
    """
    one = torch.ones_like(swept.tones_hz)
    found = Chain(swept.tones_hz, ladder.half_linewidth_hz * one, 0 * one, ladder.tuning_span_hz * one)
    data = (swept.weight - swept.offset[0][:, None, None, None]) / ladder.max_weight
    for _ in range(_ROUNDS):
        found = _better(swept, ladder, data - _others(swept, found) / ladder.max_weight)
    return found


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
    best: Tensor | None = None
    for reach, moved in ((swept.reach, span), (swept.reach + abs(span), 0.0)):
        centres = torch.arange(-reach, reach + _STEP / 2, _STEP, dtype=torch.float64)
        detuning = (tones - moved * swept.tuning[..., None])[..., None] - centres
        near = (detuning.abs() < _WIDE) & weighs[..., None]  # (chain, level, resonator, tone, centre)
        for share in _WIDTHS:
            shape = 2 * share * detuning / (detuning**2 + share**2) * near
            power, along = (shape**2).sum((1, 3)), (shape * data[..., None]).sum((1, 3))
            size = along / power.clamp_min(_LEAST_SEEN)
            gain, place = torch.where(power > _LEAST_SEEN, along * size, 0.0).max(-1)  # (chain, resonator)
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
            best = here if best is None else torch.where(here[0] > best[0], here, best)
    return Chain(*best[1:])
