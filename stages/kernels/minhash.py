"""MinHash signatures of folded shingles, 32 or 64 bits a value, and the keys of their bands."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.hashing import frozen, mix64, xxh64
from stages.kernels.minima import affine_minima
from stages.kernels.shingles import shingles
from stages.kernels.text import Text

_STEP = 0x9E3779B97F4A7C15
_GROUP_BYTES = 2**20
"""text whose shingles are hashed before their minima are taken: the hashes are still in the cache then"""


@functools.cache
def permutations(count: int, seed: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and addends (uint32 or uint64) of the permutations x -> (x * factor + addend) mod 2**bits.

    Numbers 2i and 2i + 1 of SplitMix64 started at mix64(seed), their upper halves for 32 bits.
    """
    state = int(mix64(np.uint64(seed & (2**64 - 1))))
    drawn = [int(mix64(np.uint64((state + (i + 1) * _STEP) % 2**64))) >> (64 - bits) for i in range(2 * count)]
    kind = np.uint32 if bits == 32 else np.uint64
    return frozen(np.array([number | 1 for number in drawn[0::2]], kind)), frozen(np.array(drawn[1::2], kind))


def minhash(text: Text, size: int, unit: str, count: int, seed: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Signatures of the texts, (documents, count), uint32 or uint64, and the number of shingles of each (int64).

    A value is the minimum of one permutation over the hashes of the document's `shingles`. A document without shingles has
    the largest number everywhere: its signature must not be used.
    """
    factors, addends = permutations(count, seed, bits)
    signature = np.empty((len(text.offsets) - 1, count), factors.dtype)
    counts = np.empty(len(signature), np.int64)
    parts = list(groups(text.offsets))
    room = np.empty(max((int(text.offsets[end] - text.offsets[first]) for first, end in parts), default=0), np.uint64)
    for first, end in parts:
        hashes, bounds = shingles(Text(text.offsets[first : end + 1], text.data), size, unit, bits, room)
        signature[first:end] = affine_minima(hashes, bounds, factors, addends)
        counts[first:end] = np.diff(bounds)
    return signature, counts


def groups(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of documents of up to `_GROUP_BYTES` each, or of one document."""
    first = 0
    while first < len(offsets) - 1:
        end = int(np.searchsorted(offsets, offsets[first] + _GROUP_BYTES, side="right")) - 1
        end = max(end, first + 1)
        yield first, end
        first = end


@leaf
def _band_keys(signature_bytes: Any, band_bytes: Any, keys: Any) -> None:
    at = np.int64(0)
    for doc in range(keys.shape[1]):
        for band in range(keys.shape[0]):
            keys[band, doc] = xxh64(signature_bytes, at, at + band_bytes, np.uint64(0))
            at += band_bytes


def band_keys(signature: np.ndarray, bands: int) -> np.ndarray:
    """One uint64 per band and document, (bands, documents): XXH64 of the little-endian bytes of the band's rows."""
    keys = np.empty((bands, len(signature)), np.uint64)
    if len(signature):
        band_bytes = signature.shape[1] // bands * signature.itemsize
        _band_keys(frozen(signature.reshape(-1).view(np.uint8)), band_bytes, keys)
    return keys
