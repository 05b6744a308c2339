"""Words exactly as datatrove 0.10 has them for English: spaCy 3.8's blank "en" tokenizer, white space tokens removed.

spaCy cuts every chunk between white space on its own, then looks for special cases across the words of a document. Most chunks
are letters, and perhaps one mark after them: a look at their bits is enough, and at the table of special cases ("cannot" is two
words, "Mr." is one). `spacy_affixes` cuts the others, and `spacy_specials` looks across.

Special cases are told by 64-bit hashes of their bytes.
"""

from typing import Any

import numpy as np

from stages.kernels.bits import mask_of, trailing_zeros
from stages.kernels.compile import inlined, leaf
from stages.kernels.planes import fill_planes, next_set
from stages.kernels.spacy_affixes import add_begins, cut_chunk, set_bit
from stages.kernels.spacy_rules import SPACE, spacy_rules, special_of
from stages.kernels.spacy_specials import Marks, apply_specials, is_set, may_change
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import classes, decode
from stages.kernels.word_planes import count_marks
from stages.kernels.words import Words, describe_words

_ONE = np.uint64(1)
_NINE, _SMALL_A = 0x39, 0x61
_EASY_ENDS = ',;:!?)"'
_EVERY = frozen(np.zeros(0, np.uint64))


def spacy_words_of(text: Text) -> Words:
    """Words of every document. Raises `MissingExtra` without spaCy."""
    begins, lasts = spacy_planes(text)
    doc_offsets = np.zeros(len(text.offsets), np.int64)
    count_marks(begins, text.offsets, doc_offsets)
    fields = tuple(np.empty(doc_offsets[-1], kind) for kind in (np.int64, np.int32, np.int32, np.uint64, np.uint8))
    planes = text.planes
    describe_words(text.data, planes.word, planes.letter, planes.high, begins, lasts, classes(), *fields)
    return Words(doc_offsets, *fields)


def spacy_word_counts(text: Text) -> np.ndarray:
    """Number of words of each document, int64."""
    doc_offsets = np.zeros(len(text.offsets), np.int64)
    count_marks(spacy_planes(text)[0], text.offsets, doc_offsets)
    return np.diff(doc_offsets)


def spacy_planes(text: Text, wanted: np.ndarray = _EVERY) -> tuple[np.ndarray, np.ndarray]:
    """First and last bytes of words, as planes: the n-th bit of the one and of the other are those of the n-th word.

    wanted  a plane, read-only; chunks between white space without any of its bytes are left whole
    """
    planes, rules = text.planes, spacy_rules()
    blocks = len(planes.word)
    gaps, edges, bounds, begins, lasts, odd, infixes, stops = (np.zeros(blocks, np.uint64) for _ in range(8))
    fill_planes(_mark_affixes, text.data, infixes, stops)
    _mark_edges(text.offsets, edges)
    _mark_gaps(text.data, planes.space, planes.high, rules.classes, edges, gaps, bounds)
    marks = Marks(gaps, edges, bounds, begins)
    _cut(text.data, planes.letter, planes.word, infixes, stops, wanted, 0, len(text.data), rules, marks, odd)
    if odd.any():
        notes = np.zeros((3, blocks), np.uint64)
        _settle(text.data, planes.letter, planes.word, infixes, stops, wanted, rules, marks, odd, notes)
    _mark_lasts(marks, lasts)
    return frozen(begins), frozen(lasts)


_arithmetic = mask_of(0x2A, 0x2F)  # * + , - . /
_colon = mask_of(0x3A, 0x3A)
_comparison = mask_of(0x3C, 0x3E)
_caret = mask_of(0x5E, 0x5E)
_tilde = mask_of(0x7E, 0x7E)
_heads = mask_of(0xC2, 0xF4)
_full_stop = mask_of(0x2E, 0x2E)


@leaf
def _mark_affixes(data: Any, blocks: Any, infixes: Any, stops: Any) -> None:
    """First bytes of code points with which an infix may begin, and full stops."""
    for block in range(blocks):
        at = np.int64(block) * 64
        marks = _arithmetic(data, at) | _colon(data, at) | _comparison(data, at) | _caret(data, at) | _tilde(data, at)
        infixes[block] = marks | _heads(data, at)
        stops[block] = _full_stop(data, at)


@leaf
def _mark_edges(offsets: Any, edges: Any) -> None:
    for document in range(len(offsets)):
        set_bit(edges, offsets[document])


@leaf
def _mark_gaps(data: Any, space: Any, high: Any, table: Any, edges: Any, gaps: Any, bounds: Any) -> None:
    size = np.int64(len(data))
    for block in range(len(space)):
        gaps[block] |= space[block]
        bits = high[block]
        while bits != 0:
            at = np.int64(block) * 64 + trailing_zeros(bits)
            bits &= bits - _ONE
            if data[at] < 0xC2 or data[at] > 0xE3:  # white space beyond ASCII is U+0085 to U+3000
                continue
            code, width = decode(data, at, size)
            if table[code] & SPACE:
                for byte in range(width):
                    set_bit(gaps, at + byte)
    for block in range(len(space)):
        bounds[block] = gaps[block] | edges[block]


