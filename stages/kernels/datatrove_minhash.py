"""Shingles and signatures as datatrove 0.10 makes them (dedup/minhash.py, utils/text.py), number for number."""

import functools
import hashlib
import re
import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa

from stages.kernels.compile import leaf
from stages.kernels.hashing import xxh64
from stages.kernels.text import Text, frozen, text_of
from stages.kernels.unicode import PUNCTUATION, classes
from stages.kernels.words import words_of

_NUMBER = re.compile(r"\d+(?:[.,،٫⎖⎗⎘]\d+)?")
_SPACE = re.compile(r"\s+")
_MERSENNE = np.uint64(2**61 - 1)
_Q1, _Q2, _Q3, _Q4, _Q5 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1
_U32 = 0xFFFFFFFF


def simplify(text: str) -> str:
    """Lower case, numbers as "0", punctuation as space, single spaces, letters without marks. The order of steps matters.

    Written over strings: this mode is for parity and runs after filters, where spaCy takes most of the time anyhow.
    """
    text = _NUMBER.sub("0", text.lower()).translate(_punctuation())
    text = _SPACE.sub(" ", text.strip())
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    return text.strip()


@functools.cache
def _punctuation() -> dict[int, str]:
    return dict.fromkeys(np.flatnonzero(classes() & PUNCTUATION).tolist(), " ")


