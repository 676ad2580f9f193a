"""From numbers of a file to inputs, and to values that are answered: fitted on the training part alone."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinhw.tasks.series.scaling_settings import AnyScaling, NoScaling, RangeScaling

_log = logging.getLogger(__name__)
# Samples that are looked at in one go.
_AT_ONCE = 1 << 18
_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChannelScaling:
    """u = factor (x - offset) + shift, of each channel.

    Args:
        offset: (channel,).
        factor: (channel,), not 0.
        shift: (channel,).
    """

    offset: _Floats
    factor: _Floats
    shift: _Floats

    def apply(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale numbers, (..., channel)."""
        offset, factor, shift = (one.astype(np.float32) for one in (self.offset, self.factor, self.shift))
        scaled = values - offset
        scaled *= factor
        scaled += shift
        return scaled

    def facts(self, names: tuple[Any, ...]) -> dict[str, Any]:
        """Return the numbers as plain data, by channel."""
        rows = zip(self.offset.tolist(), self.factor.tolist(), self.shift.tolist(), strict=True)
        return {str(name): {"offset": x, "factor": f, "shift": u} for name, (x, f, u) in zip(names, rows, strict=True)}


def unscaled(channels: int) -> ChannelScaling:
    """Return a scaling that changes nothing."""
    return ChannelScaling(np.zeros(channels), np.ones(channels), np.zeros(channels))


def fitted(settings: AnyScaling, values: NDArray[np.float32], trained: NDArray[np.bool_], names: Any) -> ChannelScaling:
    """Fit a scaling to the training part.

    Args:
        settings: Which.
        values: (sample, channel), of all parts.
        trained: Which samples are of the training part.
        names: Of the channels, for the log.
    """
    if isinstance(settings, NoScaling):
        return unscaled(values.shape[1])
    if isinstance(settings, RangeScaling):
        low, high = extremes(values, trained)
        if not settings.per_channel:
            low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
        middle, span = (settings.lowest + settings.highest) / 2, settings.highest - settings.lowest
        return ChannelScaling(
            (low + high) / 2, span / _not_constant(high - low, span, names), np.full_like(low, middle)
        )
    mean, deviation = moments(values, trained)
    if not settings.per_channel:
        total = np.sqrt((deviation**2 + (mean - mean.mean()) ** 2).mean())
        mean, deviation = np.full_like(mean, mean.mean()), np.full_like(deviation, total)
    spread = settings.spread
    return ChannelScaling(mean, spread / _not_constant(deviation, spread, names), np.zeros_like(mean))


def standardised(values: NDArray[np.float32], trained: NDArray[np.bool_], names: Any) -> ChannelScaling:
    """Fit the scaling that gives values the mean 0 and the standard deviation 1 in the training part."""
    mean, deviation = moments(values, trained)
    return ChannelScaling(mean, 1 / _not_constant(deviation, 1.0, names), np.zeros_like(mean))


def extremes(values: NDArray[np.float32], chosen: NDArray[np.bool_]) -> tuple[_Floats, _Floats]:
    """Return the least and the greatest of the chosen samples, (channel,)."""
    both = [(one.min(0), one.max(0)) for one in _blocks(values, chosen)]
    low, high = np.min([one for one, _ in both], axis=0), np.max([one for _, one in both], axis=0)
    return low.astype(np.float64), high.astype(np.float64)


def moments(values: NDArray[np.float32], chosen: NDArray[np.bool_]) -> tuple[_Floats, _Floats]:
    """Return mean and standard deviation of the chosen samples, (channel,)."""
    count = int(chosen.sum())
    mean = sum(one.sum(0, dtype=np.float64) for one in _blocks(values, chosen)) / count
    variance = sum(np.square(one - mean).sum(0) for one in _blocks(values, chosen)) / count
    return np.asarray(mean), np.sqrt(np.asarray(variance))


def _blocks(values: NDArray[np.float32], chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.float32]]:
    """Go through the chosen samples, a few MB at a time."""
    for first in range(0, len(values), _AT_ONCE):
        block = values[first : first + _AT_ONCE][chosen[first : first + _AT_ONCE]]
        if len(block):
            yield block


def _not_constant(width: _Floats, otherwise: float, names: Any) -> _Floats:
    """Put a width that changes no scale in place of none: a channel that is constant is only moved."""
    constant = width == 0
    if constant.any():
        _log.warning(
            "these channels are constant in the training part, and are moved but not scaled: %s",
            ", ".join(str(name) for name, still in zip(names, constant, strict=True) if still),
        )
    return np.where(constant, otherwise, width)
