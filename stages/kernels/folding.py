"""What a code point is in a shingle, so that texts which differ in case, marks, digits and punctuation alone are equal."""

import functools
import unicodedata

import numpy as np

from stages.kernels.text import frozen
from stages.kernels.unicode import FORMAT, LETTER, UNSPACED, classes

ZERO = 0x30
_RULES = range(0x2500, 0x25A0)
"""box drawing and block elements, symbols by category: they rule and frame, as rows of hyphens do"""
PASSED_OVER = 1
"""entry of `folded` for what is nothing and separates nothing"""
ALONE = 1 << 31
"""bit of an entry: a word by itself"""
JOINS = 1 << 30
"""bit of an entry: a spacing mark, which goes to the letter before it even if that is a word by itself"""
CODE = (1 << 21) - 1


@functools.cache
def folded() -> np.ndarray:
    """What each code point becomes: uint32, 0x110000 entries; 0 separates, else `PASSED_OVER`, or a code point and its bits.

    Letters are taken in lower case and without non-spacing marks (of the decomposed form), every decimal digit is "0"; spacing
    marks, numerals and other symbols (emoji) stay. Non-spacing marks and format characters (joiners, soft hyphens) are passed
    over, as if they were not there. Everything else separates: white space, punctuation, currency and mathematical signs,
    frames, controls, the zero-width space.
    """
    table = np.arange(0x110000, dtype=np.uint32)
    # Ideographs and Hangul syllables stay what they are; beyond the second plane there are only ideographs and invisible tags.
    for start, stop in (
        (0, 0x3400),
        (0x4DC0, 0x4E00),
        (0xA000, 0xAC00),
        (0xD7A4, 0xD800),
        (0xE000, 0x20000),
        (0x2F800, 0x2FA20),
        (0xE0000, 0xE0200),
    ):
        table[start:stop] = [_fold(code) for code in range(start, stop)]
    table[0xD800:0xE000] = 0
    bits = classes()
    table[0x20000:0xE0000][bits[0x20000:0xE0000] & LETTER == 0] = 0  # unassigned
    table[0xE0200:] = 0  # unassigned and private
    table[(bits & UNSPACED != 0) & (table > PASSED_OVER)] |= np.uint32(ALONE)
    table[bits & FORMAT != 0] = PASSED_OVER
    return frozen(table)


def _fold(code: int) -> int:
    if 0xD800 <= code < 0xE000:
        return 0
    category = unicodedata.category(chr(code))
    if category == "Nd":
        return ZERO
    if category == "Mn":
        return PASSED_OVER
    if category[0] not in "LMN" and (category != "So" or code in _RULES):
        return 0
    lower = chr(code).lower()
    bases = [c for c in unicodedata.normalize("NFD", lower) if unicodedata.category(c) != "Mn"]
    base = bases[0] if len(bases) == 1 else lower[0]  # a Hangul syllable decomposes into letters: it stays whole
    bits = {"M": JOINS, "S": ALONE}.get(category[0], 0)
    return 0x3C3 if base == "ς" else ord(base) | bits
