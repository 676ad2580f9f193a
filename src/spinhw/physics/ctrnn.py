"""The software peer (Plouet et al. 2024, eq. 6 to 8): dx/dt = -gamma x + I, y = tanh x."""

import torch
from torch import Tensor

from spinhw.physics.oscillator import decay_mean


def ctrnn_step(state: Tensor, drive: Tensor, gamma: Tensor, step_s: float) -> Tensor:
    """Advance the hidden state by one step, exactly for a constant drive.

    Args:
        state: x, unbounded.
        drive: I in 1/s.
        gamma: Damping rate in 1/s.
        step_s: Step h in seconds.
    """
    decay = gamma * step_s
    return state * torch.exp(-decay) + drive * step_s * decay_mean(decay)


def ctrnn_output(state: Tensor) -> Tensor:
    """Give the output y = tanh(x) (eq. 8)."""
    return torch.tanh(state)
