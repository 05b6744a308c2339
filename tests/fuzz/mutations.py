"""Small changes of a text. What comes out is always valid UTF-8."""

import random
import re
from collections.abc import Callable, Sequence

from random_texts import BREAKS, CONSTRUCTS, SPACES, random_text


def _span(pick: random.Random, text: str, longest: int = 40) -> tuple[int, int]:
    begin = pick.randrange(len(text) + 1)
    return begin, min(begin + pick.randint(1, longest), len(text))


def _any(pick: random.Random) -> str:
    kind = pick.randrange(5)
    if kind == 0:
        return pick.choice(SPACES)
    if kind == 1:
        return pick.choice(BREAKS)
    if kind == 2:
        return pick.choice("aZ09.-,'/:@_…漢é\u0301\u200d#[]{}\"k ")
    return pick.choice(CONSTRUCTS) if kind == 3 else random_text(pick)[:1]


def _insert(pick: random.Random, text: str) -> str:
    at = pick.randrange(len(text) + 1)
    return text[:at] + _any(pick) + text[at:]


def _replace(pick: random.Random, text: str) -> str:
    begin, end = _span(pick, text, 2)
    return text[:begin] + _any(pick) + text[end:]


def _delete(pick: random.Random, text: str) -> str:
    begin, end = _span(pick, text)
    return text[:begin] + text[end:]


def _repeat(pick: random.Random, text: str) -> str:
    begin, end = _span(pick, text)
    return text[:end] + text[begin:end] * pick.choice((1, 1, 2, 3, 10)) + text[end:]


def _move(pick: random.Random, text: str) -> str:
    begin, end = _span(pick, text)
    piece, rest = text[begin:end], text[:begin] + text[end:]
    at = pick.randrange(len(rest) + 1)
    return rest[:at] + piece + rest[at:]


def _cut(pick: random.Random, text: str) -> str:
    first, second = sorted(pick.choices(range(len(text) + 1), k=2))
    return text[first:second]


def _breaks(pick: random.Random, text: str) -> str:
    chosen = pick.choice(BREAKS)
    return re.sub(r"\n|\r\n?|\x85|\u2028", lambda match: chosen if pick.random() < 0.6 else match[0], text)


def _case(pick: random.Random, text: str) -> str:
    begin, end = _span(pick, text)
    return text[:begin] + text[begin:end].swapcase() + text[end:]


def _bytes(pick: random.Random, text: str) -> str:
    data = bytearray(text.encode())
    for _ in range(pick.randint(1, 3)):
        if data:
            data[pick.randrange(len(data))] = pick.choice(
                (pick.randrange(256), pick.choice(b"\x80\xbf\xc2\xe2\x84\xaa\xf0\x0a\x20"))
            )
    return data.decode(errors=pick.choice(("ignore", "replace")))


def _again(pick: random.Random, text: str) -> str:
    """Words that come again later."""
    words = text.split(" ")
    begin = pick.randrange(len(words))
    block = words[begin : begin + pick.randint(1, 12)]
    at = pick.randrange(len(words) + 1)
    return " ".join(words[:at] + block + words[at:])


_MUTATIONS: Sequence[Callable[[random.Random, str], str]] = (
    *(_insert, _insert, _replace, _replace, _delete, _repeat, _move, _cut, _breaks, _case, _bytes, _again),
)


def mutated(pick: random.Random, corpus: Sequence[str], longest: int) -> str:
    """A text of the corpus after one to four changes, or spliced with another."""
    text = pick.choice(corpus[-60:]) if pick.random() < 0.4 else pick.choice(corpus)
    if pick.random() < 0.15:
        other = pick.choice(corpus)
        text = text[: pick.randrange(len(text) + 1)] + other[pick.randrange(len(other) + 1) :]
    for _ in range(pick.choice((1, 1, 2, 4))):
        text = pick.choice(_MUTATIONS)(pick, text)
    return text[:longest]
