"""Words of a batch, as flat arrays that every word-based filter and sketch reads.

What is a word depends on the mode.

**sluice** (default): fast, and right for scripts without spaces. White space (`str.isspace`) separates, and so do invisible
controls, the zero-width space and the byte order mark. These are words wherever they stand, and part what is around:
- every letter of Han, kana, Thai, Lao, Khmer and Myanmar, and every mark beyond ASCII, with what Unicode attaches to it (a
  curly apostrophe in the place of a straight one is part of a word);
- two or more full stops, and runs of the same dash;
- an address: letters and digits, `://` and all up to white space, a quotation mark or angle bracket, less marks at its end.

What is left between these are pieces. At both ends of a piece every mark is a word but + - / @ \\ ^ | ~ and, at its begin, a
full stop: ( f(x ), --flag, C++, .bashrc. A full stop after a letter by itself is kept, too (U.S., e.g.). What remains, marks
and all (f(x, a_b, me@x.org, 3.14, o'clock), is a word; but inside it are words by themselves
- hyphens, `/`, `:`, `<`, `=` or `>` between a letter or digit and a letter: well - known, and / or; hyphens between digits;
- a comma between letters, and a full stop between a lower case letter and a capital: end . Next;
- an apostrophe with the one or two letters after it that end a run of letters: it 's, we 'll, don 't.

These are, in short, the rules of the English tokenizer on whose words the published limits were tuned, without its lists:
filters decide on English as in the other mode, but for one document in a hundred (benchmarks/decisions.py).

**datatrove**: exactly the words of datatrove 0.10 for English, see `spacy_words`.
"""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from stages.kernels.bits import trailing_zeros
from stages.kernels.compile import leaf
from stages.kernels.hashing import hash_bytes
from stages.kernels.planes import next_set
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import LETTER, PUNCTUATION, TERMINAL, classes, decode
from stages.kernels.word_planes import count_marks, word_planes

if TYPE_CHECKING:
    from stages.core.docs import Docs

HAS_ALPHA = 1
"""flag: at least one code point is a letter (Unicode category L*)"""
NOT_PUNCT = 2
"""flag: at least one code point is not punctuation; what Gopher counts as a word"""

Mode = Literal["sluice", "datatrove"]


class Words(NamedTuple):
    """Words of document i are the entries `doc_offsets[i]` to `doc_offsets[i + 1]` of the other arrays.

    doc_offsets  int64, documents + 1
    starts       int64, byte position of the word in `Text.data`
    sizes        int32, bytes
    lengths      int32, code points
    hashes       uint64, of the word's bytes; equal words have equal hashes in every batch and process
    flags        uint8, HAS_ALPHA | NOT_PUNCT
    """

    doc_offsets: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    lengths: np.ndarray
    hashes: np.ndarray
    flags: np.ndarray


def words(docs: "Docs", mode: Mode = "sluice") -> Words:
    """Words of the batch's text, made once for all stages that ask for this mode."""
    return docs.view(("words", mode), lambda: words_of(docs.text(), mode))


def word_counts(docs: "Docs", mode: Mode = "sluice") -> np.ndarray:
    """Number of words of each document, int64; no more is made than is asked for."""
    if docs.has_view(("words", mode)):
        return np.diff(words(docs, mode).doc_offsets)
    if mode == "datatrove":
        from stages.kernels.spacy_words import spacy_word_counts

        return docs.view(("word_counts", mode), lambda: spacy_word_counts(docs.text()))
    return docs.view(("word_counts", mode), lambda: np.diff(_count(docs.text())))


def words_of(text: Text, mode: str = "sluice") -> Words:
    """Words of every document. Raises `ValueError` for a mode that is neither "sluice" nor "datatrove"."""
    if mode == "sluice":
        return _split(text)
    if mode == "datatrove":
        from stages.kernels.spacy_words import spacy_words_of

        return spacy_words_of(text)
    raise ValueError(f"word mode {mode!r}, expected 'sluice' or 'datatrove'")


