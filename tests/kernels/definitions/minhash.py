"""Shingles and minima of MinHash."""

import functools
import re
import unicodedata

import numpy as np

from definitions.words import slow_words

U64 = 2**64
STEP = 0x9E3779B97F4A7C15


@functools.cache
def fold(code: int) -> str:
    """Digits as 0, lower case, no marks; letters, numerals and other symbols only.

    Beyond the second plane all but tags is taken as it is, also what is private or unassigned.
    """
    char = chr(code)
    if code >= 0x20000:
        return "" if 0xE0000 <= code < 0xF0000 else char
    category = unicodedata.category(char)
    if category == "Nd":
        return "0"
    if category == "Mn" or (category[0] not in "LMN" and category != "So"):
        return ""
    lower = "σ" if char == "ς" else char.lower()
    bases = "".join(c for c in unicodedata.normalize("NFD", lower) if unicodedata.category(c) != "Mn")
    return bases if len(bases) == 1 else lower[0]


def mix(x: int) -> int:
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % U64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % U64
    return x ^ (x >> 31)


@functools.lru_cache(maxsize=20_000)
def folded_words(text: str) -> tuple[str, ...]:
    found = []
    for word in slow_words(text):
        folded = "".join(fold(ord(char)) for char in word)
        if folded:
            found.append(re.sub("0+", "0", folded))
    return tuple(found)


def word_hash(word: str) -> int:
    hash_, buffer, bits = 0, 0, 0
    for char in word:
        width = 8 if char.isascii() else 24
        if bits + width > 64:
            hash_ = (hash_ ^ buffer) * STEP % U64
            hash_ ^= hash_ >> 32
            buffer, bits = 0, 0
        buffer |= (ord(char) if char.isascii() else ord(char) | 0x800000) << bits
        bits += width
    return mix((hash_ ^ buffer) * STEP % U64)


def shingles_slowly(text: str, size: int, unit: str) -> list[int]:
    words = folded_words(text)
    units = [word_hash(word) for word in words] if unit == "word" else [mix(ord(char)) for char in " ".join(words)]
    found = []
    for at in range(len(units) - size + 1):
        hash_ = 0
        for one in units[at : at + size]:
            hash_ = (hash_ * STEP + one) % U64
        found.append(mix(hash_) >> 32)
    return found


def slow_minima(hashes: list[int], factors: list[int], masks: list[int]) -> list[int]:
    """Minima of x -> ((x ^ mask) * factor) mod 2**32; the largest number without hashes."""
    values = np.array(hashes, np.uint64)[:, None] ^ np.array(masks, np.uint64)
    values = values * np.array(factors, np.uint64) % np.uint64(2**32)
    return values.min(axis=0, initial=2**32 - 1).tolist()
