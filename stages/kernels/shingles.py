"""Hashes of the shingles of a text, in one pass over its bytes.

**Plain words** are those of Python's `\\w+` in lower case: runs of letters, numerals, underscores, and marks; but every letter
(and numeral that is no digit) of Han, kana, Thai, Lao, Khmer and Myanmar, with its marks, is a word by itself.

**Folded words.** Code points are folded (`folding.py`): lower case, no non-spacing marks, a run of digits as one "0". A word is
a maximal run of folded letters, marks and numerals, but letters of the scripts above, and symbols, are words by themselves.
Numbers (words that are "0") next to each other count as one, so that 1,000 and 1000 and 10:30 are the same, and a table of
figures is no text.

**Shingles.** `size` consecutive words; or `size` consecutive code points of the words joined by single spaces, without a space
beside a word that is a letter or symbol by itself.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from stages.kernels.bits import BLOCK, mask_of, trailing_zeros
from stages.kernels.compile import leaf
from stages.kernels.folding import ALONE, CODE, JOINS, PASSED_OVER, ZERO, folded, lowered
from stages.kernels.hashing import mix64
from stages.kernels.intrinsics import load64
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import decode

_STEP = np.uint64(0x9E3779B97F4A7C15)
"""odd; the multiplier of the rolling hash"""
_ABSORB = np.uint64(0xD6E8FEB86659FD93)
"""odd; the multiplier of the word hash"""
_HALF = np.uint64(32)
_ALL = np.uint64(2**64 - 1)
_LOWER = np.uint64(0x2020202020202020)
SLACK = BLOCK + 16
"""bytes behind a text that are read, and do not count"""


_letters = mask_of(0x61, 0x7A, fold=True)
_digits = mask_of(0x30, 0x39)
_high = mask_of(0x80, 0xFF)
_underscores = mask_of(0x5F, 0x5F)

WORDS = {"plain": lowered, "folded": folded}
"""what code points become, by the kind of words"""

_FIRST_EIGHT = frozen(np.array([2 ** (8 * min(size, 8)) - 1 for size in range(17)], np.uint64))
_NEXT_EIGHT = frozen(np.array([2 ** (8 * max(size - 8, 0)) - 1 for size in range(17)], np.uint64))
"""masks of the bytes of a word of 0 to 16 bytes"""


@leaf
def _absorb(hash_: Any, piece: Any) -> Any:
    hash_ = (hash_ ^ piece) * _ABSORB
    return hash_ ^ hash_ >> _HALF


@leaf
def _long_word(data: Any, at: Any, stop: Any) -> Any:
    """Hash of a word of ASCII letters: its bytes in lower case, eight at a time."""
    hash_ = np.uint64(0)
    while at < stop:
        piece = (load64(data, at) | _LOWER) & _FIRST_EIGHT[np.uint64(min(stop - at, 8))]
        hash_ = _absorb(hash_, piece)
        at += 8
    return hash_


_NUMBER = np.uint64(ZERO * int(_ABSORB) % 2**64)
_NUMBER ^= _NUMBER >> _HALF
"""hash of the word "0\""""


@leaf
def _is_plain(entry: Any) -> Any:
    """Whether a folded code point goes on with a word and has nothing else to say: no mark, no digit."""
    return entry > PASSED_OVER and entry < JOINS and entry != ZERO


@leaf
def _append(hash_: Any, buffer: Any, bits: Any, code: Any) -> Any:
    """Put a code point behind a word's last ones, in a buffer that goes into the hash when it is full."""
    if code < 0x80:
        piece, room = np.uint64(code), np.uint64(8)
    else:
        piece, room = np.uint64(code) | np.uint64(0x800000), np.uint64(24)
    if bits + room > np.uint64(64):
        return _absorb(hash_, buffer), piece, room
    return hash_, buffer | piece << bits, bits + room


