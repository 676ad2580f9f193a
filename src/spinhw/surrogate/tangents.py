"""What parameters do to the power of the neurons of a running network, for drives as they were felt.

The parameters of a neuron are ln gamma, ln sigma, Q and then, for each of its synapses, the relative error of the
weight. For drives as they were felt, x of a neuron depends on its own parameters only. The dependence s = dx/dtheta
follows the exact steps of `spinhw.surrogate.response`; for synapses all steps of a sample interval are taken as one,
with the mean of what the synapse carried meanwhile. That makes the step of a fit a little less exact, not its end.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spinhw.rollout import Neurons, Steps, rollout_driven
from spinhw.surrogate.feedback import SUBSTEPS, Felt
from spinhw.surrogate.oscillators import DYNAMICS, Oscillators
from spinhw.surrogate.response import rest_tangents

# Beyond, an exponential would overflow; no shipped drive comes near.
_LARGEST_EXPONENT = 40.0


@dataclass(frozen=True)
class Driven:
    """Some neurons under the drives that they felt.

    Args:
        power: x before the first sample and at the end of each, (batch, time + 1, neuron).
        keep: Derivative of x at the end of a sample interval by x at its start, (neuron, time, batch), float32.
        pushes: Derivative of x at the end of an interval by ln gamma, ln sigma, Q and the synaptic sum in it, each the
            same shape.
        rest: Derivatives of the power at rest, (neuron, 3).
    """

    power: Tensor
    keep: Tensor
    pushes: tuple[Tensor, ...]
    rest: Tensor

    @classmethod
    def by(cls, felt: Felt, oscillators: Oscillators, nominal: Neurons, chosen: Tensor) -> "Driven":
        """Drive some neurons.

        Args:
            felt: The drives of all neurons.
            oscillators: Those of all neurons as they seem.
            nominal: The network's own neurons, (1, neuron), for their bias.
            chosen: Numbers of the neurons.
        """
        every = len(chosen) == oscillators.count
        some = oscillators if every else oscillators.picked(chosen)
        drive, slope = (one if every else one[..., chosen] for one in (felt.drive, felt.slope))
        bias = nominal.bias_drive.double().expand(1, oscillators.count)[:, chosen]
        power = _powers(drive, felt.step_s, some, bias)
        keep, pushes = _over_interval(_Steps.of(power, drive, felt.step_s, some), slope)
        return cls(power[:, ::SUBSTEPS], keep, tuple(pushes), rest_tangents(some, bias[0]).T.float())

    def tangents(self, part: slice, carried: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
        """Give dx/dtheta at the samples, (neuron, parameter, sample, batch), float32.

        Args:
            part: Which of the neurons.
            carried: What each of their synapses carried, (neuron, slot, time, batch); None leaves synapses out.
            weights: Their weights, (neuron, slot).
        """
        keep, pushes, rest = self.keep[part], [one[part] for one in self.pushes], self.rest[part]
        neurons, time, batch = keep.shape
        size, slots = len(DYNAMICS), 0 if weights is None else weights.shape[1]
        found = torch.empty(neurons, size + slots, time + 1, batch)
        found[:, :size, 0], found[:, size:, 0] = rest[:, :, None], 0.0
        for place, push in enumerate(pushes[:size]):
            found[:, place, 1:] = push
        if carried is not None and weights is not None and slots:
            torch.mul(carried, pushes[size][:, None] * weights[:, :, None, None], out=found[:, size:, 1:])
        for step in range(time):
            found[:, :, step + 1].addcmul_(keep[:, None, step], found[:, :, step])
        return found


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
