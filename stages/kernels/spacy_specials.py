"""spaCy's last step: special cases such as ":)" that words give when they are put together again.

spaCy looks for them in all words of a document, as rows of words, whatever white space is between. Of two that overlap the longer
counts, then the first. One with white space inside is not applied, but still hides others: "a:)" has the word ":)", and "a:) )"
has not, for it has : ) ) in a row. One blank is no word; other white space is, and no row goes on behind it.

A chunk of one or two words needs none of this: it would be the special case itself, and was not cut.
"""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.planes import next_set
from stages.kernels.spacy_affixes import add_begins, set_bit
from stages.kernels.spacy_rules import CHANGES, ENDS, GOES_ON, special_of, step, value_of


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


@leaf
def _is_set(plane: Any, at: Any) -> Any:
    return plane[at >> 6] >> np.uint64(at & 63) & _ONE != 0


@leaf
def _clear_bit(plane: Any, at: Any) -> None:
    plane[at >> 6] &= ~(_ONE << np.uint64(at & 63))


@leaf
def may_change(data: Any, start: Any, stop: Any, rules: Any, begins: Any) -> Any:
    """Whether some words of the chunk `data[start:stop]` are a special case that has other words."""
    first = start
    while first < stop:
        after = next_set(begins, first + 1, stop)
        word, end, state = first, after, _NONE
        while True:
            state = step(state, hash_bytes(data, word, end))
            kind = value_of(rules.patterns, rules.pattern_kinds, state)
            if kind & CHANGES:
                return True
            if kind & GOES_ON == 0 or end == stop:
                break
            word, end = end, next_set(begins, end + 1, stop)
        first = after
    return False


@leaf
def apply_specials(data: Any, start: Any, stop: Any, rules: Any, marks: Any, done: Any, notes: Any) -> Any:
    """Put words of the chunk `data[start:stop]` and its neighbours together to special cases; return where all is settled.

    done   words before this position are settled
    notes  planes of zeros: words that a row hides, and first and last bytes of special cases
    """
    begins = marks.begins
    first = _first_involved(data, start, rules, marks, done)
    end, word = stop, first
    while 0 <= word < end:
        end = max(end, _longest_row(data, word, rules, marks))
        word = _next_word(data, _word_end(word, marks), marks)
    for words in range(rules.most_tokens, 1, -1):
        word = first
        while 0 <= word < end:
            last, row_end, unbroken = _row(data, word, words, rules, marks)
            if row_end:
                if unbroken and not (_is_set(notes[0], word) or _is_set(notes[0], last)):
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
        add_begins(begins, word, special_of(data, word, row_end, rules))
        word = next_set(notes[1], row_end, end)
    return end


@leaf
def _hide(begins: Any, first: Any, last: Any, hidden: Any) -> None:
    """Words that share a row with a longer one are hidden even where that is not applied: so does spaCy."""
    word = first
    while word <= last:
        set_bit(hidden, word)
        word = next_set(begins, word + 1, last + 1)


@leaf
def _first_involved(data: Any, start: Any, rules: Any, marks: Any, done: Any) -> Any:
    """The first word from which rows lead, one over the other, to the word at `start`."""
    first, earlier = start, start
    while True:
        word = first
        for _ in range(rules.most_tokens - 1):
            word = _previous_word(data, word, marks, done)
            if word < 0:
                break
            if _longest_row(data, word, rules, marks) > first:
                earlier = word
        if earlier == first:
            return first
        first = earlier


@leaf
def _longest_row(data: Any, word: Any, rules: Any, marks: Any) -> Any:
    """Where the longest row of words from this one ends that spaCy looks for; 0 if there is none."""
    state, found = _NONE, np.int64(0)
    while word >= 0:
        end = _word_end(word, marks)
        state = step(state, hash_bytes(data, word, end))
        kind = value_of(rules.patterns, rules.pattern_kinds, state)
        if kind & ENDS:
            found = end
        if kind & GOES_ON == 0:
            break
        word = _next_word(data, end, marks)
    return found


@leaf
def _row(data: Any, word: Any, words: Any, rules: Any, marks: Any) -> Any:
    """The last word and the end of a row of so many words, and whether no blank is in it; end 0 if spaCy looks for none."""
    state, unbroken = _NONE, True
    for number in range(words):
        end = _word_end(word, marks)
        state = step(state, hash_bytes(data, word, end))
        kind = value_of(rules.patterns, rules.pattern_kinds, state)
        if number == words - 1:
            return word, end if kind & ENDS else np.int64(0), unbroken
        following = _next_word(data, end, marks)
        if kind & GOES_ON == 0 or following < 0:
            break
        unbroken = unbroken and following == end
        word = following
    return word, np.int64(0), False


@leaf
def _word_end(word: Any, marks: Any) -> Any:
    size = np.int64(len(marks.bounds)) * 64
    return next_set(marks.begins, word + 1, next_set(marks.bounds, word + 1, size))


@leaf
def _next_word(data: Any, end: Any, marks: Any) -> Any:
    """The word that follows one that ends at `end`, in the same row; -1 if none does."""
    if _is_set(marks.edges, end):
        return np.int64(-1)
    if _is_set(marks.begins, end):
        return end
    blank = data[end] == _BLANK and not _is_set(marks.edges, end + 1) and _is_set(marks.begins, end + 1)
    return end + 1 if blank else np.int64(-1)


@leaf
def _previous_word(data: Any, word: Any, marks: Any, done: Any) -> Any:
    """The word before this one, in the same row; -1 if there is none from `done` on."""
    if word <= done or _is_set(marks.edges, word):
        return np.int64(-1)
    at = word - 1
    if _is_set(marks.gaps, at):
        if data[at] != _BLANK or at <= done or _is_set(marks.edges, at) or _is_set(marks.gaps, at - 1):
            return np.int64(-1)
        at -= 1
    while not _is_set(marks.begins, at):
        at -= 1
    return at
