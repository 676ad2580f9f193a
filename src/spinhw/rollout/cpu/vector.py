"""Vector primitives of the CPU kernels: short SIMD loops over a tile of samples.

A tile is `lanes` samples of one network member, stored as the contiguous inner axis of every array of a kernel: (neuron, lane).
Everything here is emitted as vector instructions, for single and double precision alike, and calls no library function: Numba's automatic
vectorisation of the same loops depends on alias checks that fail or cost as much as the loop.

    gather_sum      out[l]    = sum_p values[p] * source[columns[p], l]            one row of a sparse matrix times a tile
    outer_dots      acc[p, :] += row[l] * source[columns[p], l], summed over l     gradient of that row's stored values
    row_kernel      turns a Python function of `Lanes` into a compiled elementwise kernel on rows of tiles
    exp_parts       e^-t and what is needed for expm1 without cancellation; sigmoid and tanh from it
"""

import inspect
import math
from typing import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

# Samples per tile: 64 floats fill eight 256-bit registers, which hides the latency of the fused multiply-add and leaves room for operands.
LANES = {np.dtype(np.float32): 64, np.dtype(np.float64): 32}
PIECE_BYTES = (
    32  # width of the vectors of elementwise kernels and of the accumulators of `outer_dots`: one 256-bit register
)
PIECE = {dtype: PIECE_BYTES // dtype.itemsize for dtype in LANES}

# No reference counts: kernels allocate nothing, and the counters of array views would cost as much as the arithmetic.
JIT = dict(cache=True, nogil=True, error_model="numpy", fastmath={"contract"}, _nrt=False)
# For what is called once per neuron: a call would pass some hundred words of array descriptors on the stack, which takes longer than the work.
JIT_INLINE = dict(JIT, forceinline=True)


def _element(array_type):
    """LLVM type, bytes and lanes of a tile's elements."""
    dtype = np.dtype(str(array_type.dtype))
    llvm = ir.FloatType() if dtype.itemsize == 4 else ir.DoubleType()
    return llvm, dtype.itemsize, LANES[dtype]


def _data(context, builder, array_type, array):
    """Pointer to the first element of an array."""
    return context.make_array(array_type)(context, builder, array).data


def _load(builder, vector, base, offset, element):
    """Unaligned vector starting `offset` elements after `base`."""
    address = builder.gep(base, [offset])
    return builder.load(builder.bitcast(address, ir.PointerType(vector)), align=element)


def _store(builder, value, base, offset, element):
    """Store an unaligned vector `offset` elements after `base`."""
    address = builder.gep(base, [offset])
    builder.store(value, builder.bitcast(address, ir.PointerType(value.type)), align=element)


def _splat(builder, scalar, vector):
    """Vector with every lane equal to `scalar`."""
    zero = ir.Constant(ir.IntType(32), 0)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, zero)
    mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)


