"""Minima of random permutations over the hashes of each document's shingles: the inner loop of MinHash.

Numba has no vectors, and what it makes of plain loops reads and writes each minimum once for a few hashes. So the loop
over hashes is written in LLVM's language, with vectors whose width any processor's compiler divides as it must: a block of
permutations is held in registers while all hashes of a document pass.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.text import frozen

# after compile.py, which tells numba where its cache is
from llvmlite import ir  # type: ignore[import-untyped]  # isort: skip
from numba import types  # isort: skip
from numba.core import cgutils as _cgutils  # isort: skip
from numba.extending import intrinsic  # isort: skip

cgutils: Any = _cgutils
_MERSENNE_BITS = 61
_MERSENNE = 2**_MERSENNE_BITS - 1
SIGN = np.uint64(2**63)
_VECTORS = 2
"""in a block: with more, minima, factors and addends do not fit into the sixteen registers that most processors have"""
_BLOCK = 16
"""permutations are padded to a multiple of this: a block of 32 bits, or two of 64"""
_AT_ONCE = 1024
"""hashes that pass all blocks before the next do: they stay in the nearest cache"""

Permute = Callable[[Any, Any, Any, Any, Any], Any]


def _splat(builder: Any, value: Any, lanes: int) -> Any:
    vector = ir.VectorType(value.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _affine(builder: Any, x: Any, factor: Any, addend: Any, _mask: Any) -> Any:
    return builder.add(builder.mul(x, factor), addend)


def _mersenne(builder: Any, x: Any, factor: Any, addend: Any, mask: Any) -> Any:
    """(x * factor + addend) mod 2**64 mod 2**61 - 1, lower bits. 2**61 is 1, so upper bits are added; once more for a carry."""

    def constant(value: int) -> Any:
        return ir.Constant(x.type, [value] * x.type.count)

    wrapped = builder.add(builder.mul(x, factor), addend)
    sum_ = builder.add(builder.and_(wrapped, constant(_MERSENNE)), builder.lshr(wrapped, constant(_MERSENNE_BITS)))
    carry = builder.lshr(builder.add(sum_, constant(1)), constant(_MERSENNE_BITS))
    return builder.and_(builder.add(sum_, carry), mask)


def _block_minima(bits: int, permute: Permute) -> Any:
    """An intrinsic: `minima[p]` becomes the least of itself and the permuted `hashes[first:end]`, for a block of p at `at`.

    Of a hash its lower `bits` are taken. 32 bits are compared without sign, 64 with it.
    """
    lanes, compare = (8, "icmp_unsigned") if bits == 32 else (4, "icmp_signed")
    kind = ir.IntType(bits)
    vector = ir.VectorType(kind, lanes)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        hashes, factors, addends, minima = (
            context.make_array(signature.args[k])(context, builder, args[k]).data for k in (0, 3, 4, 6)
        )
        first, end, mask, at = args[1], args[2], _splat(builder, builder.trunc(args[5], kind), lanes), args[7]

        def place(data: Any, v: int) -> Any:
            index = builder.add(at, ir.Constant(at.type, v * lanes))
            return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())

        def read(data: Any) -> list[Any]:
            values = [builder.load(place(data, v)) for v in range(_VECTORS)]
            for value in values:
                value.align = bits // 8
            return values

        a, b = read(factors), read(addends)
        least = [cgutils.alloca_once_value(builder, value) for value in read(minima)]
        with cgutils.for_range_slice(builder, first, end, ir.Constant(at.type, 1)) as (index, _):
            hash_ = builder.load(builder.gep(hashes, [index]))
            x = _splat(builder, hash_ if bits == 64 else builder.trunc(hash_, kind), lanes)
            for v in range(_VECTORS):
                value, before = permute(builder, x, a[v], b[v], mask), builder.load(least[v])
                builder.store(builder.select(getattr(builder, compare)("<", value, before), value, before), least[v])
        for v in range(_VECTORS):
            builder.store(builder.load(least[v]), place(minima, v)).align = bits // 8
        return context.get_dummy_value()

    def block(
        _context: Any, hashes: Any, first: Any, end: Any, factors: Any, addends: Any, mask: Any, minima: Any, at: Any
    ) -> Any:
        numbers = (types.int64, types.int64, factors, addends, types.uint64, minima, types.int64)
        return types.none(hashes, *numbers), generate

    return intrinsic(block)


_affine32: Any = _block_minima(32, _affine)
_affine64: Any = _block_minima(64, _affine)
_mersenne61: Any = _block_minima(64, _mersenne)


@leaf
def least_affine32(hashes: Any, first: Any, end: Any, factors: Any, addends: Any, minima: Any, out: Any) -> None:
    """Write one document's minima into `out`. All but `out` are padded (`padded`); so is `minima`, which is scratch."""
    minima[:] = np.uint32(2**32 - 1)
    while first < end:
        until = min(first + _AT_ONCE, end)
        for at in range(0, len(minima), _VECTORS * 8):
            _affine32(hashes, first, until, factors, addends, np.uint64(0), minima, at)
        first = until
    for p in range(len(out)):
        out[p] = minima[p]


