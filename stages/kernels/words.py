"""Words of a batch, as flat arrays that every word-based filter and sketch reads.

What is a word depends on the mode.

**sluice** (default): fast, and right for scripts without spaces. White space (`str.isspace`) separates. Between white space
- a maximal run of letters, digits and marks is a word. Kept inside are `_` and `@` between such; `.`, `,`, `/` and `:`
  between digits (3.14, 1,000, 10:30); `.` between letters unless a lower case letter is followed by a capital (example.com,
  but end . Next) and after a letter by itself (U.S., e.g.); `-` between a letter and a digit (2-year); an apostrophe between
  letters (o'clock); format characters; and before it, if white space is before them, hyphens or a slash (--flag, -1, /etc).
  From a run and `://` on, an address goes to the next white space, quotation mark or angle bracket, less the marks at its end;
- an apostrophe and one or two letters that end a word are a word: it 's, we 'll, don 't;
- every letter of Han, kana, Thai, Lao, Khmer and Myanmar, with its marks, is a word;
- a run of equal full stops, hyphens or dashes is a word, and so is every other visible code point, with its marks.
Hyphens and slashes part words, as in the tokenizers on which the published limits of 50 words and 0.8 alphabetic words were
tuned: well - known. Invisible controls, the zero-width space and the byte order mark separate and are in no word.

**datatrove**: exactly the words of datatrove 0.10 for English, see `spacy_words`.
"""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.text import Text
from stages.kernels.unicode import (
    DIGIT,
    FORMAT,
    HIDDEN,
    LETTER,
    LOWER,
    MARK,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    TERMINAL,
    UNSPACED,
    UPPER,
    classes,
    decode,
)

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


def words_of(text: Text, mode: str = "sluice") -> Words:
    """Words of every document. Raises `ValueError` for a mode that is neither "sluice" nor "datatrove"."""
    if mode == "sluice":
        return _split(text)
    if mode == "datatrove":
        from stages.kernels.spacy_words import spacy_words_of

        return spacy_words_of(text)
    raise ValueError(f"word mode {mode!r}, expected 'sluice' or 'datatrove'")


def _split(text: Text) -> Words:
    offsets, data = readonly(text)
    count, table = len(offsets) - 1, classes()
    doc_offsets = np.zeros(count + 1, np.int64)
    room = int(offsets[-1] - offsets[0]) // 4 + 64  # English with its punctuation has a word for 4.3 bytes
    fields = tuple(np.empty(room, kind) for kind in (np.int64, np.int32, np.int32, np.uint64, np.uint8))
    document = 0
    while (document := split_words(offsets, data, table, document, doc_offsets, *fields)) < count:
        room *= 2
        fields = tuple(longer(field, room, int(doc_offsets[document])) for field in fields)
    return Words(doc_offsets, *(field[: doc_offsets[-1]] for field in fields))


def longer(field: np.ndarray, room: int, filled: int) -> np.ndarray:
    """A copy with room for more; the first `filled` entries are those of `field`."""
    longer = np.empty(room, field.dtype)
    longer[:filled] = field[:filled]
    return longer


def readonly(text: Text) -> Text:
    """The same arrays as read-only views, the one kind that kernels are compiled for."""
    offsets, data = np.ascontiguousarray(text.offsets, np.int64).view(), text.data.view()
    offsets.flags.writeable = data.flags.writeable = False
    return Text(offsets, data)


def hash_of(word: bytes) -> int:
    """The hash that `Words.hashes` holds for these bytes."""
    data = np.frombuffer(word, np.uint8).view()
    data.flags.writeable = False
    return int(hash_bytes(data, 0, len(word)))


_WORD = LETTER | DIGIT | MARK
_INSIDE = _WORD | FORMAT
_SKIPPED = SPACE | HIDDEN | FORMAT
_NOT_WORD = PUNCTUATION | TERMINAL
_SEED = np.uint64(0x9E3779B97F4A7C15)
_FACTOR = np.uint64(0xD6E8FEB86659FD93)  # the multiplier of the rrmxmx mixer family; odd, bits evenly spread
_SHIFT = np.uint64(32)


