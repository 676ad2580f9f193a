"""Vector primitives of the CPU kernels: short SIMD loops over a tile of samples.

A tile is `lanes` samples of one network member, stored as the contiguous inner axis of every array of a kernel:
(neuron, lane). Everything here is emitted as vector instructions, for single and double precision alike, and calls no
library function: Numba's automatic vectorisation of the same loops depends on alias checks that fail or cost as much as
the loop.

    gather_sum      out[l] = sum over p of values[p] * source[columns[p], l]: one row of a sparse matrix times a tile
    gather_add      the same, added to what is there
    row_sums        acc[:] += row, summed over all but a few lanes
    outer_dots      acc[p, :] += row[l] * source[columns[p], l], summed over l: gradient of that row's stored values
    turn, turn_add  transpose a small block between arrays
    row_kernel      turns a Python function of `Lanes` into a compiled elementwise kernel on rows of tiles
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spinhw.rollout.cpu.kernels.lanes import Lanes

# Samples per tile: 64 floats fill eight 256-bit registers, which hides the latency of the fused multiply-add and leaves
# room for operands.
LANES: dict[np.dtype, int] = {np.dtype(np.float32): 64, np.dtype(np.float64): 32}
# Width of the accumulators of `outer_dots` and of the blocks of `turn`: one 256-bit register.
PIECE_BYTES = 32
PIECE = {dtype: PIECE_BYTES // dtype.itemsize for dtype in LANES}
# Elementwise kernels work on two registers at a time: their chains of dependent operations then overlap.
ROW_BYTES = 2 * PIECE_BYTES

# No reference counts: kernels allocate nothing, and the counters of array views would cost as much as the arithmetic.
_PLAIN: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
# For what is called from compiled code only: entries for Python and C would be a third of the compile time.
JIT: dict[str, Any] = _PLAIN | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# For what is called once per neuron: a call would pass some hundred words of array descriptors on the stack, which
# takes longer than the work.
JIT_INLINE: dict[str, Any] = JIT | {"forceinline": True}
# For what is called from Python: compiled code is kept between processes. See `sources` for why only there.
JIT_ENTRY: dict[str, Any] = _PLAIN | {"no_cfunc_wrapper": True}


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
    """Give a * b + c, fused where the processor can."""
    return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))


def _word(builder, value):
    """Index as a 64-bit integer."""
    return value if value.type.width == 64 else builder.sext(value, ir.IntType(64))


def _gathering(context, builder, sig, args, row):
    """Code of `gather_sum` into out, and of `gather_add` to a row of it."""
    kind, size, lanes = _element(sig.args[0])
    vector, index = ir.VectorType(kind, lanes), ir.IntType(64)
    pointers = [_data(context, builder, t, a) for t, a in zip(sig.args[:4], args[:4], strict=True)]
    width = ir.Constant(index, lanes)
    zero = ir.Constant(vector, [0.0] * lanes)
    total = cgutils.alloca_once_value(builder, zero)
    place = ir.Constant(index, 0) if row is None else builder.mul(_word(builder, row), width)
    builder.store(zero if row is None else _load(builder, vector, pointers[0], place, size), total)
    first, last = _word(builder, args[4]), _word(builder, args[5])
    with cgutils.for_range_slice(builder, first, last, ir.Constant(index, 1), index) as (p, _):
        column = _word(builder, builder.load(builder.gep(pointers[3], [p])))
        value = _splat(builder, builder.load(builder.gep(pointers[2], [p])), vector)
        lane_values = _load(builder, vector, pointers[1], builder.mul(column, width), size)
        builder.store(_multiply_add(builder, lane_values, value, builder.load(total)), total)
    _store(builder, builder.load(total), pointers[0], place, size)
    return context.get_dummy_value()


@intrinsic
def gather_sum(typing_context, out, source, values, columns, start, stop):
    """Set out[:] to the sum over p in [start, stop) of values[p] * source[columns[p], :].

    out (lanes,), source (rows, lanes), values and columns (stored,): C-contiguous.
    """

    def codegen(context, builder, sig, args):
        return _gathering(context, builder, sig, args, None)

    return types.void(out, source, values, columns, start, stop), codegen


@intrinsic
def gather_add(typing_context, out, source, values, columns, start, stop, row):
    """Add that sum to out[row, :] instead, out (rows, lanes)."""

    def codegen(context, builder, sig, args):
        return _gathering(context, builder, sig, args, args[6])

    return types.void(out, source, values, columns, start, stop, row), codegen


@intrinsic
def row_sums(typing_context, accumulator, place, tile, row):
    """Add to accumulator[place, :] the partial sums of tile[row, :]."""

    def codegen(context, builder, sig, args):
        kind, size, lanes = _element(sig.args[2])
        piece, index = PIECE_BYTES // size, ir.IntType(64)
        vector = ir.VectorType(kind, piece)
        sums, rows = (_data(context, builder, sig.args[n], args[n]) for n in (0, 2))
        offset = builder.mul(_word(builder, args[1]), ir.Constant(index, piece))
        origin = builder.mul(_word(builder, args[3]), ir.Constant(index, lanes))
        terms = [
            _load(builder, vector, rows, builder.add(origin, ir.Constant(index, n)), size)
            for n in range(0, lanes, piece)
        ]
        while len(terms) > 1:
            terms = [builder.fadd(*pair) for pair in zip(terms[::2], terms[1::2], strict=True)]
        _store(builder, builder.fadd(_load(builder, vector, sums, offset, size), terms[0]), sums, offset, size)
        return context.get_dummy_value()

    return types.void(accumulator, place, tile, row), codegen


@intrinsic
def outer_dots(typing_context, accumulator, base, tile, row, source, columns, start, stop):
    """Add to accumulator[p - base, :] the partial sums of tile[row, l] * source[columns[p], l], for p in [start, stop).

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
            column = _word(builder, builder.load(builder.gep(columns_pointer, [p])))
            offset = builder.mul(builder.sub(p, base_value), ir.Constant(index, piece))
            total = _load(builder, vector, sums, offset, size)
            for left, right in zip(held, pieces(others, column), strict=True):
                total = _multiply_add(builder, left, right, total)
            _store(builder, total, sums, offset, size)
        return context.get_dummy_value()

    return signature, codegen


