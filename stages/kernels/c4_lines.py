"""C4's line rules: which lines of a text stay, and the text they make."""

import functools
from typing import NamedTuple

import numpy as np

from stages.kernels.bits import copy_bytes, mask_of, sequence_of
from stages.kernels.compile import leaf
from stages.kernels.line_marks import line_end
from stages.kernels.lines import skip_spaces, space_size, trim_spaces
from stages.kernels.planes import count_set, fill_planes, next_clear, next_set
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import TERMINAL, UNSPACED, classes, decode, of_category

NO_LIMIT = -1


class EditedLines(NamedTuple):
    """The edited texts, and what was seen in each document.

    text            kept lines with "\\n" between; the original where `lorem_ipsum` or `curly_bracket` is set
    lines           int32, lines of the original
    lines_removed   int32, of these not in `text`
    lorem_ipsum     int32, 1 if reading stopped at a line with "lorem ipsum"
    curly_bracket   int32, 1 if reading stopped at a line with "{"
    """

    text: Text
    lines: np.ndarray
    lines_removed: np.ndarray
    lorem_ipsum: np.ndarray
    curly_bracket: np.ndarray


class LineRules(NamedTuple):
    """Which of C4's line rules apply; NO_LIMIT switches a number off.

    scripts  every letter of a script without spaces is a word, and the sentence ends of all scripts, 」 and 』 end a line
    """

    max_word_length: int
    citations: bool
    terminal_punctuation: bool
    min_words_per_line: int
    lorem_ipsum: bool
    javascript: bool
    curly_bracket: bool
    policy: bool
    scripts: bool = False


def edit_lines(text: Text, rules: LineRules) -> EditedLines:
    """Apply `rules` to each line, in the order of datatrove 0.10, filters/c4_filters.py.

    Lines are those of `str.splitlines`, stripped; words those of `str.split`, counted before citations are removed.
    """
    documents, planes = len(text.offsets) - 1, text.planes
    offsets = np.zeros(documents + 1, np.int64)
    # Every kept line had a line break of one byte or more, so the edited text is never longer.
    data = np.empty(len(text.data) + 1, np.uint8)
    seen = np.zeros((4, documents), np.int32)
    hints, brackets = _hints(text)
    arrays = (
        text.offsets,
        text.data,
        planes.space,
        _after_space(planes.space),
        planes.high,
        planes.breaks,
        hints,
        brackets,
        _digits(),
        classes(),
    )
    _edit_lines(*arrays, *map(int, rules), offsets, data, seen)
    return EditedLines(Text(offsets, data), *seen)


def _after_space(space: np.ndarray) -> np.ndarray:
    """A plane of bytes that are not white space and stand after some."""
    after = space << np.uint64(1)
    after[1:] |= space[:-1] >> np.uint64(63)
    return frozen(after & ~space)


def _hints(text: Text) -> tuple[np.ndarray, np.ndarray]:
    """Planes of where a phrase may be, and of "["."""
    hints, brackets = np.zeros((2, len(text.planes.word)), np.uint64)
    fill_planes(_fill, text.data, hints, brackets, ahead=_HINT_BYTES)
    return frozen(hints), frozen(brackets)


# Rare parts of the phrases below, one for each; and the beginning of the Kelvin sign, which may stand for a k.
_HINT_BYTES = 2
_ips, _jav, _f_u, _vac, _kie = (sequence_of(part) for part in ("ips", "jav", "f u", "vac", "kie"))
_curly = mask_of(0x7B, 0x7B)
_square = mask_of(0x5B, 0x5B)
_e2 = mask_of(0xE2, 0xE2)
_84 = mask_of(0x84, 0x84)


@leaf
def _fill(data, blocks, hints, brackets):  # type: ignore[no-untyped-def]
    for block in range(blocks):
        at = np.int64(block) * 64
        phrases = _ips(data, at) | _jav(data, at) | _f_u(data, at) | _vac(data, at) | _kie(data, at)
        hints[block] = phrases | _curly(data, at) | _e2(data, at) & _84(data, at + 1)
        brackets[block] = _square(data, at)


