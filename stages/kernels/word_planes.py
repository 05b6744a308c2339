"""Where words begin and end, found for 64 bytes at a time.

Nearly all words of a text are runs of ASCII letters and digits and single marks between them: one comparison of the planes
tells where they begin and end. Where the rules of `words` may say otherwise (a mark between two digits, an apostrophe in a
word, a letter beyond ASCII), the white-space chunk around is cut by `next_word`, code point by code point.
"""

from typing import Any

import numpy as np

from stages.kernels.bits import BLOCK, bit_count, mask_of
from stages.kernels.compile import leaf
from stages.kernels.planes import next_set
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import classes
from stages.kernels.word_rules import next_word

_PAD = BLOCK
"""bytes before and after a text, so that whole blocks can be read at its ends"""


def word_planes(text: Text) -> tuple[np.ndarray, np.ndarray]:
    """First and last bytes of words, as planes: the n-th bit of the one and of the other are those of the n-th word."""
    planes, size = text.planes, len(text.data)
    padded = np.zeros(_PAD + size + 2 * BLOCK, np.uint8)
    padded[_PAD : _PAD + size] = text.data
    begins, lasts, odd, edges = (np.zeros(len(planes.word), np.uint64) for _ in range(4))
    _mark_edges(text.offsets, edges)
    _find_simple(frozen(padded), planes.word, planes.letter, planes.space, planes.high, frozen(edges), begins, lasts, odd)
    _cut_odd_chunks(text.offsets, text.data, planes.space, frozen(odd), classes(), begins, lasts)
    return frozen(begins), frozen(lasts)


@leaf
def _set(plane: Any, at: Any) -> None:
    plane[at >> 6] |= np.uint64(1) << np.uint64(at & 63)


@leaf
def _mark_edges(offsets: Any, edges: Any) -> None:
    for document in range(len(offsets)):
        _set(edges, offsets[document])


_visible = mask_of(0x21, 0x7E)
_underscore = mask_of(0x5F, 0x5F)
_at_sign = mask_of(0x40, 0x40)
_comma = mask_of(0x2C, 0x2C)
_slash = mask_of(0x2F, 0x2F)
_colon = mask_of(0x3A, 0x3A)
_hyphen = mask_of(0x2D, 0x2D)
_stop = mask_of(0x2E, 0x2E)
_apostrophe = mask_of(0x27, 0x27)
_letters = mask_of(0x61, 0x7A, fold=True)
_lower = mask_of(0x61, 0x7A)
_upper = mask_of(0x41, 0x5A)
_digits = mask_of(0x30, 0x39)
_beyond = mask_of(0x80, 0xFF)
_e2 = mask_of(0xE2, 0xE2)
_80 = mask_of(0x80, 0x80)
_dashes = mask_of(0x93, 0x94)
_single_quotes = mask_of(0x98, 0x99)
_right_quote = mask_of(0x99, 0x99)
_double_quotes = mask_of(0x9C, 0x9D)
_ellipsis = mask_of(0xA6, 0xA6)
_1, _2, _3, _61, _62, _63 = (np.uint64(number) for number in (1, 2, 3, 61, 62, 63))
_NONE, _LAST = np.uint64(0), np.uint64(1 << 63)


@leaf
def _mark_at(data: Any, at: Any) -> Any:
    """First bytes of en and em dashes, curly quotes and ellipses, which are words by themselves: U+2013 to U+2026."""
    third = _dashes(data, at + 2) | _single_quotes(data, at + 2) | _double_quotes(data, at + 2) | _ellipsis(data, at + 2)
    return _e2(data, at) & _80(data, at + 1) & third


@leaf
def _dash_at(data: Any, at: Any) -> Any:
    return _e2(data, at) & _80(data, at + 1) & _dashes(data, at + 2)


@leaf
def _word_at(data: Any, at: Any) -> Any:
    return _letters(data, at) | _digits(data, at)


@leaf
def _clitics(data: Any, at: Any, inner: Any, edges: Any, next_edges: Any) -> Any:
    """Of the apostrophes `inner` between letters, those that begin a clitic of one or two letters, and those in doubt.

    In doubt are those with another document or a byte beyond ASCII near, and those after whose clitic a mark may seem to
    join two words.
    """
    words2, words3 = _word_at(data, at + 2), _word_at(data, at + 3)
    letters2, beyond = _letters(data, at + 2), _beyond(data, at + 2) | _letters(data, at + 2) & _beyond(data, at + 3)
    ends2, ends3 = ~(words2 | _apostrophe(data, at + 2)), ~(words3 | _apostrophe(data, at + 3))
    clitics = inner & (ends2 | letters2 & ends3)
    near = edges >> _2 | next_edges << _62 | edges >> _3 | next_edges << _61
    marks2, marks3 = _visible(data, at + 2) & ~words2, _visible(data, at + 3) & ~words3
    return clitics, inner & (near | beyond) | clitics & (marks2 & words3 | marks3 & _word_at(data, at + 4))


