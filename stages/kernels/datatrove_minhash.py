"""Shingles and signatures as datatrove 0.10 makes them (dedup/minhash.py, utils/text.py), number for number."""

import functools
import re
import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa

from stages.kernels.compile import leaf
from stages.kernels.hashing import xxh64
from stages.kernels.minima import mersenne_minima
from stages.kernels.sha1 import sha1_heads
from stages.kernels.spans import spans
from stages.kernels.text import Text, frozen, text_of
from stages.kernels.unicode import PUNCTUATION, classes
from stages.kernels.words import words_of

_NUMBER = re.compile(r"\d+(?:[.,،٫⎖⎗⎘]\d+)?")
_SPACE = re.compile(r"\s+")
_MERSENNE = 2**61 - 1
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
    found = spans(words.doc_offsets, words.starts, words.sizes, simplified.data, size, "word")
    if hash_ == "sha1":
        return sha1_heads(found.data, found.starts, found.ends, bits), found.offsets
    hashes = np.empty(len(found.starts), np.uint64)
    _hash_spans(frozen(found.data), frozen(found.starts), frozen(found.ends), bits, hashes)
    return hashes, found.offsets


@leaf
def _hash_spans(data: Any, starts: Any, ends: Any, bits: Any, hashes: Any) -> None:
    for span in range(len(starts)):
        if bits == 64:
            hashes[span] = xxh64(data, starts[span], ends[span], np.uint64(0))
        else:
            hashes[span] = _xxh32(data, starts[span], ends[span])


@leaf
def _rotate32(x: Any, bits: Any) -> Any:
    return (x << bits | x >> (32 - bits)) & _U32


@leaf
def _four(data: Any, at: Any) -> Any:
    low = np.int64(data[at]) | np.int64(data[at + 1]) << 8
    return low | np.int64(data[at + 2]) << 16 | np.int64(data[at + 3]) << 24


@leaf
def _xxh32(data: Any, at: Any, end: Any) -> Any:
    """XXH32 of `data[at:end]` with seed 0. Numbers are kept below 2**32 in int64; a product may wrap, its low half is right."""
    size = end - at
    if size >= 16:
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
    hash_ = (hash_ + size) & _U32
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
    factors = generator.randint(1, _MERSENNE, dtype=np.uint64, size=count)
    return frozen(factors), frozen(generator.randint(0, _MERSENNE, dtype=np.uint64, size=count))


def datatrove_minhash(text: Text, size: int, hash_: str, count: int, seed: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Signatures (documents, count), uint64 or uint32 by `bits`, and the number of shingles of each text (int64).

    Minima of (hash * factor + addend) mod 2**61 - 1, wrapped at 2**64 before the modulo, of which 32 bits take the lower half.
    """
    hashes, offsets = datatrove_shingles(text, size, hash_, bits)
    return mersenne_minima(hashes, offsets, *affine_maps(count, seed), bits), np.diff(offsets)
