"""Hashes of bytes and numbers. All are stable for ever: what they give is written into files and decides random choices.

None of them withstands an adversary who looks for collisions; they are for text that nobody made to collide.
"""

import functools
from typing import Any

import numpy as np
import pyarrow as pa

from stages.kernels.compile import inlined, leaf
from stages.kernels.intrinsics import load64
from stages.kernels.text import Text, frozen, text_of
from stages.kernels.unicode import decode

_P1 = np.uint64(0x9E3779B185EBCA87)
_P2 = np.uint64(0xC2B2AE3D27D4EB4F)
_P3 = np.uint64(0x165667B19E3779F9)
_P4 = np.uint64(0x85EBCA77C2B2AE63)
_P5 = np.uint64(0x27D4EB2F165667C5)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FACTOR = np.uint64(0xD6E8FEB86659FD93)  # the multiplier of the rrmxmx mixer family; odd, bits evenly spread
_SHIFT = np.uint64(32)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_ZERO = np.uint64(0)
_U64 = 2**64 - 1
_SIGMA, _FINAL_SIGMA = 0x3C3, 0x3C2
_DOTTED_I, _DOT_ABOVE = 0x130, 0x307
"""the one code point whose lower case is two: i and a dot above"""


@leaf
def mix64(x: Any) -> Any:
    """A bijection of 64 bits in which each bit of the input moves each bit of the output (the finalizer of SplitMix64)."""
    x ^= x >> np.uint64(30)
    x *= _MIX_A
    x ^= x >> np.uint64(27)
    x *= _MIX_B
    return x ^ (x >> np.uint64(31))


@leaf
def _rotate(x: Any, bits: Any) -> Any:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))


@leaf
def xxh64(data: Any, start: Any, end: Any, seed: Any) -> Any:
    """XXH64 of `data[start:end]` (Collet, xxHash specification 0.1.1), on a little-endian machine."""
    at = start
    if end - start >= 32:
        v1 = seed + _P1 + _P2
        v2 = seed + _P2
        v3 = seed
        v4 = seed - _P1
        while at + 32 <= end:
            v1 = _rotate(v1 + load64(data, at) * _P2, 31) * _P1
            v2 = _rotate(v2 + load64(data, at + 8) * _P2, 31) * _P1
            v3 = _rotate(v3 + load64(data, at + 16) * _P2, 31) * _P1
            v4 = _rotate(v4 + load64(data, at + 24) * _P2, 31) * _P1
            at += 32
        hash_ = _rotate(v1, 1) + _rotate(v2, 7) + _rotate(v3, 12) + _rotate(v4, 18)
        hash_ = (hash_ ^ (_rotate(v1 * _P2, 31) * _P1)) * _P1 + _P4
        hash_ = (hash_ ^ (_rotate(v2 * _P2, 31) * _P1)) * _P1 + _P4
        hash_ = (hash_ ^ (_rotate(v3 * _P2, 31) * _P1)) * _P1 + _P4
        hash_ = (hash_ ^ (_rotate(v4 * _P2, 31) * _P1)) * _P1 + _P4
    else:
        hash_ = seed + _P5
    hash_ += np.uint64(end - start)
    while at + 8 <= end:
        hash_ ^= _rotate(load64(data, at) * _P2, 31) * _P1
        hash_ = _rotate(hash_, 27) * _P1 + _P4
        at += 8
    if at + 4 <= end:
        four = np.uint64(0)
        for byte in range(4):
            four |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
        hash_ ^= four * _P1
        hash_ = _rotate(hash_, 23) * _P2 + _P3
        at += 4
    while at < end:
        hash_ ^= np.uint64(data[at]) * _P5
        hash_ = _rotate(hash_, 11) * _P1
        at += 1
    hash_ ^= hash_ >> np.uint64(33)
    hash_ *= _P2
    hash_ ^= hash_ >> np.uint64(29)
    hash_ *= _P3
    return hash_ ^ (hash_ >> np.uint64(32))


@inlined
def hash_bytes(data: Any, start: Any, stop: Any) -> Any:
    """64-bit hash of `data[start:stop]`: its size, then sixteen bytes at a time, mixed in by multiplications and shifts.

    All steps are invertible, so that two words of up to eight bytes never have the same hash.
    """
    size = stop - start
    value = _GOLDEN * np.uint64(size + 1)
    if size <= 8 and start + 8 <= len(data):  # most words
        return _mixed(value, load64(data, start) & _LOW[size], _ZERO)
    while size > 16:
        value = _mixed(value, load64(data, start), load64(data, start + 8))
        start += 16
        size -= 16
    if start + 16 <= len(data):
        return _mixed(value, load64(data, start) & _LOW[size], load64(data, start + 8) & _HIGH[size])
    low, high = np.uint64(0), np.uint64(0)
    for index in range(size):
        byte = np.uint64(data[start + index]) << np.uint64(8 * (index & 7))
        low, high = (low | byte, high) if index < 8 else (low, high | byte)
    return _mixed(value, low, high)


# Which bits of sixteen bytes belong to a word of so many bytes: a look-up costs less than branches on sizes.
_LOW = frozen(np.array([(1 << 8 * min(size, 8)) - 1 for size in range(17)], np.uint64))
_HIGH = frozen(np.array([(1 << 8 * max(size - 8, 0)) - 1 for size in range(17)], np.uint64))