@leaf
def _mark_lasts(marks: Any, lasts: Any) -> None:
    """The last byte of a word is one before a begin or a bound."""
    for block in range(len(lasts) - 1):
        ends = marks.bounds[block] | marks.begins[block]
        following = marks.bounds[block + 1] | marks.begins[block + 1]
        lasts[block] = ~marks.gaps[block] & (ends >> _ONE | following << np.uint64(63))


_END_KINDS = np.zeros(256, np.uint8)
_END_KINDS[[ord(mark) for mark in _EASY_ENDS]] = 1
_END_KINDS[ord(".")] = 2
_END_KINDS = frozen(_END_KINDS)


@leaf
def _cut(
    data: Any,
    letter: Any,
    word: Any,
    infixes: Any,
    stops: Any,
    wanted: Any,
    first: Any,
    end: Any,
    rules: Any,
    marks: Any,
    odd: Any,
) -> None:
    """Mark the words of the chunks from `first` to `end`; mark as odd those of which `apply_specials` may make other words."""
    begins = marks.begins
    before = marks.gaps[(first >> 6) - 1] if first >= 64 else np.uint64(0)
    for block in range(first >> 6, (end + 63) >> 6):
        base = np.int64(block) * 64
        gaps = marks.gaps[block]
        chunks = ~gaps & (gaps << _ONE | before >> np.uint64(63) | marks.edges[block])
        if end - base < 64:
            chunks &= (_ONE << np.uint64(end - base)) - _ONE
        if first > base:
            chunks &= ~((_ONE << np.uint64(first - base)) - _ONE)
        before = gaps
        begins[block] |= chunks
        while chunks != 0:
            start = base + trailing_zeros(chunks)
            chunks &= chunks - _ONE
            stop = next_set(marks.bounds, start + 1, end)
            if len(wanted) != 0 and next_set(wanted, start, stop) == stop:
                continue
            size = stop - start
            core = min(_run(letter, start), size)
            if core < size - 1 or core == 0:
                core = min(_run(word, start), size)
                if core > 0 and data[start + core - 1] > _NINE:
                    core = np.int64(0)  # a letter that ends what has digits may be a unit
            if core == size:
                special = special_of(data, start, stop, rules.tables)
                if special > _ONE:
                    add_begins(begins, start, special)
                continue
            if core > 0 and core == size - 1 and _ends_simply(data, start, stop, rules.tables, begins):
                continue
            if size == 1:
                continue
            if cut_chunk(data, start, stop, rules, infixes, stops, begins) > 2 and may_change(
                data, start, stop, rules.tables, begins
            ):
                set_bit(odd, start)


@inlined
def _run(plane: Any, start: Any) -> Any:
    """Number of bits set from `start` on, at most 64."""
    shift = np.uint64(start & 63)
    bits = plane[start >> 6] >> shift
    if shift != 0:
        bits |= plane[(start >> 6) + 1] << (np.uint64(64) - shift)
    return trailing_zeros(~bits)


@inlined
def _ends_simply(data: Any, start: Any, stop: Any, tables: Any, begins: Any) -> Any:
    """Cut the mark off from the letters or digits of a chunk, if that is all that is to do; whether it was."""
    last = stop - 1
    kind = _END_KINDS[data[last]]
    if kind == 0 or special_of(data, start, stop, tables) != 0 or special_of(data, start, last, tables) != 0:
        return False
    before = data[last - 1]
    # No full stop is cut off from a single capital.
    if kind == 1 or before >= _SMALL_A or before <= _NINE or (last - start >= 2 and _NINE < data[last - 2] < _SMALL_A):
        set_bit(begins, last)
    return True


@leaf
def _settle(
    data: Any, letter: Any, word: Any, infixes: Any, stops: Any, wanted: Any, rules: Any, marks: Any, odd: Any, notes: Any
) -> None:
    total = np.int64(len(data))
    done = cut = np.int64(0)
    chunk = next_set(odd, done, total)
    while chunk < total:
        stop = next_set(marks.bounds, chunk + 1, total)
        if len(wanted) != 0 and stop > cut:
            first, cut = _surroundings(data, chunk, cut, marks)
            _cut(data, letter, word, infixes, stops, wanted[:0], first, cut, rules, marks, odd)
        if stop > done:  # the words settled with a chunk before may end inside this one
            done = apply_specials(data, max(chunk, done), stop, rules.tables, marks, done, notes)
        chunk = next_set(odd, stop, total)


@inlined
def _surroundings(data: Any, chunk: Any, earliest: Any, marks: Any) -> Any:
    """From where to where there is no white space but single blanks around a chunk: rows of words go no farther."""
    first = chunk
    while first > earliest and not is_set(marks.edges, first):
        if is_set(marks.gaps, first - 1) and (data[first - 1] != 0x20 or is_set(marks.bounds, first)):
            break
        first -= 1
    end = chunk + 1
    while not is_set(marks.edges, end):
        if is_set(marks.gaps, end) and (data[end] != 0x20 or is_set(marks.bounds, end + 1)):
            break
        end += 1
    return first, end
