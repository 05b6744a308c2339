"""MinHash signatures of folded shingles, 32 bits a value, and the keys of their bands."""

import functools
import unicodedata
from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.hashing import mix64, xxh64
from stages.kernels.intrinsics import load64
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import decode
from stages.kernels.words import Words

_STEP = np.uint64(0x9E3779B97F4A7C15)
"""odd; the multiplier of the rolling hash and of the word hash"""
_ZERO = 0x30
_ALL = np.uint64(2**64 - 1)
_HIGH = np.uint64(0x8080808080808080)
_ASCII_LOWER = np.uint64(0x2020202020202020)
_FROM_A = np.uint64(0x1F1F1F1F1F1F1F1F)
"""added to a byte below 0x80, sets its high bit from a on"""
_ABOVE_Z = np.uint64(0x0505050505050505)
"""added to a byte of UTF-8 (none is above 0xF4), sets its high bit beyond z"""
_KEPT = ("L", "M", "N")


@functools.cache
def folded() -> np.ndarray:
    """What each code point is in a shingle: uint32, 0x110000 entries; 0 for a code point that does not count.

    Letters are taken in lower case and without non-spacing marks (of the decomposed form), every decimal digit is "0";
    spacing marks, numerals and other symbols (emoji) stay; punctuation, all other symbols, controls and spaces are nothing.
    """
    table = np.arange(0x110000, dtype=np.uint32)
    # Ideographs and Hangul syllables stay what they are; beyond the second plane there are only ideographs and invisible tags.
    for start, stop in ((0, 0x3400), (0x4DC0, 0x4E00), (0xA000, 0xAC00), (0xD7A4, 0xD800), (0xE000, 0x20000)):
        table[start:stop] = [_fold(code) for code in range(start, stop)]
    table[0xD800:0xE000] = 0
    table[0xE0000:0xF0000] = 0
    return frozen(table)


def _fold(code: int) -> int:
    if 0xD800 <= code < 0xE000:
        return 0
    category = unicodedata.category(chr(code))
    if category == "Nd":
        return _ZERO
    if category == "Mn" or (category[0] not in _KEPT and category != "So"):
        return 0
    lower = chr(code).lower()
    bases = [c for c in unicodedata.normalize("NFD", lower) if unicodedata.category(c) != "Mn"]
    base = bases[0] if len(bases) == 1 else lower[0]  # a Hangul syllable decomposes into letters: it stays whole
    return 0x3C3 if base == "ς" else ord(base)


@leaf
def _absorb(code: Any, hash_: Any, buffer: Any, bits: Any) -> Any:
    """Put a code point into a 64-bit buffer (8 bits, or 24 beyond ASCII), which goes into the hash when it is full."""
    width = 8 if code < 0x80 else 24
    if bits + width > 64:
        hash_ = (hash_ ^ buffer) * _STEP
        hash_ ^= hash_ >> np.uint64(32)
        buffer = np.uint64(0)
        bits = 0
    piece = np.uint64(code) if code < 0x80 else np.uint64(code) | np.uint64(0x800000)
    return hash_, buffer | piece << np.uint64(bits), bits + width


@leaf
def _word_shingles(
    doc_offsets: Any, starts: Any, sizes: Any, data: Any, fold: Any, size: Any, ring: Any, out: Any, ends: Any
) -> Any:
    gone = np.uint64(1)
    for _ in range(size):
        gone *= _STEP
    written = 0
    for doc in range(len(doc_offsets) - 1):
        count, slot, rolling = 0, 0, np.uint64(0)
        for w in range(doc_offsets[doc], doc_offsets[doc + 1]):
            at, end = starts[w], starts[w] + sizes[w]
            hash_, buffer, bits = np.uint64(0), np.uint64(0), 0
            any_, in_number = False, False
            # plain ASCII letters, eight at a time: what the loop below would have put into the buffer, bit for bit
            while at < end and at + 8 <= len(data):
                width = min(end - at, 8)
                chunk = load64(data, at) & (_ALL >> np.uint64(64 - 8 * width))
                lower = chunk | (_ASCII_LOWER & (_ALL >> np.uint64(64 - 8 * width)))
                letters = (lower + _FROM_A) & ~(lower + _ABOVE_Z) & _HIGH
                if letters != _HIGH & (_ALL >> np.uint64(64 - 8 * width)):
                    break
                if any_:
                    hash_ = (hash_ ^ buffer) * _STEP
                    hash_ ^= hash_ >> np.uint64(32)
                buffer = lower
                bits = 8 * width
                any_ = True
                at += width
            while at < end:
                first = data[at]
                if first < 0x80:
                    code = fold[first]
                    at += 1
                else:
                    wide, width = decode(data, at, end)
                    code = fold[wide]
                    at += width
                if code == 0:
                    continue
                if code == _ZERO:
                    if in_number:
                        continue
                    in_number = True
                else:
                    in_number = False
                any_ = True
                hash_, buffer, bits = _absorb(code, hash_, buffer, bits)
            if not any_:
                continue
            word = mix64((hash_ ^ buffer) * _STEP)
            rolling = rolling * _STEP + word
            if count >= size:
                rolling -= ring[slot] * gone
            ring[slot] = word
            slot = slot + 1 if slot + 1 < size else 0
            count += 1
            if count >= size:
                out[written] = np.uint32(mix64(rolling) >> np.uint64(32))
                written += 1
        ends[doc] = written
    return written


