"""What a code point is in a shingle, so that texts which differ in case, marks, digits and punctuation alone are equal."""

import functools
import unicodedata

import numpy as np

from stages.kernels.text import frozen
from stages.kernels.unicode import FORMAT, UNSPACED, classes, of_category

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
def lowered() -> np.ndarray:
    r"""The same as `folded`, for words as Python's `\w+` finds them in a text in lower case: marks, digits, underscores stay.

    Other than there, marks belong to the word (in Hindi they are its vowels), letters of scripts without spaces are words by
    themselves, and format characters are passed over. Entries are never `ZERO`: the digit 0 is the code point behind the last.
    """
    table = np.zeros(0x110000, np.uint32)
    marks = of_category("M")
    stays = np.flatnonzero(of_category("L") | marks | of_category("N"))
    table[stays] = [ord(chr(code).lower()[0]) for code in stays.tolist()]
    table[table == ord("ς")] = ord("σ")
    table[ZERO] = 0x110000
    table[ord("_")] = ord("_")
    table[marks] |= np.uint32(JOINS)
    bits = classes()
    table[(bits & UNSPACED != 0) & (table > PASSED_OVER)] |= np.uint32(ALONE)
    table[bits & FORMAT != 0] = PASSED_OVER
    return frozen(table)


@functools.cache
def folded() -> np.ndarray:
    """What each code point becomes: uint32, 0x110000 entries; 0 separates, else `PASSED_OVER`, or a code point and its bits.

    Letters are taken in lower case and without non-spacing marks (of the decomposed form), every decimal digit is "0"; spacing
    marks, numerals and other symbols (emoji) stay. Non-spacing marks and format characters (joiners, soft hyphens) are passed
    over, as if they were not there. Everything else separates: white space, punctuation, currency and mathematical signs,
    frames, controls, the zero-width space.
    """
    table = np.zeros(0x110000, np.uint32)
    symbols = of_category("So")
    symbols[_RULES.start : _RULES.stop] = False
    letters, marks = of_category("L"), of_category("M")
    stays = np.flatnonzero(letters | marks | symbols | of_category("N"))
    # Hangul syllables decompose into letters and stay whole, and so do the ideographs beyond the second plane.
    table[stays] = stays
    folds = stays[(stays < 0x20000) | (stays >= 0x2F800)].tolist()
    lower = list(map(str.lower, map(chr, folds)))
    table[folds] = [ord(each[0]) for each in lower]
    for code, each, decomposed in zip(folds, lower, map(functools.partial(unicodedata.normalize, "NFD"), lower), strict=True):
        if decomposed != each:
            bases = [c for c in decomposed if unicodedata.category(c) != "Mn"]
            if len(bases) == 1:
                table[code] = ord(bases[0])
    table[table == ord("ς")] = ord("σ")
    table[marks] |= np.uint32(JOINS)
    table[symbols] |= np.uint32(ALONE)
    table[of_category("Nd")] = ZERO
    table[of_category("Mn")] = PASSED_OVER
    bits = classes()
    table[(bits & UNSPACED != 0) & (table > PASSED_OVER)] |= np.uint32(ALONE)
    table[bits & FORMAT != 0] = PASSED_OVER
    return frozen(table)
