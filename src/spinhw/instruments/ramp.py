"""Ramps: from where an output is to where it shall be, in steps that a device survives."""

import math

import numpy as np
from numpy.typing import NDArray


def steps(start: float, target: float, largest: float) -> list[float]:
    """List the values to set one after another; the last is the target itself, bit for bit.

    Args:
        start: Value read back.
        target: Value wanted.
        largest: Largest step, above zero.
    """
    count = max(1, math.ceil(abs(target - start) / largest - 1e-9))
    return [start + (target - start) * k / count for k in range(1, count)] + [target]


def vector_steps(start: NDArray[np.float64], target: NDArray[np.float64], largest: float) -> list[NDArray[np.float64]]:
    """List the vectors to set one after another; none moves any element by more than `largest`."""
    farthest = float(np.abs(target - start).max(initial=0.0))
    count = max(1, math.ceil(farthest / largest - 1e-9))
    return [start + (target - start) * (k / count) for k in range(1, count)] + [target]
