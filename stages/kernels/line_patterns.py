"""Patterns of page furniture in a line: shouted, numeric, a counter, a button's words."""

import functools
from typing import Any

import numpy as np

from stages.kernels.bits import mask_of
from stages.kernels.compile import leaf
from stages.kernels.lines import skip_spaces, space_size
from stages.kernels.planes import count_set, next_set
from stages.kernels.text import frozen
from stages.kernels.unicode import DIGIT, LETTER, SYMBOL, UPPER, classes, decode

ANYWHERE, AT_END, AT_BEGIN = "items in cart", "read more", "sign-in"
COUNTED = (
    "bookmarks",
    "comments",
    "downloads",
    "downvotes",
    "followers",
    "likes",
    "quotes",
    "reposts",
    "retweets",
    "shares",
    "upvotes",
    "views",
)

_UPPER, _DIGIT, _DECIMAL, _WORD = 1, 2, 4, 8


@functools.cache
def kinds_of_code_points() -> np.ndarray:
    r"""Bits of every code point: `str.isupper`, `str.isdigit`, and what "\d" and "\w" match."""
    table = classes()
    kinds = np.zeros(len(table), np.uint8)
    kinds[(table & (LETTER | DIGIT)) != 0] = _WORD
    kinds[0x5F] = _WORD
    for code in np.flatnonzero(table & (UPPER | DIGIT | SYMBOL)).tolist():  # circled capitals are symbols
        character = chr(code)
        kinds[code] |= _UPPER * character.isupper() | _DIGIT * character.isdigit() | _DECIMAL * character.isdecimal()
    return frozen(kinds)


def _bytes_of(phrase: str) -> np.ndarray:
    return frozen(np.frombuffer(phrase.encode(), np.uint8))


_ANYWHERE, _AT_END, _AT_BEGIN = _bytes_of(ANYWHERE), _bytes_of(AT_END), _bytes_of(AT_BEGIN)
_COUNTED = _bytes_of("".join(COUNTED))
_BOUNDS = frozen(np.cumsum([0, *map(len, COUNTED)]))


@leaf
def _matches(data: Any, position: Any, end: Any, phrase: Any, start: Any, stop: Any) -> Any:
    """Whether the text at `position`, with A to Z read as a to z, begins with `phrase[start:stop]`."""
    if position + stop - start > end:
        return False
    for index in range(start, stop):
        byte = data[position + index - start]
        if (byte + 32 if 0x41 <= byte <= 0x5A else byte) != phrase[index]:
            return False
    return True


_capitals = mask_of(0x41, 0x5A)


@leaf
def fill_capitals(data: Any, blocks: Any, capitals: Any) -> None:
    """The plane of A to Z."""
    for block in range(blocks):
        capitals[block] = _capitals(data, np.int64(block) * 64)


@leaf
def is_uppercase(data: Any, start: Any, end: Any, capitals: Any, high: Any, kinds: Any, limit: Any) -> Any:
    """Whether more than a share of the line's code points are upper case. The planes are those of `data`."""
    if start == end:
        return False
    if next_set(high, start, end) == end:
        return count_set(capitals, start, end) / (end - start) > limit
    upper, length = 0, 0
    while start < end:
        code, size = decode(data, start, end)
        upper += kinds[code] & _UPPER
        length += 1
        start += size
    return upper / length > limit


@leaf
def is_numeric(data: Any, start: Any, end: Any, kinds: Any) -> Any:
    """Whether there are code points, and each is a digit."""
    position = start
    while position < end:
        code, size = decode(data, position, end)
        if kinds[code] & _DIGIT == 0:
            return False
        position += size
    return end > start


@leaf
def _skip_others(data: Any, position: Any, end: Any, kinds: Any) -> Any:
    r"""Where "\W*" ends."""
    while position < end:
        code, size = decode(data, position, end)
        if kinds[code] & _WORD:
            break
        position += size
    return position


@leaf
def is_counter(data: Any, position: Any, end: Any, kinds: Any) -> Any:
    """A number, perhaps with K, M or B, white space and what is counted, between code points that are no word's."""
    begin = _skip_others(data, position, end, kinds)
    position = begin
    while position < end:
        code, size = decode(data, position, end)
        separator = position > begin and (code == 0x2C or code == 0x2E)
        if not separator and kinds[code] & _DECIMAL == 0:
            break
        position += size
    if position in (begin, end):
        return False
    letter = data[position] | 0x20
    if letter == 0x6B or letter == 0x6D or letter == 0x62:  # k m b
        position += 1
    after = skip_spaces(data, position, end)
    if after == position:
        return False
    for index in range(len(_BOUNDS) - 1):
        if _matches(data, after, end, _COUNTED, _BOUNDS[index], _BOUNDS[index + 1]):
            stop = after + _BOUNDS[index + 1] - _BOUNDS[index]
            if _skip_others(data, stop, end, kinds) == end:
                return True
    return False


@leaf
def words_up_to(data: Any, position: Any, end: Any, most: Any) -> Any:
    """Words of `str.split` in a line; reading ends at `most`."""
    found = 0
    position = skip_spaces(data, position, end)
    while position < end and found < most:
        found += 1
        while position < end and space_size(data, position, end) == 0:
            position += 1
        position = skip_spaces(data, position, end)
    return found


@leaf
def _cut(data: Any, start: Any, stop: Any, end: Any) -> Any:
    """Take `data[start:stop]` out of what reaches to `end`; returns the new end."""
    for position in range(stop, end):
        data[start + position - stop] = data[position]
    return end - (stop - start)


@leaf
def _space_before(data: Any, begin: Any, position: Any) -> Any:
    """Where the one white space code point before `position` begins, or `position`."""
    if position == begin:
        return position
    last = position - 1
    while last > begin and data[last] & 0xC0 == 0x80:
        last -= 1
    return last if space_size(data, last, position) else position


@leaf
def occurs_anywhere(data: Any, start: Any, end: Any) -> Any:
    """Whether `without_anywhere` would find something."""
    for position in range(start, end):
        if data[position] | 0x20 == 0x69 and _matches(data, position, end, _ANYWHERE, 0, len(_ANYWHERE)):
            return True
    return False


@leaf
def without_anywhere(data: Any, start: Any, end: Any) -> Any:
    position, begin = start, start
    while position < end:
        if data[position] | 0x20 == 0x69 and _matches(data, position, end, _ANYWHERE, 0, len(_ANYWHERE)):
            first = _space_before(data, begin, position)
            end = _cut(data, first, position + len(_ANYWHERE), end)
            position = begin = first  # what was before it is not looked at again
        else:
            position += 1
    return end


@leaf
def without_end(data: Any, start: Any, end: Any) -> Any:
    position = end
    for _ in range(3):  # any three code points: the published pattern's full stops are a regular expression's
        if position > start:
            position -= 1
            while position > start and data[position] & 0xC0 == 0x80:
                position -= 1
        else:
            return end
    position -= len(_AT_END)
    if position < start or not _matches(data, position, end, _AT_END, 0, len(_AT_END)):
        return end
    return _space_before(data, start, position)


@leaf
def without_begin(data: Any, start: Any, end: Any) -> Any:
    if not _matches(data, start, end, _AT_BEGIN, 0, len(_AT_BEGIN)):
        return start
    start += len(_AT_BEGIN)
    return start + space_size(data, start, end) if start < end else start
