"""Repeated lines and paragraphs of each document, and the edges of a text without its white space."""

from typing import NamedTuple

import numpy as np

from stages.kernels.text import Text
from stages.kernels.unicode import leaf


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


def frozen(array: np.ndarray) -> np.ndarray:
    """A read-only view: a kernel compiles again for writable arrays, so that every wrapper passes one kind."""
    view = array.view()
    view.flags.writeable = False
    return view


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
        newlines = 0
        chars = 0
        for position in range(start, end):
            newlines += data[position] == 10
            chars += (data[position] & 0xC0) != 0x80
        counts[4, document] = chars
        if stripped:
            start = skip_spaces(data, start, end)
            end = trim_spaces(data, start, end)
        size = 16
        while size < 2 * (newlines + 2):
            size *= 2
        mask = size - 1
        stamp = document + 1

        position = start
        begin = start
        ended = False
        while not ended:
            key = np.uint64(0x9E3779B97F4A7C15)
            chars = 0
            stop = end
            following = end
            ended = True
            while position < end:
                byte = data[position]
                if byte == 10:
                    after = position + 1
                    while after < end and data[after] == 10:
                        after += 1
                    if after - position >= breaks:
                        stop = position
                        following = after
                        ended = False
                        break
                chars += (byte & 0xC0) != 0x80
                key = (key ^ np.uint64(byte)) * np.uint64(0x100000001B3)
                position += 1
            if filled and not ended and stop > begin and data[stop - 1] == 13:
                stop -= 1
                chars -= 1
                key = np.uint64(0x9E3779B97F4A7C15)
                for index in range(begin, stop):
                    key = (key ^ np.uint64(data[index])) * np.uint64(0x100000001B3)
            if not filled or stop > begin:
                counts[0, document] += 1
                counts[3, document] += chars
                key ^= key >> np.uint64(29)
                slot = np.int64(key & np.uint64(mask))
                hashed = np.int64(key & np.uint64(0x7FFFFFFFFFFFFFFF))
                while True:
                    if slots[slot, 0] != stamp:
                        slots[slot, 0] = stamp
                        slots[slot, 1] = hashed
                        slots[slot, 2] = begin
                        slots[slot, 3] = stop
                        break
                    if slots[slot, 1] == hashed and slots[slot, 3] - slots[slot, 2] == stop - begin:
                        shift = slots[slot, 2] - begin
                        index = begin
                        while index < stop and data[index] == data[index + shift]:
                            index += 1
                        if index == stop:
                            counts[1, document] += 1
                            counts[2, document] += chars
                            break
                    slot = (slot + 1) & mask
            position = following
            begin = following
