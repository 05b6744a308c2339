"""The first bytes of SHA-1 (FIPS 180-4) of many short spans, eight at a time, for parity with tools that hash shingles so."""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.text import frozen

# after compile.py, which tells numba where its cache is
from llvmlite import ir  # type: ignore[import-untyped]  # isort: skip
from numba import types  # isort: skip
from numba.extending import intrinsic  # isort: skip

_LANES = 8
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_ROUNDS = (0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6)
_VECTOR = ir.VectorType(ir.IntType(32), _LANES)


def _all(value: int) -> Any:
    return ir.Constant(_VECTOR, [value] * _LANES)


def _rotated(builder: Any, x: Any, bits: int) -> Any:
    return builder.or_(builder.shl(x, _all(bits)), builder.lshr(x, _all(32 - bits)))


def _chosen(builder: Any, step: int, b: Any, c: Any, d: Any) -> Any:
    if step < 20:
        return builder.xor(d, builder.and_(b, builder.xor(c, d)))
    if 40 <= step < 60:
        return builder.or_(builder.and_(b, c), builder.and_(d, builder.or_(b, c)))
    return builder.xor(b, builder.xor(c, d))


def _compress(_context: Any, words: Any, state: Any) -> Any:
    """One block of each lane: `words` (16, lanes) goes into `state` (5, lanes), both flat uint32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def places(k: int, rows: int) -> list[Any]:
            data = context.make_array(signature.args[k])(context, builder, args[k]).data
            at = [builder.gep(data, [ir.Constant(ir.IntType(64), row * _LANES)]) for row in range(rows)]
            return [builder.bitcast(place, _VECTOR.as_pointer()) for place in at]

        def read(place: Any) -> Any:
            value = builder.load(place)
            value.align = 4
            return value

        w = [read(place) for place in places(0, 16)]
        kept = places(1, 5)
        before = [read(place) for place in kept]
        a, b, c, d, e = before
        for step in range(80):
            if step >= 16:
                mixed = builder.xor(builder.xor(w[step - 3], w[step - 8]), builder.xor(w[step - 14], w[step - 16]))
                w.append(_rotated(builder, mixed, 1))
            sum_ = builder.add(builder.add(e, _all(_ROUNDS[step // 20])), w[step])
            sum_ = builder.add(builder.add(sum_, _chosen(builder, step, b, c, d)), _rotated(builder, a, 5))
            a, b, c, d, e = sum_, a, _rotated(builder, b, 30), c, d
        for place, old, new in zip(kept, before, (a, b, c, d, e), strict=True):
            builder.store(builder.add(old, new), place).align = 4
        return context.get_dummy_value()

    return types.none(words, state), generate


_compressed: Any = intrinsic(_compress)


@leaf
def _swapped(x: Any) -> Any:
    """The four bytes of a number below 2**32 in the other order."""
    x = (x & np.uint64(0x00FF00FF)) << np.uint64(8) | (x >> np.uint64(8)) & np.uint64(0x00FF00FF)
    return (x & np.uint64(0xFFFF)) << np.uint64(16) | x >> np.uint64(16)


@leaf
def _fill(data: Any, start: Any, end: Any, block: Any, lane: Any, words: Any) -> None:
    """Block number `block` of the padded message `data[start:end]`: the bytes, 0x80, zeros, and the length in bits."""
    for word in range(16):
        at = start + 64 * block + 4 * word
        value = np.uint32(0)
        if at + 4 <= end:
            for byte in range(4):
                value |= np.uint32(data[np.uint64(at + byte)]) << np.uint32(24 - 8 * byte)
        elif at <= end:
            for byte in range(end - at):
                value |= np.uint32(data[np.uint64(at + byte)]) << np.uint32(24 - 8 * byte)
            value |= np.uint32(0x80) << np.uint32(24 - 8 * (end - at))
        words[np.uint64(word * _LANES + lane)] = value
    if 64 * block + 56 > end - start:
        bits = np.uint64(8 * (end - start))
        words[np.uint64(14 * _LANES + lane)] = bits >> np.uint64(32)
        words[np.uint64(15 * _LANES + lane)] = bits & np.uint64(0xFFFFFFFF)


@leaf
def _heads(data: Any, starts: Any, ends: Any, start_state: Any, words: Any, state: Any, bits: Any, out: Any) -> None:
    count = len(starts)
    for first in range(0, count, _LANES):
        for place in range(len(state)):
            state[place] = start_state[place]
        blocks = 0
        for lane in range(_LANES):
            span = min(first + lane, count - 1)
            blocks = max(blocks, (ends[span] - starts[span] + 8) // 64 + 1)
        for block in range(blocks):
            for lane in range(_LANES):
                span = min(first + lane, count - 1)
                _fill(data, starts[span], ends[span], block, lane, words)
            _compressed(words, state)
            for lane in range(_LANES):
                span = min(first + lane, count - 1)
                if block == (ends[span] - starts[span] + 8) // 64:
                    out[span] = _swapped(np.uint64(state[lane]))
                    if bits == 64:
                        out[span] |= _swapped(np.uint64(state[_LANES + lane])) << np.uint64(32)


def sha1_heads(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, bits: int) -> np.ndarray:
    """The first 4 or 8 bytes of the SHA-1 of each `data[starts[i]:ends[i]]`, as little-endian numbers (uint64)."""
    out = np.empty(len(starts), np.uint64)
    start_state = frozen(np.repeat(np.array(_START, np.uint32), _LANES))
    words, state = np.empty(16 * _LANES, np.uint32), np.empty(5 * _LANES, np.uint32)
    _heads(frozen(data), frozen(starts), frozen(ends), start_state, words, state, bits, out)
    return out
