"""Which n-grams of words of a few texts occur in many others: a rolling hash looked up in a table, then the words themselves.

Words are the plain ones of `shingles.py`. A hash decides nothing: an n-gram is found where its words are the same.
"""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import inlined, leaf
from stages.kernels.folding import ALONE, JOINS, PASSED_OVER, lowered
from stages.kernels.hashing import mix64
from stages.kernels.lines import table_size
from stages.kernels.shingles import with_slack, word_hashes
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import decode

_STEP = np.uint64(0x9E3779B97F4A7C15)
"""odd; the multiplier of the rolling hash"""
_ONE, _LOW_SIX = np.uint64(1), np.uint64(63)
_HALF = np.uint64(32)


class Words(NamedTuple):
    """Text i has the words `offsets[i]` to before `offsets[i + 1]`: bytes `start` to `stop` of the batch. All int64."""

    offsets: np.ndarray
    start: np.ndarray
    stop: np.ndarray


class Hits(NamedTuple):
    """N-grams that were found, in the order of the texts; int64 arrays of equal length.

    gram         its number
    word         of the document, with which it begins
    start, stop  bytes of the batch
    """

    document: np.ndarray
    gram: np.ndarray
    word: np.ndarray
    start: np.ndarray
    stop: np.ndarray


class _Table(NamedTuple):
    """Open addressing by hash; n-grams of one hash stand behind each other.

    bitmap  three bits in one word for the first words of each n-gram, as many as the shortest one has: small enough for a
            cache, it answers for most places of a document, and for n-grams of all sizes at once
    keys    hashes by slot
    grams   numbers by slot, -1 where there is none
    """

    bitmap: np.ndarray
    keys: np.ndarray
    grams: np.ndarray


class _Grams(NamedTuple):
    """N-gram i is the words `word[i]` to before `word[i] + size[i]` of those that begin and end at `start` and `stop`."""

    data: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    word: np.ndarray
    size: np.ndarray


def words_of(text: Text) -> Words:
    """Where the plain words of each text stand, without format characters at their ends."""
    offsets = np.zeros(len(text.offsets), np.int64)
    start, stop = np.empty(len(text.data), np.int64), np.empty(len(text.data), np.int64)
    _all_words(text.offsets, text.data, lowered(), offsets, start, stop)
    return Words(offsets, start[: offsets[-1]], stop[: offsets[-1]])


