"""What the trace of a running network tells of its oscillators and synapses: what a model of them misses by."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from spinhw.surrogate.feedback import Felt, NetworkRecord
from spinhw.surrogate.oscillators import DYNAMICS, Oscillators
from spinhw.surrogate.synapses import Synapses
from spinhw.surrogate.tangents import Driven

# Samples after which residuals are taken to be no longer correlated.
_STRETCH = 16
_DYNAMICS = len(DYNAMICS)
_LEAST_NOISE = 1e-4  # Rounding, and what no model of an oscillator gets right.
_NEURONS = 24  # Looked at together: what they need stays in the cache.


@dataclass(frozen=True)
class Evidence:
    """Sums over the good samples of some neurons.

    Args:
        squares: Squared residuals, (neuron,).
        normal: J^T J, (neuron, parameter, parameter).
        gradient: J^T (measured - model), (neuron, parameter).
        spread: Covariance of the gradient of the dynamics as the residuals scatter, with their correlation over time,
            (neuron, 3, 3).
        samples: Good samples, (neuron,).
    """

    squares: Tensor
    normal: Tensor
    gradient: Tensor
    spread: Tensor
    samples: Tensor

    def variance(self, noise: float) -> Tensor:
        """Give the variance of a residual, at least that of the noise, (neuron,)."""
        return (self.squares / self.samples.clamp_min(1)).clamp_min(max(noise, _LEAST_NOISE) ** 2)

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(
            self.squares + other.squares,
            self.normal + other.normal,
            self.gradient + other.gradient,
            self.spread + other.spread,
            self.samples + other.samples,
        )


@torch.no_grad()
def evidence(
    record: NetworkRecord, felt: Felt, oscillators: Oscillators, synapses: Synapses, weights: Tensor, chosen: Tensor
) -> Evidence:
    """Compare the model of some neurons with what was measured.

    Args:
        record: What was measured.
        felt: The drives.
        oscillators: Those of all neurons as they seem.
        synapses: Those that are fitted.
        weights: As they were read back, (neuron, slot).
        chosen: Numbers of the neurons.
    """
    driven = Driven.by(felt, oscillators, record.neurons, chosen)
    every = len(chosen) == oscillators.count
    good, measured = (one if every else one[..., chosen] for one in (record.good, record.power))
    apart = torch.where(good, measured - driven.power, torch.zeros_like(driven.power)).permute(2, 1, 0).contiguous()
    good = good.permute(2, 1, 0)
    sources, places = felt.sources.permute(2, 1, 0).contiguous(), synapses.sources[chosen]
    weights, parts = weights[chosen].float(), []
    for first in range(0, len(chosen), _NEURONS):
        part = slice(first, first + _NEURONS)
        tangents = driven.tangents(part, sources[places[part]], weights[part])
        parts.append(_sums(tangents, apart[part], good[part]))
    return Evidence(*(torch.cat([getattr(one, item.name) for one in parts]) for item in fields(Evidence)))


def _sums(tangents: Tensor, apart: Tensor, good: Tensor) -> Evidence:
    """Sum over the samples of some neurons; `apart` and `good` (neuron, sample, batch)."""
    if not bool(good.all()):
        tangents = tangents * good[:, None]
    flat = tangents.flatten(2)  # (neuron, parameter, sample and batch)
    normal = torch.bmm(flat, flat.transpose(1, 2)).double()
    gradient = torch.bmm(flat, apart.flatten(1)[..., None])[..., 0].double()
    squares, samples = (apart**2).sum((1, 2)).double(), good.sum((1, 2)).double()
    return Evidence(squares, normal, gradient, _spread(tangents[:, :_DYNAMICS], apart), samples)


def _spread(tangents: Tensor, apart: Tensor) -> Tensor:
    """Give the sum of g g^T over stretches of samples, g the gradient of one: longer than residuals are correlated."""
    pushes = tangents * apart[:, None]  # (neuron, 3, sample, batch)
    samples = pushes.shape[2]
    whole = samples // _STRETCH * _STRETCH or samples
    parts = pushes[:, :, :whole].unflatten(2, (-1, min(_STRETCH, whole))).sum(3).flatten(2).double()
    return parts @ parts.transpose(1, 2) * (samples / whole)