@leaf
def _mixed_words(data: Any, at: Any, stop: Any, fold: Any, out: Any, count: Any) -> Any:
    """Hashes of the words of a run of ASCII letters, digits and code points beyond ASCII; the new count."""
    hash_, buffer, bits = np.uint64(0), np.uint64(0), np.uint64(0)  # bits are 0 between words
    alone, in_number = False, False
    while True:
        entry = np.uint32(0)
        while at < stop:  # what is most of a text is not asked what it is not
            code, width = decode(data, at, stop)
            entry = fold[np.uint64(code)]
            at += width
            if alone or not _is_plain(entry):
                break
            hash_, buffer, bits = _append(hash_, buffer, bits, entry)
            in_number = False
            entry = np.uint32(0)
        if entry == PASSED_OVER:
            continue
        if bits and (entry == 0 or entry & ALONE or (alone and not entry & JOINS)):
            hash_ = _absorb(hash_, buffer)
            if hash_ != _NUMBER or count == 0 or out[count - 1] != _NUMBER:
                out[count] = hash_
                count += 1
            hash_, buffer, bits = np.uint64(0), np.uint64(0), np.uint64(0)
            alone, in_number = False, False
        if entry == 0:
            if at >= stop:
                return count
            continue
        if entry == ZERO and in_number:
            continue
        in_number = entry == ZERO
        alone = alone or entry & ALONE != 0
        hash_, buffer, bits = _append(hash_, buffer, bits, entry & CODE)


@leaf
def word_hashes(data: Any, start: Any, end: Any, fold: Any, out: Any) -> Any:
    """Write the hashes (uint64) of the words of `data[start:end]`; return how many. `SLACK` bytes must follow `end`.

    The hash of a word absorbs eight bytes at a time, a code point beyond ASCII as three bytes with the uppermost bit set.
    """
    count, block, begin = 0, start, start
    was_inside, carried = np.uint64(0), np.uint64(0)
    while block < end:
        valid = _ALL if end - block >= BLOCK else (np.uint64(1) << np.uint64(end - block)) - np.uint64(1)
        others = (_digits(data, block) | _high(data, block)) & valid
        if fold[np.uint64(0x5F)]:
            others |= _underscores(data, block) & valid
        inside = _letters(data, block) & valid | others
        before = inside << np.uint64(1) | was_inside
        starts, ends = inside & ~before, before & ~inside
        if was_inside == 0:
            begin = block + trailing_zeros(starts)
            starts &= starts - np.uint64(1)
        while ends:
            place = trailing_zeros(ends)
            ends &= ends - np.uint64(1)
            stop = block + place
            below = (np.uint64(1) << np.uint64(place)) - np.uint64(1)
            if others & below | carried:
                count = _mixed_words(data, begin, stop, fold, out, count)
                others &= ~below
                carried = np.uint64(0)
            else:
                size = np.uint64(stop - begin)
                if size > np.uint64(16):
                    out[count] = _long_word(data, begin, stop)
                else:
                    one = _absorb(np.uint64(0), (load64(data, begin) | _LOWER) & _FIRST_EIGHT[size])
                    two = _absorb(one, (load64(data, begin + 8) | _LOWER) & _NEXT_EIGHT[size])
                    out[count] = two if size > np.uint64(8) else one
                count += 1
            begin = block + trailing_zeros(starts)
            starts &= starts - np.uint64(1)
        was_inside = inside >> np.uint64(63)
        carried |= others
        block += BLOCK
    if was_inside:
        return _mixed_words(data, begin, end, fold, out, count)
    return count


