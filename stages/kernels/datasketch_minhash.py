"""Signatures as datasketch 2.0 makes them (minhash.py, hashfunc.py), number for number.

A shingle is `size` consecutive words of `text.lower().split()` joined by single spaces, or `size` consecutive characters of
`" ".join(text.lower().split())`, in UTF-8. The signature of a text is that of `MinHash(num_perm, seed, scheme=scheme)` after
an `update` with each of its shingles. Its hash is the first 4 bytes of SHA-1, or 8 for affine64, little-endian.
"""

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from stages.kernels.minima import affine_minima, mersenne_minima
from stages.kernels.sha1 import sha1_heads
from stages.kernels.spans import space_words, spans
from stages.kernels.text import Text, frozen, text_of

_MERSENNE = 2**61 - 1
_GROUP_BYTES = 2**20
"""text that is handled at once: a span of each of its shingles takes ten times as much"""


def datasketch_minhash(text: Text, size: int, unit: str, count: int, seed: int, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    """Signatures (documents, count), uint64 for affine64, else uint32, and the number of shingles of each text (int64).

    scheme  affine32  the default of datasketch 2: MurmurHash3's finalizer, then (hash * a + b) mod 2**32 with odd a
            affine64  the same of 64 bits
            legacy    the only one of datasketch 1: (hash * a + b) mod (2**61 - 1), wrapped at 2**64 before, lower 32 bits
    """
    bits = 64 if scheme == "affine64" else 32
    signature = np.empty((len(text.offsets) - 1, count), np.uint64 if bits == 64 else np.uint32)
    counts = np.empty(len(signature), np.int64)
    for first, end in _groups(text.offsets):
        lower = _lower(Text(text.offsets[first : end + 1], text.data))
        found = spans(*space_words(lower), lower.data, size, unit)
        hashes = sha1_heads(found.data, found.starts, found.ends, bits)
        if scheme == "legacy":
            minima = mersenne_minima(hashes, found.offsets, *legacy_maps(count, seed), bits)
        else:
            minima = affine_minima(_mixed(hashes, bits), found.offsets, *affine_maps(count, seed, bits))
        signature[first:end] = minima
        counts[first:end] = np.diff(found.offsets)
    return signature, counts


def _groups(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of documents of up to `_GROUP_BYTES` each, or of one document."""
    first = 0
    while first < len(offsets) - 1:
        end = int(np.searchsorted(offsets, offsets[first] + _GROUP_BYTES, side="right")) - 1
        end = max(end, first + 1)
        yield first, end
        first = end


def _lower(text: Text) -> Text:
    # a Python loop over documents: lower case of a final sigma depends on what is around it, and parity asks for Python's
    pairs = zip(text.offsets[:-1].tolist(), text.offsets[1:].tolist(), strict=True)
    return text_of(pa.array([text.data[start:end].tobytes().decode().lower() for start, end in pairs], pa.large_string()))


def _mixed(hashes: np.ndarray, bits: int) -> np.ndarray:
    """The finalizer of MurmurHash3 (Appleby, MurmurHash3.cpp: fmix32, fmix64)."""
    if bits == 32:
        x = hashes.astype(np.uint32)
        x = (x ^ x >> np.uint32(16)) * np.uint32(0x85EBCA6B)
        x = (x ^ x >> np.uint32(13)) * np.uint32(0xC2B2AE35)
        return (x ^ x >> np.uint32(16)).astype(np.uint64)
    x = (hashes ^ hashes >> np.uint64(33)) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ x >> np.uint64(33)) * np.uint64(0xC4CEB9FE1A85EC53)
    return np.asarray(x ^ x >> np.uint64(33))


@functools.cache
def affine_maps(count: int, seed: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and addends (uint32 or uint64), drawn from numpy's legacy generator: first all factors, then all addends."""
    generator, kind = np.random.RandomState(seed), np.uint32 if bits == 32 else np.uint64
    factors = generator.randint(0, 2 ** (bits - 1), count, dtype=kind) * kind(2) + kind(1)
    return frozen(factors), frozen(generator.randint(0, 2**bits, count, dtype=kind))


@functools.cache
def legacy_maps(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors and addends (uint64) below 2**61 - 1, drawn in turn."""
    generator = np.random.RandomState(seed)
    pairs = [
        (generator.randint(1, _MERSENNE, dtype=np.uint64), generator.randint(0, _MERSENNE, dtype=np.uint64))
        for _ in range(count)
    ]
    drawn = np.array(pairs, np.uint64)
    return frozen(drawn[:, 0]), frozen(drawn[:, 1])
