"""Vector primitives of the CPU kernels: short SIMD loops over a tile of samples.

A tile is `lanes` samples of one network member, stored as the contiguous inner axis of every array of a kernel: (neuron, lane).
The primitives below are compiled once per floating-point type; none of them calls a library function.

    gather_sum      out[l]    = sum_p values[p] * source[columns[p], l]            one row of a sparse matrix times a tile
    outer_dots      acc[p, :] += row[l] * source[columns[p], l], summed over l     gradient of that row's stored values
    exp_parts       e^-t and what is needed for expm1 without cancellation         t >= 0, elementwise
    sigmoid, tanh   elementwise, from exp_parts

Numba's own loops would reload the accumulators from memory for every stored value, hence the two hand-written LLVM bodies.
"""

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

# Samples per tile: 64 floats fill eight 256-bit registers, which hides the latency of the fused multiply-add and leaves room for operands.
LANES = {np.dtype(np.float32): 64, np.dtype(np.float64): 32}
PIECE_BYTES = 32  # width of the accumulators of `outer_dots`, one 256-bit register
PIECE = {dtype: PIECE_BYTES // dtype.itemsize for dtype in LANES}

JIT = dict(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
JIT_OVERLOAD = dict(nogil=True, error_model="numpy", fastmath={"contract"})


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


@intrinsic
def _power_of_two(typing_context, shifted):
    """2^-n as a floating-point number, where `shifted` = n + 1.5 * 2^(mantissa bits): n sits in the low bits of `shifted`."""

    def codegen(context, builder, sig, args):
        bits, mantissa, bias = (32, 23, 127) if sig.args[0] == types.float32 else (64, 52, 1023)
        word = ir.IntType(bits)
        number = builder.shl(builder.bitcast(args[0], word), ir.Constant(word, mantissa))
        exponent = builder.sub(ir.Constant(word, bias << mantissa), number)
        return builder.bitcast(exponent, args[0].type)

    return shifted(shifted), codegen


def _taylor(dtype, terms):
    """Coefficients 1/2!, 1/3!, ... of (e^r - 1 - r) / r^2."""
    return tuple(dtype(1.0 / math.factorial(k + 2)) for k in range(terms))


# Range reduction t = n ln 2 - r with |r| <= ln(2) / 2: clamp of t, 1 / ln 2, rounding shift, ln 2 as a short head and a tail.
_CLAMP32, _CLAMP64 = np.float32(87.0), 708.0
_INVERSE32, _INVERSE64 = np.float32(1.0 / math.log(2.0)), 1.0 / math.log(2.0)
_SHIFT32, _SHIFT64 = np.float32(1.5 * 2.0**23), 1.5 * 2.0**52
_HEAD32, _TAIL32 = np.float32(0.693359375), np.float32(-2.12194440054690583e-4)
_HEAD64, _TAIL64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_C32, _C64 = _taylor(np.float32, 6), _taylor(np.float64, 13)
_ONE32, _ZERO32, _TWO32 = np.float32(1.0), np.float32(0.0), np.float32(2.0)


@njit(**JIT)
def _exp_parts32(t):
    c = _C32
    t = _CLAMP32 if t > _CLAMP32 else t
    shifted = t * _INVERSE32 + _SHIFT32
    n = shifted - _SHIFT32
    r = (n * _HEAD32 - t) + n * _TAIL32
    q = ((((c[5] * r + c[4]) * r + c[3]) * r + c[2]) * r + c[1]) * r + c[0]
    power = _power_of_two(shifted)
    return power + power * (r + r * r * q), q, n == _ZERO32


@njit(**JIT)
def _exp_parts64(t):
    c = _C64
    t = _CLAMP64 if t > _CLAMP64 else t
    shifted = t * _INVERSE64 + _SHIFT64
    n = shifted - _SHIFT64
    r = (n * _HEAD64 - t) + n * _TAIL64
    q = (((((c[12] * r + c[11]) * r + c[10]) * r + c[9]) * r + c[8]) * r + c[7]) * r + c[6]
    q = (((((q * r + c[5]) * r + c[4]) * r + c[3]) * r + c[2]) * r + c[1]) * r + c[0]
    power = _power_of_two(shifted)
    return power + power * (r + r * r * q), q, n == 0.0


def exp_parts(t):
    """(e^-t, q, near) for t >= 0. Where `near` holds, q = (e^-t - 1 + t) / t^2 to full precision; elsewhere q is meaningless and t > 0.34."""
    raise NotImplementedError("for compiled code only")


@overload(exp_parts, jit_options=JIT_OVERLOAD)
def _exp_parts_overload(t):
    if t == types.float32:
        return lambda t: _exp_parts32(t)
    return lambda t: _exp_parts64(t)


def one(t):
    """1 in the type of t, so that single precision is not promoted."""
    raise NotImplementedError("for compiled code only")


@overload(one, jit_options=JIT_OVERLOAD)
def _one_overload(t):
    if t == types.float32:
        return lambda t: _ONE32
    return lambda t: 1.0


@njit(**JIT)
def sigmoid(u):
    """1 / (1 + e^-u)."""
    unit = one(u)
    e, _, _ = exp_parts(abs(u))
    return (unit if u > unit - unit else e) / (unit + e)


@njit(**JIT)
def tanh(x):
    """Hyperbolic tangent, accurate near 0."""
    unit = one(x)
    t = abs(x + x)
    e, q, near = exp_parts(t)
    fall = t - t * t * q if near else unit - e
    size = fall / (unit + e)
    return size if x > unit - unit else -size
