"""The default mode's rules of what is a word, code point by code point; `words` states them."""

from typing import Any

import numpy as np

from stages.kernels.compile import inlined, leaf
from stages.kernels.text import frozen
from stages.kernels.unicode import DIGIT, FORMAT, HIDDEN, LETTER, LOWER, MARK, SPACE, SYMBOL, TERMINAL, UNSPACED, UPPER, decode

_WORD = LETTER | DIGIT | MARK
_INSIDE = _WORD | FORMAT
_ALNUM = LETTER | DIGIT
_SEPARATOR = SPACE | HIDDEN
_ATTACHED = MARK | FORMAT
_STOP, _HYPHEN, _CURLY = 0x2E, 0x2D, 0x2019
_STOPPED = TERMINAL  # as the class of what stands before: a full stop

PARTED = "!\"#$%&'()*,:;<=>?[]_`{}"
"""the marks of ASCII that are words by themselves at the begin and the end of a piece; at its end a full stop is, too"""
_PARTED = frozen(np.array([chr(code) in PARTED for code in range(128)]))


@inlined
def mark_word(begins: Any, lasts: Any, start: Any, stop: Any) -> None:
    """Set the bits of the first and the last byte of a word."""
    begins[start >> 6] |= np.uint64(1) << np.uint64(start & 63)
    lasts[(stop - 1) >> 6] |= np.uint64(1) << np.uint64((stop - 1) & 63)


@inlined
def _is_apostrophe(code: Any) -> Any:
    return code == 0x27 or code == _CURLY


@inlined
def _class_at(data: Any, position: Any, end: Any, table: Any) -> Any:
    """Class bits of the code point at `position`; 0 at the end."""
    if position >= end:
        return np.int64(0)
    code, _ = decode(data, position, end)
    return np.int64(table[code])


@inlined
def _attached_end(data: Any, position: Any, end: Any, table: Any, alike: Any) -> Any:
    """End of what belongs to the mark or letter before `position`: marks of Unicode, and its equals if it is `alike`."""
    while position < end:
        code, size = decode(data, position, end)
        if code != alike and table[code] & _ATTACHED == 0:
            break
        position += size
    return position


@leaf
def _lone_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """End of a word that parts pieces: a letter of a script without spaces, a mark beyond ASCII, full stops. 0: none."""
    code, size = decode(data, position, end)
    bits = np.int64(table[code])
    alike = np.int64(-1)
    if code == _STOP:
        if position + 1 >= end or data[position + 1] != _STOP:
            return np.int64(0)
        alike = np.int64(_STOP)
    elif bits & UNSPACED == 0:
        if code < 0x80 or bits & (_INSIDE | _SEPARATOR):
            return np.int64(0)
        if code == 0x2013 or code == 0x2014:  # dashes
            alike = code
    return _attached_end(data, position + size, end, table, alike)


@leaf
def _link_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """End of an address whose scheme may begin with the letter or digit at `position`; 0 if none does."""
    stop = position
    while stop < end:
        code, size = decode(data, stop, end)
        if table[code] & _INSIDE == 0 or table[code] & UNSPACED:
            break
        stop += size
    if stop + 3 >= end or data[stop] != 0x3A or data[stop + 1] != 0x2F or data[stop + 2] != 0x2F:  # ://
        return np.int64(0)
    stop, last = stop + 3, np.int64(0)
    while stop < end:
        code, size = decode(data, stop, end)
        bits = np.int64(table[code])
        if bits & _SEPARATOR or code == 0x22 or code == 0x3C or code == 0x3E:  # " < >
            break
        stop += size
        if bits & SYMBOL == 0 or code == 0x2F:  # marks at the end are not part of it, but for /
            last = stop
    return last


@leaf
def _is_clitic(data: Any, position: Any, end: Any, table: Any) -> Any:
    """Whether one or two letters that end a run of letters follow the apostrophe before `position`."""
    letters = 0
    while position < end:
        code, size = decode(data, position, end)
        bits = np.int64(table[code])
        if bits & _INSIDE == 0 and not (_is_apostrophe(code) and letters):
            break
        letters += 1
        if bits & (LETTER | UNSPACED) != LETTER or letters > 2:
            return False
        position += size
    return letters > 0


@inlined
def _parts_words(code: Any, before: Any, after: Any) -> Any:
    """Whether an ASCII mark between code points of these classes is a word and no part of one."""
    if code == _HYPHEN:
        return (before & _ALNUM != 0 and after & LETTER != 0) or (before & DIGIT != 0 and after & DIGIT != 0)
    if code == 0x3A or code == 0x2F or 0x3C <= code <= 0x3E:  # : / < = >
        return before & _ALNUM != 0 and after & LETTER != 0
    if code == 0x2C:  # ,
        return before & LETTER != 0 and after & LETTER != 0
    return code == _STOP and before & LOWER != 0 and after & UPPER != 0


