"""Random streams: every number drawn anywhere comes from a generator named by what it is for.

A stream is keyed, not advanced: the same key gives the same numbers however many were drawn elsewhere, so a run that
was interrupted needs no generator state to go on, and a member of an ensemble draws what it would draw alone.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch


def stream_key(*name: str | int) -> int:
    """Map a name such as ``("weights", seed, epoch)`` to a 63-bit integer (BLAKE2b, the same on every machine)."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in name)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def torch_stream(*name: str | int) -> "torch.Generator":
    """Make the torch generator (on the CPU) of the stream with this name."""
    import torch

    return torch.Generator().manual_seed(stream_key(*name))


def numpy_stream(*name: str | int) -> "np.random.Generator":
    """Make the numpy generator (PCG64) of the stream with this name."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(stream_key(*name)))
