"""Products of Legendre polynomials of past inputs: what can be computed from inputs that are uniform in -1 to 1.

They are orthonormal over such inputs, so that how well each is reproduced adds up (Dambre et al., Sci. Rep. 2, 514
(2012)).
"""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement

import torch
from torch import Tensor

# Delays in samples and the degree of each: ((0, 1), (3, 2)) is p1(u(n)) p2(u(n - 3)).
Polynomial = tuple[tuple[int, int], ...]


def legendre(inputs: Tensor, degree: int) -> Tensor:
    """Return the Legendre polynomial of a degree, scaled to a mean square of one over -1 to 1: sqrt(2 d + 1) P_d(u)."""
    before, now = torch.ones_like(inputs), inputs
    if degree == 0:
        return before
    for order in range(1, degree):
        before, now = now, ((2 * order + 1) * inputs * now - order * before) / (order + 1)
    return math.sqrt(2 * degree + 1) * now


def polynomials(degree: int, longest: int) -> list[Polynomial]:
    """List every product of a total degree of inputs up to `longest` samples ago, 0 included."""
    return [
        tuple(sorted(Counter(chosen).items())) for chosen in combinations_with_replacement(range(longest + 1), degree)
    ]


def values_of(chosen: Sequence[Polynomial], inputs: Tensor, washout: int) -> Tensor:
    """Return the value of polynomials at every sample behind the washout.

    Args:
        chosen: Which ones.
        inputs: u, between -1 and 1, (sequence, time).
        washout: Samples at the beginning that are left out; at least the longest delay.

    Returns:
        (row, polynomial), rows sequence by sequence, float64.
    """
    if max(delay for one in chosen for delay, _ in one) > washout:
        raise ValueError(f"a delay is longer than the washout of {washout} samples")
    u, samples = inputs.double(), inputs.shape[1]
    degrees = {degree for one in chosen for _, degree in one}
    by_degree = {degree: legendre(u, degree) for degree in degrees}
    columns = []
    for one in chosen:
        parts = [by_degree[degree][:, washout - delay : samples - delay] for delay, degree in one]
        columns.append(math.prod(parts[1:], start=parts[0]).flatten())
    return torch.stack(columns, dim=1)
