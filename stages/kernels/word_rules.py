"""The default mode's rules of what is a word, code point by code point; `words` states them."""

from typing import Any

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.unicode import DIGIT, FORMAT, HIDDEN, LETTER, LOWER, MARK, SPACE, SYMBOL, UNSPACED, UPPER, decode

_WORD = LETTER | DIGIT | MARK
_INSIDE = _WORD | FORMAT
_SKIPPED = SPACE | HIDDEN | FORMAT


@leaf
def _is_apostrophe(code: Any) -> Any:
    return code == 0x27 or code == 0x2019


@leaf
def _clitic_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """Where an apostrophe at `position` and the one or two letters after it end; 0 if it is not that."""
    code, size = decode(data, position, end)
    if not _is_apostrophe(code):
        return np.int64(0)
    stop = position + size
    letters = 0
    while stop < end:
        code, size = decode(data, stop, end)
        bits = np.int64(table[code])
        if bits & _INSIDE == 0 and not (_is_apostrophe(code) and letters):
            break
        letters += 1
        if bits & (LETTER | UNSPACED) != LETTER or letters > 2:
            return np.int64(0)
        stop += size
    return stop if letters else np.int64(0)


@leaf
def _joins(data: Any, code: Any, before: Any, position: Any, end: Any, table: Any) -> Any:
    """Whether `code`, after a code point of class `before`, stays inside a word that goes on at `position`."""
    if position >= end:
        return False
    if code > 0x7F and code != 0x2019:
        return False
    following, _ = decode(data, position, end)
    after = np.int64(table[following])
    if after & UNSPACED:
        return False
    if code == 0x5F or code == 0x40:  # _ @
        return after & _WORD != 0
    if code == 0x2C or code == 0x2F or code == 0x3A:  # , / :
        return before & DIGIT != 0 and after & DIGIT != 0
    if code == 0x2D:  # -
        return (before & DIGIT != 0 and after & LETTER != 0) or (before & LETTER != 0 and after & DIGIT != 0)
    if code == 0x2E:  # .
        both = before & LETTER != 0 and after & LETTER != 0 and not (before & LOWER and after & UPPER)
        return both or (before & DIGIT != 0 and after & DIGIT != 0)
    return _is_apostrophe(code) and before & LETTER != 0 and after & LETTER != 0


@leaf
def _link_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """End of an address whose scheme ends at `position`; 0 if no `://` stands there. Marks at its end are not part of it."""
    if position + 3 >= end or data[position] != 0x3A or data[position + 1] != 0x2F or data[position + 2] != 0x2F:
        return np.int64(0)
    stop, last = position + 3, np.int64(0)
    while stop < end:
        code, size = decode(data, stop, end)
        bits = table[code]
        if bits & (SPACE | HIDDEN) or code == 0x22 or code == 0x3C or code == 0x3E:  # " < >
            break
        stop += size
        if bits & SYMBOL == 0 or code == 0x2F:  # /
            last = stop
    return last


@leaf
def _run_end(data: Any, position: Any, before: Any, end: Any, table: Any) -> Any:
    """End of the run of letters, digits and marks that has reached `position`, and the class of its last letter or digit.

    The run has one code point so far, of class `before`.
    """
    part = 1  # code points since the run's begin or the last full stop
    while position < end:
        code, size = decode(data, position, end)
        bits = np.int64(table[code])
        if bits & _INSIDE:
            if bits & UNSPACED:
                break
            if bits & (LETTER | DIGIT):
                before = bits
            part += 1
        else:
            joined = _joins(data, code, before, position + size, end, table)
            if not joined and code == 0x2E and part == 1 and before & LETTER:  # an initial or e.g.
                if position + size == end or data[position + size] != 0x2E:
                    position += size
                break
            if not joined or (_is_apostrophe(code) and _clitic_end(data, position, end, table)):
                break
            part = 0 if code == 0x2E else part + 1
        position += size
    return position, before


@leaf
def _lead_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """Where the run begins that follows hyphens or one slash at `position`; `position` if none does."""
    stop = position + 1
    if data[position] == 0x2D:
        while stop < end and data[stop] == 0x2D:
            stop += 1
    elif data[position] != 0x2F:
        return position
    if stop == end:
        return position
    code, _ = decode(data, stop, end)
    return stop if table[code] & _WORD and not table[code] & UNSPACED else position


@leaf
def _other_end(data: Any, position: Any, end: Any, table: Any, alike: Any) -> Any:
    """End of what follows a word's first code point `alike`: its equals if that is a stop or dash (-1: none), and marks."""
    while position < end:
        code, size = decode(data, position, end)
        if code != alike and table[code] & (MARK | FORMAT) == 0:
            break
        position += size
    return position


@leaf
def _word_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """End of the word that begins at `position`, and the class of its last letter or digit (0 if it is no run of these)."""
    code, size = decode(data, position, end)
    bits = np.int64(table[code])
    if bits & UNSPACED:
        return _other_end(data, position + size, end, table, np.int64(-1)), np.int64(0)
    if bits & _WORD:
        return _run_end(data, position + size, bits, end, table)
    dash = code == 0x2D or code == 0x2E or code == 0x2013 or code == 0x2014
    return _other_end(data, position + size, end, table, code if dash else np.int64(-1)), np.int64(0)


@leaf
def next_word(data: Any, position: Any, fresh: Any, end: Any, table: Any) -> Any:
    """Begin and end of the next word, and where its clitic ends (0: it has none). The begin is `end` if there is no word.

    fresh  nothing stands between `position` and white space or the begin of the document
    """
    while position < end:
        code, size = decode(data, position, end)
        bits = np.int64(table[code])
        if bits & _SKIPPED == 0:
            begin = _lead_end(data, position, end, table) if fresh else position
            stop, last = _word_end(data, begin, end, table)
            if last:
                link = _link_end(data, stop, end, table)
                if link:
                    return position, link, np.int64(0)
            clitic = _clitic_end(data, stop, end, table) if last & LETTER and stop < end else np.int64(0)
            return position, stop, clitic
        position += size
        fresh = fresh or bits & SPACE != 0
    return end, end, np.int64(0)
