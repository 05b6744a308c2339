r"""Where spaCy's affix rules cut a string without white space: prefixes, suffixes and infixes.

spaCy takes a prefix and a suffix off until none is left, and looks for a special case before each step, and without the prefix,
and without the suffix; what remains is a special case, an address, or is cut at its infixes. Of the suffixes that match, the
longest counts (`re.search` gives the first begin), of the prefixes and infixes the first in spaCy's lists. Only these are not
one code point:

prefix   two or more full stops; + but before a digit; currencies such as US$
suffix   two or more full stops; ……; 's; after a digit + and currencies and units; a full stop after certain code points
infix    two or more full stops; hyphens of up to three code points, between letters; marks between digits or letters
"""

from typing import Any

import numpy as np

from stages.kernels.compile import inlined, leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.planes import next_set
from stages.kernels.spacy_hosts import is_address
from stages.kernels.spacy_rules import (
    AFFIX_SLOTS,
    AFFIXES,
    AFTER_DIGIT,
    ALPHA,
    BEFORE_STOP,
    CURRENCY,
    CURRENCY_BEGIN,
    DIGIT,
    ICON,
    INFIX,
    LOWER,
    MOST_AFFIX,
    MOST_CURRENCY,
    PREFIX,
    QUOTE,
    SUFFIX,
    UNIT_END,
    UPPER,
    special_of,
    value_of,
)
from stages.kernels.unicode import decode

_STOP, _PLUS, _HYPHEN, _ELLIPSIS, _DEGREE = 0x2E, 0x2B, 0x2D, 0x2026, 0xB0
_ONE = np.uint64(1)


@inlined
def cut_chunk(data: Any, start: Any, stop: Any, rules: Any, infixes: Any, stops: Any, begins: Any) -> Any:
    """Set the bits of the words in a chunk but for its first; return at least their number, or 2 for a whole special case.

    infixes  plane of the first bytes of code points with which an infix may begin
    stops    plane of the full stops
    """
    low, high, before = start, stop, np.int64(0)
    cuts = 0
    special = np.uint64(0)
    while low < high and high - low != before:
        special = special_of(data, low, high, rules.tables)
        if special != 0:
            break
        before = high - low
        prefix = _prefix(data, low, high, rules)
        if prefix and low + prefix < high:
            special = special_of(data, low + prefix, high, rules.tables)
            if special != 0:
                low += prefix
                set_bit(begins, low)
                cuts += 1
                break
        suffix = _suffix(data, low + prefix, high, rules)
        if suffix and low < high - suffix:
            special = special_of(data, low, high - suffix, rules.tables)
            if special != 0:
                high -= suffix
                set_bit(begins, high)
                cuts += 1
                break
        if prefix:
            low += prefix
            if low < stop:
                set_bit(begins, low)
                cuts += 1
        if suffix:
            high -= suffix
            if start < high:
                set_bit(begins, high)
                cuts += 1
    if special != 0:
        add_begins(begins, low, special)
        cuts += 1 if special != 1 else 0
    elif low < high and (next_set(stops, low, high) == high or not is_address(data, low, high, rules.classes)):
        cuts += _cut_infixes(data, low, high, rules.classes, infixes, begins)
    return cuts + 1


@inlined
def set_bit(plane: Any, at: Any) -> None:
    """Set the bit `at`."""
    plane[at >> 6] |= _ONE << np.uint64(at & 63)


@inlined
def add_begins(begins: Any, start: Any, mask: Any) -> None:
    """Set the bits of a special case that begins at `start`."""
    shift = np.uint64(start & 63)
    begins[start >> 6] |= mask << shift
    if shift != 0:
        begins[(start >> 6) + 1] |= mask >> (np.uint64(64) - shift)


@inlined
def _last(data: Any, start: Any, stop: Any) -> Any:
    """The code point before `stop` and its size; 0 and 0 if it begins before `start`."""
    if stop <= start:
        return np.int64(0), np.int64(0)
    at = stop - 1
    while at > start and data[at] & 0xC0 == 0x80:
        at -= 1
    return decode(data, at, stop)


@inlined
def _affix_kind(data: Any, start: Any, stop: Any, tables: Any) -> Any:
    return np.int64(value_of(tables, AFFIXES, AFFIX_SLOTS, hash_bytes(data, start, stop)))


@inlined
def _stops_from(data: Any, start: Any, stop: Any) -> Any:
    position = start
    while position < stop and data[position] == _STOP:
        position += 1
    return position - start


@inlined
def _prefix(data: Any, start: Any, stop: Any, rules: Any) -> Any:
    """Bytes of the prefix, 0 if there is none."""
    code, size = decode(data, start, stop)
    bits = np.int64(rules.classes[code])
    if bits & PREFIX:
        return size
    if code == _STOP:
        stops = _stops_from(data, start, stop)
        return stops if stops > 1 else np.int64(0)
    if code == _PLUS:
        after = start + 1 < stop and 0x30 <= data[start + 1] <= 0x39
        return np.int64(0) if after else np.int64(1)
    if bits & CURRENCY_BEGIN:
        for end in range(start + 2, min(stop, start + MOST_CURRENCY) + 1):
            if _affix_kind(data, start, end, rules.tables) & CURRENCY:
                return np.int64(end - start)
    return np.int64(0)


