"""The default mode's words, code point by code point."""

import functools
import re
import unicodedata

import numpy as np

from stages.kernels.unicode import TERMINAL, classes
from stages.kernels.words import HAS_ALPHA, NOT_PUNCT

PARTED = "!\"#$%&'()*,:;<=>?[]_`{}"
"""marks of ASCII that are words at the ends of a piece"""
_UNSPACED_LETTERS = (
    *(
        "CJK",
        "IDEOGRAPHIC",
        "VERTICAL IDEOGRAPHIC",
        "HIRAGANA",
        "HENTAIGANA",
        "KATAKANA",
        "HALFWIDTH KATAKANA",
        "VERTICAL KANA",
    ),
    *("MASU MARK", "THAI", "LAO", "KHMER", "MYANMAR"),
)
_UNSPACED_NUMERALS = ("IDEOGRAPHIC NUMBER ZERO", "HANGZHOU NUMERAL", "KHMER SYMBOL LEK")


def is_(char: str, kinds: str) -> bool:
    return char != "" and unicodedata.category(char)[0] in kinds


@functools.cache
def is_unspaced(char: str) -> bool:
    name = unicodedata.name(char, "") if char else ""
    return (is_(char, "L") and name.startswith(_UNSPACED_LETTERS)) or name.startswith(_UNSPACED_NUMERALS)


def is_format(char: str) -> bool:
    return char != "" and unicodedata.category(char) == "Cf" and char not in "\u200b\ufeff"


def is_separator(char: str) -> bool:
    return char.isspace() or char in "\u200b\ufeff" or unicodedata.category(char) == "Cc"


def is_attached(char: str) -> bool:
    return is_(char, "M") or is_format(char)


def is_letter(char: str) -> bool:
    return is_(char, "L") and not is_unspaced(char)


def last_of(text: str) -> str:
    """The last code point that is attached to no other."""
    return next((char for char in reversed(text) if not is_attached(char)), "")


def attached(text: str, alike: str = "") -> str:
    """The code point that `text` begins with, and what belongs to it: marks, and its equals if it is `alike`."""
    size = 1
    while size < len(text) and (text[size] == alike or is_attached(text[size])):
        size += 1
    return text[:size]


def lone(text: str) -> str:
    """The word that `text` begins with and that parts pieces."""
    char = text[0]
    if char == ".":
        return attached(text, ".") if text[1:2] == "." else ""
    if is_unspaced(char):
        return attached(text)
    if char.isascii() or is_(char, "LNM") or is_format(char) or is_separator(char):
        return ""
    return attached(text, char if char in "–—" else "")


def link(text: str) -> str:
    """The address that `text` begins with."""
    size = 0
    while size < len(text) and ((is_(text[size], "LN") and not is_unspaced(text[size])) or (size and is_attached(text[size]))):
        size += 1
    if not size or text[size : size + 3] != "://":
        return ""
    stop = last = size + 3
    while stop < len(text) and not is_separator(text[stop]) and text[stop] not in '"<>':
        stop += 1
        if text[stop - 1] == "/" or not is_(text[stop - 1], "PS"):
            last = stop
    return text[:last] if last > size + 3 else ""


def piece(text: str) -> str:
    """What `text` begins with, to where a word that parts pieces, an address or a separator stands."""
    for size, char in enumerate(text):
        before = last_of(text[:size])
        if is_separator(char) or (is_(char, "LN") and not is_(before, "LN") and link(text[size:])):
            return text[:size]
        joined = char == "’" and (is_(before, "LN") or before == ".") and is_letter(text[size + 1 : size + 2])
        if not joined and lone(text[size:]):
            return text[:size]
    return text


def is_clitic(text: str) -> bool:
    """Whether `text` begins with an apostrophe and one or two letters that end a run of letters."""
    letters = re.match("['’](.*)", text, re.DOTALL)
    if not letters:
        return False
    size = next((size for size, char in enumerate(letters[1]) if not is_letter(char)), len(letters[1]))
    after = letters[1][size : size + 1]
    return 1 <= size <= 2 and not (is_(after, "LNM") or is_format(after) or after in ("'", "’"))


def parting(before: str, text: str) -> str:
    """The mark that `text` begins with, if it parts words."""
    mark = re.match("-+|[:/<=>,.]?", text)[0]
    after = text[len(mark) : len(mark) + 1]
    parts = {
        "-": (is_(before, "LN") and is_(after, "L")) or (is_(before, "N") and is_(after, "N")),
        **dict.fromkeys(":/<=>", is_(before, "LN") and is_(after, "L")),
        ",": is_(before, "L") and is_(after, "L"),
        ".": unicodedata.category(before or " ") == "Ll" and after != "" and unicodedata.category(after) in ("Lu", "Lt"),
    }
    return mark if mark and parts[mark[0]] else ""


def cut(solid: str, tail: str) -> list[str]:
    """Words of a piece that has lost the marks at its ends, `tail` at its end."""
    words = [""]
    at = 0
    while at < len(solid):
        before = last_of(solid[:at])
        mark = parting(before, solid[at:])
        if mark:
            words += [mark, ""]
        elif (is_(before, "LN") or before == ".") and is_clitic(solid[at:] + tail):
            words.append(solid[at])
        else:
            words[-1] += solid[at]
        at += len(mark) or 1
    return words if solid else []


def words_of_piece(text: str) -> list[str]:
    units = []
    while text:
        units.append(attached(text))
        text = text[len(units[-1]) :]
    lead, tail = [], []
    while units and units[0][0] in PARTED:
        lead.append(units.pop(0))
    while units and units[-1][0] in PARTED + ".":
        tail.insert(0, units.pop())
    words = cut("".join(units), "".join(tail))
    initial = words[-1].split(".")[-1] if words else ""
    if len(initial) == 1 and is_(initial, "L") and tail and tail[0][0] == ".":
        words[-1] += tail.pop(0)
    return [*lead, *words, *tail]


def slow_words(text: str) -> list[str]:
    return [*_slow_words(text)]


@functools.lru_cache(maxsize=20_000)  # most definitions ask for the words of the same texts
def _slow_words(text: str) -> tuple[str, ...]:
    found: list[str] = []
    while text:
        if is_separator(text[0]) or is_format(text[0]):
            text = text[1:]
            continue
        whole = lone(text) or link(text)
        words = [whole] if whole else words_of_piece(piece(text))
        found += words
        text = text[sum(map(len, words)) :]
    return tuple(found)


@functools.cache
def _marks() -> frozenset[str]:
    """datatrove's PUNCTUATION and TERMINAL_PUNCTUATION."""
    controls = "".join(chr(code) for code in (*range(9), 11, 12, *range(13, 32), *range(127, 160)))
    punctuation = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
    return frozenset(punctuation + controls).union(map(chr, np.flatnonzero(classes() & TERMINAL)))


def slow_facts(word: str) -> tuple[int, int, int]:
    """Bytes, code points and flags of a word."""
    alpha = HAS_ALPHA if any(char.isalpha() for char in word) else 0
    return len(word.encode()), len(word), alpha | (0 if _marks().issuperset(word) else NOT_PUNCT)
