"""What kernels know of code points: one table of class bits, built from `unicodedata`, and a UTF-8 decoder.

`classes()` gives a uint16 for each code point, the sum of the bits below. Categories are those of the Python that runs.
"""

import functools
import unicodedata
from typing import Any

import numpy as np

from stages.kernels.compile import leaf

LETTER = 1
"""category L*: `str.isalpha` of a single code point"""
MARK = 2
"""category M*"""
DIGIT = 4
"""category N*: digits and other numerals"""
SPACE = 8
"""`str.isspace`, what `str.strip` and `str.split` remove"""
UNSPACED = 16
"""a letter or numeral of a script written without spaces between words: Han, kana, Thai, Lao, Khmer, Myanmar"""
UPPER = 32
"""category Lu or Lt"""
LOWER = 64
"""category Ll"""
SYMBOL = 128
"""category P* or S*"""
FORMAT = 256
"""invisible, and inside a word part of it: category Cf but for the zero-width space and the byte order mark"""
HIDDEN = 512
"""invisible, and ends a word: controls that are not white space, the zero-width space and the byte order mark"""
PUNCTUATION = 1024
"""in datatrove's PUNCTUATION"""
TERMINAL = 2048
"""in datatrove's TERMINAL_PUNCTUATION; PUNCTUATION_SET is PUNCTUATION | TERMINAL"""
LINE_BREAK = 4096
"""where `str.splitlines` ends a line"""

# datatrove 0.10, utils/text.py: PUNCTUATION (line 13; it holds the full-width digit one) and TERMINAL_PUNCTUATION (line 19)
_PUNCTUATION_MARKS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
_PUNCTUATION_CONTROLS = ((0, 9), (11, 13), (13, 32), (127, 160))
_TERMINAL = (
    "!.?։؝؞؟۔܀܁܂߹࠷࠹࠽࠾।॥၊။።፧፨᙮᜵᜶។៕៖៙៚᠃᠉᥄᥅᪨᪩᪪᪫᭚᭛᭞᭟᭽᭾᰻᰼᱾᱿‼‽⁇⁈⁉⸮⸼⹓⹔。꓿꘎꘏꛳꛷꡶꡷꣎꣏꤯꧈꧉꩝꩞꩟꫰꫱꯫﹒﹖﹗！．？｡\U00010a56"
    "\U00010a57\U00010f55\U00010f56\U00010f57\U00010f58\U00010f59\U00010f86\U00010f87\U00010f88\U00010f89"
    "\U00011047\U00011048\U000110be\U000110bf\U000110c0\U000110c1\U00011141\U00011142\U00011143\U000111c5"
    "\U000111c6\U000111cd\U000111de\U000111df\U00011238\U00011239\U0001123b\U0001123c\U000112a9\U0001144b"
    "\U0001144c\U000115c2\U000115c3\U000115c9\U000115ca\U000115cb\U000115cc\U000115cd\U000115ce\U000115cf"
    "\U000115d0\U000115d1\U000115d2\U000115d3\U000115d4\U000115d5\U000115d6\U000115d7\U00011641\U00011642"
    "\U0001173c\U0001173d\U0001173e\U00011944\U00011946\U00011a42\U00011a43\U00011a9b\U00011a9c\U00011c41"
    "\U00011c42\U00011ef7\U00011ef8\U00011f43\U00011f44\U00016a6e\U00016a6f\U00016af5\U00016b37\U00016b38"
    "\U00016b44\U00016e98\U0001bc9f\U0001da88"
)

_UNSPACED_RANGES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # ideographic iteration, closing and zero
    (0x3021, 0x3029),
    (0x3031, 0x3035),
    (0x3038, 0x303C),
    (0x3041, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),  # Myanmar
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width Katakana
    (0x1AFF0, 0x1B16F),  # kana
    (0x20000, 0x3FFFF),  # Han
)
_NATIVE_DIGITS = "Nd"
_LINE_BREAKS = (0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)
_WORD_ENDING_FORMATS = (0x200B, 0xFEFF)
# Planes 4 to 13 are unassigned and 15 and 16 private: no class there, and no second spent on them.
_PLANES = (0, 1, 2, 3, 14)


