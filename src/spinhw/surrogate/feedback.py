"""The drives that neurons of a running network felt, from the network's own trace: for a refit without extra shots.

Nobody played these drives: they follow from the inputs and from the outputs y of the other neurons, which were measured
with noise. Where the network's own model is right but for small changes of parameters, what was measured differs from
what the surrogate gives slowly; only that difference is smoothed, so hardly any noise is left in the drives.
"""

import torch
from torch import Tensor

from spinhw.physics import highpass_factors, highpass_step, saturate
from spinhw.rollout import Neurons, Steps, Weights, rollout
from spinhw.rollout.recurrence import block_matrix
from spinhw.surrogate.played import Played

# Samples on each side of the window in which the difference is taken for a line.
_HALF_WINDOW = 2
_SUBSTEPS = 4


@torch.no_grad()
def played_by_network(
    weights: Weights,
    neurons: Neurons,
    inputs: Tensor,
    power: Tensor,
    good: Tensor,
    sample_interval_s: float,
    *,
    drive_rate_per_s: float,
    noise: float = 0.0,
    averages: int = 1,
) -> Played:
    """Give what each neuron of one network was played by the others, and its power.

    Args:
        weights: As applied, with a member axis of length one in front.
        neurons: The surrogate as it is now, (1, neuron).
        inputs: u, (batch, time, input).
        power: Measured, before the first sample and at the end of each, (batch, time + 1, neuron).
        good: Which samples may be used, same shape.
        sample_interval_s: Time for which an input is held, in seconds.
        drive_rate_per_s: Drive of a unit synaptic sum at S = 1.
        noise: Of a sample as given (after averaging), in units of full power: a difference that is no larger than
            the noise leaves is none, and drives then come from the surrogate alone.
        averages: Shots that were averaged.
    """
    steps = Steps(sample_interval_s, _SUBSTEPS, 2)
    fine_inputs = inputs[None].double().repeat_interleave(_SUBSTEPS, 2)
    neurons, weights = neurons.to(torch.float64), _double(weights)
    fine = Steps(steps.step_s, 1, 2)
    result = rollout(weights, neurons, fine_inputs, fine, drive_rate_per_s=drive_rate_per_s)
    model = torch.cat([result.power0[0][:, None], result.power[0]], dim=1)  # (batch, node, neuron)
    missed = torch.where(good, power.double() - model[:, ::_SUBSTEPS], torch.zeros_like(power.double()))
    truth = model + _refined(_shrunk(_smoothed(missed, good), noise), _SUBSTEPS)
    drive = _drives(weights, neurons, fine_inputs[0], truth, steps.step_s, drive_rate_per_s)
    bias = float(neurons.bias_drive.mean())
    return Played(drive, power.double(), good, steps.step_s, bias, averages, every=_SUBSTEPS)


def _double(weights: Weights) -> Weights:
    w_ext, w_int, bias = (tuple(one.double() for one in each) for each in (weights.w_ext, weights.w_int, weights.bias))
    return Weights(w_ext, w_int, bias, weights.sparsity)


def _drives(
    weights: Weights, neurons: Neurons, inputs: Tensor, power: Tensor, step_s: float, drive_rate_per_s: float
) -> Tensor:
    """Give the mean drive of each step, (batch, step, neuron), from powers at the nodes."""
    factors = highpass_factors(neurons.cutoff_hz, step_s)
    filtered = torch.zeros_like(power)
    for step in range(power.shape[1] - 1):
        filtered[:, step + 1] = highpass_step(filtered[:, step], power[:, step + 1] - power[:, step], factors)
    middle = (filtered[:, 1:] + filtered[:, :-1]) / 2
    first = weights.w_ext[0][0]
    external = torch.nn.functional.pad(inputs @ first.T, (0, power.shape[2] - first.shape[0]))
    synaptic = middle @ block_matrix(weights, {})[0].T + external + torch.cat(weights.bias, dim=-1)[0]
    raw = drive_rate_per_s * neurons.gain * synaptic + neurons.bias_drive
    return saturate(raw, neurons.bias_drive, neurons.bounds)


def _smoothed(missed: Tensor, good: Tensor) -> Tensor:
    """Fit a line to the good samples of a window around each sample, and take its middle."""
    half, length = _HALF_WINDOW, missed.shape[1]
    offsets = torch.arange(-half, half + 1, dtype=torch.float64)
    padded = torch.nn.functional.pad(missed * good, (0, 0, half, half))
    weight = torch.nn.functional.pad(good.double(), (0, 0, half, half))
    moments = [
        sum(weight[:, k : k + length] * float(offsets[k]) ** power for k in range(len(offsets))) for power in range(3)
    ]
    sums = [
        sum(padded[:, k : k + length] * float(offsets[k]) ** power for k in range(len(offsets))) for power in range(2)
    ]
    m0, m1, m2 = (torch.as_tensor(one) for one in moments)
    level = m2 * sums[0] - m1 * sums[1]
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