@leaf
def _char_shingles(
    doc_offsets: Any, starts: Any, sizes: Any, data: Any, fold: Any, size: Any, ring: Any, out: Any, ends: Any
) -> Any:
    gone = np.uint64(1)
    for _ in range(size):
        gone *= _STEP
    written = 0
    for doc in range(len(doc_offsets) - 1):
        count, slot, rolling = 0, 0, np.uint64(0)
        for w in range(doc_offsets[doc], doc_offsets[doc + 1]):
            at, end = starts[w], starts[w] + sizes[w]
            any_, in_number = False, False
            while at < end:
                wide, width = decode(data, at, end)
                code = fold[wide]
                at += width
                if code == 0 or (code == _ZERO and in_number):
                    continue
                in_number = code == _ZERO
                for part in range(2):
                    if part == 0 and (any_ or count == 0):
                        continue  # a space only before a word that is not the first
                    unit = mix64(np.uint64(0x20) if part == 0 else np.uint64(code))
                    rolling = rolling * _STEP + unit
                    if count >= size:
                        rolling -= ring[slot] * gone
                    ring[slot] = unit
                    slot = slot + 1 if slot + 1 < size else 0
                    count += 1
                    if count >= size:
                        out[written] = np.uint32(mix64(rolling) >> np.uint64(32))
                        written += 1
                any_ = True
        ends[doc] = written
    return written


def shingles(text: Text, words: Words, size: int, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Hashes (uint32) of the shingles of all documents, and their offsets by document (int64, documents + 1).

    A word is folded by `folded`, a run of digits counts as one; a word of which nothing is left is passed over. A shingle is
    `size` consecutive words, or `size` consecutive code points of the folded words joined by single spaces.
    """
    documents = len(words.doc_offsets) - 1
    offsets = np.zeros(documents + 1, np.int64)
    room = len(words.starts) if unit == "word" else int(words.sizes.sum()) + len(words.starts)
    out = np.empty(room, np.uint32)
    fill = _word_shingles if unit == "word" else _char_shingles
    arrays = [frozen(array) for array in (words.doc_offsets, words.starts, words.sizes, text.data)]
    written = fill(*arrays, folded(), size, np.zeros(size, np.uint64), out, offsets[1:])
    return out[:written], offsets


@functools.cache
def permutations(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and masks (uint32) of the permutations x -> ((x ^ mask) * factor) mod 2**32.

    Numbers 2i and 2i + 1 of SplitMix64 started at mix64(seed), upper halves.
    """
    state = int(mix64(np.uint64(seed & (2**64 - 1))))
    drawn = [int(mix64(np.uint64((state + (i + 1) * int(_STEP)) % 2**64))) >> 32 for i in range(2 * count)]
    return frozen(np.array(drawn[0::2], np.uint32) | np.uint32(1)), frozen(np.array(drawn[1::2], np.uint32))


@leaf
def _minima32(hashes: Any, offsets: Any, factors: Any, masks: Any, out: Any) -> None:
    count = len(factors)
    for doc in range(len(offsets) - 1):
        row = out[doc]
        for p in range(count):
            row[p] = np.uint32(0xFFFFFFFF)
        at, end = offsets[doc], offsets[doc + 1]
        # four shingles in one pass over the permutations: their minima are loaded and stored once instead of four times
        while at < end:
            x0 = hashes[at]
            x1 = hashes[min(at + 1, end - 1)]
            x2 = hashes[min(at + 2, end - 1)]
            x3 = hashes[min(at + 3, end - 1)]
            for p in range(count):
                a, c = factors[p], masks[p]
                v0 = np.uint32((x0 ^ c) * a)
                v1 = np.uint32((x1 ^ c) * a)
                v2 = np.uint32((x2 ^ c) * a)
                v3 = np.uint32((x3 ^ c) * a)
                row[p] = min(row[p], min(min(v0, v1), min(v2, v3)))
            at += 4


def signatures(hashes: np.ndarray, offsets: np.ndarray, permutation_count: int, seed: int) -> np.ndarray:
    """The minimum of each permutation over the shingles of each document: uint32 (documents, permutations).

    A document without shingles has the largest number everywhere: its signature must not be used.
    """
    out = np.empty((len(offsets) - 1, permutation_count), np.uint32)
    _minima32(frozen(hashes), frozen(offsets), *permutations(permutation_count, seed), out)
    return out


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