@functools.cache
def categories() -> np.ndarray:
    """The general category of every code point, as its index in `CATEGORIES`: uint8, 0x110000 entries, read-only."""
    table = np.full(0x110000, CATEGORIES.index("Cn"), np.uint8)
    index = {name: at for at, name in enumerate(CATEGORIES)}
    for plane in _PLANES:
        codes = range(plane * 0x10000, (plane + 1) * 0x10000)
        table[codes.start : codes.stop] = bytearray(map(index.__getitem__, map(unicodedata.category, map(chr, codes))))
    table.flags.writeable = False
    return table


def of_category(*wanted: str) -> np.ndarray:
    """Which code points are of one of these categories ("Nd") or major classes ("P"): bool, 0x110000 entries."""
    return np.take(np.array([name.startswith(wanted) for name in CATEGORIES]), categories())


@functools.cache
def classes() -> np.ndarray:
    """Class bits of every code point: uint16, 0x110000 entries, read-only."""
    table = np.take(np.array([_BITS[name] for name in CATEGORIES], np.uint16), categories())
    for first, last in _UNSPACED_RANGES:
        part = table[first : last + 1]
        part[(part & (LETTER | DIGIT)) != 0] |= UNSPACED
    table[of_category(_NATIVE_DIGITS)] &= ~np.uint16(UNSPACED)
    for code in range(0x3001):  # white space of Unicode ends with U+3000
        if chr(code).isspace():
            table[code] = (table[code] & ~np.uint16(HIDDEN | FORMAT)) | SPACE
    for code in _WORD_ENDING_FORMATS:
        table[code] = HIDDEN
    table[[ord(mark) for mark in _PUNCTUATION_MARKS]] |= PUNCTUATION
    for first, end in _PUNCTUATION_CONTROLS:
        table[first:end] |= PUNCTUATION
    table[[ord(mark) for mark in _TERMINAL]] |= TERMINAL
    table[list(_LINE_BREAKS)] |= LINE_BREAK
    table.flags.writeable = False
    return table


def _bits_of_categories() -> dict[str, int]:
    bits = {f"L{letter}": LETTER for letter in "ulmto"}
    bits["Lu"] |= UPPER
    bits["Lt"] |= UPPER
    bits["Ll"] |= LOWER
    bits |= {f"M{letter}": MARK for letter in "nce"} | {f"N{letter}": DIGIT for letter in "dlo"}
    bits |= {f"P{letter}": SYMBOL for letter in "cdseifo"} | {f"S{letter}": SYMBOL for letter in "mcko"}
    bits |= {f"Z{letter}": 0 for letter in "slp"}
    return bits | {"Cc": HIDDEN, "Cf": FORMAT, "Cs": 0, "Co": 0, "Cn": 0}


_BITS = _bits_of_categories()
CATEGORIES = tuple(_BITS)


@leaf
def decode(data: Any, position: Any, end: Any) -> Any:
    """Code point at `position` and its size in bytes. A sequence cut off by `end` reads as U+FFFD of one byte."""
    first = np.int64(data[position])
    if first < 0x80:
        return first, np.int64(1)
    if first < 0xE0:
        if position + 2 <= end:
            return (first & 0x1F) << 6 | np.int64(data[position + 1]) & 0x3F, np.int64(2)
    elif first < 0xF0:
        if position + 3 <= end:
            high = (first & 0x0F) << 12 | (np.int64(data[position + 1]) & 0x3F) << 6
            return high | np.int64(data[position + 2]) & 0x3F, np.int64(3)
    elif position + 4 <= end:
        high = (first & 0x07) << 18 | (np.int64(data[position + 1]) & 0x3F) << 12
        code = high | (np.int64(data[position + 2]) & 0x3F) << 6 | np.int64(data[position + 3]) & 0x3F
        return min(code, np.int64(0x10FFFF)), np.int64(4)
    return np.int64(0xFFFD), np.int64(1)
