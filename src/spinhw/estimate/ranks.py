"""Directions in which states differ."""

import torch
from torch import Tensor


def orthonormal(states: Tensor, tolerance: float) -> Tensor:
    """Return an orthonormal basis of the space that the states of neurons span over the rows, their means taken off.

    Args:
        states: (row, neuron).
        tolerance: Directions whose singular value is below this times the largest are left out; above 0.

    Returns:
        (row, direction), float64.
    """
    centred = states.double() - states.double().mean(0)
    left, values, _ = torch.linalg.svd(centred, full_matrices=False)
    return left[:, (values >= tolerance * values[0]) & (values > 0)]


def rank_of(states: Tensor, least: float) -> int:
    """Count the singular values of a matrix of states that are at least so large.

    Args:
        states: (row, neuron).
        least: Above 0.
    """
    return int((singular_values(states) >= least).sum())


def singular_values(states: Tensor) -> Tensor:
    """Return the singular values of a matrix of states, largest first, float64."""
    return torch.linalg.svdvals(states.double())