@leaf
def _find_simple(
    data: Any, word: Any, letter: Any, space: Any, high: Any, edges: Any, begins: Any, lasts: Any, odd: Any
) -> None:
    """Mark the words that ASCII makes, and as odd what may belong to others. Names ending in 1 are of the block before.

    `before` and `after` a byte is what stands there in the same document.
    """
    word1 = letter1 = space1 = edge1 = inside1 = joined_stops1 = clitics1 = leads1 = _NONE
    for block in range(len(word) - 1):
        at = np.int64(_PAD) + np.int64(block) * 64
        words, letters, spaces, edge, next_edges = word[block], letter[block], space[block], edges[block], edges[block + 1]
        next_edge = edge >> _1 | next_edges << _63
        word_before = (words << _1 | word1 >> _63) & ~edge
        letter_before = (letters << _1 | letter1 >> _63) & ~edge
        word_after = (words >> _1 | word[block + 1] << _63) & ~next_edge
        letter_after = (letters >> _1 | letter[block + 1] << _63) & ~next_edge
        digit_before, digit_after = word_before & ~letter_before, word_after & ~letter_after
        chunk_begin = edge | spaces << _1 | space1 >> _63
        visible = _visible(data, at)
        hyphens, stops, slashes, colons = _hyphen(data, at), _stop(data, at), _slash(data, at), _colon(data, at)
        hyphen_before, stop_before = _hyphen(data, at - 1) & ~edge, _stop(data, at - 1) & ~edge
        hyphen_after, stop_after = _hyphen(data, at + 1) & ~next_edge, _stop(data, at + 1) & ~next_edge

        # marks inside a word
        numbers = digit_before & digit_after
        unlike = digit_before & letter_after | letter_before & digit_after
        sentence_end = _lower(data, at - 1) & _upper(data, at + 1)
        joined_stops = stops & (letter_before & letter_after & ~sentence_end | numbers)
        joined = (_underscore(data, at) | _at_sign(data, at)) & word_before & word_after
        joined |= (_comma(data, at) | slashes | colons) & numbers | hyphens & unlike | joined_stops
        strange = ~(visible | spaces)
        clitics = _NONE
        inner = _apostrophe(data, at) & letter_before & letter_after
        if inner != 0:
            clitics, doubtful = _clitics(data, at, inner, edge, next_edges)
            strange |= doubtful
            joined |= inner & ~clitics
        inside = words | joined

        # marks before and after a word
        leads = chunk_begin & (hyphens | slashes) & word_after
        short = ~((inside & ~joined_stops) << _2 | (inside1 & ~joined_stops1) >> _62) & ~(clitics << _2 | clitics1 >> _62)
        short |= edge << _1 | edge1 >> _63
        initials = stops & ~joined & letter_before & short & ~stop_after
        strange |= initials & (_apostrophe(data, at + 1) | _beyond(data, at + 1) | _colon(data, at + 1) & _slash(data, at + 2))
        strange |= hyphens & hyphen_before & word_after
        strange |= colons & word_before & _slash(data, at + 1)

        begin = inside & ~((inside << _1 | inside1 >> _63) & ~edge) | visible & ~inside
        begin &= ~(initials | hyphens & hyphen_before | stops & stop_before)
        begin &= ~((leads | clitics) << _1 | (leads1 | clitics1) >> _63)
        last = inside & ~(inside >> _1 & ~next_edge) | visible & ~inside
        last &= ~(leads | clitics | hyphens & hyphen_after | stops & stop_after | initials >> _1)
        if block and ((inside1 >> _63) & (inside | initials) & ~edge & _1) != 0:
            lasts[block - 1] &= ~_LAST

        if (high[block] | (high[block - 1] if block else _NONE) >> _62) != 0:
            heads, tails = _mark_at(data, at), _mark_at(data, at - 2)
            begin |= heads
            last |= tails
            strange &= ~(heads | _mark_at(data, at - 1) | tails) | visible
            quotes = _e2(data, at) & _80(data, at + 1) & _right_quote(data, at + 2)
            strange |= quotes & letter_before & _letters(data, at + 3)
            strange |= _dash_at(data, at) & _dash_at(data, at + 3)
        begins[block], lasts[block], odd[block] = begin, last, strange
        word1, letter1, space1, edge1 = words, letters, spaces, edge
        inside1, joined_stops1, clitics1, leads1 = inside, joined_stops, clitics, leads


@leaf
def _clear(plane: Any, start: Any, stop: Any) -> None:
    """Clear the bits from `start` to before `stop`, at least one."""
    first, final = start >> 6, (stop - 1) >> 6
    from_start = ~np.uint64(0) << np.uint64(start & 63)
    to_stop = ~np.uint64(0) >> np.uint64(63 - ((stop - 1) & 63))
    if first == final:
        plane[first] &= ~(from_start & to_stop)
    else:
        plane[first] &= ~from_start
        for block in range(first + 1, final):
            plane[block] = 0
        plane[final] &= ~to_stop


@leaf
def _cut_odd_chunks(offsets: Any, data: Any, space: Any, odd: Any, table: Any, begins: Any, lasts: Any) -> None:
    for document in range(len(offsets) - 1):
        position, end = offsets[document], offsets[document + 1]
        while position < end:
            at = next_set(odd, position, end)
            if at == end:
                break
            while at > position and (space[(at - 1) >> 6] >> np.uint64((at - 1) & 63)) & _1 == 0:
                at -= 1
            position, stop = at, next_set(space, at, end)
            if stop == position:  # a blank between marks beyond ASCII
                position += 1
                continue
            _clear(begins, position, stop)
            _clear(lasts, position, stop)
            fresh = True
            while position < stop:
                start, after, clitic = next_word(data, position, fresh, stop, table)
                fresh = False
                if start < stop:
                    _set(begins, start)
                    _set(lasts, after - 1)
                    if clitic:
                        _set(begins, after)
                        _set(lasts, clitic - 1)
                        after = clitic
                position = after


@leaf
def count_marks(plane: Any, offsets: Any, ranks: Any) -> None:
    """`ranks[i]` becomes the number of bits before `offsets[i]`."""
    total, block = np.int64(0), 0
    for document in range(len(offsets)):
        at = offsets[document]
        while block < at >> 6:
            total += bit_count(plane[block])
            block += 1
        below = (_1 << np.uint64(at & 63)) - _1
        ranks[document] = total + bit_count(plane[block] & below)
