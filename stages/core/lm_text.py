"""Text as n-gram language models of words or pieces read it: CCNet's normalisation, and tokens of each line."""

import functools
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.errors import InputError

Split = Callable[[str], list[str]]
"""Tokens of one line; none of a blank one."""

WORDS = re.compile(r"\w+|[^\w\s]")

_SIGNS = {
    '"': "„”“«」「《》»",
    "'": "´’",
    ",": "，、",
    ".": "。",
    ". ": "．",
    "...": "…",
    ":": "∶：",
    ";": "；",
    "?": "？",
    "!": "！",
    "(": "（",
    ")": "）",
    "-": "–━►",
    " - ": "—",
    "~": "～",
    "<": "〈",
    ">": "〉",
    "[": "【",
    "]": "】",
    "%": "％",
}
"""What CCNet puts in the place of marks beyond ASCII."""


def normalized(line: str) -> str:
    """A line as CCNet normalises it (Wenzek et al. 2020; `text_normalizer.normalize` of cc_net with its defaults).

    Blanks at both ends go; lower case; canonical decomposition (NFD) without combining marks of category Mn, so `é` is `e`;
    every decimal digit is `0`; quotes, dashes and full-width marks are those of ASCII; controls, tabs among them, go.
    """
    line = line.strip().lower()
    return line.translate(_ascii()) if line.isascii() else unicodedata.normalize("NFD", line).translate(_unicode())


@functools.cache
def _ascii() -> dict[int, str | None]:
    return {code: value for code, value in _unicode().items() if code < 128}


@functools.cache
def _unicode() -> dict[int, str | None]:
    table: dict[int, str | None] = {}
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        if category == "Mn" or category == "Cc":
            table[code] = None
        elif category == "Nd":
            table[code] = "0"
    return table | {ord(mark): sign for sign, marks in _SIGNS.items() for mark in marks}


def words(line: str) -> list[str]:
    """Runs of letters, digits and underscores, and every other visible character alone."""
    return WORDS.findall(line)


def splitter(pieces: Path | None, step: str) -> Split:
    """What cuts lines: a model of sentencepiece, or without one `words`. Raises `InputError` that names the step."""
    if pieces is None:
        return words
    import sentencepiece

    try:
        processor: Any = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{step}: {pieces} cannot be read as a model of sentencepiece: {error}") from error
    return functools.partial(_pieces, processor)


def _pieces(processor: Any, line: str) -> list[str]:
    return list(processor.encode(line, out_type=str))


def token_lines(text: str, split: Split, normalize: bool = True) -> list[list[str]]:
    """Tokens of each line that has any. Lines end at line feeds alone, as in CCNet."""
    # KenLM takes a string as C does, up to the first NUL
    lines = (normalized(line) if normalize else line.replace("\0", " ") for line in text.split("\n"))
    return [tokens for line in lines if (tokens := split(line))]
