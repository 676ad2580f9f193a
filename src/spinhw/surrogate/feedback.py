"""The drives that neurons of a running network felt, from the network's own trace: for a refit without extra shots.

Nobody played these drives: they follow from the inputs and from the outputs y of the other neurons, which were measured
with noise. Where the network's own model is right but for small changes of parameters, what was measured differs from
what the surrogate gives slowly; only that difference is smoothed, so hardly any noise is left in the drives.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from spinhw.physics import highpass_factors, saturate
from spinhw.rollout import Neurons, Steps, Weights, rollout
from spinhw.rollout.recurrence import block_matrix
from spinhw.surrogate.tuned import ToldTunings

# Samples on each side of the window in which the difference is taken for a line.
_HALF_WINDOW = 1
# Steps for each sample interval: with 2 the parameters come out wrong by up to 0.4 %, with 4 by 0.15 %. Two would save
# a fifth of the time, and without noise leave more than twice as much of the errors of synapses.
SUBSTEPS = 4


@dataclass(frozen=True, eq=False)
class NetworkRecord:
    """What one network was given and what was measured of its neurons.

    Args:
        weights: As applied, with a member axis of length one in front.
        neurons: With the electronics of the network, (1, neuron).
        inputs: u, (batch, time, input).
        power: Measured, before the first sample and at the end of each, (batch, time + 1, neuron).
        good: Which samples may be used, same shape.
        sample_interval_s: Time for which an input is held, in seconds.
        drive_rate_per_s: Drive of a unit synaptic sum at S = 1.
        noise: Of a sample as given (after averaging), in units of full power; 0 for unknown.
        programmed: What its resonators were told; None for synapses that are weights.
    """

    weights: Weights
    neurons: Neurons
    inputs: Tensor
    power: Tensor
    good: Tensor
    sample_interval_s: float
    drive_rate_per_s: float
    noise: float = 0.0
    programmed: ToldTunings | None = None

    def images(self, chosen: slice) -> "NetworkRecord":
        """Give the part of some sequences."""
        return replace(self, inputs=self.inputs[chosen], power=self.power[chosen], good=self.good[chosen])

    def in_single(self) -> "NetworkRecord":
        """Give it in single precision, which is finer than any digitizer."""
        w = self.weights
        w_ext, w_int, bias = (tuple(one.float() for one in each) for each in (w.w_ext, w.w_int, w.bias))
        weights = Weights(w_ext, w_int, bias, w.sparsity)
        neurons = self.neurons.to(torch.float32)
        return replace(self, weights=weights, neurons=neurons, inputs=self.inputs.float(), power=self.power.float())


@dataclass(frozen=True, eq=False)
class Felt:
    """What each neuron felt, at steps of `step_s`, `SUBSTEPS` of them in each sample interval.

    Args:
        drive: I of each step in 1/s, (batch, step, neuron).
        slope: How I changes with the synaptic sum, in 1/s, same shape.
        sources: What synapses carried, averaged over each sample interval: y of all neurons, then the inputs,
            (batch, time, neuron + input).
        step_s: Step in seconds.
    """

    drive: Tensor
    slope: Tensor
    sources: Tensor
    step_s: float

    def moved(self, numbers: Tensor, change: Tensor) -> "Felt":
        """Give what some neurons feel, by number, once their weights have changed a little, (neuron, source)."""
        if not bool(change.any()):
            return self
        arrived = (self.sources @ change.T).repeat_interleave(SUBSTEPS, 1)
        return replace(self, drive=self.drive.index_add(2, numbers, self.slope[..., numbers] * arrived))


@torch.no_grad()
def felt_by_network(record: NetworkRecord, neurons: Neurons, weights: Weights) -> Felt:
    """Give what each neuron of a network felt.

    Args:
        record: What was measured, in single precision.
        neurons: The surrogate as it is now, (1, neuron), in single precision.
        weights: The synapses as they seem now, with a member axis of one, in single precision.
    """
    fine_inputs = record.inputs[None].repeat_interleave(SUBSTEPS, 2)
    steps = Steps(record.sample_interval_s / SUBSTEPS, 1, 2)
    run = rollout(weights, neurons, fine_inputs, steps, drive_rate_per_s=record.drive_rate_per_s)
    power = torch.cat([run.power0[0][:, None], run.power[0]], dim=1)[:, ::SUBSTEPS]  # (batch, time + 1, neuron)
    missed = torch.where(record.good, record.power - power, torch.zeros_like(power))
    apart = _highpassed(_shrunk(_smoothed(missed, record.good), record.noise), neurons, record.sample_interval_s)
    filtered = torch.nn.functional.pad(run.filtered[0], (0, 0, 1, 0)) + _refined(apart, SUBSTEPS)
    middle = (filtered[:, 1:] + filtered[:, :-1]) / 2  # (batch, step, neuron)
    drive, slope = _drives(record, neurons, weights, middle)
    means = middle.unflatten(1, (-1, SUBSTEPS)).mean(2)
    return Felt(drive, slope, torch.cat([means, record.inputs], dim=2), steps.step_s)


def _drives(record: NetworkRecord, neurons: Neurons, weights: Weights, middle: Tensor) -> tuple[Tensor, Tensor]:
    """Give the drive of each step and its derivative by the synaptic sum, from y in the middle of each."""
    first, rate = weights.w_ext[0][0], record.drive_rate_per_s * neurons.gain
    external = record.inputs @ first.T
    held = torch.nn.functional.pad(external, (0, middle.shape[2] - len(first))).repeat_interleave(SUBSTEPS, 1)
    synaptic = middle @ block_matrix(weights, {})[0].T + held + torch.cat(weights.bias, dim=-1)[0]
    raw = rate * synaptic + neurons.bias_drive
    drive = saturate(raw, neurons.bias_drive, neurons.bounds)
    return drive, rate * _saturation_slope(drive, neurons)


def _saturation_slope(drive: Tensor, neurons: Neurons) -> Tensor:
    """Give d sat / d I_raw where it has a value; 1 at the bias drive, and everywhere without bounds."""
    bounds = neurons.bounds
    if bounds is None:
        return torch.ones_like(drive)
    span = bounds.highest - bounds.lowest
    place, rest = (drive - bounds.lowest) / span, (neurons.bias_drive - bounds.lowest) / span
    return place * (1 - place) / (rest * (1 - rest))


def _highpassed(power: Tensor, neurons: Neurons, interval_s: float) -> Tensor:
    """Give y that changes of power by straight lines between the samples make, at the samples."""
    keep, passed = highpass_factors(neurons.cutoff_hz, interval_s)
    filtered = torch.nn.functional.pad(passed * power.diff(dim=1), (0, 0, 1, 0))
    for before, now in pairwise(filtered.unbind(1)):  # As `highpass_step`, in place: a fifth of the time.
        now.addcmul_(keep, before)
    return filtered


def _smoothed(missed: Tensor, good: Tensor) -> Tensor:
    """Fit a line to the good samples of a window around each sample, and take its middle."""
    half, length = _HALF_WINDOW, missed.shape[1]
    offsets = range(-half, half + 1)
    padded = torch.nn.functional.pad(missed * good, (0, 0, half, half))
    weight = torch.nn.functional.pad((good[:1] if bool(good.all()) else good).float(), (0, 0, half, half))

    def moment(values: Tensor, power: int) -> Tensor:
        parts = [values[:, half + k : half + k + length] * float(k) ** power for k in offsets]
        return torch.stack(parts).sum(0)

    m0, m1, m2 = (moment(weight, power) for power in range(3))
    level = m2 * moment(padded, 0) - m1 * moment(padded, 1)
    scale = m0 * m2 - m1**2
    return torch.where(scale > 0, level / scale.clamp_min(1e-12), torch.zeros_like(missed))


def _shrunk(smooth: Tensor, noise: float) -> Tensor:
    """Multiply by the share of each neuron's difference that is not noise (Wiener)."""
    left = noise**2 / (2 * _HALF_WINDOW + 1)
    seen = (smooth**2).mean((0, 1))
    return smooth * (1 - left / seen.clamp_min(1e-30)).clamp_min(0.0)


def _refined(samples: Tensor, substeps: int) -> Tensor:
    """Interpolate linearly from samples to nodes, (batch, time * substeps + 1, neuron)."""
    share = torch.arange(substeps, dtype=samples.dtype)[:, None] / substeps
    left, right = samples[:, :-1, None], samples[:, 1:, None]
    inner = (left + share * (right - left)).flatten(1, 2)
    return torch.cat([inner, samples[:, -1:]], dim=1)