@leaf
def _mixed(value: Any, low: Any, high: Any) -> Any:
    value = (value ^ low) * _FACTOR
    value = (value ^ (value >> _SHIFT) ^ high) * _FACTOR
    return value ^ (value >> _SHIFT)


@leaf
def _hash_texts(offsets: Any, data: Any, seeds: Any, out: Any) -> None:
    for i in range(len(offsets) - 1):
        out[i] = xxh64(data, offsets[i], offsets[i + 1], seeds[i])


def hash_texts(text: Text, seeds: np.ndarray | int = 0) -> np.ndarray:
    """XXH64 of each text (uint64), with one seed for all or one for each."""
    count = len(text.offsets) - 1
    each = np.full(count, seeds & _U64, np.uint64) if isinstance(seeds, int) else seeds.astype(np.uint64)
    out = np.empty(count, np.uint64)
    _hash_texts(frozen(text.offsets), frozen(text.data), frozen(each), out)
    return out


def order_keys(
    seed: int, salt: str, source: pa.Array | pa.ChunkedArray, id: pa.Array | pa.ChunkedArray, copy: np.ndarray | int = 0
) -> np.ndarray:
    """One random-looking uint64 per document: a hash of (seed, salt, source, id, copy number). The only source of randomness.

    salt  what the number is for, so that two steps with the same seed choose independently
    copy  0 for a document's first row, 1, 2, ... for the copies that mixing makes (one number, or one per document)

    key = mix64(XXH64(id, seed=XXH64(source, seed=XXH64(salt, seed=seed))) ^ (copy * 0x9E3779B97F4A7C15)). A null
    source or id reads as empty. Equal keys are possible (n documents: n**2 / 2**65 pairs), so order by (key, source, id).
    """
    salt_hash = hash_texts(text_of(pa.array([salt])), seed)[0]
    source_text, id_text = text_of(source), text_of(id)
    by_source = hash_texts(source_text, int(salt_hash))
    keys = hash_texts(id_text, by_source)
    copies = np.asarray(copy, np.int64) if np.ndim(copy) else np.full(len(keys), copy, np.int64)
    if not len(by_source) == len(keys) == len(copies):
        raise ValueError(f"source, id and copy have {len(by_source)}, {len(keys)} and {len(copies)} entries")
    _mix_copies(frozen(copies), keys)
    return keys


@leaf
def _mix_copies(copies: Any, keys: Any) -> None:
    for i in range(len(keys)):
        keys[i] = mix64(keys[i] ^ (np.uint64(copies[i]) * _GOLDEN))


def hash_unit(keys: np.ndarray) -> np.ndarray:
    """Keys (uint64) as float64 from 0 to below 1: the upper 53 bits, so that no key becomes 1."""
    return np.asarray((keys >> np.uint64(11)) * 2.0**-53)


def text_ids(text: Text) -> np.ndarray:
    """128 bits for each text, (documents, 2) uint64: XXH64 with seeds 0 and 1. Equal rows are taken for equal texts.

    n different texts have a pair with equal ids with a probability of about n**2 / 2**129: 1.5e-19 for 10 billion.
    """
    return np.stack([hash_texts(text, 0), hash_texts(text, 1)], axis=1)


def plain_text_ids(text: Text) -> np.ndarray:
    """`text_ids` of the texts in lower case, without outer white space, each run of white space as one space.

    That is `" ".join(text.lower().split())`, but a final sigma is written like any other sigma.
    """
    longest = int(np.diff(text.offsets).max(initial=0))
    scratch = np.empty(2 * longest + 8, np.uint8)  # lower case takes at most 3 bytes for 2
    ids = np.empty((len(text.offsets) - 1, 2), np.uint64)
    _hash_plain(frozen(text.offsets), frozen(text.data), _lower_case(), scratch, ids)
    return ids


@functools.cache
def _lower_case() -> np.ndarray:
    table = np.arange(0x110000, dtype=np.uint32)
    for code in range(0x20000):  # beyond the second plane nothing has case
        lower = chr(code).lower()
        table[code] = ord(lower[0]) if lower else code
        if chr(code).isspace():
            table[code] = 0x20
    table[_FINAL_SIGMA] = _SIGMA
    return frozen(table)


@leaf
def _hash_plain(offsets: Any, data: Any, lower: Any, scratch: Any, ids: Any) -> None:
    for i in range(len(offsets) - 1):
        at, end, size = offsets[i], offsets[i + 1], 0
        pending = False
        while at < end:
            code, width = decode(data, at, end)
            at += width
            small = lower[code]
            if small == 0x20:
                pending = size > 0
                continue
            if pending:
                scratch[size] = 0x20
                size += 1
                pending = False
            size = _encode(small, scratch, size)
            if code == _DOTTED_I:
                size = _encode(np.uint32(_DOT_ABOVE), scratch, size)
        for lane in range(2):
            ids[i, lane] = xxh64(scratch, np.int64(0), np.int64(size), np.uint64(lane))


@leaf
def _encode(code: Any, out: Any, at: Any) -> Any:
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4