def _transposed(builder, rows):
    """Columns of as many vectors as each has elements; a power of two."""
    word, count, distance = ir.IntType(32), len(rows), 1
    while distance < count:
        # Exchange the off-diagonal blocks of every 2 x 2 blocks of this size.
        low = [n if n & distance == 0 else count + n - distance for n in range(count)]
        high = [n + distance if n & distance == 0 else count + n for n in range(count)]
        masks = [ir.Constant(ir.VectorType(word, count), each) for each in (low, high)]
        pairs = [(rows[n & ~distance], rows[n | distance]) for n in range(count)]
        rows = [builder.shuffle_vector(*pair, masks[n & distance > 0]) for n, pair in enumerate(pairs)]
        distance *= 2
    return rows


def _turning(adding: bool) -> Callable:
    def codegen(context, builder, sig, args):
        kind, size, _ = _element(sig.args[0])
        width, index = PIECE_BYTES // size, ir.IntType(64)
        vector = ir.VectorType(kind, width)
        to, source = (_data(context, builder, sig.args[n], args[n]) for n in (0, 3))

        def offsets(begin, stride):
            return [
                builder.add(_word(builder, begin), builder.mul(_word(builder, stride), ir.Constant(index, n)))
                for n in range(width)
            ]

        rows = [_load(builder, vector, source, offset, size) for offset in offsets(*args[4:])]
        for column, offset in zip(_transposed(builder, rows), offsets(*args[1:3]), strict=True):
            held = _load(builder, vector, to, offset, size) if adding else None
            _store(builder, column if held is None else builder.fadd(held, column), to, offset, size)
        return context.get_dummy_value()

    return codegen


@intrinsic
def turn(typing_context, target, to, to_stride, source, begin, stride):
    """Set element to + a * to_stride + b of target to begin + b * stride + a of source, for a, b below `piece`.

    C-contiguous arrays of any number of axes, counted as if they had one.
    """
    return types.void(target, to, to_stride, source, begin, stride), _turning(adding=False)


@intrinsic
def turn_add(typing_context, target, to, to_stride, source, begin, stride):
    """Add to the target instead."""
    return types.void(target, to, to_stride, source, begin, stride), _turning(adding=True)


def row_kernel(*outputs: str) -> Callable:
    """Make a decorator: a function of Lanes becomes a kernel that Numba code calls as kernel(i, *outputs, *inputs).

    2-D arguments stand for their row i, 1-D arguments for themselves, numbers for equal lanes. The function returns one
    Lanes per output. Every lane is read before it is written, so an output may also be an input.
    """

    def decorate(function):
        inputs = list(inspect.signature(function).parameters)
        count = len(outputs)

        def codegen(context, builder, sig, args):
            first = sig.args[1]
            kind, size, lanes = _element(first)
            vector, index = ir.VectorType(kind, ROW_BYTES // size), ir.IntType(64)
            row = builder.mul(_word(builder, args[0]), ir.Constant(index, lanes))
            operands = [
                _operand(context, builder, t, a, row, vector) for t, a in zip(sig.args[1:], args[1:], strict=True)
            ]
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

        # Numba reads the names of the arguments from the signature and passes their types by position.
        def definition(*arguments):
            return types.void(*arguments[1:]), codegen

        names = ["typing_context", "i", *(f"out_{name}" for name in outputs), *inputs]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        definition.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
        definition.__name__, definition.__qualname__ = function.__name__, function.__qualname__
        definition.__doc__, definition.__module__ = function.__doc__, function.__module__
        return intrinsic(definition)

    return decorate


def _operand(context, builder, kind, value, row, vector):
    """(pointer to the first lane of an array's row, False) or (vector of equal lanes, True)."""
    if not isinstance(kind, types.Array):
        return _splat(builder, value, vector), True
    pointer = _data(context, builder, kind, value)
    return (builder.gep(pointer, [row]) if kind.ndim == 2 else pointer), False