@leaf
def char_hashes(data: Any, at: Any, end: Any, fold: Any, out: Any) -> Any:
    """Write the hashes (uint64) of the code points and spaces of the words of `data[at:end]`; return how many."""
    count, word = 0, 0  # `word` is where the last word's code points begin in `out`
    open_, alone, after_alone, in_number, after_number = False, False, True, False, False
    while True:
        entry = np.uint32(0)
        if at < end:
            code, width = decode(data, at, end)
            entry = fold[np.uint64(code)]
            at += width
            if entry == PASSED_OVER:
                continue
        if open_ and (entry == 0 or entry & ALONE or (alone and not entry & JOINS)):
            number = in_number and count == word + 1
            if number and after_number:  # this number goes, and the space before it
                count = word - 1
            after_alone, after_number = alone, number
            open_, alone, in_number = False, False, False
        if entry == 0:
            if at >= end:
                return count
            continue
        code32 = entry & CODE
        if code32 == ZERO and in_number:
            continue
        in_number = code32 == ZERO
        if not open_:
            open_, alone = True, entry & ALONE != 0
            if not alone and not after_alone:
                out[count] = mix64(np.uint64(0x20))
                count += 1
            word = count
        out[count] = mix64(np.uint64(code32))
        count += 1


@leaf
def _roll(units: Any, count: Any, size: Any, shift: Any) -> Any:
    """Turn the hashes of `count` units, in place, into those of the shingles of `size` of them; return how many there are."""
    if count < size:
        return 0
    gone = np.uint64(1)
    for _ in range(size):
        gone *= _STEP
    rolling, leaving = np.uint64(0), np.uint64(0)
    for at in range(size - 1):
        rolling = rolling * _STEP + units[np.uint64(at)]
    for at in range(size - 1, count):
        rolling = rolling * _STEP + units[np.uint64(at)] - leaving * gone
        first = np.uint64(at - size + 1)
        leaving = units[first]
        units[first] = mix64(rolling) >> shift
    return count - size + 1


@leaf
def shingle_hashes(data: Any, start: Any, end: Any, fold: Any, size: Any, by_word: Any, shift: Any, out: Any) -> Any:
    """Write the hashes of the shingles of `data[start:end]`; return how many. `SLACK` bytes must follow `end`.

    `out` has room for as many as bytes; shift is 64 less the width of a hash.
    """
    if by_word:
        return _roll(out, word_hashes(data, start, end, fold, out), size, shift)
    return _roll(out, char_hashes(data, start, end, fold, out), size, shift)


@leaf
def _shingles(offsets: Any, data: Any, fold: Any, size: Any, by_word: Any, shift: Any, out: Any, bounds: Any) -> None:
    for doc in range(len(offsets) - 1):
        first = bounds[doc]
        count = shingle_hashes(data, offsets[doc], offsets[doc + 1], fold, size, by_word, shift, out[first:])
        bounds[doc + 1] = first + count


def shingles(text: Text, size: int, unit: str, bits: int, words: str = "folded") -> tuple[np.ndarray, np.ndarray]:
    """Hashes (uint64, below 2**bits) of the shingles of all documents, and their offsets by document (int64, documents + 1).

    unit   "word" or "char"
    bits   32 or 64
    words  "plain" or "folded"
    """
    out = np.empty(len(text.data), np.uint64)
    bounds = np.zeros(len(text.offsets), np.int64)
    shift = np.uint64(64 - bits)
    for first, end, offsets, data in with_slack(text):
        _shingles(offsets, data, WORDS[words](), size, unit == "word", shift, out, bounds[first : end + 1])
    return out[: bounds[-1]], bounds


def with_slack(text: Text) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Documents from the first to the second number, their offsets, and bytes which at least `SLACK` others follow.

    Two parts: the last documents are copied, with zeros behind them.
    """
    last = len(text.offsets) - 1
    part = max(0, int(np.searchsorted(text.offsets, len(text.data) - SLACK, side="right")) - 1)
    yield 0, part, text.offsets[: part + 1], text.data
    data = np.concatenate([text.data[text.offsets[part] :], np.zeros(SLACK, np.uint8)])
    yield part, last, frozen(text.offsets[part:] - text.offsets[part]), frozen(data)
