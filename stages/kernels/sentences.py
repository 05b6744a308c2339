"""Number of sentences in the lines of a text."""

import functools

import numpy as np

from stages.kernels.bits import mask_of
from stages.kernels.compile import leaf
from stages.kernels.lines import space_size
from stages.kernels.planes import fill_planes, next_clear, next_set
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import TERMINAL, classes, decode, of_category
from stages.kernels.words import Mode

_END, _WIDE_END, _CLOSER = 1, 2, 4

# Sentence ends of scripts that put no space after them.
_WIDE = "。｡！？．﹒﹖﹗"


def sentences_of(text: Text, mode: Mode) -> np.ndarray:
    r"""int64 per document: the sum over its lines, parted by "\n", of the sentences in a line.

    sluice     A sentence ends after a mark of TERMINAL_PUNCTUATION or an ellipsis, the marks, quotes and brackets that
               close with it, and white space or the end of the line; after a full-width mark no white space is needed.
               What holds only such marks and white space is no sentence. Abbreviations are not known: "Mr. X" is two.
    datatrove  What spaCy's blank English tokenizer and sentencizer give, without sentences of white space only.
    """
    if mode == "datatrove":
        from stages.kernels.spacy_sentences import spacy_sentences_of

        return spacy_sentences_of(text)
    sentences = np.zeros(len(text.offsets) - 1, np.int64)
    _count_ends(text.offsets, text.data, _events(text), text.planes.space, _marks(), sentences)
    return sentences


@functools.cache
def _marks() -> np.ndarray:
    # No sentence end and no closing mark lies above the first two planes.
    marks = np.where(of_category("Pe", "Pf")[:0x20000], np.uint8(_CLOSER), np.uint8(0))
    marks[[ord(quote) for quote in "\"'"]] |= _CLOSER
    marks[(classes()[:0x20000] & TERMINAL) != 0] |= _END
    marks[ord("…")] |= _END
    wide = [ord(mark) for mark in _WIDE]
    marks[wide] = marks[wide] & ~np.uint8(_END) | _WIDE_END
    return frozen(marks)


@leaf
def _count_ends(offsets, data, events, space, marks, sentences):  # type: ignore[no-untyped-def]
    """From one event to the next: a mark that may end a sentence, a newline, or a code point beyond ASCII."""
    between, inside, ended, ended_wide = 0, 1, 2, 3
    for document in range(len(sentences)):
        state = between
        count = 0
        position, end = offsets[document], offsets[document + 1]
        while position < end:
            if state == inside:
                position = next_set(events, position, end)
                if position == end:
                    break
            elif state == between:
                position = next_clear(space, position, end)
                if position == end:
                    break
            byte = data[position]
            if byte == 10:
                state = between
                position += 1
                continue
            size = space_size(data, position, end)
            if size:
                if state != inside:
                    state = between
                position += size
                continue
            code, size = decode(data, position, end)
            position += size
            bits = marks[code] if code < len(marks) else 0
            if bits & _WIDE_END:
                if state != between:
                    state = ended_wide
            elif bits & _END:
                if state == inside:
                    state = ended
            elif not (bits & _CLOSER and state != inside):
                if state != inside and state != ended:
                    count += 1
                state = inside
        sentences[document] = count


_full_stops = mask_of(0x2E, 0x2E)
_exclamations = mask_of(0x21, 0x21)
_questions = mask_of(0x3F, 0x3F)
_newlines = mask_of(0x0A, 0x0A)
_beyond = mask_of(0xC0, 0xFF)


def _events(text: Text) -> np.ndarray:
    """A plane of ". ? !", newlines and first bytes of code points beyond ASCII."""
    events = np.empty(len(text.planes.word), np.uint64)
    fill_planes(_fill_ends, text.data, events)
    return frozen(events)


@leaf
def _fill_ends(data, blocks, events):  # type: ignore[no-untyped-def]
    for block in range(blocks):
        at = np.int64(block) * 64
        marks = _full_stops(data, at) | _exclamations(data, at) | _questions(data, at)
        events[block] = marks | _newlines(data, at) | _beyond(data, at)