@leaf
def hash_bytes(data: Any, start: Any, stop: Any) -> Any:
    """64-bit hash of `data[start:stop]`: each byte is mixed in by a multiplication and a shift, which are both invertible."""
    value = _SEED
    for position in range(start, stop):
        value = (value ^ np.uint64(data[position])) * _FACTOR
        value ^= value >> _SHIFT
    value *= _FACTOR
    return value ^ (value >> _SHIFT)


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
def _is_apostrophe(code: Any) -> Any:
    return code == 0x27 or code == 0x2019


@leaf
def _clitic_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """Where an apostrophe at `position` and the one or two letters after it end; 0 if it is not that."""
    code, size = decode(data, position, end)
    if not _is_apostrophe(code):
        return np.int64(0)
    stop = position + size
    letters = 0
    while stop < end:
        code, size = decode(data, stop, end)
        bits = np.int64(table[code])
        if bits & _INSIDE == 0 and not (_is_apostrophe(code) and letters):
            break
        letters += 1
        if bits & (LETTER | UNSPACED) != LETTER or letters > 2:
            return np.int64(0)
        stop += size
    return stop if letters else np.int64(0)


@leaf
def _joins(data: Any, code: Any, before: Any, position: Any, end: Any, table: Any) -> Any:
    """Whether `code`, after a code point of class `before`, stays inside a word that goes on at `position`."""
    if position >= end:
        return False
    if code > 0x7F and code != 0x2019:
        return False
    following, _ = decode(data, position, end)
    after = np.int64(table[following])
    if after & UNSPACED:
        return False
    if code == 0x5F or code == 0x40:  # _ @
        return after & _WORD != 0
    if code == 0x2C or code == 0x2F or code == 0x3A:  # , / :
        return before & DIGIT != 0 and after & DIGIT != 0
    if code == 0x2D:  # -
        return (before & DIGIT != 0 and after & LETTER != 0) or (before & LETTER != 0 and after & DIGIT != 0)
    if code == 0x2E:  # .
        both = before & LETTER != 0 and after & LETTER != 0 and not (before & LOWER and after & UPPER)
        return both or (before & DIGIT != 0 and after & DIGIT != 0)
    return _is_apostrophe(code) and before & LETTER != 0 and after & LETTER != 0


@leaf
def _link_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """End of an address whose scheme ends at `position`; 0 if no `://` stands there. Marks at its end are not part of it."""
    if position + 3 >= end or data[position] != 0x3A or data[position + 1] != 0x2F or data[position + 2] != 0x2F:
        return np.int64(0)
    stop, last = position + 3, np.int64(0)
    while stop < end:
        code, size = decode(data, stop, end)
        bits = table[code]
        if bits & (SPACE | HIDDEN) or code == 0x22 or code == 0x3C or code == 0x3E:  # " < >
            break
        stop += size
        if bits & SYMBOL == 0 or code == 0x2F:  # /
            last = stop
    return last


@leaf
def _run_end(data: Any, position: Any, before: Any, end: Any, table: Any) -> Any:
    """End of the run of letters, digits and marks that has reached `position`, and the class of its last letter or digit.

    The run has one code point so far, of class `before`.
    """
    part = 1  # code points since the run's begin or the last full stop
    while position < end:
        code, size = decode(data, position, end)
        bits = np.int64(table[code])
        if bits & _INSIDE:
            if bits & UNSPACED:
                break
            if bits & (LETTER | DIGIT):
                before = bits
            part += 1
        else:
            joined = _joins(data, code, before, position + size, end, table)
            if not joined and code == 0x2E and part == 1 and before & LETTER:  # an initial or e.g.
                if position + size == end or data[position + size] != 0x2E:
                    position += size
                break
            if not joined or (_is_apostrophe(code) and _clitic_end(data, position, end, table)):
                break
            part = 0 if code == 0x2E else part + 1
        position += size
    return position, before


@leaf
def _lead_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """Where the run begins that follows hyphens or one slash at `position`; `position` if none does."""
    stop = position + 1
    if data[position] == 0x2D:
        while stop < end and data[stop] == 0x2D:
            stop += 1
    elif data[position] != 0x2F:
        return position
    if stop == end:
        return position
    code, _ = decode(data, stop, end)
    return stop if table[code] & _WORD and not table[code] & UNSPACED else position


@leaf
def _other_end(data: Any, position: Any, end: Any, table: Any, alike: Any) -> Any:
    """End of what follows a word's first code point `alike`: its equals if that is a stop or dash (-1: none), and marks."""
    while position < end:
        code, size = decode(data, position, end)
        if code != alike and table[code] & (MARK | FORMAT) == 0:
            break
        position += size
    return position