def _split(text: Text) -> Words:
    begins, lasts = word_planes(text)
    doc_offsets = np.zeros(len(text.offsets), np.int64)
    count_marks(begins, text.offsets, doc_offsets)
    fields = tuple(np.empty(doc_offsets[-1], kind) for kind in (np.int64, np.int32, np.int32, np.uint64, np.uint8))
    planes = text.planes
    describe_words(text.data, planes.word, planes.letter, planes.high, begins, lasts, classes(), *fields)
    return Words(doc_offsets, *fields)


def _count(text: Text) -> np.ndarray:
    begins, _ = word_planes(text)
    doc_offsets = np.zeros(len(text.offsets), np.int64)
    count_marks(begins, text.offsets, doc_offsets)
    return doc_offsets


def hash_of(word: bytes) -> int:
    """The hash that `Words.hashes` holds for these bytes."""
    return int(hash_bytes(frozen(np.frombuffer(word, np.uint8)), 0, len(word)))


_NOT_WORD = PUNCTUATION | TERMINAL
_ALL = np.uint64(2**64 - 1)


@leaf
def describe(data: Any, start: Any, stop: Any, table: Any) -> Any:
    """Code points, hash and flags of the word `data[start:stop]`."""
    length, seen, all_punct = np.int32(0), np.int64(0), True
    position = start
    while position < stop:
        code, size = decode(data, position, stop)
        bits = np.int64(table[code])
        seen |= bits
        all_punct = all_punct and bits & _NOT_WORD != 0
        length += np.int32(1)
        position += size
    flags = np.uint8((HAS_ALPHA if seen & LETTER else 0) | (0 if all_punct else NOT_PUNCT))
    return length, hash_bytes(data, start, stop), flags


@leaf
def _flags(letter: Any, word: Any, start: Any, stop: Any) -> Any:
    """The flags of an ASCII word: of ASCII's visible marks every one is punctuation."""
    if next_set(word, start, stop) == stop:
        return 0
    return NOT_PUNCT | (HAS_ALPHA if next_set(letter, start, stop) < stop else 0)


@leaf
def describe_words(
    data: Any,
    word: Any,
    letter: Any,
    high: Any,
    begins: Any,
    lasts: Any,
    table: Any,
    starts: Any,
    sizes: Any,
    lengths: Any,
    hashes: Any,
    flags: Any,
) -> None:
    """Fill the fields of `Words` from the planes of `word_planes`."""
    found = 0
    open_since = np.int64(-1)  # begin of the word that goes on from the block before, if one does
    for block in range(len(begins)):
        begin_bits, last_bits, base = begins[block], lasts[block], np.int64(block) * 64
        words, letters, highs = word[block], letter[block], high[block]
        while last_bits != 0:
            stop = base + trailing_zeros(last_bits) + 1
            last_bits &= last_bits - np.uint64(1)
            if open_since < 0:
                start = base + trailing_zeros(begin_bits)
                begin_bits &= begin_bits - np.uint64(1)
                inside = (_ALL >> np.uint64(64 - (stop - start))) << np.uint64(start - base)
                ascii_ = highs & inside == 0
                flag = (words & inside != 0) * NOT_PUNCT | (letters & inside != 0) * HAS_ALPHA
            else:
                start, open_since = open_since, np.int64(-1)
                ascii_ = next_set(high, start, stop) == stop
                flag = _flags(letter, word, start, stop)
            starts[found], sizes[found] = start, stop - start
            if ascii_:
                lengths[found] = stop - start
                hashes[found] = hash_bytes(data, start, stop)
                flags[found] = flag
            else:
                lengths[found], hashes[found], flags[found] = describe(data, start, stop, table)
            found += 1
        if begin_bits != 0:
            open_since = base + trailing_zeros(begin_bits)