@inlined
def _suffix(data: Any, start: Any, stop: Any, rules: Any) -> Any:
    """Bytes of the suffix, 0 if there is none."""
    code, size = _last(data, start, stop)
    if size == 0:
        return np.int64(0)
    bits = np.int64(rules.classes[code])
    if code == _STOP:
        return _suffix_of_stops(data, start, stop, rules.classes)
    found = size if bits & SUFFIX else np.int64(0)
    if code == 0x73 or code == 0x53:  # s S
        before, before_size = _last(data, start, stop - size)
        if before == 0x27 or before == 0x2019:  # ' ’
            found = size + before_size
    elif code == _ELLIPSIS:
        before, before_size = _last(data, start, stop - size)
        if before == _ELLIPSIS:
            found = size + before_size
    elif code == _PLUS:
        found = size if start < stop - 1 and 0x30 <= data[stop - 2] <= 0x39 else np.int64(0)
    if bits & UNIT_END:
        digit = stop - 1
        while digit > start and stop - digit <= MOST_AFFIX and not 0x30 <= data[digit] <= 0x39:
            digit -= 1
        if 0x30 <= data[digit] <= 0x39:
            after = digit + 1
            if _affix_kind(data, after, stop, rules.tables) & AFTER_DIGIT:
                found = max(found, stop - after)
    return found


@inlined
def _suffix_of_stops(data: Any, start: Any, stop: Any, classes: Any) -> Any:
    """Bytes of the suffix of a string that ends with a full stop."""
    at = stop - 1
    while at > start and data[at - 1] == _STOP:
        at -= 1
    if at < stop - 1:
        return stop - at
    code, size = _last(data, start, at)
    bits = np.int64(classes[code])
    if size == 0:
        return np.int64(0)
    if bits & BEFORE_STOP:
        return np.int64(1)
    before, _ = _last(data, start, at - size)
    degrees = before == _DEGREE and (code == 0x43 or code == 0x46 or code == 0x4B)  # C F K
    return np.int64(1) if degrees or (bits & UPPER and np.int64(classes[before]) & UPPER) else np.int64(0)


@inlined
def _cut_infixes(data: Any, start: Any, stop: Any, classes: Any, infixes: Any, begins: Any) -> Any:
    """Set the bits of the infixes and of what follows them; their number. None is at the begin: it would be a prefix."""
    cuts = 0
    position = next_set(infixes, start + 1, stop)
    while position < stop:
        code, size = decode(data, position, stop)
        if np.int64(classes[code]) & INFIX:
            before, _ = _last(data, start, position)
            found = _infix(data, position, code, size, np.int64(classes[before]), stop, classes)
            if found:
                set_bit(begins, position)
                size = found
                if position + size < stop:
                    set_bit(begins, position + size)
                cuts += 2
        position = next_set(infixes, position + size, stop)
    return cuts


@inlined
def _infix(data: Any, position: Any, code: Any, size: Any, before: Any, stop: Any, classes: Any) -> Any:
    """Bytes of the infix at `position`, after a code point of class `before`; 0 if there is none."""
    if np.int64(classes[code]) & ICON or code == _ELLIPSIS:
        return size
    after = position + size
    if after >= stop:
        return np.int64(0)
    following, _ = decode(data, after, stop)
    bits = np.int64(classes[following])
    if code == _STOP:
        if following == _STOP:
            return _stops_from(data, position, stop)
        return size if before & (LOWER | QUOTE) and bits & (UPPER | QUOTE) else np.int64(0)
    numeric = code == _PLUS or code == _HYPHEN or code == 0x2A or code == 0x5E  # + - * ^
    if numeric and before & DIGIT and (bits & DIGIT or following == _HYPHEN):
        return size
    if code == 0x2C:  # ,
        return size if before & ALPHA and bits & ALPHA else np.int64(0)
    if before & (ALPHA | DIGIT) == 0:
        return np.int64(0)
    if code == 0x2D or code == 0x2014:  # - —
        return _hyphens(data, position, code, size, stop, classes)
    if code == 0x2013 or code == 0x7E or code == 0x3A or (0x3C <= code <= 0x3E) or code == 0x2F:  # – ~ : < = > /
        return size if bits & ALPHA else np.int64(0)
    return np.int64(0)


@leaf
def _hyphens(data: Any, position: Any, code: Any, size: Any, stop: Any, classes: Any) -> Any:
    """Bytes of up to three hyphens or two em dashes that a letter follows."""
    after = position
    for _ in range(3 if code == _HYPHEN else 2):
        if after >= stop:
            break
        other, _ = decode(data, after, stop)
        if other != code:
            break
        after += size
        following, _ = decode(data, after, stop) if after < stop else (np.int64(0), np.int64(0))
        if np.int64(classes[following]) & ALPHA:
            return after - position
    return np.int64(0)
