r"""Sentences as spaCy's sentencizer counts them in each line, from the words of `spacy_words`.

A word that is one mark of the sentencizer's ends a sentence; the next word that is not all punctuation begins another, and so
does white space that is a word of spaCy's: any but one blank. A sentence of white space alone does not count. So chunks without
such marks need not be cut, and of the words only those after the marks are looked at.
"""

import functools
from typing import Any

import numpy as np

from stages.kernels.bits import mask_of
from stages.kernels.compile import inlined, leaf
from stages.kernels.planes import fill_planes, next_set
from stages.kernels.spacy_words import spacy_planes
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import decode, of_category

_END, _PUNCTUATION = 1, 2
_BLANK = 0x20


def spacy_sentences_of(text: Text) -> np.ndarray:
    r"""int64 per document: the sum over its lines, parted by "\n", of their sentences. Raises `MissingExtra` without spaCy."""
    sentences = np.zeros(len(text.offsets) - 1, np.int64)
    planes = text.planes
    ends = planes.high & planes.head
    fill_planes(_mark_ends, text.data, ends)
    begins, lasts = spacy_planes(text, frozen(ends))
    candidates = begins & (lasts | planes.high) & ends
    _count(text.offsets, text.data, planes.newline, begins, lasts, frozen(candidates), _marks(), sentences)
    return sentences


_full_stops = mask_of(0x2E, 0x2E)
_exclamations = mask_of(0x21, 0x21)
_questions = mask_of(0x3F, 0x3F)


@leaf
def _mark_ends(data: Any, blocks: Any, ends: Any) -> None:
    for block in range(blocks):
        at = np.int64(block) * 64
        ends[block] |= _full_stops(data, at) | _exclamations(data, at) | _questions(data, at)


@functools.cache
def _marks() -> np.ndarray:
    """For each code point whether it ends a sentence, and whether it is punctuation; none above the first two planes is."""
    from spacy.pipeline import Sentencizer

    marks = np.zeros(0x20000, np.uint8)
    marks[[ord(mark) for mark in Sentencizer.default_punct_chars]] = _END
    marks[of_category("P")[: len(marks)]] |= _PUNCTUATION
    return frozen(marks)


@leaf
def _count(offsets: Any, data: Any, newline: Any, begins: Any, lasts: Any, candidates: Any, marks: Any, sentences: Any) -> None:
    for document in range(len(sentences)):
        line, end = offsets[document], offsets[document + 1]
        while line < end:
            stop = next_set(newline, line, end)
            word = next_set(begins, line, stop)
            if word < stop:
                sentences[document] += 1 + _followed_ends(data, word, stop, begins, lasts, candidates, marks)
            line = stop + 1


@inlined
def _followed_ends(data: Any, word: Any, stop: Any, begins: Any, lasts: Any, candidates: Any, marks: Any) -> Any:
    """Number of sentence ends from this word of a line on that another sentence follows."""
    count = 0
    while True:
        word = next_set(candidates, word, stop)
        while word < stop and not _kind(data, word, next_set(lasts, word, stop) + 1, marks) & _END:
            word = next_set(candidates, word + 1, stop)
        if word == stop:
            return count
        while True:
            after = next_set(lasts, word, stop) + 1
            word = next_set(begins, after, stop)
            if word == stop:
                return count
            white = word - after > 1 or (word > after and data[after] != _BLANK)
            if white or not _kind(data, word, next_set(lasts, word, stop) + 1, marks):
                count += 1
                break


@inlined
def _kind(data: Any, start: Any, stop: Any, marks: Any) -> Any:
    """_PUNCTUATION if the word is nothing else, _END if it is one mark that ends a sentence."""
    code, size = decode(data, start, stop)
    bits = np.int64(marks[code]) if code < len(marks) else np.int64(0)
    position = start + size
    if position == stop:
        return bits
    bits &= _PUNCTUATION
    while position < stop and bits:
        code, size = decode(data, position, stop)
        bits &= np.int64(marks[code]) if code < len(marks) else np.int64(0)
        position += size
    return bits
