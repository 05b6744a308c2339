"""Texts cut into overlapping windows of words."""

import re
from collections.abc import Iterator

_WORD = re.compile(r"\S+")


def windows(text: str, words: int, stride: int) -> Iterator[tuple[int, int]]:
    """First character and the one behind the last of windows of so many words (runs without white space).

    A window begins every `stride` words, until one reaches the end. A text of fewer words is a window, one without words none.
    """
    places = [match.span() for match in _WORD.finditer(text)]
    for first in range(0, len(places), stride):
        last = min(first + words, len(places)) - 1
        yield places[first][0], places[last][1]
        if last == len(places) - 1:
            return