@leaf
def least_affine64(hashes: Any, first: Any, end: Any, factors: Any, addends: Any, minima: Any, out: Any) -> None:
    """The same of 64 bits; addends are `addends ^ SIGN`, which makes of a comparison without sign one with it."""
    minima[:] = SIGN - np.uint64(1)
    while first < end:
        until = min(first + _AT_ONCE, end)
        for at in range(0, len(minima), _VECTORS * 4):
            _affine64(hashes, first, until, factors, addends, np.uint64(0), minima, at)
        first = until
    for p in range(len(out)):
        out[p] = minima[p] ^ SIGN


@leaf
def _least_mersenne(hashes: Any, first: Any, end: Any, factors: Any, addends: Any, mask: Any, minima: Any, out: Any) -> None:
    minima[:] = mask
    while first < end:
        until = min(first + _AT_ONCE, end)
        for at in range(0, len(minima), _VECTORS * 4):
            _mersenne61(hashes, first, until, factors, addends, mask, minima, at)
        first = until
    for p in range(len(out)):
        out[p] = minima[p]


@leaf
def _all_affine32(hashes: Any, offsets: Any, factors: Any, addends: Any, minima: Any, out: Any) -> None:
    for doc in range(len(out)):
        least_affine32(hashes, offsets[doc], offsets[doc + 1], factors, addends, minima, out[doc])


@leaf
def _all_affine64(hashes: Any, offsets: Any, factors: Any, addends: Any, minima: Any, out: Any) -> None:
    for doc in range(len(out)):
        least_affine64(hashes, offsets[doc], offsets[doc + 1], factors, addends, minima, out[doc])


@leaf
def _all_mersenne(hashes: Any, offsets: Any, factors: Any, addends: Any, mask: Any, minima: Any, out: Any) -> None:
    for doc in range(len(out)):
        _least_mersenne(hashes, offsets[doc], offsets[doc + 1], factors, addends, mask, minima, out[doc])


def affine_minima(hashes: np.ndarray, offsets: np.ndarray, factors: np.ndarray, addends: np.ndarray) -> np.ndarray:
    """Minima of hash * factor + addend modulo 2**w, (documents, permutations), where w is the width of the factors, 32 or 64.

    hashes   uint64, below 2**w; those of document i from offsets[i] to offsets[i + 1]
    A document without hashes has the largest number everywhere: its signature must not be used.
    """
    out = np.empty((len(offsets) - 1, len(factors)), factors.dtype)
    arrays = [frozen(hashes), frozen(offsets), padded(factors)]
    minima = np.empty(len(arrays[2]), factors.dtype)
    if factors.dtype == np.uint32:
        _all_affine32(*arrays, padded(addends), minima, out)
    else:
        _all_affine64(*arrays, padded(addends ^ SIGN), minima, out)
    return out


def mersenne_minima(hashes: np.ndarray, offsets: np.ndarray, factors: np.ndarray, addends: np.ndarray, bits: int) -> np.ndarray:
    """Minima of the lower `bits` of (hash * factor + addend) mod 2**61 - 1, wrapped at 2**64 before that modulo.

    uint32 or uint64, (documents, permutations). A document without hashes has the largest number everywhere.
    """
    out = np.empty((len(offsets) - 1, len(factors)), np.uint32 if bits == 32 else np.uint64)
    factors, addends = padded(factors), padded(addends)
    mask = np.uint64(min(2**bits - 1, _MERSENNE))
    _all_mersenne(frozen(hashes), frozen(offsets), factors, addends, mask, np.empty(len(factors), np.uint64), out)
    return out


def padded(numbers: np.ndarray) -> np.ndarray:
    """Numbers with zeros behind them, up to whole blocks."""
    return frozen(np.concatenate([numbers, np.zeros(-len(numbers) % _BLOCK, numbers.dtype)]))
