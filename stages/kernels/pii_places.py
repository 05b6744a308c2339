"""Places where personal data or a secret may stand: cheap to find, and few, so that only they are looked at closely."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.bits import mask_of, sequence_of
from stages.kernels.compile import inlined, leaf
from stages.kernels.planes import fill_planes, next_set
from stages.kernels.text import Text

EMAIL, NUMBER, IPV4, IPV6, CODE, PREFIX, PEM, ASSIGNED = 1, 2, 4, 8, 16, 32, 64, 128
"""kinds: see `places_of`"""

_AHEAD = 12
_MOST_DIGITS = 60
_MOST_GROUPS = 24


class Places(NamedTuple):
    """int64 arrays of equal length, in the order of the text; start and stop are bytes of the batch."""

    document: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    kind: np.ndarray


def places_of(text: Text) -> Places:
    """Where to look, by kind. Places may overlap.

    EMAIL     an at sign between what may be names, with a dot behind it
    NUMBER    7 to 60 digits in a row, parted by one to three of blank - . / ( ), or three pairs parted by blanks; no group
              with a letter beside it (but "x", which begins an extension), no date as 2024-01-31, no years as 1999-2001 and no
              decimal fraction
    IPV4      four numbers of one to three digits with dots between, and no fifth
    IPV6      groups of hexadecimal digits with colons, one of three digits or more, with "::" or seven colons
    CODE      letters and digits as an IBAN begins (two of each, then 11 or more), and those of a few identity numbers
    PREFIX    letters with which an issuer's key begins
    PEM       "-----BEGIN"
    ASSIGNED  after = or :, in quotes or not, 16 or more letters, digits and marks, of both kinds, for a name that ends as
              "key", "secret", "token", "password" and "auth" do
    """
    marks = np.zeros((1, len(text.data) // 64 + 2), np.uint64)
    fill_planes(_fill, text.data, marks[0], ahead=_AHEAD)
    marks.flags.writeable = False
    room = max(256, len(text.data) // 512)
    while True:
        found = np.empty((4, room), np.int64)
        count = _places(text.offsets, text.data, marks[0], found)
        if count <= room:
            return Places(*(column[:count] for column in found))
        room = int(count)


def code_points(text: Text, document: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Code points of the document before each byte position of the batch; both ascend."""
    counts = np.empty(len(position), np.int64)
    _count_code_points(text.offsets, text.data, document, position, counts)
    return counts


_digits = mask_of(0x30, 0x39)
_at_signs = mask_of(0x40, 0x40)
_quotes = mask_of(0x22, 0x22)
_apostrophes = mask_of(0x27, 0x27)
_equals = mask_of(0x3D, 0x3D)
_colons = mask_of(0x3A, 0x3A)
_spaces = mask_of(0x20, 0x20)
_alphas = mask_of(0x61, 0x7A, fold=True)
_underscores = mask_of(0x5F, 0x5F)
_hyphens = mask_of(0x2D, 0x2D)
_pem = sequence_of("-----begin")
_akia = sequence_of("akia")
_asia = sequence_of("asia")
_aiza = sequence_of("aiza")
_gh = sequence_of("gh")
_github = sequence_of("github_pat")
_sk_live = sequence_of("sk_live_")
_rk_live = sequence_of("rk_live_")
_sk = sequence_of("sk-")
_xox = sequence_of("xox")
_glpat = sequence_of("glpat")
_hf = sequence_of("hf_")
_npm = sequence_of("npm_")
_eyj = sequence_of("eyj")
_sg = sequence_of("sg.")


@leaf
def _fill(data: Any, blocks: Any, marks: Any) -> None:
    carry = np.uint64(0)
    for block in range(blocks):
        at = np.int64(block) * 64
        digits = _digits(data, at)
        found = _at_signs(data, at) | (digits & ~((digits << np.uint64(1)) | carry))
        carry = digits >> np.uint64(63)
        quoted = _quotes(data, at + 1) | _apostrophes(data, at + 1)
        spaced = _spaces(data, at + 1) & (_quotes(data, at + 2) | _apostrophes(data, at + 2))
        equals = _equals(data, at)
        found |= (equals | _colons(data, at)) & (quoted | spaced)
        found |= equals & (_alphas(data, at + 1) | _digits(data, at + 1))
        found |= _pem(data, at) | _akia(data, at) | _asia(data, at) | _aiza(data, at)
        found |= _gh(data, at) & _underscores(data, at + 3) | _github(data, at)
        found |= (
            _sk_live(data, at) | _rk_live(data, at) | _sk(data, at) | _xox(data, at) & _hyphens(data, at + 4) | _glpat(data, at)
        )
        found |= _hf(data, at) | _npm(data, at) | _eyj(data, at) | _sg(data, at)
        marks[block] = found


@inlined
def _is_digit(byte: Any) -> Any:
    return 0x30 <= byte <= 0x39


