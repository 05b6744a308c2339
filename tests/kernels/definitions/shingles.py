"""What plain and folded words and their shingles are, written the slow, obvious way."""

import functools
import unicodedata
from collections.abc import Iterable, Sequence

from stages.kernels.unicode import UNSPACED, classes


@functools.cache
def fold(char: str) -> str | None:
    """The definition: what a code point becomes; None if it is passed over, "" if it separates."""
    category = unicodedata.category(char)
    if category == "Mn" or (category == "Cf" and char not in "\u200b\ufeff"):
        return None
    if category == "Nd":
        return "0"
    if category[0] not in "LMN" and (category != "So" or "\u2500" <= char <= "\u259f"):
        return ""
    lower = "σ" if char == "ς" else char.lower()
    bases = "".join(c for c in unicodedata.normalize("NFD", lower) if unicodedata.category(c) != "Mn")
    return bases if len(bases) == 1 else lower[0]


@functools.cache
def plain(char: str) -> str | None:
    r"""The same for plain words: `\w` of Python in lower case, and marks; the digit 0 stands behind all code points."""
    category = unicodedata.category(char)
    if category == "Cf" and char not in "\u200b\ufeff":
        return None
    if not (char.isalnum() or char == "_" or category[0] == "M"):
        return ""
    return {"ς": "σ", "0": ZERO}.get(char, char.lower()[0])


ZERO = "the digit 0"
U64 = 2**64
STEP, ABSORB = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93


@functools.cache
def is_alone(char: str) -> bool:
    if unicodedata.category(char) == "So":
        return fold(char) != ""
    return bool(classes()[ord(char)] & UNSPACED)  # has a test of its own


def plain_words(text: str) -> list[tuple[list[str], bool]]:
    """Words, as the pieces they are hashed by, and whether each is a letter by itself."""
    words: list[tuple[list[str], bool]] = []
    word: list[str] = []
    alone = False
    for char in text + " ":
        code = plain(char)
        if code is None:
            continue
        joins = unicodedata.category(char)[0] == "M"
        if word and (not code or is_alone(char) or (alone and not joins)):
            words.append((word, alone))
            word, alone = [], False
        if code:
            alone = alone or (not word and is_alone(char))
            word = [*word, code]
    return words


def folded_words(text: str) -> list[tuple[str, bool]]:
    """Words and whether each is a letter or symbol by itself."""
    words: list[tuple[str, bool]] = []
    word, alone = "", False
    for char in text + " ":
        code = fold(char)
        if code is None:
            continue
        joins = unicodedata.category(char) in ("Mc", "Me")
        if word and (not code or is_alone(char) or (alone and not joins)):
            if not (word == "0" and words and words[-1][0] == "0"):
                words.append((word, alone))
            word, alone = "", False
        if code and not (code == "0" and word.endswith("0")):
            alone = alone or (not word and is_alone(char))
            word += code
    return words


def mix(x: int) -> int:
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % U64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % U64
    return x ^ (x >> 31)


def absorb(hash_: int, piece: int) -> int:
    hash_ = (hash_ ^ piece) * ABSORB % U64
    return hash_ ^ hash_ >> 32


def code_of(char: str) -> int:
    return 0x110000 if char == ZERO else ord(char)


def word_hash(word: Iterable[str]) -> int:
    hash_, buffer, bits = 0, 0, 0
    for code in map(code_of, word):
        width = 8 if code < 0x80 else 24
        if bits + width > 64:
            hash_ = absorb(hash_, buffer)
            buffer, bits = 0, 0
        buffer |= (code if code < 0x80 else code | 0x800000) << bits
        bits += width
    return absorb(hash_, buffer)


def joined(words: Sequence[tuple[Iterable[str], bool]]) -> list[str]:
    chars: list[str] = []
    after_alone = True
    for word, alone in words:
        chars += word if alone or after_alone else [" ", *word]
        after_alone = alone
    return chars


def hashes_slowly(text: str, size: int, unit: str, kind: str = "folded") -> list[int]:
    words: Sequence[tuple[Iterable[str], bool]] = folded_words(text) if kind == "folded" else plain_words(text)
    units = [word_hash(word) for word, _ in words] if unit == "word" else [mix(code_of(char)) for char in joined(words)]
    found = []
    for at in range(len(units) - size + 1):
        hash_ = 0
        for one in units[at : at + size]:
            hash_ = (hash_ * STEP + one) % U64
        found.append(mix(hash_))
    return found
