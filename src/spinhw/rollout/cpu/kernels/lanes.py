"""Arithmetic on vectors of lanes while code is being generated, and the functions that the kernels need of it.

fitted, polynomial   coefficients of a smooth function on a short interval, and their sum
exp_parts            e^-t and what is needed for expm1 without cancellation; tanh from it
sigmoid              with its own exponential, of which it needs less
"""

import math
from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numpy.polynomial import Chebyshev, Polynomial


class Lanes:
    """A vector of lanes while code is generated: arithmetic emits instructions, a number stands for equal lanes."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    @property
    def single(self) -> bool:
        """Single precision?"""
        return isinstance(self.value.type.element, ir.FloatType)

    def of(self, other):
        """`other` (a number or Lanes) as an LLVM vector of this type."""
        if isinstance(other, Lanes):
            return other.value
        return ir.Constant(self.value.type, [float(other)] * self.value.type.count)

    def constant(self, number: float) -> "Lanes":
        """Equal lanes of this type."""
        return Lanes(self.builder, self.of(number))

    def _emit(self, name, left, right):
        return Lanes(self.builder, getattr(self.builder, name)(self.of(left), self.of(right), flags=("contract",)))

    def __add__(self, other):
        return self._emit("fadd", self, other)

    def __radd__(self, other):
        return self._emit("fadd", other, self)

    def __sub__(self, other):
        return self._emit("fsub", self, other)

    def __rsub__(self, other):
        return self._emit("fsub", other, self)

    def __mul__(self, other):
        return self._emit("fmul", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return self._emit("fdiv", self, other)

    def __rtruediv__(self, other):
        return self._emit("fdiv", other, self)

    def __neg__(self):
        return Lanes(self.builder, self.builder.fneg(self.value))

    def __gt__(self, other):
        return self.builder.fcmp_ordered(">", self.value, self.of(other))

    def __lt__(self, other):
        return self.builder.fcmp_ordered("<", self.value, self.of(other))

    def equals(self, other):
        """Mask of the lanes that are equal."""
        return self.builder.fcmp_ordered("==", self.value, self.of(other))

    def _call(self, name):
        kind = "f32" if self.single else "f64"
        function_type = ir.FunctionType(self.value.type, [self.value.type])
        function = cgutils.get_or_insert_function(
            self.builder.module, function_type, f"llvm.{name}.v{self.value.type.count}{kind}"
        )
        return Lanes(self.builder, self.builder.call(function, [self.value]))

    def __abs__(self):
        return self._call("fabs")

    def sqrt(self):
        """Square root."""
        return self._call("sqrt")

    def where(self, mask, other):
        """These lanes where the mask holds, `other` elsewhere."""
        return Lanes(self.builder, self.builder.select(mask, self.value, self.of(other)))

    def power_of_two(self):
        """2^-n, where self = n + 1.5 * 2^(mantissa bits): n sits in the low bits."""
        bits, mantissa, bias = (32, 23, 127) if self.single else (64, 52, 1023)
        word = ir.VectorType(ir.IntType(bits), self.value.type.count)
        constant = lambda number: ir.Constant(word, [number] * word.count)  # noqa: E731
        number = self.builder.shl(self.builder.bitcast(self.value, word), constant(mantissa))
        return Lanes(
            self.builder, self.builder.bitcast(self.builder.sub(constant(bias << mantissa), number), self.value.type)
        )


def fitted(function: Callable[[np.ndarray], np.ndarray], bound: float, degree: int) -> list[float]:
    """Coefficients, from the constant on, of a polynomial as close to a function as can be for |z| <= bound."""
    fit = Chebyshev.interpolate(function, degree, domain=[-bound, bound])
    return fit.convert(kind=Polynomial).coef.tolist()


def polynomial(z: Lanes, coefficients: list[float]) -> Lanes:
    """Sum of coefficients[k] z^k, in pairs: they need not wait for one another."""
    square = z * z
    terms = [z.constant(each) for each in coefficients]
    pairs = [odd * z + even for even, odd in zip(terms[::2], terms[1::2], strict=False)]
    result = terms[-1] if len(terms) % 2 else pairs.pop()
    for pair in reversed(pairs):
        result = result * square + pair
    return result


def _taylor(terms: int) -> list[float]:
    """Coefficients 1/2!, 1/3!, ... of (e^r - 1 - r) / r^2."""
    return [1.0 / math.factorial(k + 2) for k in range(terms)]


# Range reduction t = n ln 2 - r with |r| <= ln(2) / 2: bounds of t, rounding shift, ln 2 as a short head and a tail,
# coefficients. The lower bound leaves room for products of e^-t and t in the same precision.
_EXP = {
    True: (-60.0, 87.0, 1.5 * 2.0**23, 0.693359375, -2.12194440054690583e-4, _taylor(6)),
    False: (-600.0, 708.0, 1.5 * 2.0**52, 6.93147180369123816490e-01, 1.90821492927058770002e-10, _taylor(14)),
}


def exp_parts(t: Lanes):
    """Give (t, e^-t, q, near): where `near` holds, q = (e^-t - 1 + t) / t^2 to full precision; elsewhere |t| > 0.34.

    The t returned is at least -60 (single) or -600 (double precision); e^-t stays above the smallest normal number. NaN
    stays NaN.
    """
    low, high, shift, head, tail, coefficients = _EXP[t.single]
    t = t.constant(low).where(t < low, t)
    bounded = t.constant(high).where(t > high, t)
    shifted = bounded * (1.0 / math.log(2.0)) + shift
    n = shifted - shift
    r = (n * head - bounded) + n * tail
    q, power = polynomial(r, coefficients), shifted.power_of_two()
    return t, power + power * (r + r * r * q), q, n.equals(0.0)


_LOG2_E = 1.0 / math.log(2.0)
_POWER = {single: fitted(lambda r: np.exp2(-r), 0.5, 6 if single else 11) for single in (True, False)}  # 2^-r


def sigmoid(u: Lanes) -> Lanes:
    """1 / (1 + e^-u), at least e^-60 (single) or e^-600 (double precision)."""
    low, high, shift, *_ = _EXP[u.single]
    u = u.constant(low).where(u < low, u)
    u = u.constant(high).where(u > high, u)
    shifted = u * _LOG2_E + shift
    r = u * _LOG2_E - (shifted - shift)
    return 1.0 / (shifted.power_of_two() * polynomial(r, _POWER[u.single]) + 1.0)


def tanh(x: Lanes) -> Lanes:
    """Hyperbolic tangent, accurate near 0."""
    t, e, q, near = exp_parts(abs(x + x))
    size = (t - t * t * q).where(near, 1.0 - e) / (e + 1.0)
    return size.where(x > 0.0, -size)
