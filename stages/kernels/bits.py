"""Sixty-four bytes at a time: which of them are in a range, as the bits of a number; and what such numbers are asked.

These are numba intrinsics over LLVM's vectors, so that every machine uses the registers it has, and gives the same bits.
Where numba is switched off (NUMBA_DISABLE_JIT), plain functions stand in for them.
"""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.intrinsics import reading, settings

from llvmlite import ir  # type: ignore[import-untyped]  # isort: skip
from numba import config, types  # isort: skip
from numba.core import cgutils  # isort: skip
from numba.extending import intrinsic  # isort: skip

_PLAIN = getattr(config, "DISABLE_JIT")  # noqa: B009  numba makes it at run time
BLOCK = 64
"""bytes that one number stands for; bit i is byte i"""

_I8, _I64 = ir.IntType(8), ir.IntType(64)
_BYTES = ir.VectorType(_I8, BLOCK)


def _unary(name: str, plain: Any) -> Any:
    """A function of one uint64, by the builder's method `name`."""
    if _PLAIN:
        return plain

    def typed(_context: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            more = (ir.Constant(ir.IntType(1), 0),) if name == "cttz" else ()
            return getattr(builder, name)(args[0], *more)

        return types.int64(types.uint64), code

    return intrinsic(typed)


def _plain_ctz(value: Any) -> Any:
    number = int(value)
    return np.int64((number & -number).bit_length() - 1 if number else BLOCK)


trailing_zeros: Any = _unary("cttz", _plain_ctz)
"""Zeros below the lowest bit that is set (int64 of a uint64); 64 for 0."""

bit_count: Any = _unary("ctpop", lambda value: np.int64(int(value).bit_count()))
"""Bits that are set (int64 of a uint64)."""


def mask_of(low: int, high: int, fold: bool = False) -> Any:
    """A function (data, position) -> uint64 with bit i set if `low <= data[position + i] <= high`.

    fold  ask this of the byte with 0x20 set: ranges of lower case letters then hold both cases

    It reads 64 bytes from `position`, without check: the caller knows that they exist.
    """
    if _PLAIN:
        return lambda data, at: _plain_mask(data, at, low, high, fold)

    def typed(_context: Any, data: Any, at: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, args[0])
            place = builder.bitcast(builder.gep(array.data, [args[1]]), _BYTES.as_pointer())
            loaded = builder.load(place)
            loaded.align = 1
            if fold:
                loaded = builder.or_(loaded, _splat(0x20))
            # one unsigned comparison tells whether a byte is in a range
            found = builder.icmp_unsigned("<=", builder.sub(loaded, _splat(low)), _splat(high - low))
            return builder.bitcast(found, _I64)

        return types.uint64(data, types.int64), code

    return reading(typed, BLOCK)


def sequence_of(text: str) -> Any:
    """A function (data, position) -> uint64 with bit i set if `text` stands at `position + i`, in any case of its letters.

    `text` is ASCII, in lower case. A byte of it that is no letter is found with or without its bit 0x20.

    It reads `64 + len(text) - 1` bytes from `position`, without check.
    """
    letters = text.encode()
    if _PLAIN:
        return lambda data, at: _plain_sequence(data, at, letters)

    def typed(_context: Any, data: Any, at: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, args[0])
            found = None
            for index, letter in enumerate(letters):
                place = builder.gep(array.data, [builder.add(args[1], ir.Constant(_I64, index))])
                loaded = builder.load(builder.bitcast(place, _BYTES.as_pointer()))
                loaded.align = 1
                equal = builder.icmp_unsigned("==", builder.or_(loaded, _splat(0x20)), _splat(letter | 0x20))
                found = equal if found is None else builder.and_(found, equal)
            return builder.bitcast(found, _I64)

        return types.uint64(data, types.int64), code

    return reading(typed, BLOCK + len(letters) - 1)


def _plain_sequence(data: Any, at: Any, letters: bytes) -> Any:
    found = ~np.uint64(0)
    for index, letter in enumerate(letters):
        found &= _plain_mask(data, at + index, letter | 0x20, letter | 0x20, True)
    return found


def _plain_copy(source: Any, start: Any, stop: Any, target: Any, at: Any) -> Any:
    if not (0 <= start <= stop <= len(source) and 0 <= at <= len(target) - (stop - start)):
        raise IndexError("a copy from outside of its array, or to there")
    for index in range(stop - start):
        target[at + index] = source[start + index]
    return at + (stop - start)


def _copy_bytes(_context: Any, source: Any, start: Any, stop: Any, target: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        read = context.make_array(signature.args[0])(context, builder, args[0])
        written = context.make_array(signature.args[3])(context, builder, args[3])
        size = builder.sub(args[2], args[1])
        place = builder.gep(written.data, [args[4]])
        cgutils.raw_memcpy(builder, place, builder.gep(read.data, [args[1]]), size, 1)  # type: ignore[no-untyped-call]
        return builder.add(args[4], size)

    return types.int64(source, types.int64, types.int64, target, types.int64), code


copy_bytes: Any = leaf(_plain_copy) if _PLAIN or settings.BOUNDSCHECK else intrinsic(_copy_bytes)
"""(source, start, stop, target, at): copy `source[start:stop]` to `target[at:]`, without check; returns where the copy ends."""


def _splat(byte: int) -> Any:
    return ir.Constant(_BYTES, [ir.Constant(_I8, byte)] * BLOCK)


def _plain_mask(data: Any, at: Any, low: int, high: int, fold: bool) -> Any:
    part = data[at : at + BLOCK] | np.uint8(0x20) if fold else data[at : at + BLOCK]
    if len(part) != BLOCK:
        raise IndexError(f"64 bytes at {at} of {len(data)}")
    return np.packbits((part >= low) & (part <= high), bitorder="little").view(np.uint64)[0]
