"""What DCLM's quality rules count in a text: pieces between white space, symbols, and how lines begin and end."""

from typing import Any, NamedTuple

import numpy as np

from stages.kernels.compile import leaf
from stages.kernels.planes import next_clear
from stages.kernels.text import Text, frozen
from stages.kernels.unicode import DIGIT, LETTER, SPACE, classes, decode

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Rae et al. 2021 (Gopher), table A1. None is longer than the four bytes that the kernel compares at once."""


class DclmMarks(NamedTuple):
    r"""Counts per document, int64.

    words           pieces between fastText's white space (ASCII's and NUL) that begin with a letter or numeral
    pieces          `str.split`
    piece_chars     code points in pieces
    alpha_pieces    pieces with a letter
    stop_words      pieces that are a stop word, A to Z being read as a to z
    symbols         "#", "...", ". . ." and "…": the sum of four `str.count`
    lines           lines between "\n" that are not white space
    bullet_lines    of these, those that begin with ● • * or -
    ellipsis_lines  of these, those that end with "...", ". . ." or "…"
    """

    words: np.ndarray
    pieces: np.ndarray
    piece_chars: np.ndarray
    alpha_pieces: np.ndarray
    stop_words: np.ndarray
    symbols: np.ndarray
    lines: np.ndarray
    bullet_lines: np.ndarray
    ellipsis_lines: np.ndarray


def dclm_marks(text: Text) -> DclmMarks:
    """All counts of each document, in one pass."""
    marks = np.zeros((len(DclmMarks._fields), len(text.offsets) - 1), np.int64)
    _count_marks(text.offsets, text.data, text.planes.letter, classes(), _KEYS, marks)
    return DclmMarks(*marks)


def dclm_words(text: Text) -> np.ndarray:
    """`DclmMarks.words` alone."""
    words = np.zeros(len(text.offsets) - 1, np.int64)
    _count_words(text.offsets, text.data, text.planes.word, classes(), words)
    return words


# a stop word as one number: 1, then its bytes, the last lowest
_KEYS = frozen(np.array([int.from_bytes(b"\1" + word.encode(), "big") for word in STOP_WORDS], np.int64))


@leaf
def _separates(byte: Any) -> Any:
    """Whether fastText parts words at this byte."""
    return byte == 0x20 or 0x09 <= byte <= 0x0D or byte == 0


@leaf
def _is_stop_word(data: Any, start: Any, stop: Any, keys: Any) -> Any:
    if stop - start > 4 or stop - start < 2:
        return False
    key = np.int64(1)  # so that a NUL in front makes another number
    for position in range(start, stop):
        byte = np.int64(data[position])
        key = key << 8 | (byte + 32 if 0x41 <= byte <= 0x5A else byte)
    found = False
    for index in range(len(keys)):
        found |= keys[index] == key
    return found


@leaf
def _count_words(offsets: Any, data: Any, word: Any, table: Any, words: Any) -> None:
    for document in range(len(offsets) - 1):
        position, end = offsets[document], offsets[document + 1]
        found, fresh = 0, True
        while position < end:
            if _separates(data[position]):
                fresh = True
                position += 1
                continue
            if fresh:
                code, size = decode(data, position, end)
                found += table[code] & (LETTER | DIGIT) != 0
                fresh = False
                position += size
            else:
                position += 1
            position = next_clear(word, position, end) if position < end else end
        words[document] = found


@leaf
def _count_marks(offsets: Any, data: Any, letter: Any, table: Any, keys: Any, marks: Any) -> None:
    for document in range(len(offsets) - 1):
        position, end = offsets[document], offsets[document + 1]
        words, pieces, chars, alpha_pieces, stop_words = 0, 0, 0, 0, 0
        symbols, lines, bullets, ellipses = 0, 0, 0, 0
        piece, alpha, fresh = np.int64(-1), False, True  # where the piece began; whether it has a letter; begin for fastText
        blank, bullet, ellipsis = True, False, False  # of the line so far
        # 1: the last code point is a full stop; 2: a full stop and a space
        after = 0
        row, run, chain, spaced = 0, 0, 0, 0
        while position < end:
            byte = data[position]
            folded = byte | 0x20
            if 0x61 <= folded <= 0x7A:
                stop = next_clear(letter, position, end)
                words += fresh
                chars += stop - position
                if piece < 0:
                    piece = position
                alpha, fresh = True, False
                blank, ellipsis, after, spaced = False, False, 0, 0
                position = stop
                continue
            code, size = decode(data, position, end)
            bits = table[code]
            if bits & SPACE:
                if piece >= 0:
                    pieces += 1
                    alpha_pieces += alpha
                    stop_words += _is_stop_word(data, piece, position, keys)
                    piece, alpha = np.int64(-1), False
                if code == 0x20:
                    after = 2 if after == 1 else 0
                    spaced = spaced + 1 if spaced & 1 else 0
                else:
                    after, spaced = 0, 0
                    if code == 0x0A:
                        lines += not blank
                        bullets += bullet
                        ellipses += ellipsis
                        blank, bullet, ellipsis = True, False, False
                fresh = _separates(byte)
                position += size
                continue
            if piece < 0:
                piece = position
            chars += 1
            alpha = alpha or bits & LETTER != 0
            words += fresh and bits & (LETTER | DIGIT) != 0
            fresh = code == 0
            if blank:
                blank = False
                bullet = code == 0x25CF or code == 0x2022 or code == 0x2A or code == 0x2D
            if code == 0x2E:
                row = row + 1 if after == 1 else 1
                run = run + 1 if after == 1 else 1
                chain = chain + 1 if after == 2 else 1
                spaced = 1 if spaced & 1 else spaced + 1
                if run == 3:
                    symbols += 1
                    run = 0
                if spaced == 5:
                    symbols += 1
                    spaced = 0
                ellipsis = row >= 3 or chain >= 3
                after = 1
            else:
                symbols += code == 0x23 or code == 0x2026
                ellipsis = code == 0x2026
                after, spaced = 0, 0
            position += size
        if piece >= 0:
            pieces += 1
            alpha_pieces += alpha
            stop_words += _is_stop_word(data, piece, end, keys)
        lines += not blank
        bullets += bullet
        ellipses += ellipsis
        marks[0, document], marks[1, document], marks[2, document] = words, pieces, chars
        marks[3, document], marks[4, document], marks[5, document] = alpha_pieces, stop_words, symbols
        marks[6, document], marks[7, document], marks[8, document] = lines, bullets, ellipses
