"""Shift every seed of this process by SPINHW_TEST_SEED_SHIFT: how far is a threshold from what other seeds give?

Imported before any module takes the streams by name.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from spinhw import streams

_shifts = [int(os.environ.get("SPINHW_TEST_SEED_SHIFT", "0"))]  # The last one acts; with 0 all numbers are as shipped.


@contextmanager
def as_shipped() -> Iterator[None]:
    """Take all numbers as they are for users, whatever the shift: for what is held against a file that was shipped."""
    _shifts.append(0)
    try:
        yield
    finally:
        _shifts.pop()


def shift_seeds() -> None:
    """Give every stream, generator and chip other numbers."""
    torch_stream, numpy_stream, default_rng = streams.torch_stream, streams.numpy_stream, np.random.default_rng

    class Generator(torch.Generator):
        def manual_seed(self, seed: int) -> torch.Generator:
            return super().manual_seed((seed + 1_000_003 * _shifts[-1]) % 2**63)

    def shifted_rng(seed: object = None) -> np.random.Generator:
        return default_rng([seed, *_shift()] if isinstance(seed, int) and _shift() else seed)

    torch.Generator, np.random.default_rng = Generator, shifted_rng
    streams.torch_stream = lambda *name: torch_stream(*name, *_shift())
    streams.numpy_stream = lambda *name: numpy_stream(*name, *_shift())


def _shift() -> list[int]:
    return [one for one in _shifts[-1:] if one]


if _shifts[0]:
    shift_seeds()
