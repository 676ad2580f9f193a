"""Shift every seed of this process by SPINHW_TEST_SEED_SHIFT: how far is a threshold from what other seeds give?

Imported before any module takes the streams by name.
"""

import os

import numpy as np
import torch

from spinhw import streams


def shift_seeds(shift: int) -> None:
    """Give every stream, generator and chip other numbers."""
    torch_stream, numpy_stream, default_rng = streams.torch_stream, streams.numpy_stream, np.random.default_rng

    class Generator(torch.Generator):
        def manual_seed(self, seed: int) -> torch.Generator:
            return super().manual_seed((seed + 1_000_003 * shift) % 2**63)

    torch.Generator = Generator
    np.random.default_rng = lambda seed=None: default_rng([seed, shift] if isinstance(seed, int) else seed)
    streams.torch_stream = lambda *name: torch_stream(*name, shift)
    streams.numpy_stream = lambda *name: numpy_stream(*name, shift)


if shift := int(os.environ.get("SPINHW_TEST_SEED_SHIFT", "0")):
    shift_seeds(shift)
