"""RefinedWeb's line-wise corrections: lines that are page furniture are removed, short ones lose their buttons."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.line_patterns import (
    fill_capitals,
    is_counter,
    is_numeric,
    is_uppercase,
    kinds_of_code_points,
    occurs_anywhere,
    without_anywhere,
    without_begin,
    without_end,
    words_up_to,
)
from stages.kernels.lines import most_set, skip_spaces, trim_spaces
from stages.kernels.planes import fill_planes, next_set
from stages.kernels.text import Text, frozen

NO_LIMIT = -1


class CorrectedLines(NamedTuple):
    """The corrected texts, and int32 counts per document: lines before, of these removed, and edits of lines that stayed."""

    text: Text
    lines: np.ndarray
    removed: np.ndarray
    edits: np.ndarray


class Corrections(NamedTuple):
    """Which corrections apply; NO_LIMIT switches a number off."""

    max_uppercase_fraction: float
    numeric_lines: bool
    counters: bool
    min_words_per_line: int
    max_edited_words: int


def correct_lines(text: Text, corrections: Corrections) -> CorrectedLines:
    r"""Apply corrections one after the other, each to all lines of a document that are left; lines end at "\n".

    The text is stripped before the second and after every one but the fourth, `min_words_per_line`, as DCLM does it:
    white space in front of its first line and behind its last is seen by the first correction only.
    """
    most = most_set(text.planes.newline, text.offsets) + 1
    offsets = np.zeros(len(text.offsets), np.int64)
    data = np.empty(len(text.data), np.uint8)  # edited in place: nothing grows
    seen = np.zeros((3, len(text.offsets) - 1), np.int32)
    bounds = np.zeros((2, most), np.int64)
    limits = (float(corrections.max_uppercase_fraction), *map(int, corrections[1:]))
    planes = text.planes
    capitals = np.zeros(len(planes.word), np.uint64)
    fill_planes(fill_capitals, text.data, capitals)
    inputs = (text.offsets, text.data, planes.newline, planes.high, frozen(capitals), kinds_of_code_points())
    _correct(*inputs, *limits, bounds, offsets, data, seen)
    return CorrectedLines(Text(offsets, data[: offsets[-1]]), *seen)


@leaf
def _strip(data: Any, bounds: Any, count: Any) -> Any:
    """Take white space from both ends of the text; returns how many lines are left. Lines move to the front."""
    first = 0
    while first < count:
        bounds[0, first] = skip_spaces(data, bounds[0, first], bounds[1, first])
        if bounds[0, first] < bounds[1, first]:
            break
        first += 1
    while count > first:
        bounds[1, count - 1] = trim_spaces(data, bounds[0, count - 1], bounds[1, count - 1])
        if bounds[0, count - 1] < bounds[1, count - 1]:
            break
        count -= 1
    if first:
        for line in range(first, count):
            bounds[0, line - first], bounds[1, line - first] = bounds[0, line], bounds[1, line]
    return count - first


@leaf
def _remove_uppercase(data: Any, bounds: Any, count: Any, capitals: Any, high: Any, kinds: Any, limit: Any) -> Any:
    """Remove the lines of the first correction; returns how many are left."""
    left = 0
    for line in range(count):
        start, end = bounds[0, line], bounds[1, line]
        if not is_uppercase(data, start, end, capitals, high, kinds, limit):
            bounds[0, left], bounds[1, left] = start, end
            left += 1
    return left


@leaf
def _remove(data: Any, bounds: Any, count: Any, kinds: Any, rule: Any, least: Any) -> Any:
    """Remove the lines of the second, third or fourth correction; returns how many are left."""
    left = 0
    for line in range(count):
        start, end = bounds[0, line], bounds[1, line]
        if rule == 1:
            gone = is_numeric(data, start, end, kinds)
        elif rule == 2:
            gone = is_counter(data, start, end, kinds)
        else:
            gone = start < end and words_up_to(data, start, end, least) < least
        if not gone:
            bounds[0, left], bounds[1, left] = start, end
            left += 1
    return left


@leaf
def _edit(data: Any, bounds: Any, count: Any, rule: Any, most: Any, edits: Any, document: Any) -> Any:
    """Edit short lines by one pattern; lines of which white space remains go. Returns how many are left."""
    left = 0
    for line in range(count):
        start, end = bounds[0, line], bounds[1, line]
        first, last = start, end
        if rule == 0:
            found = occurs_anywhere(data, start, end)
        elif rule == 1:
            last = without_end(data, start, end)
            found = last != end
        else:
            first = without_begin(data, start, end)
            found = first != start
        if found and words_up_to(data, start, end, most + 1) > most:
            found, first, last = False, start, end
        if found and rule == 0:
            last = without_anywhere(data, start, end)
        if start < end and skip_spaces(data, first, last) == last:
            continue
        edits[document] += found
        bounds[0, left], bounds[1, left] = first, last
        left += 1
    return left


@leaf
def _correct(
    offsets: Any,
    data: Any,
    newline: Any,
    high: Any,
    capitals: Any,
    kinds: Any,
    max_uppercase: Any,
    numeric: Any,
    counters: Any,
    min_words: Any,
    max_edited: Any,
    bounds: Any,
    new_offsets: Any,
    new: Any,
    seen: Any,
) -> None:
    filled = 0
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        for position in range(start, end):
            new[position] = data[position]
        lines, position = 0, start
        while position <= end and start < end:
            stop = next_set(newline, position, end) if position < end else end
            bounds[0, lines], bounds[1, lines] = position, stop
            lines += 1
            position = stop + 1
        left = lines
        if max_uppercase >= 0:
            left = _remove_uppercase(data, bounds, left, capitals, high, kinds, max_uppercase)
        left = _strip(new, bounds, left)
        if numeric:
            left = _strip(new, bounds, _remove(new, bounds, left, kinds, 1, 0))
        if counters:
            left = _strip(new, bounds, _remove(new, bounds, left, kinds, 2, 0))
        if min_words >= 0:
            left = _remove(new, bounds, left, kinds, 3, min_words)
        if max_edited >= 0:
            for rule in range(3):
                left = _strip(new, bounds, _edit(new, bounds, left, rule, max_edited, seen[2], document))
        seen[0, document], seen[1, document] = lines, lines - left
        # the corrected lines move to the front of the buffer, which is never ahead of what is still to be read
        for line in range(left):
            if line:
                new[filled] = 0x0A
                filled += 1
            for position in range(bounds[0, line], bounds[1, line]):
                new[filled] = new[position]
                filled += 1
        new_offsets[document + 1] = filled