def datatrove_shingles(text: Text, size: int, hash_: str, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes (uint64, below 2**bits) of `size` words joined by spaces, and their offsets by document (int64).

    Words are spaCy's of the simplified text; hash_ is "xxhash" (XXH64 or XXH32) or "sha1" (its first bytes, little-endian).
    """
    pairs = zip(text.offsets[:-1].tolist(), text.offsets[1:].tolist(), strict=True)
    # a Python loop over documents: parity mode only, see `simplify`
    plain = [simplify(text.data[start:end].tobytes().decode()) for start, end in pairs]
    simplified = text_of(pa.array(plain, pa.large_string()))
    words = words_of(simplified, "datatrove")
    counts = np.maximum(np.diff(words.doc_offsets) - size + 1, 0)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
    hashes = np.empty(offsets[-1], np.uint64)
    scratch = np.empty((int(words.sizes.max(initial=0)) + 1) * size + 8, np.uint8)
    if hash_ == "sha1":
        _sha1_shingles(simplified, words.doc_offsets, words.starts, words.sizes, size, bits // 8, hashes)
    else:
        arrays = [frozen(array) for array in (words.doc_offsets, words.starts, words.sizes, simplified.data)]
        _xxhash_shingles(*arrays, size, bits, scratch, hashes)
    return hashes, offsets


def _sha1_shingles(
    text: Text, doc_offsets: np.ndarray, starts: np.ndarray, sizes: np.ndarray, size: int, width: int, hashes: np.ndarray
) -> None:
    # sha1 is here for parity with FineWeb's published settings only: the standard library's, one call per shingle
    data, at = text.data.tobytes(), 0
    words = [data[start : start + length] for start, length in zip(starts.tolist(), sizes.tolist(), strict=True)]
    for first, end in zip(doc_offsets[:-1].tolist(), doc_offsets[1:].tolist(), strict=True):
        for w in range(first, end - size + 1):
            digest = hashlib.sha1(b" ".join(words[w : w + size]), usedforsecurity=False).digest()
            hashes[at] = int.from_bytes(digest[:width], "little")
            at += 1


@leaf
def _xxhash_shingles(
    doc_offsets: Any, starts: Any, sizes: Any, data: Any, size: Any, bits: Any, scratch: Any, hashes: Any
) -> None:
    at = 0
    for doc in range(len(doc_offsets) - 1):
        for w in range(doc_offsets[doc], doc_offsets[doc + 1] - size + 1):
            length = 0
            for v in range(w, w + size):
                if v > w:
                    scratch[length] = 0x20
                    length += 1
                for byte in range(starts[v], starts[v] + sizes[v]):
                    scratch[length] = data[byte]
                    length += 1
            if bits == 64:
                hashes[at] = xxh64(scratch, np.int64(0), np.int64(length), np.uint64(0))
            else:
                hashes[at] = _xxh32(scratch, length)
            at += 1


@leaf
def _rotate32(x: Any, bits: Any) -> Any:
    return (x << bits | x >> (32 - bits)) & _U32


@leaf
def _four(data: Any, at: Any) -> Any:
    low = np.int64(data[at]) | np.int64(data[at + 1]) << 8
    return low | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24


@leaf
def _xxh32(data: Any, end: Any) -> Any:
    """XXH32 of `data[:end]` with seed 0. Numbers are kept below 2**32 in int64; a product may wrap, its low half is right."""
    at = 0
    if end >= 16:
        v1, v2, v3, v4 = (_Q1 + _Q2) & _U32, _Q2, 0, -_Q1 & _U32
        while at + 16 <= end:
            v1 = _rotate32((v1 + _four(data, at) * _Q2) & _U32, 13) * _Q1 & _U32
            v2 = _rotate32((v2 + _four(data, at + 4) * _Q2) & _U32, 13) * _Q1 & _U32
            v3 = _rotate32((v3 + _four(data, at + 8) * _Q2) & _U32, 13) * _Q1 & _U32
            v4 = _rotate32((v4 + _four(data, at + 12) * _Q2) & _U32, 13) * _Q1 & _U32
            at += 16
        hash_ = _rotate32(v1, 1) + _rotate32(v2, 7) + _rotate32(v3, 12) + _rotate32(v4, 18)
    else:
        hash_ = _Q5
    hash_ = (hash_ + end) & _U32
    while at + 4 <= end:
        hash_ = _rotate32((hash_ + _four(data, at) * _Q3) & _U32, 17) * _Q4 & _U32
        at += 4
    while at < end:
        hash_ = _rotate32((hash_ + np.int64(data[at]) * _Q5) & _U32, 11) * _Q1 & _U32
        at += 1
    hash_ = (hash_ ^ hash_ >> 15) * _Q2 & _U32
    hash_ = (hash_ ^ hash_ >> 13) * _Q3 & _U32
    return np.uint64(hash_ ^ hash_ >> 16)


@functools.cache
def affine_maps(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors and addends (uint64) as numpy's legacy generator draws them; its stream is frozen by numpy's policy."""
    generator = np.random.RandomState(seed)
    factors = generator.randint(1, int(_MERSENNE), dtype=np.uint64, size=count)
    return frozen(factors), frozen(generator.randint(0, int(_MERSENNE), dtype=np.uint64, size=count))


def datatrove_signatures(hashes: np.ndarray, offsets: np.ndarray, value_count: int, seed: int, bits: int) -> np.ndarray:
    """Minima of (hash * factor + addend) mod 2**61 - 1, wrapped at 2**64 before the modulo: uint64, or uint32 for 32 bits."""
    out = np.empty((len(offsets) - 1, value_count), np.uint64)
    mask = np.uint64(2**bits - 1)
    _minima61(frozen(hashes), frozen(offsets), *affine_maps(value_count, seed), mask, out)
    return out if bits == 64 else out.astype(np.uint32)


@leaf
def _minima61(hashes: Any, offsets: Any, factors: Any, addends: Any, mask: Any, out: Any) -> None:
    for doc in range(len(offsets) - 1):
        row = out[doc]
        for p in range(len(factors)):
            row[p] = mask
        for at in range(offsets[doc], offsets[doc + 1]):
            x = hashes[at]
            for p in range(len(factors)):
                wrapped = x * factors[p] + addends[p]
                value = (wrapped & _MERSENNE) + (wrapped >> np.uint64(61))
                value = value - _MERSENNE if value >= _MERSENNE else value
                row[p] = min(row[p], value & mask)
