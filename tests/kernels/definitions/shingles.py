"""What words and shingles of the default MinHash are, written the slow, obvious way."""

import functools
import unicodedata

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


U64 = 2**64
STEP, ABSORB = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93


@functools.cache
def is_alone(char: str) -> bool:
    if unicodedata.category(char) == "So":
        return fold(char) != ""
    return bool(classes()[ord(char)] & UNSPACED)  # has a test of its own


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


def word_hash(word: str) -> int:
    hash_, buffer, bits = 0, 0, 0
    for char in word:
        width = 8 if char.isascii() else 24
        if bits + width > 64:
            hash_ = absorb(hash_, buffer)
            buffer, bits = 0, 0
        buffer |= (ord(char) if char.isascii() else ord(char) | 0x800000) << bits
        bits += width
    return absorb(hash_, buffer)


def joined(words: list[tuple[str, bool]]) -> str:
    text, after_alone = "", True
    for word, alone in words:
        text += word if alone or after_alone else " " + word
        after_alone = alone
    return text


def hashes_slowly(text: str, size: int, unit: str) -> list[int]:
    words = folded_words(text)
    units = [word_hash(word) for word, _ in words] if unit == "word" else [mix(ord(char)) for char in joined(words)]
    found = []
    for at in range(len(units) - size + 1):
        hash_ = 0
        for one in units[at : at + size]:
            hash_ = (hash_ * STEP + one) % U64
        found.append(mix(hash_))
    return found
