"""From powers at the nodes to what a digitizer records: delay, first-order low-pass, gain, offset; and the Jacobian."""

import torch
from torch import Tensor

from spinhw.surrogate.lowpass import Cubic, between, gather, lowpass
from spinhw.surrogate.oscillators import Oscillators
from spinhw.surrogate.response import Response, slopes

# Below this share of a step the low-pass is taken at that: hardly anything changes, and nothing is divided by zero.
_LEAST_LAG = 1e-3


def read(
    response: Response, oscillators: Oscillators, every: int, padding: int, timed: bool
) -> tuple[Tensor, Tensor | None]:
    """Give the samples that would be recorded, and their derivatives.

    Args:
        response: Of these oscillators; it begins `padding` steps before the time of the first sample and ends so many
            after the last, so that a delay of either sign has something to look at.
        oscillators: With their read-out.
        every: Steps from one sample to the next.
        padding: Steps before the first sample and after the last.
        timed: Whether delay and lag count; otherwise both are taken for zero and have no derivative.

    Returns:
        Samples (batch, time + 1, oscillator), and derivatives in the coordinates of a fit, in the order of
        `PARAMETERS`, (7, batch, time + 1, oscillator); None where the response has no tangents.
    """
    last = response.power.shape[1] - 1 - 2 * padding
    if timed:
        # Only cables in the way, as mostly: then a low-pass would be half of the work, for nothing.
        through = _timed if bool((oscillators.lag > 0).any()) else _delayed
        signals, by_delay, by_lag = through(response, oscillators, every, padding, last)
    else:
        nodes = slice(padding, padding + last + 1, every)
        signals = _stack(response)[:, :, nodes]
        by_delay = by_lag = torch.zeros_like(signals[0])
    gain, samples = oscillators.gain, oscillators.offset + oscillators.gain * signals[0]
    if response.tangents is None:
        return samples, None
    by_gain, ones = (gain * signals[0])[None], torch.ones_like(samples)[None]
    derivatives = torch.cat([gain * signals[1:], by_gain, ones, gain * by_delay[None], gain * by_lag[None]])
    return samples, derivatives


def _stack(response: Response) -> Tensor:
    """Give x and its tangents as one, (1 or 4, batch, node, oscillator)."""
    return response.power[None] if response.tangents is None else torch.cat([response.power[None], response.tangents])


def _delayed(
    response: Response, oscillators: Oscillators, every: int, padding: int, last: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Give what `_timed` gives where no oscillator lags: its limit, where a lag adds lag^2 / 2 d^2x/dt^2."""
    place = torch.arange(0, last + 1, every)[:, None] + padding - oscillators.delay / response.step_s
    node = place.floor().clamp(0, response.power.shape[1] - 2).long()
    values, (starts, ends) = _stack(response), slopes(response)
    ends_of = (gather(values, node), gather(values, node + 1))
    cubic = Cubic.joining(*ends_of, gather(starts, node), gather(ends, node), response.step_s)
    time_s = (place - node) * response.step_s
    sampled, rate, _ = cubic.particular(time_s, torch.zeros_like(time_s))
    # Where the drive changes the slope has two sides, and the delay may go to either: their mean.
    before = gather(ends[:1], (node - 1).clamp_min(0))[0]
    rate = torch.where(place == node, (rate[0] + before) / 2, rate[0])
    return sampled, -rate, cubic.c2[0] + 3 * cubic.c3[0] * time_s


def _timed(
    response: Response, oscillators: Oscillators, every: int, padding: int, last: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Give the delayed and lagged signals, and the derivatives of the first by delay and squared lag."""
    h, lag = response.step_s, oscillators.lag.clamp_min(_LEAST_LAG * response.step_s)
    values = _stack(response)
    cubic = Cubic.through(values, *slopes(response), h)
    lagged, by_lag = lowpass(values, cubic, h, lag)
    # The lag alone makes the record late by as much; cables for the rest of the delay.
    place = torch.arange(0, last + 1, every)[:, None] + padding - (oscillators.delay - lag) / h
    sampled, rate, late = between(cubic, lagged, by_lag, place, h, lag)
    # The delay is held while the lag changes, and the coordinate is the square of the lag.
    return sampled, -rate, (late + rate) / (2 * lag)
