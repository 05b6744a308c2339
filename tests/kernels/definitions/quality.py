"""Measures of the published quality filters, on a text and its words."""

from collections.abc import Sequence

import numpy as np

from definitions.lines import slow_lines, slow_paragraphs
from definitions.repetition import slow_duplicate, slow_top
from definitions.words import slow_facts
from filters.gopher_quality import STOP_WORDS
from stages.kernels.unicode import TERMINAL, classes
from stages.kernels.words import HAS_ALPHA, NOT_PUNCT

TERMINALS = tuple(map(chr, np.flatnonzero(classes() & TERMINAL)))


def ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def slow_gopher_quality(text: str, words: list[str], stop_words: Sequence[str] = STOP_WORDS) -> dict[str, float]:
    lines = text.splitlines()
    facts = [slow_facts(word) for word in words]
    counted = [length for _, length, flags in facts if flags & NOT_PUNCT]
    return {
        "words": len(counted),
        "mean_word_length": ratio(sum(counted), len(counted)),
        "hash_fraction": ratio(text.count("#"), len(words)),
        "ellipsis_fraction": ratio(text.count("...") + text.count("…"), len(words)),
        "bullet_line_fraction": ratio(sum(line.lstrip().startswith(("•", "-")) for line in lines), len(lines)),
        "ellipsis_line_fraction": ratio(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alpha_word_fraction": ratio(sum(flags & HAS_ALPHA != 0 for *_, flags in facts), len(words)),
        "stop_words": len(set(words) & set(stop_words)),
    }


def slow_fineweb_quality(text: str, words: list[str], short: int = 30) -> dict[str, float]:
    kept = [line for line in text.split("\n") if line.strip()]
    seen: set[str] = set()
    repeated = 0
    for line in kept:
        repeated += len(line) if line in seen else 0
        seen.add(line)
    return {
        "lines": len(kept),
        "terminal_punctuation_fraction": ratio(sum(line.endswith(TERMINALS) for line in kept), len(kept)),
        "short_line_fraction": ratio(sum(len(line) <= short for line in kept), len(kept)),
        "duplicate_char_fraction": ratio(repeated, len(text.replace("\n", ""))),
        "newline_fraction": ratio(text.count("\n"), len(words)),
    }


def slow_gopher_repetition(text: str, words: list[str]) -> list[float]:
    """In the order of the filter's measures: paragraphs, lines, top n-grams, repeated n-grams."""
    shares = []
    for segments, repeats, chars, *_ in (slow_paragraphs(text), slow_lines(text)):
        shares += [ratio(repeats, segments), ratio(chars, len(text))]
    shares += [ratio(slow_top(words, n), len(text)) for n in (2, 3, 4)]
    return shares + [ratio(slow_duplicate(words, n, " "), len(text)) for n in range(5, 11)]
