"""Where words begin and end, found for 64 bytes at a time.

Nearly all words of a text are runs of ASCII letters and digits and single marks between them: one comparison of the planes
tells where they begin and end. Where the rules of `words` may say otherwise (a mark between two digits, an apostrophe in a
word, a letter beyond ASCII), the white-space chunk around is cut by `next_word`, code point by code point.
"""

from typing import Any

import numpy as np

from stages.kernels.bits import BLOCK, bit_count, mask_of, trailing_zeros
from stages.kernels.compile import leaf
from stages.kernels.planes import next_set
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import classes
from stages.kernels.word_rules import cut_chunk

_AHEAD = 3 * BLOCK
"""a block is found from the two bytes before it, its own, and those of the next two blocks at most"""
_CARRIED = 7


def word_planes(text: Text) -> tuple[np.ndarray, np.ndarray]:
    """First and last bytes of words, as planes: the n-th bit of the one and of the other are those of the n-th word."""
    planes, blocks = text.planes, len(text.planes.word)
    begins, lasts, odd = np.empty((3, blocks), np.uint64)
    edges = np.zeros(blocks, np.uint64)
    _mark_edges(text.offsets, edges)
    found = (planes.word, planes.letter, planes.space, planes.high, frozen(edges), begins, lasts, odd)
    carried = np.zeros(_CARRIED, np.uint64)
    # The blocks at both ends are found from copies with zeros around.
    behind = max(1, (len(text.data) - _AHEAD) // BLOCK + 1)
    _find_simple(*_padded(text.data, 0, 1), 0, 1, carried, *found)
    _find_simple(text.data, 0, 1, behind, carried, *found)
    _find_simple(*_padded(text.data, behind, blocks - 1), behind, blocks - 1, carried, *found)
    begins[-1] = lasts[-1] = odd[-1] = 0
    _cut_odd_chunks(text.offsets, text.data, planes.space, frozen(odd), classes(), begins, lasts)
    return frozen(begins), frozen(lasts)


def _padded(data: np.ndarray, first: int, end: int) -> tuple[np.ndarray, int]:
    """A copy of these blocks and what is around, and the position in `data` of its first byte; zeros where there is no text."""
    base = (first - 1) * BLOCK
    part = data[max(0, base) : end * BLOCK + _AHEAD]
    padded = np.zeros((end - first + 1) * BLOCK + _AHEAD, np.uint8)
    padded[max(0, -base) :][: len(part)] = part
    return frozen(padded), base


@leaf
def _set(plane: Any, at: Any) -> None:
    plane[at >> 6] |= np.uint64(1) << np.uint64(at & 63)


@leaf
def _mark_edges(offsets: Any, edges: Any) -> None:
    for document in range(len(offsets)):
        _set(edges, offsets[document])


_visible = mask_of(0x21, 0x7E)
_stop = mask_of(0x2E, 0x2E)
_hyphen = mask_of(0x2D, 0x2D)
_slash = mask_of(0x2F, 0x2F)
_colon = mask_of(0x3A, 0x3A)
_relation = mask_of(0x3C, 0x3E)
_comma = mask_of(0x2C, 0x2C)
_apostrophe = mask_of(0x27, 0x27)
_plus = mask_of(0x2B, 0x2B)
_hyphen_to_slash = mask_of(0x2D, 0x2F)
_at_sign = mask_of(0x40, 0x40)
_bar = mask_of(0x7C, 0x7C, fold=True)  # and the backslash
_tilde = mask_of(0x7E, 0x7E, fold=True)  # and the circumflex
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
_1, _2, _3, _4, _8, _16, _32, _61, _62, _63 = (np.uint64(number) for number in (1, 2, 3, 4, 8, 16, 32, 61, 62, 63))
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
def _parted(data: Any, at: Any, marks: Any) -> Any:
    """Of the marks of ASCII, `word_rules.PARTED`."""
    return marks & ~(_plus(data, at) | _hyphen_to_slash(data, at) | _at_sign(data, at) | _bar(data, at) | _tilde(data, at))


@leaf
def _upward(seeds: Any, among: Any) -> Any:
    """`seeds`, all of them `among`, and the bits of `among` above each without a gap."""
    return (((seeds + among) ^ among) | seeds) & among


@leaf
def _downward(seeds: Any, among: Any) -> Any:
    """`seeds`, all of them `among`, and the bits of `among` below each without a gap."""
    seeds |= among & seeds >> _1
    among &= among >> _1
    seeds |= among & seeds >> _2
    among &= among >> _2
    seeds |= among & seeds >> _4
    among &= among >> _4
    seeds |= among & seeds >> _8
    among &= among >> _8
    seeds |= among & seeds >> _16
    among &= among >> _16
    return seeds | among & seeds >> _32


@leaf
def _ends_piece(data: Any, at: Any, edge: Any, spaces: Any, marks: Any) -> Any:
    """Whether the marks with which the block at `at` begins end a piece: 1 or 0, -1 if that cannot be told from the block."""
    stops = _stop(data, at)
    stop_runs = stops & (_stop(data, at + 1) | stops << _1)
    enders = (_parted(data, at, marks) | stops) & ~(stop_runs | edge)
    if ~enders == 0:
        return -1
    place = np.uint64(trailing_zeros(~enders))
    return np.int64((edge | spaces | stop_runs | _beyond(data, at)) >> place & _1)


@leaf
def _clitics(data: Any, at: Any, inner: Any, edges: Any, next_edges: Any) -> Any:
    """Of the apostrophes `inner` before a letter, those before one or two letters that end a run, and those in doubt.

    In doubt are those with another document or a byte beyond ASCII near.
    """
    words2, words3 = _word_at(data, at + 2), _word_at(data, at + 3)
    letters2, beyond = _letters(data, at + 2), _beyond(data, at + 2) | _letters(data, at + 2) & _beyond(data, at + 3)
    ends2, ends3 = ~(words2 | _apostrophe(data, at + 2)), ~(words3 | _apostrophe(data, at + 3))
    near = edges >> _2 | next_edges << _62 | edges >> _3 | next_edges << _61
    return inner & (ends2 | letters2 & ends3), inner & (near | beyond)


@leaf
def _find_simple(
    data: Any,
    base: Any,
    first_block: Any,
    end_block: Any,
    carried: Any,
    word: Any,
    letter: Any,
    space: Any,
    high: Any,
    edges: Any,
    begins: Any,
    lasts: Any,
    odd: Any,
) -> None:
    """Mark the words that ASCII makes, and as odd what may belong to others. Names ending in 1 are of the block before.

    base     where in the text `data` begins
    carried  what is known of the block before the first; is left for the block behind the last

    `before` and `after` a byte is what stands there in the same document.
    """
    word1, letter1, border1, edge1 = carried[0], carried[1], carried[2], carried[3]
    inside1, long1, lead1 = carried[4], carried[5], carried[6]
    for block in range(first_block, end_block):
        at = np.int64(block) * 64 - base
        words, letters, spaces, edge, next_edges = word[block], letter[block], space[block], edges[block], edges[block + 1]
        next_edge = edge >> _1 | next_edges << _63
        word_before = (words << _1 | word1 >> _63) & ~edge
        letter_before = (letters << _1 | letter1 >> _63) & ~edge
        letter_after = (letters >> _1 | letter[block + 1] << _63) & ~next_edge
        visible = _visible(data, at)
        marks = visible & ~words
        hyphens, stops, slashes, colons = _hyphen(data, at), _stop(data, at), _slash(data, at), _colon(data, at)
        stop_before, stop_after = _stop(data, at - 1) & ~edge, _stop(data, at + 1) & ~next_edge
        strange = ~(visible | spaces)

        # what parts pieces: white space, runs of full stops, marks beyond ASCII
        stop_runs = stops & (stop_before | stop_after)
        border, first, final = spaces | stop_runs, stop_runs & ~stop_before, stop_runs & ~stop_after
        if (high[block] | (high[block - 1] if block else _NONE) >> _62) != 0:
            heads, middles, tails = _mark_at(data, at), _mark_at(data, at - 1), _mark_at(data, at - 2)
            first |= heads
            final |= tails
            border |= heads | middles | tails
            strange &= ~(heads | middles | tails) | visible
            quotes = _e2(data, at) & _80(data, at + 1) & _right_quote(data, at + 2)
            strange |= quotes & (word_before | stop_before) & _letters(data, at + 3)
            strange |= _dash_at(data, at) & _dash_at(data, at + 3)

        # marks at the ends of pieces, and those that part words
        parted = _parted(data, at, marks)
        enders = (parted | stops) & ~stop_runs
        lead = _upward(parted & (edge | border << _1 | (border1 | lead1) >> _63), parted)
        seeds = enders & (border >> _1 | next_edge)
        if enders & _LAST & ~seeds:
            ahead = _ends_piece(data, at + 64, next_edges, space[block + 1], _visible(data, at + 64) & ~word[block + 1])
            seeds |= _LAST if ahead == 1 else _NONE
            strange |= _LAST if ahead < 0 else _NONE
        alone = lead | _downward(seeds, enders)
        parting = (hyphens | slashes | colons | _relation(data, at)) & word_before & letter_after
        parting |= _comma(data, at) & letter_before & letter_after
        parting |= stops & letter_before & letter_after & _lower(data, at - 1) & _upper(data, at + 1)
        parting |= hyphens & word_before & ~letter_before & _digits(data, at + 1) & ~next_edge
        strange |= hyphens & word_before & _hyphen(data, at + 1) | colons & word_before & _slash(data, at + 1)
        inside = visible & ~(alone | parting | stop_runs)

        # full stops after a letter by itself
        long = inside & ~stops
        short = ~(long << _2 | long1 >> _62) | edge << _1 | edge1 >> _63
        initials = stops & alone & letter_before & short
        inside |= initials
        alone = alone & ~initials | parting

        clitics = _NONE
        inner = _apostrophe(data, at) & inside & (word_before | stop_before) & letter_after
        if inner != 0:
            clitics, doubtful = _clitics(data, at, inner, edge, next_edges)
            strange |= doubtful
        going_on = (inside << _1 | inside1 >> _63) & inside & ~edge & ~clitics
        if block and going_on & _1:
            lasts[block - 1] &= ~_LAST
        begins[block] = inside & ~going_on | alone | first
        lasts[block] = inside & ~(going_on >> _1) | alone | final
        odd[block] = strange
        word1, letter1, border1, edge1 = words, letters, border, edge
        inside1, long1, lead1 = inside, long, lead
    carried[0], carried[1], carried[2], carried[3] = word1, letter1, border1, edge1
    carried[4], carried[5], carried[6] = inside1, long1, lead1


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
            cut_chunk(data, position, stop, table, begins, lasts)
            position = stop


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
