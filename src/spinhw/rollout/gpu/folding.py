"""What the kernels want to know about neurons, from what people know: coefficients, by differentiable torch."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from spinhw.physics import highpass_factors
from spinhw.physics.oscillator import decay_mean
from spinhw.rollout.parameters import Extras, Neurons, Weights


class Drive(NamedTuple):
    """The argument of the saturation is gain * (synaptic sum) + offset, each (member or 1, neuron)."""

    gain: Tensor
    offset: Tensor


def oscillator_drive(neurons: Neurons, drive_rate_per_s: float) -> Drive:
    """Fold gain, bias drive and bounds of oscillators: s = sigmoid(argument), or the drive itself where unbounded."""
    rate = neurons.gain * drive_rate_per_s
    if neurons.bounds is None:
        return Drive(rate, neurons.bias_drive)
    above, below = neurons.bias_drive - neurons.bounds.lowest, neurons.bounds.highest - neurons.bias_drive
    return Drive(rate * (above + below) / (above * below), torch.log(above / below))


def ctrnn_drive(neurons: Neurons, drive_rate_per_s: float) -> Drive:
    """Give the same of CTRNN neurons, which have neither bias drive nor bounds."""
    rate = neurons.gain * drive_rate_per_s
    return Drive(rate, torch.zeros_like(rate))


def oscillator_coefficients(neurons: Neurons, step_s: float, extras: Extras, *, bounded: bool) -> Tensor:
    """Give p1, p0, damping, decay, passed, kick: z = p1 s + p0, d h, and the factors of high-pass and noise.

    Returns:
        (member or 1, 6, neuron).
    """
    lowest, span = torch.zeros_like(neurons.gamma), torch.ones_like(neurons.gamma)
    if bounded and neurons.bounds is not None:
        lowest, span = neurons.bounds.lowest, neurons.bounds.highest - neurons.bounds.lowest
    keep, passed = highpass_factors(neurons.cutoff_hz, step_s)
    diffusion = torch.zeros_like(keep) if extras.diffusion_per_s is None else extras.diffusion_per_s
    rows = (
        neurons.sigma * span * step_s,
        (neurons.sigma * lowest - neurons.gamma) * step_s,
        neurons.gamma * (1 + neurons.q) * step_s,
        keep,
        passed,
        torch.sqrt(diffusion.detach() * step_s),
    )
    return torch.stack(torch.broadcast_tensors(*rows), dim=1)


def ctrnn_coefficients(neurons: Neurons, step_s: float) -> Tensor:
    """Give the same of CTRNN neurons, x' = p0 x + p1 s, with zeros for what they lack."""
    decay = neurons.gamma * step_s
    zero = torch.zeros_like(decay)
    return torch.stack((decay_mean(decay) * step_s, torch.exp(-decay), zero, zero, zero, zero), dim=1)


def folded(weights: Weights, drive: Drive) -> Weights:
    """Multiply weights and biases by the gain of their neuron and add its offset to the bias."""
    gains, offsets = (part.split(weights.layers, dim=-1) for part in drive)
    return replace(
        weights,
        w_ext=tuple(w * gain[:, :, None] for w, gain in zip(weights.w_ext, gains, strict=True)),
        w_int=tuple(w * gain[:, :, None] for w, gain in zip(weights.w_int, gains, strict=True)),
        bias=tuple(b * gain + offset for b, gain, offset in zip(weights.bias, gains, offsets, strict=True)),
    )