class ItemGrams:
    """N-grams of the texts of items.

    numbers  of the n-grams that were given: the same for the same words, from 0 in the order in which they first occur
    first    of each number, which of the given n-grams it is
    sizes    of each number, its words
    bits     of the hashes; fewer are for trials, and slow
    """

    def __init__(self, text: Text, words: Words, first: np.ndarray, size: np.ndarray, bits: int = 64) -> None:
        """The n-gram i has the `size[i]` words from number `first[i]` (over all texts) on, all of one text."""
        fold = lowered()
        self._shift = np.uint64(64 - bits)
        self._kinds = frozen(np.unique(size).astype(np.int64)) if len(size) else frozen(np.ones(1, np.int64))
        hashes = np.empty(len(text.data), np.uint64)
        for at, end, offsets, data in with_slack(text):
            _hash_words(offsets, data, fold, hashes[words.offsets[at] : words.offsets[end]])
        given = _Grams(text.data, frozen(words.start), frozen(words.stop), frozen(first), frozen(size))
        keys, prefixes = np.empty(len(first), np.uint64), np.empty(len(first), np.uint64)
        _hash_grams(frozen(hashes), given.word, given.size, self._shift, keys)
        _hash_grams(frozen(hashes), given.word, frozen(np.full(len(first), self._kinds[0])), np.uint64(0), prefixes)
        slots = table_size(len(first) + 1)
        table = _Table(np.zeros(slots // 16, np.uint64), np.zeros(slots, np.uint64), np.full(slots, -1, np.int64))
        numbered = given._replace(word=np.empty(len(first), np.int64), size=np.empty(len(first), np.int64))
        self.numbers, different = np.empty(len(first), np.int64), np.empty(len(first), np.int64)
        count = _put_all(frozen(keys), given, fold, table, numbered, different, self.numbers)
        _mark(frozen(prefixes), table.bitmap)
        self.first = different[:count]
        self.sizes = size[self.first]
        self._grams = given._replace(word=frozen(numbered.word[:count]), size=frozen(self.sizes))
        self._table = _Table(*map(frozen, table))

    def find(self, text: Text) -> Hits:
        """All n-grams in each of the texts."""
        longest = int(np.diff(text.offsets).max(initial=0))
        scratch = np.empty(longest, np.uint64), np.empty(longest, np.int64), np.empty(longest, np.int64)
        gone = np.uint64(pow(int(_STEP), int(self._kinds[0]), 2**64))
        parts: list[np.ndarray] = []
        for first, _, offsets, data in with_slack(text):
            room = max(256, len(data) // 512)
            while True:
                found = np.empty((5, room), np.int64)
                count = _find(
                    offsets, data, lowered(), self._kinds, gone, self._shift, self._table, self._grams, *scratch, found
                )
                if count <= room:
                    break
                room = int(count)
            found = found[:, :count]
            found[0] += first
            found[3:] += text.offsets[first] - offsets[0]
            parts.append(found)
        return Hits(*np.concatenate(parts, axis=1))


@leaf
def _words(data: Any, at: Any, end: Any, fold: Any, start: Any, stop: Any) -> Any:
    """Write where the words of `data[at:end]` begin and end; return how many. The words are those of `word_hashes`."""
    count = 0
    open_, alone = False, False
    last = at
    while at < end:
        code, width = decode(data, at, end)
        entry = fold[np.uint64(code)]
        if entry != PASSED_OVER:
            if open_ and (entry == 0 or entry & ALONE or (alone and not entry & JOINS)):
                stop[count] = last
                count += 1
                open_ = False
            if entry and not open_:
                start[count] = at
                open_, alone = True, entry & ALONE != 0
            last = at + width
        at += width
    if open_:
        stop[count] = last
        count += 1
    return count


@leaf
def _all_words(offsets: Any, data: Any, fold: Any, found: Any, start: Any, stop: Any) -> None:
    for document in range(len(offsets) - 1):
        first = found[document]
        count = _words(data, offsets[document], offsets[document + 1], fold, start[first:], stop[first:])
        found[document + 1] = first + count


@leaf
def _hash_words(offsets: Any, data: Any, fold: Any, out: Any) -> None:
    count = 0
    for document in range(len(offsets) - 1):
        count += word_hashes(data, offsets[document], offsets[document + 1], fold, out[count:])


@leaf
def _hash_grams(hashes: Any, word: Any, size: Any, shift: Any, keys: Any) -> None:
    for gram in range(len(word)):
        rolling = np.uint64(0)
        for at in range(word[gram], word[gram] + size[gram]):
            rolling = rolling * _STEP + hashes[at]
        keys[gram] = mix64(rolling) >> shift


@leaf
def _same_word(data: Any, at: Any, end: Any, other: Any, place: Any, close: Any, fold: Any) -> Any:
    while True:
        left, right = np.uint32(0), np.uint32(0)
        while at < end:
            code, width = decode(data, at, end)
            left = fold[np.uint64(code)]
            at += width
            if left != PASSED_OVER:
                break
        while place < close:
            code, width = decode(other, place, close)
            right = fold[np.uint64(code)]
            place += width
            if right != PASSED_OVER:
                break
        if left != right:
            return False
        if at >= end or place >= close:
            return at >= end and place >= close


@leaf
def _same_gram(data: Any, start: Any, stop: Any, word: Any, size: Any, grams: Any, gram: Any, fold: Any) -> Any:
    if grams.size[gram] != size:
        return False
    first = grams.word[gram]
    for at in range(size):
        if not _same_word(
            data, start[word + at], stop[word + at], grams.data, grams.start[first + at], grams.stop[first + at], fold
        ):
            return False
    return True


@leaf
def _place_of(key: Any, data: Any, start: Any, stop: Any, word: Any, size: Any, table: Any, grams: Any, fold: Any) -> Any:
    """The slot of an n-gram, or that where it would be put."""
    mask = len(table.keys) - 1
    slot = np.int64(key >> _HALF) & mask
    while table.grams[slot] >= 0:
        if table.keys[slot] == key and _same_gram(data, start, stop, word, size, grams, table.grams[slot], fold):
            break
        slot = (slot + 1) & mask
    return slot


@leaf
def _put_all(keys: Any, given: Any, fold: Any, table: Any, numbered: Any, different: Any, numbers: Any) -> Any:
    """Put each n-gram that is not there yet into the table, under a number; return how many."""
    count = 0
    for gram in range(len(keys)):
        key, word, size = keys[gram], given.word[gram], given.size[gram]
        slot = _place_of(key, given.data, given.start, given.stop, word, size, table, numbered, fold)
        if table.grams[slot] < 0:
            table.keys[slot], table.grams[slot] = key, count
            numbered.word[count], numbered.size[count] = word, size
            different[count] = gram
            count += 1
        numbers[gram] = table.grams[slot]
    return count


@inlined
def _bits(key: Any) -> Any:
    one, two, three = key >> np.uint64(40), key >> np.uint64(46), key >> np.uint64(52)
    return _ONE << (one & _LOW_SIX) | _ONE << (two & _LOW_SIX) | _ONE << (three & _LOW_SIX)


@leaf
def _mark(keys: Any, bitmap: Any) -> None:
    last = np.uint64(len(bitmap) - 1)
    for at in range(len(keys)):
        bitmap[keys[at] & last] |= _bits(keys[at])


@leaf
def _has_key(key: Any, table: Any) -> Any:
    mask = len(table.keys) - 1
    slot = np.int64(key >> _HALF) & mask
    while table.grams[slot] >= 0 and table.keys[slot] != key:
        slot = (slot + 1) & mask
    return table.grams[slot] >= 0


@leaf
def _find(
    offsets: Any, data: Any, fold: Any, sizes: Any, gone: Any, shift: Any, table: Any, grams: Any,
    hashes: Any, start: Any, stop: Any, out: Any,
) -> Any:  # fmt: skip
    """Write what is found, as far as there is room; return how much that is."""
    found, room, shortest = 0, out.shape[1], np.uint64(sizes[0])
    last = np.uint64(len(table.bitmap) - 1)
    for document in range(len(offsets) - 1):
        count = np.uint64(word_hashes(data, offsets[document], offsets[document + 1], fold, hashes))
        placed = False
        rolling = np.uint64(0)
        for at in range(count):
            end = np.uint64(at) + _ONE
            rolling = rolling * _STEP + hashes[end - _ONE]
            if end > shortest:
                rolling -= hashes[end - shortest - _ONE] * gone
            key = mix64(rolling)
            if end < shortest or ~table.bitmap[key & last] & _bits(key):
                continue
            first, close, longer = end - shortest, end, rolling
            for kind in range(len(sizes)):
                size = np.uint64(sizes[kind])
                if first + size > count:
                    break
                while close < first + size:
                    longer = longer * _STEP + hashes[close]
                    close += _ONE
                key = mix64(longer) >> shift
                if not _has_key(key, table):
                    continue
                if not placed:  # where words stand is asked of few documents
                    _words(data, offsets[document], offsets[document + 1], fold, start, stop)
                    placed = True
                word = np.int64(first)
                slot = _place_of(key, data, start, stop, word, sizes[kind], table, grams, fold)
                if table.grams[slot] >= 0:
                    if found < room:
                        out[0, found], out[1, found], out[2, found] = document, table.grams[slot], word
                        out[3, found], out[4, found] = start[word], stop[word + sizes[kind] - 1]
                    found += 1
    return found