@leaf
def _piece_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """End of the piece at `position`, where in it the marks at its end begin, and from where to there no mark stands."""
    start, solid, before, in_run, plain, after_mark = position, position, np.int64(0), False, position, position
    while position < end:
        code, size = decode(data, position, end)
        bits = np.int64(table[code])
        if bits & _SEPARATOR:
            break
        if bits & _INSIDE and bits & UNSPACED == 0:
            if bits & _ALNUM:
                if not in_run and position > start and _link_end(data, position, end, table):
                    break
                before, in_run = bits, True
            if bits & _ALNUM or solid == position:
                solid, plain = position + size, after_mark
        else:
            curly = code == _CURLY and before & (_ALNUM | _STOPPED) != 0
            if curly:
                curly = _class_at(data, position + size, end, table) & (LETTER | UNSPACED) == LETTER
            if not curly and _lone_end(data, position, end, table):
                break
            after_mark = position + size
            if code != _STOP and (code > 0x7F or not _PARTED[code]):
                solid, plain = after_mark, after_mark
            before, in_run = np.int64(_STOPPED if code == _STOP else 0), False
        position += size
    return position, solid, plain


@leaf
def _cut_marks(data: Any, position: Any, end: Any, table: Any, begins: Any, lasts: Any) -> None:
    while position < end:
        _, size = decode(data, position, end)
        after = _attached_end(data, position + size, end, table, np.int64(-1))
        mark_word(begins, lasts, position, after)
        position = after


@leaf
def _cut_solid(data: Any, position: Any, solid: Any, plain: Any, end: Any, table: Any, begins: Any, lasts: Any) -> Any:
    """Cut what is left of a piece that ends at `end` without the marks at its ends; returns where its last word ends.

    plain  from here to `solid` no mark stands
    """
    start, before, part = position, np.int64(0), 0  # part: code points since a word's begin or a full stop
    if plain <= position < solid:
        code, size = decode(data, position, solid)
        before, part = np.int64(table[code]), 1 if position + size == solid else 2
        position = solid
    while position < solid:
        code, size = decode(data, position, solid)
        bits = np.int64(table[code])
        after = position + size
        if bits & _INSIDE:
            before = bits if bits & _ALNUM else before
            part += 1
        elif _is_apostrophe(code) and before & (_ALNUM | _STOPPED) and _is_clitic(data, after, end, table):
            mark_word(begins, lasts, start, position)
            start, before, part = position, np.int64(0), 1
        else:
            while code == _HYPHEN and after < solid and data[after] == _HYPHEN:
                after += 1
            if _parts_words(code, before, _class_at(data, after, solid, table)):
                mark_word(begins, lasts, start, position)
                mark_word(begins, lasts, position, after)
                start, before, part = after, np.int64(0), 0
            elif code == _STOP:
                before, part = np.int64(_STOPPED), 0
            else:
                before, part = np.int64(0), part + 1
        position = after
    if part == 1 and before & LETTER and solid < end and data[solid] == _STOP:  # an initial or e.g.
        solid = _attached_end(data, solid + 1, end, table, np.int64(-1))
    if start < solid:
        mark_word(begins, lasts, start, solid)
    return solid


@leaf
def cut_chunk(data: Any, position: Any, end: Any, table: Any, begins: Any, lasts: Any) -> None:
    """Set the bits of first and last bytes of the words in `data[position:end]`, which stands between white space of ASCII."""
    while position < end:
        code, size = decode(data, position, end)
        bits = np.int64(table[code])
        if bits & (_SEPARATOR | FORMAT):
            position += size
            continue
        regular = bits & _ALNUM != 0 and bits & UNSPACED == 0
        after = _link_end(data, position, end, table) if regular else _lone_end(data, position, end, table)
        if after:
            mark_word(begins, lasts, position, after)
            position = after
            continue
        after, solid, plain = _piece_end(data, position, end, table)
        lead = position
        while lead < after and data[lead] < 0x80 and _PARTED[data[lead]]:
            lead = _attached_end(data, lead + 1, after, table, np.int64(-1))
        if position < lead:
            _cut_marks(data, position, lead, table, begins, lasts)
        solid = _cut_solid(data, lead, max(lead, solid), plain, after, table, begins, lasts)
        if solid < after:
            _cut_marks(data, solid, after, table, begins, lasts)
        position = after
