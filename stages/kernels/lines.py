"""Repeated lines and paragraphs of each document, and the edges of a text without its white space."""

from typing import NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.planes import count_set, next_clear, next_set
from stages.kernels.text import Text


class Repeats(NamedTuple):
    """Counts per document, int64.

    segments         lines or paragraphs
    repeats          those equal to an earlier one of the same document
    repeat_chars     code points in repeats
    segment_chars    code points in all segments
    chars            code points in the text
    """

    segments: np.ndarray
    repeats: np.ndarray
    repeat_chars: np.ndarray
    segment_chars: np.ndarray
    chars: np.ndarray


def paragraph_repeats(text: Text) -> Repeats:
    r"""Repeats among `re.split(r"\n{2,}", text.strip())`, empty ones included: an empty text is one empty paragraph."""
    return _repeats(text, 2, True, False)


def line_repeats(text: Text) -> Repeats:
    r"""Repeats among `re.split(r"\n+", text)`: a break at the beginning or end of the text gives an empty line there."""
    return _repeats(text, 1, False, False)


def filled_line_repeats(text: Text) -> Repeats:
    r"""Repeats among lines that are not empty; a line ends before "\n" or "\r\n"."""
    return _repeats(text, 1, False, True)


def _repeats(text: Text, breaks: int, stripped: bool, filled: bool) -> Repeats:
    newline = text.planes.newline
    size = table_size(most_set(newline, text.offsets) + 2)
    # A slot holds stamp, hash, start and end of the first segment with these bytes. A slot with another
    # document's stamp is free, so that the table is never cleared.
    slots = np.zeros((size, 4), np.int64)
    counts = np.zeros((len(Repeats._fields), len(text.offsets) - 1), np.int64)
    _count_repeats(text.offsets, text.data, newline, text.planes.head, breaks, stripped, filled, slots, counts)
    return Repeats(*counts)


@leaf
def table_size(entries):  # type: ignore[no-untyped-def]
    """Slots of a hash table that is at most half full: a power of two."""
    size = 16
    while size < 2 * entries:
        size *= 2
    return size


@leaf
def most_set(plane, offsets):  # type: ignore[no-untyped-def]
    """The largest number of bits that any document has in a plane."""
    most = 0
    for document in range(len(offsets) - 1):
        most = max(most, count_set(plane, offsets[document], offsets[document + 1]))
    return most


FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd, with its bits spread evenly: the golden ratio."""


@leaf
def load(data, position):  # type: ignore[no-untyped-def]
    """The eight bytes at `position` as a number; the caller knows that they are there."""
    # Unsigned indices: without the check for negative ones LLVM reads the eight bytes at once.
    at = np.uint64(position)
    value = np.uint64(data[at])
    for index in range(1, 8):
        value |= np.uint64(data[at + np.uint64(index)]) << np.uint64(8 * index)
    return value


@leaf
def hash_of(data, start, stop):  # type: ignore[no-untyped-def]
    """int64 hash of `data[start:stop]`, for tables that compare the bytes, too."""
    key = np.uint64(stop - start) * FACTOR
    while stop - start >= 8:
        key = (key ^ load(data, start)) * FACTOR
        key ^= key >> np.uint64(32)
        start += 8
    if start < stop:
        rest = np.uint64(0)
        if start + 8 <= len(data):
            rest = load(data, start) & ((np.uint64(1) << np.uint64(8 * (stop - start))) - np.uint64(1))
        else:
            for index in range(stop - start):
                rest |= np.uint64(data[start + index]) << np.uint64(8 * index)
        key = (key ^ rest) * FACTOR
        key ^= key >> np.uint64(32)
    return np.int64(key)


@leaf
def equal(data, first, second, size):  # type: ignore[no-untyped-def]
    """Whether `size` bytes at two positions are the same."""
    index = 0
    while size - index >= 8:
        if load(data, first + index) != load(data, second + index):
            return False
        index += 8
    while index < size and data[first + index] == data[second + index]:
        index += 1
    return index == size


@leaf
def space_size(data, position, end):  # type: ignore[no-untyped-def]
    """Bytes of the white space character that begins at `position`, 0 if there is none."""
    byte = data[position]
    if byte < 128:
        return 1 if byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31 else 0
    if byte == 0xC2:
        return 2 if position + 1 < end and (data[position + 1] == 0x85 or data[position + 1] == 0xA0) else 0
    if byte < 0xE1 or byte > 0xE3 or position + 2 >= end:
        return 0
    second, third = data[position + 1], data[position + 2]
    if byte == 0xE1:
        return 3 if second == 0x9A and third == 0x80 else 0
    if byte == 0xE2:
        if second == 0x80:
            return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
        return 3 if second == 0x81 and third == 0x9F else 0
    return 3 if second == 0x80 and third == 0x80 else 0


@leaf
def skip_spaces(data, start, end):  # type: ignore[no-untyped-def]
    """The first position from `start` that is not white space; `end` if there is none."""
    while start < end:
        size = space_size(data, start, end)
        if size == 0:
            break
        start += size
    return start


@leaf
def trim_spaces(data, start, end):  # type: ignore[no-untyped-def]
    """The end of the text after white space at its end is taken away."""
    while end > start:
        last = end - 1
        while last > start and data[last] & 0xC0 == 0x80:
            last -= 1
        if space_size(data, last, end) == 0:
            break
        end = last
    return end


@leaf
def _count_repeats(offsets, data, newline, head, breaks, stripped, filled, slots, counts):  # type: ignore[no-untyped-def]
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        counts[4, document] = count_set(head, start, end)
        if stripped:
            start = skip_spaces(data, start, end)
            end = trim_spaces(data, start, end)
        counts[3, document] = count_set(head, start, end)
        mask = table_size(count_set(newline, start, end) + 2) - 1
        stamp = document + 1
        begin = start
        ended = False
        while not ended:
            stop = next_set(newline, begin, end)
            following = next_clear(newline, stop, end)
            while following - stop < breaks and stop < end:
                stop = next_set(newline, following, end)
                following = next_clear(newline, stop, end)
            ended = stop == end
            counts[3, document] -= following - stop
            after = following
            if filled and not ended and stop > begin and data[stop - 1] == 13:
                stop -= 1
                counts[3, document] -= 1
            if not filled or stop > begin:
                counts[0, document] += 1
                hashed = np.int64(hash_bytes(data, begin, stop))
                slot = hashed & mask
                while True:
                    if slots[slot, 0] != stamp:
                        slots[slot, 0] = stamp
                        slots[slot, 1] = hashed
                        slots[slot, 2] = begin
                        slots[slot, 3] = stop
                        break
                    size = slots[slot, 3] - slots[slot, 2]
                    if slots[slot, 1] == hashed and size == stop - begin and equal(data, slots[slot, 2], begin, size):
                        counts[1, document] += 1
                        counts[2, document] += count_set(head, begin, stop)
                        break
                    slot = (slot + 1) & mask
            begin = after
