"""Long texts in pieces that fit a context, cut where a reader would."""

import re
from collections.abc import Callable, Iterator

BORDERS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?。！？।])\s*"), re.compile(r"\s+"))
"""between paragraphs, lines, sentences, words: the coarsest that gives pieces small enough"""

Count = Callable[[str], int]


def split_text(text: str, limit: int, count: Count) -> list[str]:
    """Pieces of at most `limit` tokens that put together are the text, none empty.

    Cut between paragraphs; a paragraph that is too long between its lines, a line between sentences, a sentence between words,
    and what has none of these between characters. Neighbours are joined as long as they fit.
    """
    return list(_pieces(text, limit, count, 0)) if text else []


def _pieces(text: str, limit: int, count: Count, level: int) -> Iterator[str]:
    if count(text) <= limit or len(text) <= 1:
        yield text
        return
    held = ""
    for part in _parts(text, level):
        if held and count(held + part) <= limit:
            held += part
            continue
        if held:
            yield held
            held = ""
        if count(part) <= limit:
            held = part
        else:
            *whole, held = _pieces(part, limit, count, level + 1)
            yield from whole
    if held:
        yield held


def _parts(text: str, level: int) -> Iterator[str]:
    """The text cut behind each border of a level; in halves where no border is left."""
    if level >= len(BORDERS):
        middle = len(text) // 2
        yield from (text[:middle], text[middle:])
        return
    start = 0
    for border in BORDERS[level].finditer(text):
        if border.end() > start and border.end() > 0:
            yield text[start : border.end()]
            start = border.end()
    if start < len(text):
        yield text[start:]