@leaf
def _word_end(data: Any, position: Any, end: Any, table: Any) -> Any:
    """End of the word that begins at `position`, and the class of its last letter or digit (0 if it is no run of these)."""
    code, size = decode(data, position, end)
    bits = np.int64(table[code])
    if bits & UNSPACED:
        return _other_end(data, position + size, end, table, np.int64(-1)), np.int64(0)
    if bits & _WORD:
        return _run_end(data, position + size, bits, end, table)
    dash = code == 0x2D or code == 0x2E or code == 0x2013 or code == 0x2014
    return _other_end(data, position + size, end, table, code if dash else np.int64(-1)), np.int64(0)


@leaf
def split_words(
    offsets: Any,
    data: Any,
    table: Any,
    document: Any,
    doc_offsets: Any,
    starts: Any,
    sizes: Any,
    lengths: Any,
    hashes: Any,
    flags: Any,
) -> Any:
    """Fill the fields of `Words` from `document` on, by the default mode's rules; return the first document without room."""
    count = len(offsets) - 1
    while document < count:
        total = doc_offsets[document]
        position, end = offsets[document], offsets[document + 1]
        fresh = True  # nothing stands between here and white space or the begin
        while position < end:
            first = data[position]
            bits = table[first] if first < 0x80 else np.uint16(0)
            if bits & SPACE:
                position += 1
                fresh = True
                continue
            if total + 2 > len(starts):  # a word and its clitic
                return document
            if bits & _WORD:  # the common case, without a call: a run of ASCII letters and digits
                value, seen, stop = _SEED, np.uint16(0), position
                while bits & _WORD:
                    seen |= bits
                    value = (value ^ np.uint64(first)) * _FACTOR
                    value ^= value >> _SHIFT
                    stop += 1
                    if stop == end:
                        break
                    first = data[stop]
                    bits = table[first] if first < 0x80 else np.uint16(0)
                joiner = False
                if bits & SYMBOL and stop + 1 == end:
                    joiner = first == 0x2E and stop == position + 1
                elif bits & SYMBOL and stop != end:
                    second = data[stop + 1]
                    joiner = (
                        (first == 0x2E and stop == position + 1)
                        or second > 0x7F
                        or table[second] & _INSIDE != 0
                        or (first == 0x3A and second == 0x2F)
                    )
                if stop == end or (first < 0x80 and not joiner):
                    starts[total] = position
                    sizes[total] = lengths[total] = stop - position
                    value *= _FACTOR
                    hashes[total] = value ^ (value >> _SHIFT)
                    flags[total] = NOT_PUNCT | (HAS_ALPHA if seen & LETTER else 0)
                    total += 1
                    position = stop
                    fresh = False
                    continue
            elif (
                bits & SYMBOL
                and first != 0x2D
                and first != 0x2E
                and not (fresh and first == 0x2F)
                and (position + 1 == end or data[position + 1] < 0x80)
            ):
                starts[total] = position
                sizes[total] = lengths[total] = 1
                value = (_SEED ^ np.uint64(first)) * _FACTOR
                value = (value ^ (value >> _SHIFT)) * _FACTOR
                hashes[total] = value ^ (value >> _SHIFT)
                flags[total] = 0 if bits & _NOT_WORD else NOT_PUNCT
                total += 1
                position += 1
                fresh = False
                continue
            code, size = decode(data, position, end)
            if table[code] & _SKIPPED:
                position += size
                fresh = fresh or table[code] & SPACE != 0
                continue
            begin = _lead_end(data, position, end, table) if fresh else position
            fresh = False
            stop, last = _word_end(data, begin, end, table)
            if last:
                link = _link_end(data, stop, end, table)
                if link:
                    stop, last = link, np.int64(0)
            starts[total] = position
            sizes[total] = stop - position
            lengths[total], hashes[total], flags[total] = describe(data, position, stop, table)
            if last & LETTER and stop < end:
                clitic = _clitic_end(data, stop, end, table)
                if clitic:
                    total += 1
                    starts[total] = stop
                    sizes[total] = clitic - stop
                    lengths[total], hashes[total], flags[total] = describe(data, stop, clitic, table)
                    stop = clitic
            total += 1
            position = stop
        document += 1
        doc_offsets[document] = total
    return document
