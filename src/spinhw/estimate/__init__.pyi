from .capacity import Capacities, capacities, capacity_of, shuffled_threshold
from .products import Polynomial, legendre, polynomials, values_of
from .ranks import orthonormal, rank_of, singular_values
from .ridge import CANDIDATES, Fits, Moments, fit

__all__ = [
    "CANDIDATES",
    "Capacities",
    "Fits",
    "Moments",
    "Polynomial",
    "capacities",
    "capacity_of",
    "fit",
    "legendre",
    "orthonormal",
    "polynomials",
    "rank_of",
    "shuffled_threshold",
    "singular_values",
    "values_of",
]