def _multiply_add(builder, a, b, c):
    """a * b + c, fused where the processor can."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _word(builder, value):
    """Index as a 64-bit integer."""
    return value if value.type.width == 64 else builder.sext(value, ir.IntType(64))


@intrinsic
def gather_sum(typing_context, out, source, values, columns, start, stop):
    """out[:] = sum over p in [start, stop) of values[p] * source[columns[p], :].

    out (lanes,), source (rows, lanes), values and columns (stored,): C-contiguous; columns is int64.
    """
    signature = types.void(out, source, values, columns, start, stop)

    def codegen(context, builder, sig, args):
        kind, size, lanes = _element(sig.args[0])
        vector = ir.VectorType(kind, lanes)
        pointers = [_data(context, builder, t, a) for t, a in zip(sig.args[:4], args[:4])]
        width = ir.Constant(ir.IntType(64), lanes)
        total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * lanes))
        builder.store(ir.Constant(vector, [0.0] * lanes), total)
        first, last = _word(builder, args[4]), _word(builder, args[5])
        with cgutils.for_range_slice(builder, first, last, ir.Constant(ir.IntType(64), 1), ir.IntType(64)) as (p, _):
            column = builder.load(builder.gep(pointers[3], [p]))
            value = _splat(builder, builder.load(builder.gep(pointers[2], [p])), vector)
            lane_values = _load(builder, vector, pointers[1], builder.mul(column, width), size)
            builder.store(_multiply_add(builder, lane_values, value, builder.load(total)), total)
        _store(builder, builder.load(total), pointers[0], ir.Constant(ir.IntType(64), 0), size)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def outer_dots(typing_context, accumulator, base, tile, row, source, columns, start, stop):
    """accumulator[p - base, :] += partial sums over lanes of tile[row, l] * source[columns[p], l], for p in [start, stop).

    accumulator (stored, piece): the gradient of stored value p is the sum of its row; tile and source (rows, lanes).
    """
    signature = types.void(accumulator, base, tile, row, source, columns, start, stop)

    def codegen(context, builder, sig, args):
        kind, size, lanes = _element(sig.args[2])
        piece = PIECE_BYTES // size
        vector, index = ir.VectorType(kind, piece), ir.IntType(64)
        sums, rows, others = (_data(context, builder, sig.args[n], args[n]) for n in (0, 2, 4))
        columns_pointer = _data(context, builder, sig.args[5], args[5])
        width = ir.Constant(index, lanes)

        def pieces(pointer, number):
            origin = builder.mul(number, width)
            offsets = [builder.add(origin, ir.Constant(index, n)) for n in range(0, lanes, piece)]
            return [_load(builder, vector, pointer, offset, size) for offset in offsets]

        held = pieces(rows, _word(builder, args[3]))
        base_value, first, last = (_word(builder, args[n]) for n in (1, 6, 7))
        with cgutils.for_range_slice(builder, first, last, ir.Constant(index, 1), index) as (p, _):
            column = builder.load(builder.gep(columns_pointer, [p]))
            offset = builder.mul(builder.sub(p, base_value), ir.Constant(index, piece))
            total = _load(builder, vector, sums, offset, size)
            for left, right in zip(held, pieces(others, column)):
                total = _multiply_add(builder, left, right, total)
            _store(builder, total, sums, offset, size)
        return context.get_dummy_value()

    return signature, codegen


# ---------------------------------------------------------------- elementwise kernels


class Lanes:
    """A vector of lanes while code is being generated: arithmetic on it emits instructions, a number stands for equal lanes."""

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


def row_kernel(*outputs: str) -> Callable:
    """Decorator: a function of Lanes becomes a compiled kernel called as kernel(i, *outputs, *inputs) from Numba code.

    2-D arguments stand for their row i, 1-D arguments for themselves, numbers for equal lanes. The function returns one Lanes per output.
    Every lane is read before it is written, so an output may also be an input.
    """

    def decorate(function):
        inputs = list(inspect.signature(function).parameters)
        count = len(outputs)

        def codegen(context, builder, sig, args):
            first = sig.args[1]
            kind, size, lanes = _element(first)
            vector, index = ir.VectorType(kind, PIECE_BYTES // size), ir.IntType(64)
            row = builder.mul(_word(builder, args[0]), ir.Constant(index, lanes))
            operands = [_operand(context, builder, t, a, row, vector) for t, a in zip(sig.args[1:], args[1:])]
            step = ir.Constant(index, vector.count)
            with cgutils.for_range_slice(builder, ir.Constant(index, 0), ir.Constant(index, lanes), step, index) as (
                offset,
                _,
            ):
                values = [
                    Lanes(builder, operand if is_scalar else _load(builder, vector, operand, offset, size))
                    for operand, is_scalar in operands[count:]
                ]
                results = function(*values)
                results = results if isinstance(results, tuple) else (results,)
                for (pointer, _), result in zip(operands[:count], results, strict=True):
                    _store(builder, values[0].of(result), pointer, offset, size)
            return context.get_dummy_value()

        names = ", ".join(["i", *(f"out_{name}" for name in outputs), *inputs])
        space = {"build": lambda *arguments: (types.void(*arguments), codegen)}
        exec(f"def {function.__name__}(typing_context, {names}):\n    return build({names})", space)
        definition = space[function.__name__]
        definition.__doc__, definition.__module__ = function.__doc__, function.__module__
        return intrinsic(definition)

    return decorate


def _operand(context, builder, kind, value, row, vector):
    """(pointer to the first lane of an array's row, False) or (vector of equal lanes, True)."""
    if not isinstance(kind, types.Array):
        return _splat(builder, value, vector), True
    pointer = _data(context, builder, kind, value)
    return (builder.gep(pointer, [row]) if kind.ndim == 2 else pointer), False


def _taylor(terms: int) -> list[float]:
    """Coefficients 1/2!, 1/3!, ... of (e^r - 1 - r) / r^2."""
    return [1.0 / math.factorial(k + 2) for k in range(terms)]


# Range reduction t = n ln 2 - r with |r| <= ln(2) / 2: bounds of t, rounding shift, ln 2 as a short head and a tail, coefficients.
# The lower bound leaves room for products of e^-t and t in the same precision.
_EXP = {
    True: (-60.0, 87.0, 1.5 * 2.0**23, 0.693359375, -2.12194440054690583e-4, _taylor(6)),
    False: (-600.0, 708.0, 1.5 * 2.0**52, 6.93147180369123816490e-01, 1.90821492927058770002e-10, _taylor(14)),
}


def exp_parts(t: Lanes):
    """(t, e^-t, q, near). Where the mask `near` holds, q = (e^-t - 1 + t) / t^2 to full precision; elsewhere |t| > 0.34.

    The t returned is at least -60 (single) or -600 (double precision); e^-t stays above the smallest normal number. NaN stays NaN.
    """
    low, high, shift, head, tail, coefficients = _EXP[t.single]
    t = t.constant(low).where(t < low, t)
    bounded = t.constant(high).where(t > high, t)
    shifted = bounded * (1.0 / math.log(2.0)) + shift
    n = shifted - shift
    r = (n * head - bounded) + n * tail
    square = r * r
    pairs = [
        odd * r + even for even, odd in zip(map(t.constant, coefficients[::2]), map(t.constant, coefficients[1::2]))
    ]
    q = pairs[-1]
    for pair in reversed(pairs[:-1]):
        q = q * square + pair
    power = shifted.power_of_two()
    return t, power + power * (r + square * q), q, n.equals(0.0)


def sigmoid(u: Lanes) -> Lanes:
    """1 / (1 + e^-u), at least e^-60 (single) or e^-600 (double precision)."""
    _, e, _, _ = exp_parts(u)
    return 1.0 / (e + 1.0)


def tanh(x: Lanes) -> Lanes:
    """Hyperbolic tangent, accurate near 0."""
    t, e, q, near = exp_parts(abs(x + x))
    size = (t - t * t * q).where(near, 1.0 - e) / (e + 1.0)
    return size.where(x > 0.0, -size)
