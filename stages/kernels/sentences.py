"""Number of sentences in the lines of a text."""

import functools
import unicodedata

import numpy as np

from stages.kernels.bits import mask_of
from stages.kernels.compile import leaf
from stages.kernels.lines import skip_spaces, space_size
from stages.kernels.planes import fill_planes, next_clear, next_set
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import TERMINAL, classes, decode
from stages.kernels.words import Mode, words_of

_SPACY_END, _PUNCTUATION, _END, _WIDE_END, _CLOSER = 1, 2, 4, 8, 16

# Sentence ends of scripts that put no space after them.
_WIDE = "。｡！？．﹒﹖﹗"

# spaCy 3.8, pipeline/sentencizer.pyx, default_punct_chars: code points
_SPACY_ENDS = (
    "21 2E 3F 589 61F 6D4 700 701 702 7F9 964 965 104A 104B 1362 1367 1368 166E 1735 1736 1803 1809 1944 1945 1AA8 1AA9 1AAA "
    "1AAB 1B5A 1B5B 1B5E 1B5F 1C3B 1C3C 1C7E 1C7F 203C 203D 2047 2048 2049 2E2E 2E3C 3002 A4FF A60E A60F A6F3 A6F7 A876 A877 "
    "A8CE A8CF A92F A9C8 A9C9 AA5D AA5E AA5F AAF0 AAF1 ABEB FE52 FE56 FE57 FF01 FF0E FF1F FF61 10A56 10A57 11047 11048 110BE "
    "110BF 110C0 110C1 11141 11142 11143 111C5 111C6 111CD 111DE 111DF 11238 11239 1123B 1123C 112A9 1144B 1144C 115C2 115C3 "
    "115C9 115CA 115CB 115CC 115CD 115CE 115CF 115D0 115D1 115D2 115D3 115D4 115D5 115D6 115D7 11641 11642 1173C 1173D 1173E "
    "11A42 11A43 11A9B 11A9C 11C41 11C42 16A6E 16A6F 16AF5 16B37 16B38 16B44 1BC9F 1DA88"
)


def sentences_of(text: Text, mode: Mode) -> np.ndarray:
    r"""int64 per document: the sum over its lines, parted by "\n", of the sentences in a line.

    sluice     A sentence ends after a mark of TERMINAL_PUNCTUATION or an ellipsis, the marks, quotes and brackets that
               close with it, and white space or the end of the line; after a full-width mark no white space is needed.
               What holds only such marks and white space is no sentence. Abbreviations are not known: "Mr. X" is two.
    datatrove  What spaCy's blank English tokenizer and sentencizer give, without sentences of white space only.
    """
    sentences = np.zeros(len(text.offsets) - 1, np.int64)
    offsets, data, marks = frozen(text.offsets), frozen(text.data), _marks()
    if mode == "sluice":
        _count_ends(offsets, data, _events(text), text.planes.space, marks, sentences)
        return sentences
    # spaCy's tokens are asked for only where the count depends on them.
    lines = int(np.count_nonzero(text.data == 10)) + len(sentences)
    open_lines = np.zeros(lines + 1, np.int64)
    documents = np.empty(lines, np.int64)
    copied = np.empty(int(text.offsets[-1] - text.offsets[0]), np.uint8)
    found = _open_lines(offsets, data, marks, sentences, open_lines, documents, copied)
    doubtful = Text(open_lines[: found + 1], copied[: open_lines[found]])
    words = words_of(doubtful, "datatrove")
    arrays = (words.doc_offsets, words.starts, words.sizes, words.lengths)
    _count_by_tokens(*map(frozen, arrays), frozen(doubtful.data), marks, frozen(documents), sentences)
    return sentences


@functools.cache
def _marks() -> np.ndarray:
    # No sentence end and no punctuation lies above the first two planes.
    categories = [unicodedata.category(chr(code)) for code in range(0x20000)]
    marks = np.array([_PUNCTUATION if category[0] == "P" else 0 for category in categories], np.uint8)
    marks[[category in ("Pe", "Pf") for category in categories]] |= _CLOSER
    marks[[ord(quote) for quote in "\"'"]] |= _CLOSER
    marks[[int(code, 16) for code in _SPACY_ENDS.split()]] |= _SPACY_END
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


def _events(text: Text) -> np.ndarray:
    """A plane of ". ? !", newlines and first bytes of code points beyond ASCII."""
    events = text.planes.newline | text.planes.high & text.planes.head
    fill_planes(_fill_ends, text.data, events)
    return frozen(events)


@leaf
def _fill_ends(data, blocks, events):  # type: ignore[no-untyped-def]
    for block in range(blocks):
        at = np.int64(block) * 64
        events[block] |= _full_stops(data, at) | _exclamations(data, at) | _questions(data, at)


@leaf
def _open_lines(offsets, data, marks, sentences, open_lines, documents, copied):  # type: ignore[no-untyped-def]
    """Count the lines that are one sentence however they are cut; copy the others. Returns how many those are."""
    found = np.int64(0)
    written = np.int64(0)
    for document in range(len(sentences)):
        following, last = offsets[document], offsets[document + 1]
        while following < last:
            start = following
            ended, doubtful = False, False
            while following < last and data[following] != 10:
                code, size = decode(data, following, last)
                bits = marks[code] if code < len(marks) else 0
                # After the first end only a token that is not all punctuation can begin another sentence.
                doubtful |= ended and bits & _PUNCTUATION == 0
                ended |= bits & _SPACY_END != 0
                following += size
            stop = following
            following += 1
            if skip_spaces(data, start, stop) == stop:
                continue
            if not doubtful:
                sentences[document] += 1
                continue
            for position in range(start, stop):
                copied[written] = data[position]
                written += 1
            documents[found] = document
            found += 1
            open_lines[found] = written
    return found


@leaf
def _count_by_tokens(doc_offsets, starts, sizes, lengths, data, marks, documents, sentences):  # type: ignore[no-untyped-def]
    for line in range(len(doc_offsets) - 1):
        count = 1
        ended = False
        after = np.int64(-1)
        for token in range(doc_offsets[line], doc_offsets[line + 1]):
            start = starts[token]
            # White space but for one blank after a token is a token of spaCy's, and begins a sentence like any other.
            if ended and (start - after > 1 or (start - after == 1 and data[after] != 32)):
                count += 1
                ended = False
            after = start + sizes[token]
            punctuation = True
            bits = np.int64(0)
            position = start
            while position < after:
                code, size = decode(data, position, after)
                bits = np.int64(marks[code]) if code < len(marks) else np.int64(0)
                punctuation = punctuation and bits & _PUNCTUATION != 0
                position += size
            if lengths[token] == 1 and bits & _SPACY_END:
                ended = True
            elif ended and not punctuation:
                count += 1
                ended = False
        sentences[documents[line]] += count