_LOREM, _JAVASCRIPT, _CURLY, _POLICY = 1, 2, 4, 8
_PHRASES = (
    ("lorem ipsum", _LOREM),
    ("javascript", _JAVASCRIPT),
    ("{", _CURLY),
    ("terms of use", _POLICY),
    ("privacy policy", _POLICY),
    ("cookie policy", _POLICY),
    ("uses cookies", _POLICY),
    ("use of cookies", _POLICY),
    ("use cookies", _POLICY),
)
_LETTERS = frozen(np.frombuffer("".join(phrase for phrase, _ in _PHRASES).encode(), np.uint8))
_BOUNDS = frozen(np.cumsum([0, *(len(phrase) for phrase, _ in _PHRASES)]))
_MEANINGS = frozen(np.array([meaning for _, meaning in _PHRASES]))
_EDIT = frozen(np.frombuffer(b"[edit]", np.uint8))
_NEEDED = frozen(np.frombuffer(b"[citation needed]", np.uint8))


def _begins() -> tuple[np.ndarray, np.ndarray]:
    # A phrase may begin where the bits of two neighbouring bytes meet: one test for each byte of a line.
    first, second = np.zeros(256, np.uint16), np.zeros(256, np.uint16)
    for number, (phrase, _) in enumerate(_PHRASES):
        for letter in {phrase[0], phrase[0].upper()}:
            first[ord(letter)] |= 1 << number
        for letter in {phrase[1], phrase[1].upper()} if len(phrase) > 1 else map(chr, range(256)):
            second[ord(letter)] |= 1 << number
    return frozen(first), frozen(second)


_FIRST, _SECOND = _begins()


@functools.cache
def _digits() -> np.ndarray:
    # What "\d" matches: category Nd
    return frozen(of_category("Nd")[:0x20000].astype(np.uint8))


@leaf
def _matches(data, position, end, needle, start, stop):  # type: ignore[no-untyped-def]
    """Whether the lower case of the text at `position` begins with `needle[start:stop]`, which is ASCII."""
    for index in range(start, stop):
        if position >= end:
            return False
        byte = data[position]
        if 65 <= byte <= 90:
            byte += 32
        if byte == needle[index]:
            position += 1
        # The Kelvin sign, whose lower case is k: the only other character that may stand for a letter of a phrase,
        # since the dotted capital I becomes an i and a combining dot.
        elif (
            needle[index] == 107
            and byte == 0xE2
            and position + 2 < end
            and data[position + 1] == 0x84
            and data[position + 2] == 0xAA
        ):
            position += 3
        else:
            return False
    return True


@leaf
def _same(data, position, end, needle):  # type: ignore[no-untyped-def]
    if position + len(needle) > end:
        return False
    index = 0
    while index < len(needle) and data[position + index] == needle[index]:
        index += 1
    return index == len(needle)


@leaf
def _citation_end(data, position, end, digits):  # type: ignore[no-untyped-def]
    """The end of the citation whose "[" is at `position`, or `position` if there is none."""
    after = position + 1
    while after < end:
        code, size = decode(data, after, end)
        if code >= len(digits) or digits[code] == 0:
            break
        after += size
    if after < end and data[after] == 93:
        return after + 1
    if _same(data, position, end, _EDIT):
        return position + len(_EDIT)
    if _same(data, position, end, _NEEDED):
        return position + len(_NEEDED)
    return position


@leaf
def _phrases_in(data, start, end):  # type: ignore[no-untyped-def]
    """The sum of the meanings of the phrases in the lower case of `data[start:end]`."""
    found = 0
    for position in range(start, end):
        bits = _FIRST[data[position]]
        if bits != 0:
            bits &= _SECOND[data[position + 1] if position + 1 < end else 0]
            number = 0
            while bits != 0:
                if bits & 1 and _matches(data, position, end, _LETTERS, _BOUNDS[number], _BOUNDS[number + 1]):
                    found |= _MEANINGS[number]
                bits >>= 1
                number += 1
    return found


@leaf
def _words_of_line(data, start, end, table, scripts):  # type: ignore[no-untyped-def]
    """Words of a stripped line, and the code points of the longest chunk between white space.

    A chunk is a word; with `scripts` it is as many as it has letters of scripts without spaces, if it has any.
    """
    words, longest, length, letters = 0, 0, 0, 0
    position = start
    while position < end:
        byte = data[position]
        # Only these bytes begin white space: the test spares a call for nearly all others.
        size = 0 if 32 < byte < 0xC2 else space_size(data, position, end)
        if size:
            length, letters = 0, 0
            position += size
            continue
        if byte & 0xC0 != 0x80:
            words += length == 0
            length += 1
            longest = max(longest, length)
            if scripts and byte >= 0xE0:
                code, _ = decode(data, position, end)
                if table[code] & UNSPACED:
                    words += letters > 0
                    letters += 1
        position += 1
    return words, longest


