"""Places where personal data or a secret may stand: cheap to find, and few, so that only they are looked at closely."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.bits import mask_of, sequence_of
from stages.kernels.compile import leaf
from stages.kernels.pii_shapes import (
    assigned_after,
    code_around,
    email_around,
    ipv4_from,
    ipv6_around,
    is_digit,
    is_token,
    is_word,
    number_from,
)
from stages.kernels.planes import fill_planes, next_set
from stages.kernels.text import Text

EMAIL, NUMBER, IPV4, IPV6, CODE, PREFIX, PEM, ASSIGNED = 1, 2, 4, 8, 16, 32, 64, 128
"""kinds: see `places_of`"""

_AHEAD = 12


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


@leaf
def _places(offsets: Any, data: Any, marks: Any, found: Any) -> Any:
    room = found.shape[1]
    count = 0
    for document in range(len(offsets) - 1):
        begin, end = offsets[document], offsets[document + 1]
        number_end = colons_end = begin
        # the mark of a number that begins a document is missing where the one before ends with a digit
        at = begin if begin < end and is_digit(data[begin]) else next_set(marks, begin, end)
        while at < end:
            byte = data[at]
            kind, start, stop = 0, at, at
            if byte == 0x40:
                start, stop = email_around(data, at, begin, end)
                kind = EMAIL if stop > 0 else 0
            elif is_digit(byte):
                if at == begin or not is_digit(data[at - 1]):
                    stop = ipv4_from(data, at, begin, end)
                    if stop > 0:
                        kind = IPV4
                    elif at >= colons_end:
                        start, stop = ipv6_around(data, at, begin, end)
                        if start >= 0:
                            kind = IPV6
                            colons_end = stop
                    if kind:
                        number_end = max(number_end, stop)
                    else:
                        start, stop = code_around(data, at, begin, end)
                        kind = CODE if start >= 0 else 0
                    if kind == 0 and at >= number_end:
                        start = at
                        stop, number_end, good = number_from(data, at, begin, end)
                        kind = NUMBER if good else 0
            elif byte == 0x3D or byte == 0x3A:
                start, stop = assigned_after(data, at, begin, end)
                kind = ASSIGNED if stop > 0 else 0
            elif byte == 0x2D:
                stop = at + 10
                kind = PEM if stop <= end else 0
            elif at == begin or not (is_word(data[at - 1]) or data[at - 1] == 0x5F):
                stop = at + 1
                while stop < end and stop - at < 2048 and is_token(data[stop]):
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
