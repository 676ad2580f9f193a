"""What the trace of a running network tells of its oscillators and synapses: residuals, and what parameters do to them.

The parameters of a neuron are ln gamma, ln sigma, Q and then, for each of its synapses, the relative error of the
weight. For drives as they were felt, x of a neuron depends on its own parameters only. The dependence s = dx/dtheta
follows the exact steps of `spinhw.surrogate.response`; for synapses all steps of a sample interval are taken as one,
with the mean of what the synapse carried meanwhile. That makes the step of a fit a little less exact, not its end.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from spinhw.rollout import Neurons, Steps, rollout_driven
from spinhw.surrogate.feedback import SUBSTEPS, Felt, NetworkRecord
from spinhw.surrogate.oscillators import DYNAMICS, Oscillators
from spinhw.surrogate.response import rest_tangents
from spinhw.surrogate.synapses import Synapses

# Samples after which residuals are taken to be no longer correlated.
_STRETCH = 16
_DYNAMICS = len(DYNAMICS)
_LEAST_NOISE = 1e-4  # Rounding, and what no model of an oscillator gets right.
_NEURONS = 24  # Looked at together: what they need stays in the cache.
# Beyond, an exponential would overflow; no shipped drive comes near.
_LARGEST_EXPONENT = 40.0


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
    some, every = oscillators.picked(chosen), len(chosen) == oscillators.count
    drive = felt.drive if every else felt.drive[..., chosen]
    bias = record.neurons.bias_drive.double().expand(1, oscillators.count)[:, chosen]
    power = _powers(drive, felt.step_s, some, bias)
    slope = felt.slope if every else felt.slope[..., chosen]
    keep, pushes = _over_interval(_Steps.of(power, drive, felt.step_s, some), slope)
    good = record.good if every else record.good[..., chosen]
    measured = record.power if every else record.power[..., chosen]
    model = power[:, ::SUBSTEPS]
    apart = torch.where(good, measured - model, torch.zeros_like(model)).permute(2, 1, 0).contiguous()
    good, rest = good.permute(2, 1, 0), rest_tangents(some, bias[0]).T.float()
    sources, places, weights = felt.sources.permute(2, 1, 0).contiguous(), synapses.sources[chosen], weights[chosen]
    parts = []
    for first in range(0, len(chosen), _NEURONS):
        part = slice(first, first + _NEURONS)
        pushed = [push[part] for push in pushes]
        tangents = _tangents(keep[part], pushed, rest[part], sources[places[part]], weights[part].float())
        parts.append(_sums(tangents, apart[part], good[part]))
    return Evidence(*(torch.cat([getattr(one, item.name) for one in parts]) for item in fields(Evidence)))


def _powers(drive: Tensor, step_s: float, oscillators: Oscillators, bias: Tensor) -> Tensor:
    gamma, sigma, q = (getattr(oscillators, name)[None].float() for name in DYNAMICS)
    flat = torch.zeros_like(gamma)
    neurons = Neurons(gamma, sigma, q, flat, flat + 1, bias.float())
    result = rollout_driven(drive[None].contiguous(), neurons, Steps(step_s, 1, 1))
    return torch.cat([result.power0[0][:, None], result.power[0]], dim=1)  # (batch, step + 1, neuron)


@dataclass(frozen=True)
class _Steps:
    """Derivatives of each exact step, (batch, step, neuron), float32: by x, by the dynamics and by the drive."""

    by_power: Tensor
    by_dynamics: tuple[Tensor, Tensor, Tensor]
    by_drive: Tensor

    @classmethod
    def of(cls, power: Tensor, drive: Tensor, step_s: float, oscillators: Oscillators) -> "_Steps":
        x, after = power[:, :-1], power[:, 1:]
        gamma, sigma, q = ((getattr(oscillators, name)).float() for name in DYNAMICS)
        pumped = (sigma * step_s) * drive
        z = (pumped - gamma * step_s).clamp(-_LARGEST_EXPONENT, _LARGEST_EXPONENT)
        damping = gamma * (1 + q) * step_s
        grown = torch.exp(z)
        near = z.abs() < 0.1
        safe = torch.where(near, torch.ones_like(z), z)
        phi = torch.where(near, 1 + z / 2 * (1 + z / 3 * (1 + z / 4)), (grown - 1) / safe)
        slope = torch.where(near, 0.5 + z / 3 * (1 + z * 3 / 8 * (1 + z * 4 / 15)), (grown - phi) / safe)
        share = after / x.clamp_min(1e-12)
        by_z = after - after * share * x * (grown + damping * slope) / grown
        by_d = -after * after * phi / grown
        flat = gamma * step_s
        dynamics = (by_d * damping - by_z * flat, by_z * pumped, by_d * flat)
        return cls(share * share / grown, dynamics, by_z * (sigma * step_s))


def _tangents(keep: Tensor, pushes: list[Tensor], rest: Tensor, carried: Tensor, weights: Tensor) -> Tensor:
    """Give dx/dtheta at the samples, (neuron, parameter, sample, batch), float32."""
    neurons, time, batch = keep.shape
    found = torch.empty(neurons, _DYNAMICS + weights.shape[1], time + 1, batch)
    found[:, :_DYNAMICS, 0], found[:, _DYNAMICS:, 0] = rest[:, :, None], 0.0
    for place, push in enumerate(pushes[:_DYNAMICS]):
        found[:, place, 1:] = push
    if weights.shape[1]:
        torch.mul(carried, (pushes[_DYNAMICS])[:, None] * weights[:, :, None, None], out=found[:, _DYNAMICS:, 1:])
    for step in range(time):
        found[:, :, step + 1].addcmul_(keep[:, None, step], found[:, :, step])
    return found


def _over_interval(steps: _Steps, slope: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Put the steps of each sample interval together, (neuron, time, batch)."""

    def split(values: Tensor) -> list[Tensor]:
        return list(values.unflatten(1, (-1, SUBSTEPS)).permute(2, 3, 1, 0).unbind(0))

    keeps = split(steps.by_power)
    pushes = [split(one) for one in (*steps.by_dynamics, steps.by_drive * slope)]
    keep, totals = keeps[0], [one[0] for one in pushes]
    for step in range(1, SUBSTEPS):
        totals = [keeps[step] * total + one[step] for total, one in zip(totals, pushes, strict=True)]
        keep = keeps[step] * keep
    return keep.contiguous(), [total.contiguous() for total in totals]


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
