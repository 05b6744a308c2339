"""Words exactly as datatrove 0.10 has them for English: spaCy 3.8's blank "en" tokenizer, white space tokens removed.

spaCy cuts every chunk between white space on its own, then looks for special cases across the words of a document. Most chunks
are letters, and perhaps one mark after them: a look at their bits is enough, and at the table of special cases ("cannot" is two
words, "Mr." is one). `spacy_affixes` cuts the others, and `spacy_specials` looks across.

Where we differ: datatrove raises for a text above 1,000,000 code points (spaCy's `max_length`), we cut it like any other.
Special cases are told by 64-bit hashes of their bytes.
"""

from typing import Any

import numpy as np

from stages.kernels.bits import bit_count, trailing_zeros
from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.planes import next_set
from stages.kernels.spacy_affixes import add_begins, cut_chunk, set_bit
from stages.kernels.spacy_rules import SPACE, Rules, begins_of, spacy_rules
from stages.kernels.spacy_specials import Marks, apply_specials, may_change
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import classes, decode
from stages.kernels.word_planes import count_marks
from stages.kernels.words import Words, describe_words

_ONE, _NONE, _ALL = np.uint64(1), np.uint64(0), np.uint64(2**64 - 1)
_STOP = 0x2E
_EASY_ENDS = ',;:!?)"'


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


def spacy_planes(text: Text) -> tuple[np.ndarray, np.ndarray]:
    """First and last bytes of words, as planes: the n-th bit of the one and of the other are those of the n-th word."""
    planes, rules = text.planes, spacy_rules()
    blocks = len(planes.word)
    gaps, edges, bounds, begins, lasts, odd = (np.zeros(blocks, np.uint64) for _ in range(6))
    _mark_edges(text.offsets, edges)
    _mark_gaps(text.data, planes.space, planes.high, rules.classes, edges, gaps, bounds)
    marks = Marks(gaps, edges, bounds, begins)
    _cut(text.data, planes.letter, rules, marks, odd)
    if odd.any():
        _settle(text.data, rules, marks, frozen(odd), np.zeros((3, blocks), np.uint64))
    _mark_lasts(marks, lasts)
    return frozen(begins), frozen(lasts)


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
def _cut(data: Any, letter: Any, rules: Any, marks: Any, odd: Any) -> None:
    """Mark the words of all chunks; mark as odd those of which `apply_specials` may make other words."""
    total = np.int64(len(data))
    begins = marks.begins
    before = _ONE << np.uint64(63)
    for block in range((total + 63) >> 6):
        base = np.int64(block) * 64
        gaps = marks.gaps[block]
        chunks = ~gaps & (gaps << _ONE | before >> np.uint64(63) | marks.edges[block])
        if total - base < 64:
            chunks &= (_ONE << np.uint64(total - base)) - _ONE
        before = gaps
        begins[block] |= chunks
        while chunks != 0:
            start = base + trailing_zeros(chunks)
            chunks &= chunks - _ONE
            stop = next_set(marks.bounds, start + 1, total)
            shift = np.uint64(start & 63)
            letters = letter[block] >> shift
            if shift != 0:
                letters |= letter[block + 1] << (np.uint64(64) - shift)
            run = trailing_zeros(~letters)
            size = stop - start
            if run >= size:
                if size > rules.longest_word:
                    continue
                special = begins_of(rules, hash_bytes(data, start, stop))
                if special > _ONE:
                    add_begins(begins, start, special)
                continue
            if run == size - 1 and run > 0 and _ends_simply(data, start, stop, rules, begins):
                continue
            if cut_chunk(data, start, stop, rules, begins) > 2 and may_change(data, start, stop, rules, begins):
                set_bit(odd, start)


@leaf
def _ends_simply(data: Any, start: Any, stop: Any, rules: Any, begins: Any) -> Any:
    """Cut the mark off from the letters of a chunk, if that is all that is to do; whether it was."""
    last = stop - 1
    kind = _END_KINDS[data[last]]
    if kind == 0:
        return False
    if stop - start <= rules.longest and begins_of(rules, hash_bytes(data, start, stop)) != 0:
        return False
    if last - start <= rules.longest_word and begins_of(rules, hash_bytes(data, start, last)) != 0:
        return False
    if kind == 1 or data[last - 1] >= 0x61:
        set_bit(begins, last)
    elif last - start >= 2 and data[last - 2] < 0x61:
        set_bit(begins, last)
    return True


@leaf
def _settle(data: Any, rules: Any, marks: Any, odd: Any, notes: Any) -> None:
    total = np.int64(len(data))
    done = np.int64(0)
    at = next_set(odd, done, total)
    while at < total:
        done = apply_specials(data, at, next_set(marks.bounds, at + 1, total), rules, marks, done, notes)
        at = next_set(odd, max(done, at + 1), total)
