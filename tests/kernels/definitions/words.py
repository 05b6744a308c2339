"""The default mode's words, code point by code point."""

import functools
import re
import unicodedata

import numpy as np

from stages.kernels.unicode import TERMINAL, classes
from stages.kernels.words import HAS_ALPHA, NOT_PUNCT

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


def is_skipped(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) in ("Cc", "Cf")


def is_inside(char: str) -> bool:
    return is_(char, "LNM") or is_format(char)


def joins(before: str, char: str, after: str) -> bool:
    if is_unspaced(after):
        return False
    letters = is_(before, "L") and is_(after, "L")
    digits = is_(before, "N") and is_(after, "N")
    mixed = (is_(before, "L") and is_(after, "N")) or (is_(before, "N") and is_(after, "L"))
    return {
        "_": is_(after, "LNM"),
        "@": is_(after, "LNM"),
        ",": digits,
        "/": digits,
        ":": digits,
        ".": digits or (letters and not (before.islower() and (after.isupper() or after.istitle()))),
        "-": mixed,
        "'": letters,
        "’": letters,
    }.get(char, False)


def clitic(rest: str) -> str:
    """The apostrophe and one or two letters that `rest` begins with, if a word ends there."""
    for size in (2, 3):
        letters, after = rest[1:size], rest[size : size + 1]
        alphabetic = len(letters) == size - 1 and all(is_(c, "L") and not is_unspaced(c) for c in letters)
        if rest[:1] in ("'", "’") and alphabetic and (after == "" or not (is_inside(after) or after in "'’")):
            return rest[:size]
    return ""


def run(text: str) -> tuple[str, str]:
    """The run that `text` begins with, and its last letter or digit."""
    size, before, part = 1, text[0] if is_(text[0], "LN") else "", text[0]
    while size < len(text):
        char = text[size]
        if is_unspaced(char):
            break
        if is_inside(char):
            before = char if is_(char, "LN") else before
        elif not joins(before, char, text[size + 1 : size + 2]) or clitic(text[size:]):
            initial = char == "." and len(part) == 1 and is_(before, "L") and text[size + 1 : size + 2] != "."
            return text[: size + initial], before
        part = "" if char == "." else part + char
        size += 1
    return text[:size], before


def link(rest: str) -> str:
    if not rest.startswith("://"):
        return ""
    stop = last = 3
    while stop < len(rest) and not (
        rest[stop].isspace() or rest[stop] in '"<>\u200b\ufeff' or unicodedata.category(rest[stop]) == "Cc"
    ):
        stop += 1
        if rest[stop - 1] == "/" or not is_(rest[stop - 1], "PS"):
            last = stop
    return rest[:last] if last > 3 else ""


def slow_words(text: str) -> list[str]:
    return [*_slow_words(text)]


@functools.lru_cache(maxsize=20_000)  # most definitions ask for the words of the same texts
def _slow_words(text: str) -> tuple[str, ...]:
    found: list[str] = []
    fresh = True
    while text:
        if is_skipped(text[0]):
            fresh = fresh or text[0].isspace()
            text = text[1:]
            continue
        lead = re.match("-*" if text[0] == "-" else "/?", text)[0] if fresh else ""
        if lead and not (is_(text[len(lead) : len(lead) + 1], "LNM") and not is_unspaced(text[len(lead)])):
            lead = ""
        text, fresh = text[len(lead) :], False
        word, before = text[0], ""
        if is_(word, "LNM") and not is_unspaced(word):
            word, before = run(text)
            address = link(text[len(word) :])
            word, before = (word + address, "") if address else (word, before)
        else:
            alike = word if word in "-.–—" else ""
            while (after := text[len(word) : len(word) + 1]) and (after == alike or is_(after, "M") or is_format(after)):
                word += after
        found.append(lead + word)
        text = text[len(word) :]
        if is_(before, "L") and (short := clitic(text)):
            found.append(short)
            text = text[len(short) :]
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
