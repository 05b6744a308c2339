"""Repeated lines and paragraphs of each document, and the edges of a text without its white space."""

from typing import NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.text import Text, frozen


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
    offsets, data = frozen(text.offsets), frozen(text.data)
    size = 16
    segments = _most_newlines(offsets, data) + 2
    while size < 2 * segments:
        size *= 2
    # A slot holds stamp, hash, start and end of the first segment with these bytes. A slot with another
    # document's stamp is free, so that the table is never cleared.
    slots = np.zeros((size, 4), np.int64)
    counts = np.zeros((len(Repeats._fields), len(offsets) - 1), np.int64)
    _count_repeats(offsets, data, breaks, stripped, filled, slots, counts)
    return Repeats(*counts)


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
def _code_points(data, start, end):  # type: ignore[no-untyped-def]
    count = 0
    for position in range(start, end):
        count += (data[position] & 0xC0) != 0x80
    return count


_NEWLINES, _ONES, _HIGH = np.uint64(0x0A0A0A0A0A0A0A0A), np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


@leaf
def _newline(data, position, end):  # type: ignore[no-untyped-def]
    """The first newline from `position`, or `end`."""
    while position + 8 <= end:
        word = load(data, position) ^ _NEWLINES
        if (word - _ONES) & ~word & _HIGH != 0:  # one of the eight bytes is 0
            break
        position += 8
    while position < end and data[position] != 10:
        position += 1
    return position


@leaf
def _most_newlines(offsets, data):  # type: ignore[no-untyped-def]
    most = 0
    for document in range(len(offsets) - 1):
        newlines = 0
        for position in range(offsets[document], offsets[document + 1]):
            newlines += data[position] == 10
        most = max(most, newlines)
    return most


@leaf
def _count_repeats(offsets, data, breaks, stripped, filled, slots, counts):  # type: ignore[no-untyped-def]
    documents = len(offsets) - 1
    for document in range(documents):
        start, end = offsets[document], offsets[document + 1]
        counts[4, document] = _code_points(data, start, end)
        if stripped:
            start = skip_spaces(data, start, end)
            end = trim_spaces(data, start, end)
        counts[3, document] = _code_points(data, start, end)
        newlines = 0
        for position in range(start, end):
            newlines += data[position] == 10
        size = 16
        while size < 2 * (newlines + 2):
            size *= 2
        mask = size - 1
        stamp = document + 1

        position = start
        begin = start
        ended = False
        while not ended:
            stop = end
            following = end
            ended = True
            while True:
                position = _newline(data, position, end)
                if position < end:
                    after = position + 1
                    while after < end and data[after] == 10:
                        after += 1
                    if after - position >= breaks:
                        stop = position
                        following = after
                        ended = False
                        break
                    position = after
                else:
                    break
            counts[3, document] -= following - stop
            if filled and not ended and stop > begin and data[stop - 1] == 13:
                stop -= 1
                counts[3, document] -= 1
            if not filled or stop > begin:
                counts[0, document] += 1
                hashed = hash_of(data, begin, stop)
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
                        counts[2, document] += _code_points(data, begin, stop)
                        break
                    slot = (slot + 1) & mask
            position = following
            begin = following
