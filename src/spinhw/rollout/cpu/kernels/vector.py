"""Vector primitives of the CPU kernels: short SIMD loops over a tile of samples.

A tile is `lanes` samples of one network member, stored as the contiguous inner axis of every array of a kernel:
(neuron, lane). Everything here is emitted as vector instructions, for single and double precision alike, and calls no
library function: Numba's automatic vectorisation of the same loops depends on alias checks that fail or cost as much as
the loop.

    gather_sum      out[l] = sum over p of values[p] * source[columns[p], l]: one row of a sparse matrix times a tile
    outer_dots      acc[p, :] += row[l] * source[columns[p], l], summed over l: gradient of that row's stored values
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
# Width of the vectors of elementwise kernels and of the accumulators of `outer_dots`: one 256-bit register.
PIECE_BYTES = 32
PIECE = {dtype: PIECE_BYTES // dtype.itemsize for dtype in LANES}

# No reference counts: kernels allocate nothing, and the counters of array views would cost as much as the arithmetic.
JIT: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
# For what is called once per neuron: a call would pass some hundred words of array descriptors on the stack, which
# takes longer than the work.
JIT_INLINE: dict[str, Any] = JIT | {"forceinline": True}
# For what is called from Python: compiled code is kept between processes. See `sources` for why only there.
JIT_ENTRY: dict[str, Any] = JIT | {"cache": True}


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


@intrinsic
def gather_sum(typing_context, out, source, values, columns, start, stop):
    """Set out[:] to the sum over p in [start, stop) of values[p] * source[columns[p], :].

    out (lanes,), source (rows, lanes), values and columns (stored,): C-contiguous; columns is int64.
    """
    signature = types.void(out, source, values, columns, start, stop)

    def codegen(context, builder, sig, args):
        kind, size, lanes = _element(sig.args[0])
        vector = ir.VectorType(kind, lanes)
        pointers = [_data(context, builder, t, a) for t, a in zip(sig.args[:4], args[:4], strict=True)]
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
            column = builder.load(builder.gep(columns_pointer, [p]))
            offset = builder.mul(builder.sub(p, base_value), ir.Constant(index, piece))
            total = _load(builder, vector, sums, offset, size)
            for left, right in zip(held, pieces(others, column), strict=True):
                total = _multiply_add(builder, left, right, total)
            _store(builder, total, sums, offset, size)
        return context.get_dummy_value()

    return signature, codegen


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
            vector, index = ir.VectorType(kind, PIECE_BYTES // size), ir.IntType(64)
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
