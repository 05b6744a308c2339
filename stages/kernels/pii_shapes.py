"""Shapes of personal data around a byte: how far a candidate goes in its document, and whether it can be one."""

from typing import Any

import numpy as np

from stages.kernels.compile import inlined, leaf

MOST_DIGITS = 60
MOST_GROUPS = 24


@inlined
def is_digit(byte: Any) -> Any:
    return 0x30 <= byte <= 0x39


@inlined
def is_letter(byte: Any) -> Any:
    return 0x61 <= byte | 0x20 <= 0x7A


@inlined
def is_word(byte: Any) -> Any:
    return 0x30 <= byte <= 0x39 or 0x61 <= byte | 0x20 <= 0x7A


@inlined
def is_hex(byte: Any) -> Any:
    return 0x30 <= byte <= 0x39 or 0x61 <= byte | 0x20 <= 0x66


@inlined
def is_local(byte: Any) -> Any:
    """May stand in the local part of an address; of the marks that RFC 5322 allows only those in use."""
    return is_word(byte) or byte >= 0x80 or byte == 0x2E or byte == 0x5F or byte == 0x2D or byte == 0x2B or byte == 0x25


@inlined
def is_token(byte: Any) -> Any:
    """May stand in a key: base64 in both alphabets but its padding, and a few marks."""
    return is_word(byte) or byte == 0x2B or 0x2D <= byte <= 0x2F or byte == 0x5F or byte == 0x7E


