"""How the lines of each document look: how they begin and end, how long they are, which repeat."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.bits import mask_of
from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.lines import most_set, skip_spaces, table_size, trim_spaces
from stages.kernels.planes import count_set, fill_planes, next_clear, next_set
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import TERMINAL, classes, decode


class LineMarks(NamedTuple):
    """Counts per document, int64; lines are those of `str.splitlines`.

    hashes          "#" in the text
    ellipses        "..." (without overlap) and "…" in the text
    lines           lines, blank ones included
    bullet_lines    those whose first code point that is not white space is • or -
    ellipsis_lines  those that end, white space aside, with "..." or "…"
    """

    hashes: np.ndarray
    ellipses: np.ndarray
    lines: np.ndarray
    bullet_lines: np.ndarray
    ellipsis_lines: np.ndarray


def line_marks(text: Text) -> LineMarks:
    """Symbols, bullets and ellipses of each document."""
    hashes, stops, ellipses = np.empty((3, len(text.planes.word)), np.uint64)
    fill_planes(_fill, text.data, hashes, stops, ellipses, ahead=2)
    marks = LineMarks(*np.zeros((len(LineMarks._fields), len(text.offsets) - 1), np.int64))
    planes = (text.planes.space, text.planes.breaks, frozen(hashes), frozen(stops), frozen(ellipses))
    _count_marks(text.offsets, text.data, *planes, *marks)
    return marks


_hash_signs = mask_of(0x23, 0x23)
_full_stops = mask_of(0x2E, 0x2E)
_e2 = mask_of(0xE2, 0xE2)
_80 = mask_of(0x80, 0x80)
_a6 = mask_of(0xA6, 0xA6)


@leaf
def _fill(data: Any, blocks: Any, hashes: Any, stops: Any, ellipses: Any) -> None:
    """Where "#", where "..." and where "…" begins."""
    for block in range(blocks):
        at = np.int64(block) * 64
        hashes[block] = _hash_signs(data, at)
        stops[block] = _full_stops(data, at) & _full_stops(data, at + 1) & _full_stops(data, at + 2)
        ellipses[block] = _e2(data, at) & _80(data, at + 1) & _a6(data, at + 2)


@leaf
def line_end(data: Any, breaks: Any, position: Any, end: Any) -> Any:
    """End of the line that `position` is in, and where the next begins, as `str.splitlines` has it."""
    while True:
        position = next_set(breaks, position, end)
        if position == end:
            return end, end
        byte = data[position]
        if byte == 0x0D:
            return position, position + 2 if position + 1 < end and data[position + 1] == 0x0A else position + 1
        if byte < 0x80:
            return position, position + 1
        if byte == 0xC2 and data[position + 1] == 0x85:
            return position, position + 2
        if byte == 0xE2 and data[position + 1] == 0x80 and data[position + 2] & 0xFE == 0xA8:  # U+2028, U+2029
            return position, position + 3
        position += 1


@leaf
def _is_ellipsis(data: Any, position: Any, end: Any) -> Any:
    """Whether "…" stands at `position`."""
    return (
        position >= 0
        and position + 3 <= end
        and data[position] == 0xE2
        and data[position + 1] == 0x80
        and data[position + 2] == 0xA6
    )


@leaf
def _count_marks(
    offsets: Any,
    data: Any,
    space: Any,
    breaks: Any,
    hash_signs: Any,
    stops: Any,
    marks: Any,
    hashes: Any,
    ellipses: Any,
    lines: Any,
    bullet_lines: Any,
    ellipsis_lines: Any,
) -> None:
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        hashes[document] = count_set(hash_signs, start, end)
        found = count_set(marks, start, end)
        position = next_set(stops, start, end - 2)
        while position < end - 2:
            found += 1
            position = next_set(stops, position + 3, end - 2)
        ellipses[document] = found
        while start < end:
            stop, following = line_end(data, breaks, start, end)
            lines[document] += 1
            first = next_clear(space, start, stop)
            if first < stop and data[first] >= 0x80:
                first = skip_spaces(data, first, stop)
            if first < stop:
                bullet = data[first] == 0xE2 and data[first + 1] == 0x80 and data[first + 2] == 0xA2
                bullet_lines[document] += bullet or data[first] == 0x2D
                last = trim_spaces(data, first, stop)
                dots = last - first >= 3 and data[last - 1] == 0x2E and data[last - 2] == 0x2E and data[last - 3] == 0x2E
                ellipsis_lines[document] += dots or _is_ellipsis(data, last - 3, last)
            start = following


class LineShapes(NamedTuple):
    """Counts per document, int64; lines are those between "\\n", and all but `newlines` leave blank ones out.

    newlines     "\\n" in the text
    lines        lines
    terminal     those whose last code point ends a sentence (datatrove's TERMINAL_PUNCTUATION)
    short        those of at most so many code points
    repeated     code points in lines equal to an earlier one
    code_points  code points of the text, newlines left out
    """

    newlines: np.ndarray
    lines: np.ndarray
    terminal: np.ndarray
    short: np.ndarray
    repeated: np.ndarray
    code_points: np.ndarray


def line_shapes(text: Text, short: int) -> LineShapes:
    """Lengths, ends and repeats of the lines of each document; a short line has at most `short` code points."""
    planes = text.planes
    shapes = LineShapes(*np.zeros((len(LineShapes._fields), len(text.offsets) - 1), np.int64))
    size = table_size(most_set(planes.newline, text.offsets) + 1)
    seen, seen_in = np.zeros(size, np.uint64), np.full(size, -1, np.int64)
    _count_shapes(text.offsets, text.data, planes.newline, planes.space, planes.head, classes(), short, seen, seen_in, *shapes)
    return shapes


@leaf
def _count_shapes(
    offsets: Any,
    data: Any,
    newline: Any,
    space: Any,
    head: Any,
    table: Any,
    short: Any,
    seen: Any,
    seen_in: Any,
    newlines: Any,
    lines: Any,
    terminal: Any,
    short_lines: Any,
    repeated: Any,
    code_points: Any,
) -> None:
    """`seen` is a hash table of lines with room for twice the lines of any document; `seen_in` says whose line a slot holds."""
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        newlines[document] = count_set(newline, start, end)
        code_points[document] = count_set(head, start, end) - newlines[document]
        # the table is as large as this document asks for, so that it stays near
        last = np.uint64(table_size(newlines[document] + 1) - 1)
        while start < end:
            stop = next_set(newline, start, end)
            first = next_clear(space, start, stop)
            if first < stop and data[first] >= 0x80:
                first = skip_spaces(data, first, stop)
            if first < stop:
                at = stop - 1
                while data[at] & 0xC0 == 0x80:
                    at -= 1
                code, _ = decode(data, at, stop)
                length = count_set(head, start, stop)
                lines[document] += 1
                terminal[document] += table[code] & TERMINAL != 0
                short_lines[document] += length <= short
                value = hash_bytes(data, start, stop)
                slot = value & last
                while seen_in[slot] == document and seen[slot] != value:
                    slot = (slot + np.uint64(1)) & last
                if seen_in[slot] == document:
                    repeated[document] += length
                seen[slot] = value
                seen_in[slot] = document
            start = stop + 1
