"""Inputs by which networks are told apart: random, and random but for their ends."""

import torch
from torch import Tensor

from spinhw.streams import torch_stream


def random_inputs(sequences: int, samples: int, what: str) -> Tensor:
    """Draw u, all values between -1 and 1 equally likely, (sequence, time), float64: the same for every network.

    Args:
        sequences: How many.
        samples: Of each.
        what: What for; names the stream.
    """
    drawn = torch.rand(sequences, samples, generator=torch_stream("merit", what), dtype=torch.float64)
    return 2 * drawn - 1


def alike_at_the_end(sequences: int, samples: int, shared: int) -> Tensor:
    """Draw sequences as `random_inputs` does, whose last `shared` samples are those of the first one."""
    drawn = random_inputs(sequences, samples, "generalisation rank")
    if shared:
        drawn[:, -shared:] = drawn[:1, -shared:]
    return drawn


def played(inputs: Tensor, low: float, high: float, channels: int) -> Tensor:
    """Map u from -1 to 1 to what is played, float32, (sequence, time, channel): the same in every channel."""
    mapped = low + (high - low) * (inputs + 1) / 2
    return mapped.float()[..., None].expand(*mapped.shape, channels)
