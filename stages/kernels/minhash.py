"""MinHash signatures of shingles, 32 or 64 bits a value, and the keys of their bands."""

import functools
from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.hashing import mix64, xxh64
from stages.kernels.minima import SIGN, least_affine32, least_affine64, padded
from stages.kernels.shingles import WORDS, shingle_hashes, with_slack
from stages.kernels.text import Text, frozen

_STEP = 0x9E3779B97F4A7C15


@functools.cache
def permutations(count: int, seed: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and addends (uint32 or uint64) of the permutations x -> (x * factor + addend) mod 2**bits.

    Numbers 2i and 2i + 1 of SplitMix64 started at mix64(seed), their upper halves for 32 bits.
    """
    state = int(mix64(np.uint64(seed & (2**64 - 1))))
    drawn = [int(mix64(np.uint64((state + (i + 1) * _STEP) % 2**64))) >> (64 - bits) for i in range(2 * count)]
    kind = np.uint32 if bits == 32 else np.uint64
    return frozen(np.array([number | 1 for number in drawn[0::2]], kind)), frozen(np.array(drawn[1::2], kind))


def minhash(
    text: Text, size: int, unit: str, count: int, seed: int, bits: int, words: str = "folded"
) -> tuple[np.ndarray, np.ndarray]:
    """Signatures of the texts, (documents, count), uint32 or uint64, and the number of shingles of each (int64).

    A value is the minimum of one permutation over the hashes of the document's `shingles`. A document without shingles has
    the largest number everywhere: its signature must not be used.
    """
    factors, addends = permutations(count, seed, bits)
    signature = np.empty((len(text.offsets) - 1, count), factors.dtype)
    counts = np.empty(len(signature), np.int64)
    arrays = [padded(factors), padded(addends if bits == 32 else addends ^ SIGN), np.empty(len(padded(factors)), factors.dtype)]
    room = np.empty(int(np.diff(text.offsets).max(initial=0)), np.uint64)  # one document's hashes, which stay in the cache
    fill = _signatures32 if bits == 32 else _signatures64
    for first, end, offsets, data in with_slack(text):
        places = [offsets, data, WORDS[words](), size, unit == "word", room]
        fill(*places, *arrays, signature[first:end], counts[first:end])
    return signature, counts


@leaf
def _signatures32(
    offsets: Any,
    data: Any,
    fold: Any,
    size: Any,
    by_word: Any,
    room: Any,
    factors: Any,
    addends: Any,
    minima: Any,
    out: Any,
    counts: Any,
) -> None:
    for doc in range(len(out)):
        counts[doc] = shingle_hashes(data, offsets[doc], offsets[doc + 1], fold, size, by_word, np.uint64(32), room)
        least_affine32(room, np.int64(0), counts[doc], factors, addends, minima, out[doc])


@leaf
def _signatures64(
    offsets: Any,
    data: Any,
    fold: Any,
    size: Any,
    by_word: Any,
    room: Any,
    factors: Any,
    addends: Any,
    minima: Any,
    out: Any,
    counts: Any,
) -> None:
    for doc in range(len(out)):
        counts[doc] = shingle_hashes(data, offsets[doc], offsets[doc + 1], fold, size, by_word, np.uint64(0), room)
        least_affine64(room, np.int64(0), counts[doc], factors, addends, minima, out[doc])


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