@leaf
def email_around(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Start and stop of what may be an address around the at sign; stop is -1 if it is none."""
    start = at
    while start > begin and at - start < 64 and is_local(data[start - 1]):
        start -= 1
    stop, dots = at + 1, 0
    while stop < end and stop - at < 254:
        byte = data[stop]
        if byte == 0x2E:
            dots += 1
        elif not (is_word(byte) or byte >= 0x80 or byte == 0x2D):
            break
        stop += 1
    return start, stop if dots and start < at and data[at + 1] != 0x2E else np.int64(-1)


@leaf
def ipv4_from(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Where the address ends that begins here; -1 if there is none."""
    if at > begin + 1 and data[at - 1] == 0x2E and is_digit(data[at - 2]):
        return np.int64(-1)
    stop = at
    for number in range(4):
        first = stop
        while stop < end and stop - first < 4 and is_digit(data[stop]):
            stop += 1
        if not 1 <= stop - first <= 3:
            return np.int64(-1)
        if number < 3:
            if stop >= end or data[stop] != 0x2E:
                return np.int64(-1)
            stop += 1
    return np.int64(-1) if stop + 1 < end and data[stop] == 0x2E and is_digit(data[stop + 1]) else stop


@leaf
def ipv6_around(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Start and stop of hexadecimal groups and colons around `at`; start is -1 if they cannot be an address."""
    start = at
    while start < end and start - at < 5 and is_hex(data[start]):
        start += 1
    if not (start < end and data[start] == 0x3A) and not (at > begin and data[at - 1] == 0x3A):
        return np.int64(-1), at
    start = at
    while start > begin and at - start < 48 and (is_hex(data[start - 1]) or data[start - 1] == 0x3A):
        start -= 1
    stop, colons, double, longest, group = start, 0, False, 0, 0
    while stop < end and stop - start < 96 and (is_hex(data[stop]) or data[stop] == 0x3A):
        if data[stop] == 0x3A:
            colons += 1
            double |= stop > start and data[stop - 1] == 0x3A
            group = 0
        else:
            group += 1
            longest = max(longest, group)
        stop += 1
    good = (double or colons >= 7) and 3 <= longest <= 4 and 2 <= colons <= 8
    return start if good else np.int64(-1), stop


@leaf
def code_around(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Start and stop of letters and digits around the digits at `at`, where they may be an IBAN or identity number; or -1."""
    start = at
    while start > begin and at - start < 8 and is_word(data[start - 1]):
        start -= 1
    before = at - start
    if before > 6 or (start > begin and (data[start - 1] >= 0x80 or data[start - 1] == 0x5F)):
        return np.int64(-1), at
    for place in range(start, at):
        if not is_letter(data[place]):
            return np.int64(-1), at
    digits = at
    while digits < end and is_digit(data[digits]):
        digits += 1
    stop = digits
    while stop < end and stop - start < 40 and is_word(data[stop]):
        stop += 1
    run, size = digits - at, stop - start
    good = before == 6 and size == 16 and run == 2  # an Italian fiscal code, then a British, a Spanish and a Chinese number
    good |= before == 2 and run == 6 and size == 9
    good |= before <= 1 and size == 9 and run == 8 - before
    good |= before == 0 and run == 17 and size == 18
    if not good and before == 2 and (run == 2 or size >= 15):
        size = digits - start
        stop = digits
        while stop < end and size < 34:
            if is_word(data[stop]):
                size += 1
            elif not (data[stop] == 0x20 and stop + 1 < end and is_word(data[stop + 1])):
                break
            stop += 1
        good = size >= 15
    return start if good else np.int64(-1), stop


@inlined
def is_gap(byte: Any) -> Any:
    return byte == 0x20 or byte == 0x28 or byte == 0x29 or 0x2D <= byte <= 0x2F


@inlined
def is_year(data: Any, at: Any) -> Any:
    """Whether four digits are from 1900 to 2099."""
    return (data[at] == 0x31 and data[at + 1] == 0x39) or (data[at] == 0x32 and data[at + 1] == 0x30)


@leaf
def number_from(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Stop of the digits and gaps from `at` on, where to look on, and whether they are worth a look."""
    stop, digits, groups, gaps, spaces, dots = at, 0, 0, 0, 0, 0
    first = second = third = size = 0
    last = gap = at
    while stop < end and digits <= MOST_DIGITS and groups <= MOST_GROUPS:
        if gap > last and gap - last == 1:
            gaps += 1
            spaces += data[last] == 0x20
            dots += data[last] == 0x2E
        start = stop
        while stop < end and is_digit(data[stop]):
            stop += 1
        size = stop - start
        digits += size
        groups += 1
        if groups == 1:
            first = size
            if at > begin and (is_letter(data[at - 1]) or data[at - 1] == 0x5F):
                return stop, stop, False
        elif groups == 2:
            second = size
        elif groups == 3:
            third = size
        gap = stop
        while gap < end and gap - stop < 4 and is_gap(data[gap]):
            gap += 1
        if gap in (stop, end) or gap - stop > 3 or not is_digit(data[gap]):
            break
        if gap - stop > 1 and data[stop] == 0x20 and data[stop + 1] == 0x20:
            break  # columns of a table
        last, stop = stop, gap
    following = stop
    if digits > MOST_DIGITS or groups > MOST_GROUPS:
        return stop, following, False
    if stop < end and (data[stop] == 0x5F or (is_letter(data[stop]) and data[stop] | 0x20 != 0x78)):
        if groups == 1:
            return stop, following, False
        # the last group is the begin of something else
        start = stop - size
        if start - last == 1:
            gaps -= 1
            spaces -= data[last] == 0x20
            dots -= data[last] == 0x2E
        stop = last
        groups -= 1
        digits -= size
    if digits < 7:
        return stop, following, digits == 6 and groups == 3 and spaces == 2 and first == 2 and second == 2
    if groups == 1:
        return stop, following, digits <= 20
    if groups == 2 and first == 4 and second == 4 and gaps == 1 and data[at + 4] == 0x2D:
        return stop, following, not (is_year(data, at) and is_year(data, at + 5))
    if groups == 2 and dots == 1:
        return stop, following, False
    date = groups >= 3 and first == 4 and second == 2 and third == 2 and gaps >= 2 and digits <= 14
    return stop, following, not (date and (data[at] == 0x31 or data[at] == 0x32))


@leaf
def assigned_after(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Start and stop of the token after the = or : at `at`; stop is -1 if it is no candidate."""
    start = at + 1
    while start < end and start - at < 3 and (data[start] == 0x20 or data[start] == 0x22 or data[start] == 0x27):
        start += 1
    stop, digits, letters = start, 0, 0
    while stop < end and stop - start < 512 and is_token(data[stop]):
        digits += is_digit(data[stop])
        letters += is_letter(data[stop])
        stop += 1
    if stop - start < 16 or digits == 0 or letters == 0:
        return start, np.int64(-1)
    name = at
    while name > begin and at - name < 4 and not is_letter(data[name - 1]):
        name -= 1
    if name - begin < 3:
        return start, np.int64(-1)
    before, last = data[name - 2] | 0x20, data[name - 1] | 0x20
    good = before == 0x65 and (last == 0x79 or last == 0x74 or last == 0x6E)  # key, secret, token
    good |= last == 0x64 and (before == 0x72 or before == 0x77)  # password, pwd
    good |= before == 0x74 and last == 0x68  # auth
    return start, stop if good else np.int64(-1)