@leaf
def _few_words(data, after_space, high, start, end, table, scripts, words, longest):  # type: ignore[no-untyped-def]
    """Whether a stripped line has fewer than `words` words, and whether one has more than `longest` code points."""
    if next_set(high, start, end) < end or 0 <= longest < end - start:
        found, length = _words_of_line(data, start, end, table, scripts)
        return found < words, 0 <= longest < length
    return count_set(after_space, start + 1, end) + (start < end) < words, False


@leaf
def _without_citations(data, start, stop, digits, edited, end):  # type: ignore[no-untyped-def]
    while start < stop:
        after = _citation_end(data, start, stop, digits) if data[start] == 91 else start
        if after == start:
            edited[end] = data[start]
            end += 1
            after += 1
        start = after
    return end


@leaf
def _ends_a_sentence(edited, line, end, table, scripts):  # type: ignore[no-untyped-def]
    """Whether the line ends with one of . ? ! " ' and not with "..."; with `scripts` also a mark of another script."""
    if end == line:
        return False
    mark = edited[end - 1]
    if mark == 46 and end - line >= 3 and edited[end - 2] == 46 and edited[end - 3] == 46:
        return False
    if mark < 0x80 or not scripts:
        return mark == 46 or mark == 63 or mark == 33 or mark == 34 or mark == 39
    at = end - 1
    while at > line and edited[at] & 0xC0 == 0x80:
        at -= 1
    code, _ = decode(edited, at, end)
    return table[code] & TERMINAL != 0 or code == 0x300D or code == 0x300F  # 」 』


@leaf
def _edit_lines(  # type: ignore[no-untyped-def]
    offsets,
    data,
    space,
    after_space,
    high,
    breaks,
    hints,
    brackets,
    digits,
    table,
    max_word_length,
    citations,
    terminal_punctuation,
    min_words_per_line,
    lorem_ipsum,
    javascript,
    curly_bracket,
    policy,
    scripts,
    edited_offsets,
    edited,
    seen,
):
    wanted = lorem_ipsum * _LOREM | javascript * _JAVASCRIPT | curly_bracket * _CURLY | policy * _POLICY
    written = np.int64(0)
    for document in range(len(offsets) - 1):
        begin = written
        first, last = offsets[document], offsets[document + 1]
        kept = 0
        stopped = False
        following = first
        while following < last:
            start = following
            stop, following = line_end(data, breaks, start, last)
            seen[0, document] += 1
            if stopped:
                continue
            start = next_clear(space, start, stop)
            if start < stop:
                start = skip_spaces(data, start, stop)
                stop = trim_spaces(data, start, stop)
            few, too_long = _few_words(
                data, after_space, high, start, stop, table, scripts, min_words_per_line, max_word_length
            )
            if too_long:
                continue
            line = written + (kept > 0)
            cited = citations and next_set(brackets, start, stop) < stop
            if cited:
                end = _without_citations(data, start, stop, digits, edited, line)
            else:
                end = copy_bytes(data, start, stop, edited, line)
            if (terminal_punctuation and not _ends_a_sentence(edited, line, end, table, scripts)) or few:
                continue
            if cited or next_set(hints, start, stop) < stop:
                found = _phrases_in(edited, line, end) & wanted
                if found & _LOREM:
                    seen[2, document] = 1
                    stopped = True
                    continue
                if found & _JAVASCRIPT:
                    continue
                if found & _CURLY:
                    seen[3, document] = 1
                    stopped = True
                    continue
                if found & _POLICY:
                    continue
            if kept > 0:
                edited[written] = 10
            written = end
            kept += 1

        if stopped:
            written = copy_bytes(data, first, last, edited, begin)
        else:
            seen[1, document] = seen[0, document] - kept
            start = skip_spaces(edited, begin, written)
            stop = trim_spaces(edited, start, written)
            if start > begin:
                for position in range(stop - start):
                    edited[begin + position] = edited[start + position]
            written = begin + stop - start
        edited_offsets[document + 1] = written