@inlined
def _is_letter(byte: Any) -> Any:
    return 0x61 <= byte | 0x20 <= 0x7A


@inlined
def _is_word(byte: Any) -> Any:
    return 0x30 <= byte <= 0x39 or 0x61 <= byte | 0x20 <= 0x7A


@inlined
def _is_hex(byte: Any) -> Any:
    return 0x30 <= byte <= 0x39 or 0x61 <= byte | 0x20 <= 0x66


@inlined
def _is_local(byte: Any) -> Any:
    """May stand in the local part of an address; of the marks that RFC 5322 allows only those in use."""
    return _is_word(byte) or byte >= 0x80 or byte == 0x2E or byte == 0x5F or byte == 0x2D or byte == 0x2B or byte == 0x25


@inlined
def _is_token(byte: Any) -> Any:
    """May stand in a key: base64 in both alphabets but its padding, and a few marks."""
    return _is_word(byte) or byte == 0x2B or 0x2D <= byte <= 0x2F or byte == 0x5F or byte == 0x7E


@leaf
def _email(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Start and stop of what may be an address around the at sign; stop is -1 if it is none."""
    start = at
    while start > begin and at - start < 64 and _is_local(data[start - 1]):
        start -= 1
    stop, dots = at + 1, 0
    while stop < end and stop - at < 254:
        byte = data[stop]
        if byte == 0x2E:
            dots += 1
        elif not (_is_word(byte) or byte >= 0x80 or byte == 0x2D):
            break
        stop += 1
    return start, stop if dots and start < at and data[at + 1] != 0x2E else np.int64(-1)


@leaf
def _ipv4(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Where the address ends that begins here; -1 if there is none."""
    if at > begin + 1 and data[at - 1] == 0x2E and _is_digit(data[at - 2]):
        return np.int64(-1)
    stop = at
    for number in range(4):
        first = stop
        while stop < end and stop - first < 4 and _is_digit(data[stop]):
            stop += 1
        if not 1 <= stop - first <= 3:
            return np.int64(-1)
        if number < 3:
            if stop >= end or data[stop] != 0x2E:
                return np.int64(-1)
            stop += 1
    return np.int64(-1) if stop + 1 < end and data[stop] == 0x2E and _is_digit(data[stop + 1]) else stop


@leaf
def _ipv6(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Start and stop of hexadecimal groups and colons around `at`; start is -1 if they cannot be an address."""
    start = at
    while start < end and start - at < 5 and _is_hex(data[start]):
        start += 1
    if not (start < end and data[start] == 0x3A) and not (at > begin and data[at - 1] == 0x3A):
        return np.int64(-1), at
    start = at
    while start > begin and at - start < 48 and (_is_hex(data[start - 1]) or data[start - 1] == 0x3A):
        start -= 1
    stop, colons, double, longest, group = start, 0, False, 0, 0
    while stop < end and stop - start < 96 and (_is_hex(data[stop]) or data[stop] == 0x3A):
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
def _code(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Start and stop of letters and digits around the digits at `at`, where they may be an IBAN or identity number; or -1."""
    start = at
    while start > begin and at - start < 8 and _is_word(data[start - 1]):
        start -= 1
    before = at - start
    if before > 6 or (start > begin and (data[start - 1] >= 0x80 or data[start - 1] == 0x5F)):
        return np.int64(-1), at
    for place in range(start, at):
        if not _is_letter(data[place]):
            return np.int64(-1), at
    digits = at
    while digits < end and _is_digit(data[digits]):
        digits += 1
    stop = digits
    while stop < end and stop - start < 40 and _is_word(data[stop]):
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
            if _is_word(data[stop]):
                size += 1
            elif not (data[stop] == 0x20 and stop + 1 < end and _is_word(data[stop + 1])):
                break
            stop += 1
        good = size >= 15
    return start if good else np.int64(-1), stop


@inlined
def _is_gap(byte: Any) -> Any:
    return byte == 0x20 or byte == 0x28 or byte == 0x29 or 0x2D <= byte <= 0x2F


@inlined
def _is_year(data: Any, at: Any) -> Any:
    """Whether four digits are from 1900 to 2099."""
    return (data[at] == 0x31 and data[at + 1] == 0x39) or (data[at] == 0x32 and data[at + 1] == 0x30)


@leaf
def _number(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Stop of the digits and gaps from `at` on, where to look on, and whether they are worth a look."""
    stop, digits, groups, gaps, spaces, dots = at, 0, 0, 0, 0, 0
    first = second = third = size = 0
    last = gap = at
    while stop < end and digits <= _MOST_DIGITS and groups <= _MOST_GROUPS:
        if gap > last and gap - last == 1:
            gaps += 1
            spaces += data[last] == 0x20
            dots += data[last] == 0x2E
        start = stop
        while stop < end and _is_digit(data[stop]):
            stop += 1
        size = stop - start
        digits += size
        groups += 1
        if groups == 1:
            first = size
            if at > begin and (_is_letter(data[at - 1]) or data[at - 1] == 0x5F):
                return stop, stop, False
        elif groups == 2:
            second = size
        elif groups == 3:
            third = size
        gap = stop
        while gap < end and gap - stop < 4 and _is_gap(data[gap]):
            gap += 1
        if gap in (stop, end) or gap - stop > 3 or not _is_digit(data[gap]):
            break
        if gap - stop > 1 and data[stop] == 0x20 and data[stop + 1] == 0x20:
            break  # columns of a table
        last, stop = stop, gap
    following = stop
    if digits > _MOST_DIGITS or groups > _MOST_GROUPS:
        return stop, following, False
    if stop < end and (data[stop] == 0x5F or (_is_letter(data[stop]) and data[stop] | 0x20 != 0x78)):
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
        return stop, following, not (_is_year(data, at) and _is_year(data, at + 5))
    if groups == 2 and dots == 1:
        return stop, following, False
    date = groups >= 3 and first == 4 and second == 2 and third == 2 and gaps >= 2 and digits <= 14
    return stop, following, not (date and (data[at] == 0x31 or data[at] == 0x32))


@leaf
def _assigned(data: Any, at: Any, begin: Any, end: Any) -> Any:
    """Start and stop of the token after the = or : at `at`; stop is -1 if it is no candidate."""
    start = at + 1
    while start < end and start - at < 3 and (data[start] == 0x20 or data[start] == 0x22 or data[start] == 0x27):
        start += 1
    stop, digits, letters = start, 0, 0
    while stop < end and stop - start < 512 and _is_token(data[stop]):
        digits += _is_digit(data[stop])
        letters += _is_letter(data[stop])
        stop += 1
    if stop - start < 16 or digits == 0 or letters == 0:
        return start, np.int64(-1)
    name = at
    while name > begin and at - name < 4 and not _is_letter(data[name - 1]):
        name -= 1
    if name - begin < 3:
        return start, np.int64(-1)
    before, last = data[name - 2] | 0x20, data[name - 1] | 0x20
    good = before == 0x65 and (last == 0x79 or last == 0x74 or last == 0x6E)  # key, secret, token
    good |= last == 0x64 and (before == 0x72 or before == 0x77)  # password, pwd
    good |= before == 0x74 and last == 0x68  # auth
    return start, stop if good else np.int64(-1)


@leaf
def _places(offsets: Any, data: Any, marks: Any, found: Any) -> Any:
    room = found.shape[1]
    count = 0
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], offsets[document + 1]
        number_end = colons_end = begin
        # the mark of a number that begins a document is missing where the one before ends with a digit
        at = begin if begin < end and _is_digit(data[begin]) else next_set(marks, begin, end)
        while at < end:
            byte = data[at]
            kind, start, stop = 0, at, at
            if byte == 0x40:
                start, stop = _email(data, at, begin, end)
                kind = EMAIL if stop > 0 else 0
            elif _is_digit(byte):
                if at == begin or not _is_digit(data[at - 1]):
                    stop = _ipv4(data, at, begin, end)
                    if stop > 0:
                        kind = IPV4
                    elif at >= colons_end:
                        start, stop = _ipv6(data, at, begin, end)
                        if start >= 0:
                            kind = IPV6
                            colons_end = stop
                    if kind:
                        number_end = max(number_end, stop)
                    else:
                        start, stop = _code(data, at, begin, end)
                        kind = CODE if start >= 0 else 0
                    if kind == 0 and at >= number_end:
                        start = at
                        stop, number_end, good = _number(data, at, begin, end)
                        kind = NUMBER if good else 0
            elif byte == 0x3D or byte == 0x3A:
                start, stop = _assigned(data, at, begin, end)
                kind = ASSIGNED if stop > 0 else 0
            elif byte == 0x2D:
                stop = at + 10
                kind = PEM if stop <= end else 0
            elif at == begin or not (_is_word(data[at - 1]) or data[at - 1] == 0x5F):
                stop = at + 1
                while stop < end and stop - at < 2048 and _is_token(data[stop]):
                    stop += 1
                kind = PREFIX if stop - at >= 16 else 0
            if kind:
                if count < room:
                    found[0, count] = document
                    found[1, count] = start
                    found[2, count] = stop
                    found[3, count] = kind
                count += 1
            at = next_set(marks, at + 1, end) if at + 1 < end else end
    return count


@leaf
def _count_code_points(offsets: Any, data: Any, document: Any, position: Any, counts: Any) -> None:
    at, count, last = np.int64(0), 0, -1
    for index in range(len(position)):
        if document[index] != last:
            last = document[index]
            at, count = offsets[last], 0
        while at < position[index]:
            count += data[at] & 0xC0 != 0x80
            at += 1
        counts[index] = count
