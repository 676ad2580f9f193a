from .capacity import Capacities, capacities, capacity_of, shuffled_threshold
from .least_squares import Minimum, levenberg_marquardt
from .normal_equations import NormalEquations, covariance
from .products import Polynomial, legendre, polynomials, values_of
from .ranks import orthonormal, rank_of, singular_values
from .ridge import CANDIDATES, Fits, Moments, fit

__all__ = [
    "CANDIDATES",
    "Capacities",
    "Fits",
    "Minimum",
    "Moments",
    "NormalEquations",
    "Polynomial",
    "capacities",
    "capacity_of",
    "covariance",
    "fit",
    "legendre",
    "levenberg_marquardt",
    "orthonormal",
    "polynomials",
    "rank_of",
    "shuffled_threshold",
    "singular_values",
    "values_of",
]
