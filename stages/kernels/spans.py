"""Shingles as spans of bytes: words joined by single spaces, and where each shingle begins and ends among them."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import SPACE, classes, decode


class Spans(NamedTuple):
    """Shingles of document i are `data[starts[k]:ends[k]]` for k from `offsets[i]` to `offsets[i + 1]`; all int64."""

    offsets: np.ndarray
    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def spans(word_offsets: np.ndarray, starts: np.ndarray, sizes: np.ndarray, data: np.ndarray, size: int, unit: str) -> Spans:
    """Spans of `size` consecutive words, or code points, of each document's words joined by single spaces.

    Words of document i are `data[starts[k]:starts[k] + sizes[k]]` for k from `word_offsets[i]` to `word_offsets[i + 1]`.
    """
    joined = np.empty(int(sizes.sum()) + len(sizes), np.uint8)
    units = len(starts) if unit == "word" else len(joined)
    found = Spans(np.zeros(len(word_offsets), np.int64), joined, np.empty(units, np.int64), np.empty(units, np.int64))
    arrays = [frozen(array) for array in (word_offsets, starts, sizes, data)]
    count = _join(*arrays, size, unit == "word", found.data, found.starts, found.ends, found.offsets)
    return found._replace(starts=found.starts[:count], ends=found.ends[:count])


@leaf
def _join(
    word_offsets: Any,
    starts: Any,
    sizes: Any,
    data: Any,
    size: Any,
    by_word: Any,
    joined: Any,
    begins: Any,
    ends: Any,
    offsets: Any,
) -> Any:
    at, count = np.int64(0), np.int64(0)
    for doc in range(len(word_offsets) - 1):
        first, unit = at, count  # units begin at begins[count:unit], more of them than shingles
        for word in range(word_offsets[doc], word_offsets[doc + 1]):
            if at > first:
                joined[at] = 0x20
                at += 1
            begins[unit] = at
            for byte in range(starts[word], starts[word] + sizes[word]):
                joined[at] = data[byte]
                at += 1
            unit += 1
            if by_word and unit - count >= size:
                ends[unit - size] = at
        if not by_word:
            unit = _cut_chars(joined, first, at, size, begins, ends, count)
        count = max(count, unit - size + 1)
        offsets[doc + 1] = count
    return count


@leaf
def _cut_chars(joined: Any, first: Any, end: Any, size: Any, begins: Any, ends: Any, count: Any) -> Any:
    unit = count
    for at in range(first, end):
        if joined[at] & 0xC0 != 0x80:
            begins[unit] = at
            unit += 1
        if unit - count >= size and (at + 1 == end or joined[at + 1] & 0xC0 != 0x80):
            ends[unit - size] = at + 1
    return unit


def space_words(text: Text) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words of each text between white space, as `str.split` finds them: offsets by document, starts and sizes (int64)."""
    room = int(text.offsets[-1] - text.offsets[0]) // 2 + len(text.offsets)
    offsets, starts, sizes = np.zeros(len(text.offsets), np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = _split(frozen(text.offsets), frozen(text.data), classes(), offsets, starts, sizes)
    return offsets, starts[:count], sizes[:count]


@leaf
def _split(offsets: Any, data: Any, table: Any, word_offsets: Any, starts: Any, sizes: Any) -> Any:
    count = np.int64(0)
    for doc in range(len(offsets) - 1):
        at, end = offsets[doc], offsets[doc + 1]
        begin = at
        while at < end:
            code, width = decode(data, at, end)
            if table[np.uint64(code)] & SPACE:
                if at > begin:
                    starts[count], sizes[count] = begin, at - begin
                    count += 1
                begin = at + width
            at += width
        if at > begin:
            starts[count], sizes[count] = begin, at - begin
            count += 1
        word_offsets[doc + 1] = count
    return count
