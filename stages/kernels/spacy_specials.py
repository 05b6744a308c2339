"""spaCy's last step: special cases such as ":)" that words give when they are put together again.

spaCy looks for them in all words of a document, as rows of words, whatever white space is between. Of two that overlap the
longer counts, then the first. One with white space inside is not applied, but still hides others: "a:)" has the word ":)", and
"a:) )" has not, for it has : ) ) in a row. One blank is no word; other white space is, and no row goes on behind it.

A chunk of one or two words needs none of this: it would be the special case itself, and was not cut.
"""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import inlined, leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.planes import next_set
from stages.kernels.spacy_affixes import add_begins, set_bit
from stages.kernels.spacy_rules import (
    CHANGES,
    ENDS,
    GOES_ON,
    MOST_WORDS,
    PAIRS,
    ROW_SLOTS,
    ROWS,
    row_key,
    special_of,
    value_of,
)


class Marks(NamedTuple):
    """Planes of a batch, one bit for each byte.

    gaps    white space, all bytes of it
    edges   first bytes of documents, and the end of the last
    bounds  gaps | edges: where no word goes on
    begins  first bytes of words
    """

    gaps: np.ndarray
    edges: np.ndarray
    bounds: np.ndarray
    begins: np.ndarray


_ONE, _NONE = np.uint64(1), np.uint64(0)
_BLANK = 0x20


@inlined
def is_set(plane: Any, at: Any) -> Any:
    """Whether the bit `at` is set."""
    return plane[at >> 6] >> np.uint64(at & 63) & _ONE != 0


@inlined
def _clear_bit(plane: Any, at: Any) -> None:
    plane[at >> 6] &= ~(_ONE << np.uint64(at & 63))


@inlined
def _kind(row: Any, tables: Any) -> Any:
    return np.int64(value_of(tables, ROWS, ROW_SLOTS, row))


@inlined
def may_change(data: Any, start: Any, stop: Any, tables: Any, begins: Any) -> Any:
    """Whether some words of the chunk `data[start:stop]` are a special case that has other words."""
    first = start
    after = next_set(begins, first + 1, stop)
    while after < stop:
        pair = np.int64(data[first]) << 8 | np.int64(data[after])
        likely = tables[PAIRS + (pair >> 6)] >> np.uint64(pair & 63) & _ONE != 0
        if likely and _makes_special(data, first, after, stop, tables, begins):
            return True
        first, after = after, next_set(begins, after + 1, stop)
    return False


@leaf
def _makes_special(data: Any, word: Any, end: Any, stop: Any, tables: Any, begins: Any) -> Any:
    row = _NONE
    while True:
        row = row_key(row, hash_bytes(data, word, end))
        kind = _kind(row, tables)
        if kind & CHANGES:
            return True
        if kind & GOES_ON == 0 or end == stop:
            return False
        word, end = end, next_set(begins, end + 1, stop)


@leaf
def apply_specials(data: Any, start: Any, stop: Any, tables: Any, marks: Any, done: Any, notes: Any) -> Any:
    """Put words of the chunk `data[start:stop]` and its neighbours together to special cases; return where all is settled.

    done   words before this position are settled
    notes  planes of zeros: words that a row hides, and first and last bytes of special cases
    """
    begins = marks.begins
    first = _first_involved(data, start, tables, marks, done)
    end, word, most = stop, first, 0
    while 0 <= word < end:
        row_end, words = _longest_row(data, word, tables, marks)
        end, most = max(end, row_end), max(most, words)
        word = _next_word(data, _word_end(word, marks), marks)
    for words in range(most, 1, -1):
        word = first
        while 0 <= word < end:
            last, row_end, unbroken = _row(data, word, words, tables, marks)
            if row_end:
                if unbroken and not (is_set(notes[0], word) or is_set(notes[0], last)):
                    set_bit(notes[1], word)
                    set_bit(notes[2], row_end - 1)
                _hide(begins, word, last, notes[0])
            word = _next_word(data, _word_end(word, marks), marks)
    word = next_set(notes[1], first, end)
    while word < end:
        row_end = next_set(notes[2], word, end) + 1
        inside = next_set(begins, word + 1, row_end)
        while inside < row_end:
            _clear_bit(begins, inside)
            inside = next_set(begins, inside, row_end)
        add_begins(begins, word, special_of(data, word, row_end, tables))
        word = next_set(notes[1], row_end, end)
    return end


@inlined
def _hide(begins: Any, first: Any, last: Any, hidden: Any) -> None:
    """Words that share a row with a longer one are hidden even where that is not applied: so does spaCy."""
    word = first
    while word <= last:
        set_bit(hidden, word)
        word = next_set(begins, word + 1, last + 1)


@inlined
def _first_involved(data: Any, start: Any, tables: Any, marks: Any, done: Any) -> Any:
    """The first word from which rows lead, one over the other, to the word at `start`."""
    first, earlier = start, start
    while True:
        word = first
        for _ in range(MOST_WORDS - 1):
            word = _previous_word(data, word, marks, done)
            if word < 0:
                break
            if _longest_row(data, word, tables, marks)[0] > first:
                earlier = word
        if earlier == first:
            return first
        first = earlier


@inlined
def _longest_row(data: Any, word: Any, tables: Any, marks: Any) -> Any:
    """Where the longest row from this word ends that spaCy looks for, and its number of words; zeros if there is none."""
    row, end_found, words, number = _NONE, np.int64(0), 0, 0
    while word >= 0:
        end = _word_end(word, marks)
        row = row_key(row, hash_bytes(data, word, end))
        number += 1
        kind = _kind(row, tables)
        if kind & ENDS:
            end_found, words = end, number
        if kind & GOES_ON == 0:
            break
        word = _next_word(data, end, marks)
    return end_found, words


@inlined
def _row(data: Any, word: Any, words: Any, tables: Any, marks: Any) -> Any:
    """The last word and the end of a row of so many words, and whether no blank is in it; end 0 if spaCy looks for none."""
    row, unbroken = _NONE, True
    for number in range(words):
        end = _word_end(word, marks)
        row = row_key(row, hash_bytes(data, word, end))
        kind = _kind(row, tables)
        if number == words - 1:
            return word, end if kind & ENDS else np.int64(0), unbroken
        following = _next_word(data, end, marks)
        if kind & GOES_ON == 0 or following < 0:
            break
        unbroken = unbroken and following == end
        word = following
    return word, np.int64(0), False


@inlined
def _word_end(word: Any, marks: Any) -> Any:
    size = np.int64(len(marks.bounds)) * 64
    return next_set(marks.begins, word + 1, next_set(marks.bounds, word + 1, size))


@inlined
def _next_word(data: Any, end: Any, marks: Any) -> Any:
    """The word that follows one that ends at `end`, in the same row; -1 if none does."""
    if is_set(marks.edges, end):
        return np.int64(-1)
    if is_set(marks.begins, end):
        return end
    blank = data[end] == _BLANK and not is_set(marks.edges, end + 1) and is_set(marks.begins, end + 1)
    return end + 1 if blank else np.int64(-1)


@inlined
def _previous_word(data: Any, word: Any, marks: Any, done: Any) -> Any:
    """The word before this one, in the same row; -1 if there is none from `done` on."""
    if word <= done or is_set(marks.edges, word):
        return np.int64(-1)
    at = word - 1
    if is_set(marks.gaps, at):
        if data[at] != _BLANK or at <= done or is_set(marks.edges, at) or is_set(marks.gaps, at - 1):
            return np.int64(-1)
        at -= 1
    while not is_set(marks.begins, at):
        at -= 1
    return at
