"""What detectors look at and what they give."""

from typing import NamedTuple


class Found(NamedTuple):
    """One piece of personal data, or a secret.

    start, stop  bytes of the window
    type         `email`, `card`, ...
    value        the same for every spelling of the same thing: no blanks, one case
    """

    start: int
    stop: int
    type: str
    value: str


class Window(NamedTuple):
    """A candidate with what stands around it, cut at the ends of the document.

    data         UTF-8; may begin and end inside a code point
    start, stop  the candidate
    """

    data: bytes
    start: int
    stop: int
