"""Elementwise kernels of plain steps: saturated oscillators whose z = a h stays small; see `rows` for the symbols.

Where |z| <= SMALL, polynomials give what a step needs, without range reduction, selection or division by z:

    phi = (1 - e^-z) / z     e^-z = 1 - z phi     q = (1 - phi) / z     dphi / dz = q - phi
    x' = x / (e^-z + c phi x) = x / (1 - phi (z - c x))                 where c stands for c h = p1 s + p2
"""

import math

import numpy as np

from spinhw.rollout.cpu.kernels.lanes import fitted, polynomial
from spinhw.rollout.cpu.kernels.vector import row_kernel

SMALL = 1.05  # The shipped drives stay below 4 gamma, so that z <= 3 h / tau: steps of a third of tau.


def _series(z: np.ndarray, first: int) -> np.ndarray:
    """Sum of (-z)^k / (k + first)!: phi for first = 1, q for first = 2."""
    return np.sum([(-z) ** k / math.factorial(k + first) for k in range(25)], axis=0)


# Off by less than 3e-8 and 6e-8 in single precision, and by less than 1e-16 in double precision.
_PHI = {single: fitted(lambda z: _series(z, 1), SMALL, 7 if single else 15) for single in (True, False)}
_Q = {single: fitted(lambda z: _series(z, 2), SMALL, 6 if single else 14) for single in (True, False)}


@row_kernel("x_next", "y_next")
def advance(x, y, s, p1, p0, p2, decay, kappa):
    """State and filtered power after a step of held drive."""
    drive = p1 * s
    z = drive + p0
    phi = polynomial(z, _PHI[z.single])
    x_next = x / (1.0 - phi * (z - (drive + p2) * x))
    return x_next, decay * y + kappa * (x_next - x)


@row_kernel("x_next", "y_next", "by_x", "by_u")
def linearise(x, y, s, p1, p0, p2, decay, kappa):
    """`advance`, and the derivatives of the next state by x and by the argument u of the saturation."""
    drive = p1 * s
    z = drive + p0
    q = polynomial(z, _Q[z.single])
    phi = 1.0 - z * q
    rest = z - (drive + p2) * x
    reciprocal = 1.0 / (1.0 - phi * rest)
    x_next = x * reciprocal
    by_x = (1.0 - z * phi) * (reciprocal * reciprocal)
    slope = (q - phi) * rest + (phi - phi * x)
    by_u = (x_next * reciprocal) * slope * (drive - drive * s)
    return x_next, decay * y + kappa * (x_next - x), by_x, by_u


@row_kernel("v", "g_x", "g_y")
def retreat(by_x, by_u, g_x, g_y, decay, kappa):
    """Adjoint of the evaluation that ends a step: v, and what reaches x and y at its start but through the drive."""
    passed = kappa * g_y
    g_state = g_x + passed
    v = g_state * by_u
    return v, g_state * by_x - passed, decay * g_y


@row_kernel("v", "g_x", "g_y")
def retreat_middle(by_x, by_u, g_middle, g_x, g_y, decay_mean, kappa_mean):
    """The same for the first half of a midpoint step; g_middle: adjoint of the mean y."""
    g_state = kappa_mean * g_middle
    v = g_state * by_u
    return v, g_x + (g_state * by_x - g_state), g_y + decay_mean * g_middle
